//! `/api/v1/users/{id}/notifications`.

use axum::extract::State;
use guildgate_model::{ApplicationId, Decision, GuildId, UserId};
use guildgate_store::NewNotification;
use guildgate_wire::notification_json;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Api,
    extract::{Admin, InPath, Json},
};
use crate::problem::Problem;

/// A notification to be sent
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendNotification {
    /// The guild it is about
    #[schema(value_type = String)]
    gid: GuildId,
    /// 0 accepted, 1 denied, 2 on hold
    #[schema(value_type = u8, maximum = 2)]
    proccessed_type: Decision,
    /// Which application was reviewed
    #[schema(value_type = Option<String>)]
    application_id: Option<ApplicationId>,
    /// What the applicant is told, 2,000 characters at most
    #[schema(max_length = 2000)]
    note: Option<Box<str>>,
}

/// A notification as clients are shown it
#[derive(ToSchema)]
#[schema(as = Notification)]
#[expect(dead_code, reason = "only its description is used")]
struct NotificationJson {
    id: String,
    /// `APPLICATION_REVIWED`
    r#type: String,
    proccessed_type: u8,
    gid: String,
    application_id: Option<String>,
    note: Option<String>,
    /// Unix time, ms
    at: i64,
}

/// Notify a user
///
/// Live on every connection of theirs, and in their inbox until one of them has seen it.
#[utoipa::path(
    post,
    path = "/api/v1/users/{id}/notifications",
    tag = "notifications",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The user's id")),
    request_body = SendNotification,
    responses(
        (status = 201, description = "In the inbox, and on its way", body = NotificationJson),
        (status = 400, description = "Not an id, or not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a notification", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn send(
    _: Admin,
    State(api): State<Api>,
    InPath(user): InPath<UserId>,
    Json(wanted): Json<SendNotification>,
) -> Result<(StatusCode, axum::Json<serde_json::Value>), Problem> {
    if let Some(note) = &wanted.note
        && note.chars().count() > NOTE_CHARS_MAX
    {
        return Err(Problem::field("/note", "expected at most 2000 characters"));
    }
    let new = NewNotification {
        user,
        decision: wanted.proccessed_type,
        guild: wanted.gid,
        application: wanted.application_id,
        note: wanted.note,
    };
    let now = api.clock.now().wall;
    let notification = api.store.add_notification(new, now).await?;
    let json = serde_json::to_value(notification_json(&notification))
        .expect("a notification is plain JSON");
    Ok((StatusCode::CREATED, axum::Json(json)))
}

/// Longest note; one of Discord's own messages holds as much.
const NOTE_CHARS_MAX: usize = 2000;

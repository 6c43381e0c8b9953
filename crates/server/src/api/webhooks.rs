//! `/api/v1/guilds/{id}/webhook-deliveries`: calls of the web hooks that the configuration names.

use axum::extract::State;
use guildgate_model::GuildId;
use guildgate_store::{OutboxItem, Task, Topic};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    extract::{Admin, InPath, InQuery, PageQuery},
    tasks::{self, Progress, TaskQuery},
};
use crate::problem::Problem;

/// What is served here.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(retry))
}

/// A call of a web hook
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookDelivery {
    #[serde(flatten)]
    progress: Progress,
    /// Which web hook: its name in the configuration
    webhook: Box<str>,
    /// By which the receiver knows a repeated call: `guildgate-event` of its headers
    event: Box<str>,
    /// What is sent
    #[schema(value_type = Object)]
    body: Value,
}

impl WebhookDelivery {
    fn of(item: &OutboxItem) -> Option<WebhookDelivery> {
        match &item.task {
            Task::Webhook {
                guild: _,
                endpoint,
                event,
                body,
            } => Some(WebhookDelivery {
                progress: Progress::from(item),
                webhook: endpoint.clone(),
                event: event.clone(),
                body: body.clone(),
            }),
            Task::GrantRole { .. } => None,
        }
    }
}

/// A page of calls
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookDeliveryList {
    /// Newest first
    deliveries: Vec<WebhookDelivery>,
    /// `before` of the next page; null at the end
    next: Option<String>,
}

/// List the calls of web hooks about a guild
///
/// Those that were done are forgotten after 30 days.
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/webhook-deliveries",
    tag = "webhooks",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id"), TaskQuery, PageQuery),
    responses(
        (status = 200, description = "Newest first", body = WebhookDeliveryList),
        (status = 400, description = "Not an id, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(query): InQuery<TaskQuery>,
    InQuery(page): InQuery<PageQuery>,
) -> Result<axum::Json<WebhookDeliveryList>, Problem> {
    let show = WebhookDelivery::of;
    let (deliveries, next) = tasks::list(&api, guild, Topic::Webhook, &query, &page, show).await?;
    Ok(axum::Json(WebhookDeliveryList { deliveries, next }))
}

/// Try again to call a web hook
///
/// With the same event, so that a receiver who has seen it knows it again.
#[utoipa::path(
    post,
    path = "/api/v1/guilds/{id}/webhook-deliveries/{delivery}/retry",
    tag = "webhooks",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("delivery" = String, Path, description = "Its `id` in the list"),
    ),
    responses(
        (status = 202, description = "It is tried again within seconds", body = WebhookDelivery),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call about the guild", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not failed; `current` says how far it is", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, id)): InPath<(GuildId, u64)>,
) -> Result<(StatusCode, axum::Json<Option<WebhookDelivery>>), Problem> {
    let item = tasks::retry(&api, guild, Topic::Webhook, id).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(WebhookDelivery::of(&item))))
}

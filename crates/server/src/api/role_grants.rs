//! `/api/v1/guilds/{id}/role-grants`: roles that accepted applicants get in Discord.

use axum::extract::State;
use guildgate_model::{ApplicationId, GuildId, RoleId, UserId};
use guildgate_store::{OutboxItem, Task, Topic};
use http::StatusCode;
use serde::Serialize;
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

/// A role for an accepted applicant
#[derive(Serialize, ToSchema)]
pub(super) struct RoleGrant {
    #[serde(flatten)]
    progress: Progress,
    /// To whom
    #[schema(value_type = String)]
    user: UserId,
    /// Which
    #[schema(value_type = String)]
    role: RoleId,
    /// For which submission
    #[schema(value_type = String)]
    submission: ApplicationId,
}

impl RoleGrant {
    fn of(item: &OutboxItem) -> Option<RoleGrant> {
        match item.task {
            Task::GrantRole {
                guild: _,
                user,
                role,
                application,
            } => Some(RoleGrant {
                progress: Progress::from(item),
                user,
                role,
                submission: application,
            }),
            Task::Webhook { .. } => None,
        }
    }
}

/// A page of roles
#[derive(Serialize, ToSchema)]
pub(super) struct RoleGrantList {
    /// Newest first
    role_grants: Vec<RoleGrant>,
    /// `before` of the next page; null at the end
    next: Option<String>,
}

/// List the roles that accepted applicants get
///
/// Those that failed say why: the bot may lack the right, or the member has left.
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/role-grants",
    tag = "role-grants",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id"), TaskQuery, PageQuery),
    responses(
        (status = 200, description = "Newest first", body = RoleGrantList),
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
) -> Result<axum::Json<RoleGrantList>, Problem> {
    let show = RoleGrant::of;
    let (role_grants, next) =
        tasks::list(&api, guild, Topic::GrantRole, &query, &page, show).await?;
    Ok(axum::Json(RoleGrantList { role_grants, next }))
}

/// Try again to give a role
#[utoipa::path(
    post,
    path = "/api/v1/guilds/{id}/role-grants/{grant}/retry",
    tag = "role-grants",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("grant" = String, Path, description = "Its `id` in the list"),
    ),
    responses(
        (status = 202, description = "It is tried again within seconds", body = RoleGrant),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The guild has no such grant", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not failed; `current` says how far it is", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, id)): InPath<(GuildId, u64)>,
) -> Result<(StatusCode, axum::Json<Option<RoleGrant>>), Problem> {
    let item = tasks::retry(&api, guild, Topic::GrantRole, id).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(RoleGrant::of(&item))))
}

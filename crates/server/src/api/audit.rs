//! `/api/v1/guilds/{id}/audit`: who changed what, and when.

use axum::extract::State;
use guildgate_model::{GuildId, UnixMs, UserId};
use guildgate_store::AuditEntry;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    actor::shown_actor,
    extract::{Admin, InPath, InQuery, PageQuery},
};
use crate::problem::Problem;

/// What is served here.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One entry of the audit trail
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct EntryJson {
    id: String,
    /// Unix time, ms
    #[schema(value_type = i64)]
    at: UnixMs,
    /// Who; null if the gateway itself
    #[schema(value_type = Option<String>)]
    actor: Option<UserId>,
    /// `form_changed`, `form_restored`, `submitted`, `withdrawn`, `reviewed`, `role_granted` or
    /// `role_grant_failed`
    action: &'static str,
    /// The particulars, by action
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<AuditEntry> for EntryJson {
    fn from(entry: AuditEntry) -> EntryJson {
        EntryJson {
            id: entry.id.to_string(),
            at: entry.at,
            actor: shown_actor(entry.actor),
            action: entry.action.name(),
            detail: entry.detail,
        }
    }
}

/// A page of the audit trail
#[derive(Serialize, ToSchema)]
pub(super) struct AuditList {
    /// Newest first
    entries: Vec<EntryJson>,
    /// `before` of the next page; null at the end
    next: Option<String>,
}

/// Read a guild's audit trail
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/audit",
    tag = "audit",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id"), PageQuery),
    responses(
        (status = 200, description = "Newest first", body = AuditList),
        (status = 400, description = "Not an id, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(page): InQuery<PageQuery>,
) -> Result<axum::Json<AuditList>, Problem> {
    let listed = api.store.list_audit(guild, page.page()?).await?;
    Ok(axum::Json(AuditList {
        entries: listed.items.into_iter().map(Into::into).collect(),
        next: listed.next.map(|next| next.to_string()),
    }))
}

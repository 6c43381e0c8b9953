//! The versions of a guild's form.

use axum::{extract::State, response::Response};
use guildgate_model::{GuildId, Revision, UnixMs, UserId};
use guildgate_store::{DocumentKey, DocumentVersion, Page, PatchRefusal, RestoreVersion};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    BaseQuery, FormJson, conflict,
    write::{TRIES_MAX, stays},
};
use crate::{
    api::{
        Api,
        actor::{ActorQuery, shown_actor},
        extract::{Admin, InPath, InQuery, PageQuery, shown},
    },
    problem::{Problem, ProblemKind},
};

/// One version of a form's history
#[derive(Serialize, ToSchema)]
#[schema(as = FormVersion)]
struct VersionJson {
    #[schema(value_type = u64)]
    apv: Revision,
    /// Who made it; null for the first, and where the form opened by itself
    #[schema(value_type = Option<String>)]
    actor: Option<UserId>,
    /// When: Unix time, ms
    #[schema(value_type = i64)]
    at: UnixMs,
}

impl VersionJson {
    fn new(version: &DocumentVersion) -> VersionJson {
        VersionJson {
            apv: version.revision,
            actor: shown_actor(version.actor),
            at: version.at,
        }
    }
}

/// A page of a form's history
#[derive(Serialize, ToSchema)]
#[schema(as = FormVersions)]
pub(in crate::api) struct VersionList {
    /// Newest first
    versions: Vec<VersionJson>,
    /// `before` of the next page; null at the end
    next: Option<String>,
}

/// List the versions of a guild's form
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/form/versions",
    tag = "forms",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id"), PageQuery),
    responses(
        (status = 200, description = "Newest first", body = VersionList),
        (status = 400, description = "Not an id, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::api) async fn list_versions(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(page): InQuery<PageQuery>,
) -> Result<axum::Json<VersionList>, Problem> {
    let key = DocumentKey::Form(guild);
    let listed = api.store.list_versions(key, page.page()?).await?;
    let (versions, next) = shown(&listed, |version| Some(VersionJson::new(version)));
    Ok(axum::Json(VersionList { versions, next }))
}

/// A version with its content
#[derive(Serialize, ToSchema)]
#[schema(as = FormAtVersion)]
pub(in crate::api) struct VersionContent {
    #[schema(value_type = String)]
    gid: GuildId,
    #[serde(flatten)]
    version: VersionJson,
    /// The form as it was then
    #[schema(value_type = Object)]
    document: Value,
    /// The RFC 6902 patch that made it out of the one before; null for the first
    #[schema(value_type = Option<Vec<Object>>)]
    patch: Option<Value>,
}

/// Read a version of a guild's form
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/form/versions/{apv}",
    tag = "forms",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("apv" = u64, Path, description = "The version"),
    ),
    responses(
        (status = 200, description = "As it was then", body = VersionContent),
        (status = 400, description = "Not an id, or not a version", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::api) async fn read_version(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, revision)): InPath<(GuildId, Revision)>,
) -> Result<axum::Json<VersionContent>, Problem> {
    let key = DocumentKey::Form(guild);
    let page = Page {
        before: revision.0.checked_add(1),
        limit: 1,
    };
    let listed = api.store.list_versions(key, page).await?;
    let version = listed
        .items
        .into_iter()
        .find(|found| found.revision == revision);
    let document = api.store.read_version(key, revision).await?;
    let (Some(version), Some(document)) = (version, document) else {
        return Err(no_version(guild, revision));
    };
    Ok(axum::Json(VersionContent {
        gid: guild,
        version: VersionJson::new(&version),
        document: document.content,
        patch: version.patch,
    }))
}

/// Make an old version of a guild's form the newest
///
/// As a version of its own: nothing of the history is lost. With `base`, only if that is still
/// the newest.
#[utoipa::path(
    post,
    path = "/api/v1/guilds/{id}/form/versions/{apv}/restore",
    tag = "forms",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("apv" = u64, Path, description = "The version that shall be the newest again"),
        ActorQuery,
        BaseQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the newest version"),
    ),
    responses(
        (status = 200, description = "The newest version by now", body = FormJson),
        (status = 400, description = "Not an id or version, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The form has changed since; `current` is the newest", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field that submissions answer would stand under another id; `errors` point into that version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::api) async fn restore(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, wanted)): InPath<(GuildId, Revision)>,
    InQuery(actor): InQuery<ActorQuery>,
    InQuery(base): InQuery<BaseQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let actor = actor.user()?;
    let asked = base.revision(&headers)?;
    let key = DocumentKey::Form(guild);
    let mut tries = 0;
    loop {
        let newest = api.store.read_document(key).await?;
        let newest = newest.ok_or_else(|| no_version(guild, wanted))?;
        let restore = RestoreVersion {
            key,
            wanted,
            base: asked.unwrap_or(newest.revision),
            actor,
        };
        let now = api.clock.now().wall;
        match api.store.restore_version(restore, now).await? {
            Ok(document) => {
                tracing::info!(%guild, %actor, %wanted, apv = %document.revision, "form restored");
                return Ok(FormJson::response(guild, document));
            }
            Err(PatchRefusal::Answered(renamed)) => return Err(stays(&renamed)),
            Err(PatchRefusal::Unknown) => return Err(no_version(guild, wanted)),
            Err(PatchRefusal::Conflict { newest }) => {
                tries += 1;
                if asked.is_some() || tries == TRIES_MAX {
                    return Err(conflict(&newest, "the form has changed since"));
                }
            }
        }
    }
}

fn no_version(guild: GuildId, revision: Revision) -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        format!(
            "the form of guild {guild} has no version {revision}; \
             GET /api/v1/guilds/{guild}/form/versions lists them"
        ),
    )
}

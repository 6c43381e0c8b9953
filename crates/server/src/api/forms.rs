//! `/api/v1/guilds/{id}/form`: a guild's form, and its history.
//!
//! A form that is written here is a version like any other: live sessions hear of it through
//! the feed, as they hear of one that another node made.

mod diff;
mod history;
mod write;

use axum::{
    extract::{FromRequest, Request, State},
    response::{IntoResponse, Response},
};
use guildgate_core::rebase::{Patch, PatchError};
use guildgate_model::{Form, GuildId, Revision};
use guildgate_store::{Document, DocumentKey};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    actor::{ActorQuery, bad_query},
    extract::{self, Admin, InPath, InQuery, Json},
    guilds,
};
use crate::problem::{Problem, ProblemKind};
use write::{Change, Write};

/// What is served here.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(read, replace, patch))
        .routes(routes!(history::list_versions))
        .routes(routes!(history::read_version))
        .routes(routes!(history::restore))
}

/// A guild's form at a version
#[derive(Serialize, ToSchema)]
#[schema(as = Form)]
pub(super) struct FormJson {
    #[schema(value_type = String)]
    gid: GuildId,
    /// Its version; also in `ETag`
    #[schema(value_type = u64)]
    apv: Revision,
    /// The form itself: `{status, status_data, sections, role_on_accept?}`
    #[schema(value_type = Object)]
    document: Value,
}

impl FormJson {
    fn response(guild: GuildId, document: Document) -> Response {
        let tag = format!("\"{}\"", document.revision);
        let body = FormJson {
            gid: guild,
            apv: document.revision,
            document: document.content,
        };
        ([(header::ETAG, tag)], axum::Json(body)).into_response()
    }
}

/// The version that a change was made on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BaseQuery {
    /// The version that this was made on, as `If-Match` would say it; the newest if left out
    #[param(value_type = Option<u64>)]
    base: Option<String>,
}

impl BaseQuery {
    fn revision(&self, headers: &HeaderMap) -> Result<Option<Revision>, Problem> {
        let number = |text: &str| text.parse().ok().map(Revision);
        let asked = match &self.base {
            None => None,
            Some(text) => Some(
                number(text).ok_or_else(|| bad_query("base", "the form's version, a number"))?,
            ),
        };
        let tag = match headers.get(header::IF_MATCH).map(|value| value.as_bytes()) {
            None | Some(b"*") => None,
            Some(tag) => Some(
                tag.strip_prefix(b"\"")
                    .and_then(|tag| tag.strip_suffix(b"\""))
                    .and_then(|tag| number(std::str::from_utf8(tag).ok()?))
                    .ok_or_else(|| {
                        let detail = "`If-Match`: expected the form's `ETag`, such as \"12\"";
                        Problem::new(ProblemKind::BadRequest, detail)
                    })?,
            ),
        };
        match (asked, tag) {
            (Some(asked), Some(tag)) if asked != tag => Err(Problem::new(
                ProblemKind::BadRequest,
                "`If-Match` and `base` name two versions: send one of them",
            )),
            (asked, tag) => Ok(asked.or(tag)),
        }
    }
}

/// Read a guild's form
///
/// A guild of the bot's without a form has the empty one, closed, at version 1.
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/form",
    tag = "forms",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id")),
    responses(
        (status = 200, description = "The newest version", body = FormJson),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No form, and the bot is not in the guild", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
) -> Result<Response, Problem> {
    let newest = newest(&api, guild).await?;
    Ok(FormJson::response(guild, newest))
}

/// The newest form of a guild; the empty one where the bot is and nobody has written any.
async fn newest(api: &Api, guild: GuildId) -> Result<Document, Problem> {
    let key = DocumentKey::Form(guild);
    if let Some(document) = api.store.read_document(key).await? {
        return Ok(document);
    }
    guilds::known(api, guild).await?;
    Ok(Document {
        revision: Revision::FIRST,
        content: Form::empty_document(),
    })
}

/// Write a guild's form as a whole
///
/// With `If-Match` or `base`, only if that is still the newest version. Live sessions see what
/// changed as a patch. A form that is the same already makes no version.
#[utoipa::path(
    put,
    path = "/api/v1/guilds/{id}/form",
    tag = "forms",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ActorQuery,
        BaseQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that this was made on"),
    ),
    request_body(content = Object, description = "The form: `document` of the answer"),
    responses(
        (status = 200, description = "The newest version by now", body = FormJson),
        (status = 400, description = "Not an id, not JSON, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No form, and the bot is not in the guild", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The form has changed since; `current` is the newest", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a form; `errors` point into it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn replace(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(actor): InQuery<ActorQuery>,
    InQuery(base): InQuery<BaseQuery>,
    headers: HeaderMap,
    Json(document): Json<Value>,
) -> Result<Response, Problem> {
    change(
        &api,
        guild,
        &actor,
        base.revision(&headers)?,
        Change::Whole(document),
    )
    .await
}

/// An RFC 6902 patch as a body.
pub(super) struct PatchBody(Patch);

impl FromRequest<Api> for PatchBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<PatchBody, Problem> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.trim_start().starts_with("application/json-patch+json") {
            return Err(Problem::new(
                ProblemKind::UnsupportedMediaType,
                "the body must be an RFC 6902 patch: send it with \
                 `Content-Type: application/json-patch+json`",
            ));
        }
        let body = extract::read_body(request, api.body_bytes_max()).await?;
        let json = serde_json::from_slice(&body).map_err(|error| {
            let detail = format!("the body is not JSON: {error}");
            Problem::new(ProblemKind::BadRequest, detail)
        })?;
        match Patch::parse(json) {
            Ok(patch) => Ok(PatchBody(patch)),
            Err(error) => Err(bad_patch(&error, &Value::Null)),
        }
    }
}

/// A patch at fault by itself, with a pointer into the patch.
fn bad_patch(error: &PatchError, patch: &Value) -> Problem {
    let pointer = match error.operation {
        None => String::new(),
        Some(at) if error.pointer.is_empty() => format!("/{at}"),
        Some(at) => {
            let is = |key: &str| patch[at][key].as_str() == Some(&*error.pointer);
            let key = if !is("path") && is("from") {
                "from"
            } else {
                "path"
            };
            format!("/{at}/{key}")
        }
    };
    Problem::new(
        ProblemKind::Unprocessable,
        "the patch was not applied; `errors` point into the patch",
    )
    .at(pointer, &*error.message)
}

/// Patch a guild's form
///
/// By RFC 6902. With `If-Match` or `base`, a patch of an older version is applied to the newest
/// where nothing that it touches has changed since, as in a live session.
#[utoipa::path(
    patch,
    path = "/api/v1/guilds/{id}/form",
    tag = "forms",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ActorQuery,
        BaseQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that this was made on"),
    ),
    request_body(content = [Object], content_type = "application/json-patch+json", description = "The operations"),
    responses(
        (status = 200, description = "The newest version by now", body = FormJson),
        (status = 400, description = "Not an id, not JSON, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No form, and the bot is not in the guild", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "What it touches has changed since, or a `test` failed; `current` is the newest", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not said to be a patch", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a patch that can be applied, or what it makes is not a form", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn patch(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(actor): InQuery<ActorQuery>,
    InQuery(base): InQuery<BaseQuery>,
    headers: HeaderMap,
    PatchBody(patch): PatchBody,
) -> Result<Response, Problem> {
    change(
        &api,
        guild,
        &actor,
        base.revision(&headers)?,
        Change::Patch(patch),
    )
    .await
}

/// Makes a change, and answers the newest version.
async fn change(
    api: &Api,
    guild: GuildId,
    actor: &ActorQuery,
    base: Option<Revision>,
    change: Change,
) -> Result<Response, Problem> {
    let write = Write {
        guild,
        actor: actor.user()?,
        base,
        change,
    };
    let newest = write::write(api, write).await?;
    Ok(FormJson::response(guild, newest))
}

/// The form has moved on; with the newest.
fn conflict(newest: &Document, what: &str) -> Problem {
    Problem::new(
        ProblemKind::Conflict,
        format!(
            "{what}: it is at version {} by now, see `current`; look at that, and send the \
             change again on it",
            newest.revision
        ),
    )
    .with_current(json!({ "apv": newest.revision, "document": newest.content }))
}

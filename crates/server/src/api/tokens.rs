//! `/api/v1/tokens`.

use std::time::Duration;

use axum::extract::State;
use guildgate_model::{TokenId, TokenKind, TokenRecord, UnixMs};
use guildgate_store::{NewToken, TokenFilter, Uses};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    extract::{Admin, InPath, InQuery, Json, PageQuery},
};
use crate::problem::{Problem, ProblemKind};

/// A token to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueToken {
    /// What it shall be good for
    #[schema(value_type = TokenKindName)]
    kind: TokenKind,
    /// Whose it shall be: a user's id, or a guild's for `gatewayGuild`; none for `global`
    #[serde(rename = "for")]
    #[schema(value_type = Option<String>)]
    owner: Option<Id>,
    /// How often it can be used; left out: 7 for `gatewayGuild`, without bound for others
    #[schema(minimum = 1)]
    uses: Option<u32>,
    /// Seconds until it expires; never if left out
    #[schema(minimum = 1)]
    ttl_s: Option<u64>,
}

/// What a token is good for.
#[derive(ToSchema)]
#[schema(as = TokenKind, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its description is used")]
enum TokenKindName {
    User,
    GatewayUser,
    GatewayGuild,
    Global,
}

/// An id as a decimal string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(pub(super) u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        guildgate_model::UserId::deserialize(deserializer).map(|id| Id(id.0))
    }
}

/// A token that was issued
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssuedToken {
    /// The token itself; shown this once
    token: String,
    #[serde(flatten)]
    record: TokenJson,
}

/// What is stored of a token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenJson {
    /// By which it is revoked
    #[schema(value_type = String)]
    id: TokenId,
    #[schema(value_type = TokenKindName)]
    kind: TokenKind,
    /// Whose it is
    #[serde(rename = "for")]
    owner: Option<String>,
    /// Whether it is accepted
    state: TokenState,
    /// How often it can still be used; without bound if null
    uses_left: Option<u32>,
    /// Unix time, ms; never if null
    #[schema(value_type = Option<i64>)]
    expires_at: Option<UnixMs>,
    /// Unix time, ms
    #[schema(value_type = i64)]
    created_at: UnixMs,
    /// Unix time, ms
    #[schema(value_type = Option<i64>)]
    last_used_at: Option<UnixMs>,
    /// Unix time, ms
    #[schema(value_type = Option<i64>)]
    revoked_at: Option<UnixMs>,
}

/// Whether a token is accepted, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TokenState {
    Good,
    Revoked,
    Expired,
    UsedUp,
}

impl TokenJson {
    fn new(record: TokenRecord, now: UnixMs) -> TokenJson {
        let state = if record.revoked_at.is_some() {
            TokenState::Revoked
        } else if record.expires_at.is_some_and(|at| at <= now) {
            TokenState::Expired
        } else if record.uses_left == Some(0) {
            TokenState::UsedUp
        } else {
            TokenState::Good
        };
        TokenJson {
            id: record.id,
            kind: record.kind,
            owner: record.owner.map(|id| id.to_string()),
            state,
            uses_left: record.uses_left,
            expires_at: record.expires_at,
            created_at: record.created_at,
            last_used_at: record.last_used_at,
            revoked_at: record.revoked_at,
        }
    }
}

/// Issue a token
///
/// A new global token rotates: the one before stays good until it expires.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    security(("admin_key" = [])),
    request_body = IssueToken,
    responses(
        (status = 201, description = "Issued", body = IssuedToken),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a token that can be issued", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn issue(
    _: Admin,
    State(api): State<Api>,
    Json(wanted): Json<IssueToken>,
) -> Result<(StatusCode, axum::Json<IssuedToken>), Problem> {
    let now = api.clock.now().wall;
    let new = new_token(&wanted, now)?;
    let (record, secret) = api.store.issue_token(new, now).await?;
    tracing::info!(token = %record.id, kind = %record.kind, owner = ?record.owner, "token issued");
    let issued = IssuedToken {
        token: secret.expose().to_owned(),
        record: TokenJson::new(record, now),
    };
    Ok((StatusCode::CREATED, axum::Json(issued)))
}

fn new_token(wanted: &IssueToken, now: UnixMs) -> Result<NewToken, Problem> {
    match (wanted.kind, wanted.owner) {
        (TokenKind::Global, Some(_)) => {
            return Err(Problem::field(
                "/for",
                "a global token is nobody's: leave it out",
            ));
        }
        (TokenKind::User | TokenKind::GatewayUser, None) => {
            return Err(Problem::field(
                "/for",
                "expected the id of the user it is for",
            ));
        }
        (TokenKind::GatewayGuild, None) => {
            return Err(Problem::field(
                "/for",
                "expected the id of the guild it is for",
            ));
        }
        _ => {}
    }
    if wanted.uses == Some(0) {
        return Err(Problem::field("/uses", "expected at least 1"));
    }
    if wanted.ttl_s.is_some_and(|ttl| ttl == 0 || ttl > TTL_S_MAX) {
        return Err(Problem::field(
            "/ttl_s",
            "expected a number of seconds from 1 to 3153600000",
        ));
    }
    Ok(NewToken {
        kind: wanted.kind,
        owner: wanted.owner.map(|id| id.0),
        uses: wanted.uses.map_or(Uses::OfKind, Uses::Limited),
        expires_at: wanted.ttl_s.map(|ttl| now + Duration::from_secs(ttl)),
    })
}

/// A hundred years: more is a slip, and "never" is said by leaving it out.
const TTL_S_MAX: u64 = 3_153_600_000;

/// Which tokens to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TokenQuery {
    /// Only those of this user or guild
    #[serde(rename = "for")]
    #[param(value_type = Option<String>)]
    owner: Option<String>,
    /// Only those of this kind
    #[param(value_type = Option<TokenKindName>)]
    kind: Option<String>,
}

/// A page of tokens
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenList {
    /// Newest first
    tokens: Vec<TokenJson>,
    /// `before` of the next page; null at the end
    next: Option<String>,
}

/// List tokens, good or not; never their text
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    security(("admin_key" = [])),
    params(TokenQuery, PageQuery),
    responses(
        (status = 200, description = "Newest first", body = TokenList),
        (status = 400, description = "A query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    _: Admin,
    State(api): State<Api>,
    InQuery(query): InQuery<TokenQuery>,
    InQuery(page): InQuery<PageQuery>,
) -> Result<axum::Json<TokenList>, Problem> {
    let bad = |name: &str, expected: &str| {
        Problem::new(
            ProblemKind::BadRequest,
            format!("`{name}` in the query: expected {expected}"),
        )
    };
    let filter = TokenFilter {
        owner: query
            .owner
            .map(|text| text.parse().map_err(|_| bad("for", "an id in digits")))
            .transpose()?,
        kind: query
            .kind
            .map(|text| {
                text.parse()
                    .map_err(|_| bad("kind", "user, gatewayUser, gatewayGuild or global"))
            })
            .transpose()?,
    };
    let now = api.clock.now().wall;
    let listed = api.store.list_tokens(filter, page.page()?).await?;
    Ok(axum::Json(TokenList {
        tokens: listed
            .items
            .into_iter()
            .map(|record| TokenJson::new(record, now))
            .collect(),
        next: listed.next.map(|next| next.to_string()),
    }))
}

/// Revoke a token
///
/// Live connections that authenticated with it are closed within a second, on every node.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    tag = "tokens",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The token's id, as given when it was issued")),
    responses(
        (status = 204, description = "Revoked, now or before"),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such token", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke(
    _: Admin,
    State(api): State<Api>,
    InPath(id): InPath<TokenId>,
) -> Result<StatusCode, Problem> {
    match api.store.revoke_token(id, api.clock.now().wall).await? {
        Some(record) => {
            tracing::info!(token = %id, kind = %record.kind, "token revoked");
            Ok(StatusCode::NO_CONTENT)
        }
        None => Err(Problem::new(
            ProblemKind::NotFound,
            format!("there is no token {id}; GET /api/v1/tokens lists them"),
        )),
    }
}

//! `/api/v1/guilds`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use guildgate_model::GuildId;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Api, LiveError,
    extract::{Admin, InPath, Json},
};
use crate::problem::{Problem, ProblemKind};

/// Every guild of the bot's
#[derive(Serialize, ToSchema)]
pub(super) struct GuildList {
    /// By id
    guilds: Vec<GuildEntry>,
}

/// A guild in a list.
#[derive(Serialize, ToSchema)]
struct GuildEntry {
    #[schema(value_type = String)]
    id: GuildId,
    /// How many clients are on it, on this node
    clients: u64,
    /// As clients are shown it; null until Discord has sent it
    #[schema(value_type = Option<GuildJson>)]
    guild: Option<Arc<RawValue>>,
}

/// A guild as clients are shown it: `guild` of a CONNECT_GUILD answer
#[derive(ToSchema)]
#[schema(as = Guild)]
#[expect(dead_code, reason = "only its description is used")]
struct GuildJson {
    id: String,
    name: String,
    /// The same as `member_count`
    count: u64,
    member_count: u64,
    banner: Option<String>,
    icon: Option<String>,
    premium_tier: u8,
    verification_level: u8,
    emojis: Vec<EmojiJson>,
    /// Whether the invite set for the guild still exists
    current_invite_valid: bool,
    /// The same as `vanity_url_code`
    vanity: Option<String>,
    vanity_url_code: Option<String>,
    owner_id: String,
    description: Option<String>,
    mfa_level: u8,
    nsfw: bool,
    /// `live`, `approximate` or `stale`
    freshness: String,
    /// Unix time, ms; only where `freshness` is `stale`
    #[schema(nullable = false)]
    stale_since: Option<i64>,
}

/// A custom emoji.
#[derive(ToSchema)]
#[schema(as = Emoji)]
#[expect(dead_code, reason = "only its description is used")]
struct EmojiJson {
    id: String,
    name: String,
    animated: bool,
}

impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Problem {
        Problem::new(
            ProblemKind::Unavailable,
            format!("{error}; ask another node, or later"),
        )
    }
}

/// List the bot's guilds
#[utoipa::path(
    get,
    path = "/api/v1/guilds",
    tag = "guilds",
    security(("admin_key" = [])),
    responses(
        (status = 200, description = "As they are now", body = GuildList),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    _: Admin,
    State(api): State<Api>,
) -> Result<axum::Json<GuildList>, Problem> {
    let guilds = api.live.guilds().await?;
    Ok(axum::Json(GuildList {
        guilds: guilds
            .into_iter()
            .map(|guild| GuildEntry {
                id: guild.id,
                clients: guild.clients,
                guild: guild.guild_json,
            })
            .collect(),
    }))
}

/// Read a guild
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}",
    tag = "guilds",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id")),
    responses(
        (status = 200, description = "As it is now", body = GuildJson),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The bot is not in it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(
    _: Admin,
    State(api): State<Api>,
    InPath(id): InPath<GuildId>,
) -> Result<Response, Problem> {
    let guild = known(&api, id).await?;
    let headers = [(header::CONTENT_TYPE, "application/json")];
    Ok((headers, guild.get().to_owned()).into_response())
}

/// A guild, or the problem that it is unknown.
pub(super) async fn known(api: &Api, id: GuildId) -> Result<Arc<RawValue>, Problem> {
    api.live.guild(id).await?.ok_or_else(|| {
        Problem::new(
            ProblemKind::NotFound,
            format!("the bot is not in guild {id}, or Discord has not sent it yet"),
        )
    })
}

/// An invite
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetInvite {
    /// The code of the invite that the site shows; null for none, whatever the configuration says
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    code: Option<Box<str>>,
}

/// Say which invite the site shows
///
/// `current_invite_valid` tells clients whether it still exists. It is kept in the database,
/// goes before `invites` in the configuration, and holds on every node within a second.
#[utoipa::path(
    put,
    path = "/api/v1/guilds/{id}/invite",
    tag = "guilds",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id")),
    request_body = SetInvite,
    responses(
        (status = 204, description = "Taken over"),
        (status = 400, description = "Not an id, or not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The bot is not in it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No invite's code", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_invite(
    _: Admin,
    State(api): State<Api>,
    InPath(id): InPath<GuildId>,
    Json(wanted): Json<SetInvite>,
) -> Result<StatusCode, Problem> {
    let plain = |code: &str| {
        (1..=INVITE_BYTES_MAX).contains(&code.len())
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if wanted.code.as_deref().is_some_and(|code| !plain(code)) {
        return Err(Problem::field(
            "/code",
            "expected the invite's code alone, such as \"abc123\"",
        ));
    }
    known(&api, id).await?;
    let invite = guildgate_store::SetInvite {
        guild: id,
        code: wanted.code,
    };
    // The hub hears of it by the feed alone, which has one order for all nodes.
    api.store.set_invite(invite, api.clock.now().wall).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Longest code of an invite; Discord's are shorter.
const INVITE_BYTES_MAX: usize = 64;

//! Who calls, how often, and what they may do.

use std::sync::Arc;

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use guildgate_model::{GuildId, Permissions, RoleId, UserId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{
    ApiError,
    limit::{Outcome, Verdict},
};
use crate::{
    config::Authority,
    driver::Shared,
    gateway::Discord,
    world::{Guild, Member},
};

/// Lets a call on if its token is good and its bucket not empty, and says so in its headers.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if !shared.with(|discord| may_call(discord, request.headers())) {
        return ApiError::UNAUTHORIZED.into_response();
    }
    let route = route(&request);
    let (verdict, wall) = shared.with(|discord| {
        discord.counters.rest_calls += 1;
        let now = discord.now;
        (
            discord.buckets.admit(now.mono, &route, &discord.settings),
            now.wall,
        )
    });
    let mut response = match verdict.outcome {
        Outcome::Admitted => next.run(request).await,
        Outcome::Limited | Outcome::GloballyLimited => refusal(&verdict),
    };
    let headers = response.headers_mut();
    let after = verdict.reset_after.as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a wall clock in milliseconds fits exactly"
    )]
    let reset = wall.0 as f64 / 1_000.0 + after;
    for (name, value) in [
        ("x-ratelimit-limit", verdict.limit.to_string()),
        ("x-ratelimit-remaining", verdict.remaining.to_string()),
        ("x-ratelimit-reset", format!("{reset:.3}")),
        ("x-ratelimit-reset-after", format!("{after:.3}")),
        ("x-ratelimit-bucket", verdict.bucket),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Whether a call carries the bot's token, or the user's.
fn may_call(discord: &Discord, headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(given) = given else {
        return false;
    };
    let is_bot = given.strip_prefix("Bot ") == Some(discord.token.expose());
    let is_user = discord
        .user
        .as_ref()
        .is_some_and(|user| bare(given) == user.token.expose());
    is_user || (is_bot && discord.budget.is_token_good())
}

/// A token without the word before it. A bot library says `Bot` before a user's, too.
pub(super) fn bare(authorization: &str) -> &str {
    authorization.strip_prefix("Bot ").unwrap_or(authorization)
}

/// The method, the route's pattern, and the guild or channel that it is about.
fn route(request: &Request) -> String {
    let pattern = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("?", MatchedPath::as_str);
    let shape = pattern
        .trim_start_matches("/api")
        .trim_start_matches("/v10")
        .trim_start_matches("/v9");
    let mut parts = request.uri().path().split('/');
    let major = parts
        .find(|part| matches!(*part, "guilds" | "channels"))
        .and_then(|_| parts.next());
    format!("{} {shape} {}", request.method(), major.unwrap_or_default())
}

fn refusal(verdict: &Verdict) -> Response {
    let global = verdict.outcome == Outcome::GloballyLimited;
    let after = verdict.reset_after.as_secs_f64();
    let body = json!({
        "message": "You are being rate limited.", "retry_after": after, "global": global,
    });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let headers = response.headers_mut();
    let scope = if global { "global" } else { "user" };
    headers.insert(
        HeaderName::from_static("x-ratelimit-scope"),
        HeaderValue::from_static(scope),
    );
    if global {
        headers.insert(
            HeaderName::from_static("x-ratelimit-global"),
            HeaderValue::from_static("true"),
        );
    }
    headers.insert(
        header::RETRY_AFTER,
        HeaderValue::from(verdict.reset_after.as_secs() + 1),
    );
    response
}

impl Discord {
    /// The guild, if it is one of the bot's.
    pub(super) fn guild_for_call(&self, id: GuildId) -> Result<&Guild, ApiError> {
        self.world.guild(id).ok_or(ApiError::UNKNOWN_GUILD)
    }

    /// Whether the bot may do what needs `permissions` in `guild`.
    ///
    /// # Errors
    /// Discord's 403.
    pub(super) fn demand(&self, guild: GuildId, permissions: Permissions) -> Result<(), ApiError> {
        let known = self.guild_for_call(guild)?;
        let held = known.permissions_of(self.world.bot(), self.now.wall);
        match self.settings.authority {
            Authority::Ignored => Ok(()),
            Authority::Enforced if held.contains(permissions) => Ok(()),
            Authority::Enforced => Err(ApiError::MISSING_PERMISSIONS),
        }
    }

    /// Whether the bot stands above `role`.
    ///
    /// # Errors
    /// Discord's 403.
    pub(super) fn demand_above_role(&self, guild: GuildId, role: RoleId) -> Result<(), ApiError> {
        let known = self.guild_for_call(guild)?;
        let position = known.role(role).ok_or(ApiError::UNKNOWN_ROLE)?.position;
        self.demand_above(known, position)
    }

    /// Whether the bot stands above `user`'s highest role; nobody stands above the owner.
    ///
    /// # Errors
    /// Discord's 403.
    pub(super) fn demand_above_member(&self, guild: GuildId, user: UserId) -> Result<(), ApiError> {
        let known = self.guild_for_call(guild)?;
        let member = known.members.find(user).ok_or(ApiError::UNKNOWN_MEMBER)?;
        if user == self.world.bot() {
            return Ok(());
        }
        let is_owner = known.owner == user && self.settings.authority == Authority::Enforced;
        if is_owner && known.owner != self.world.bot() {
            return Err(ApiError::MISSING_PERMISSIONS);
        }
        self.demand_above(known, highest(known, &member))
    }

    fn demand_above(&self, guild: &Guild, position: u32) -> Result<(), ApiError> {
        let bot = self.world.bot();
        let own = guild
            .members
            .find(bot)
            .map_or(0, |member| highest(guild, &member));
        match self.settings.authority {
            Authority::Ignored => Ok(()),
            Authority::Enforced if own > position || guild.owner == bot => Ok(()),
            Authority::Enforced => Err(ApiError::MISSING_PERMISSIONS),
        }
    }
}

/// The position of a member's highest role.
fn highest(guild: &Guild, member: &Member) -> u32 {
    let positions = member
        .roles
        .iter()
        .filter_map(|&role| guild.role(role))
        .map(|role| role.position);
    positions.max().unwrap_or(0)
}

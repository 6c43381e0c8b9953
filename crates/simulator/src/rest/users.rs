//! The bot, its application, and where its gateway is.

use axum::{Json, Router, extract::State, routing::get};
use bytes::Bytes;
use guildgate_model::UserId;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::{ApiError, World, body::Form, caller::bare, extract::Path};
use crate::{
    driver::base_url,
    gateway::Discord,
    world::{Change, view},
};

pub(super) fn router() -> Router<std::sync::Arc<crate::driver::Shared>> {
    Router::new()
        .route("/gateway/bot", get(gateway_bot))
        .route("/users/@me", get(me).patch(rename_me))
        .route("/users/@me/guilds", get(my_guilds))
        .route("/users/{user}", get(user))
        .route("/applications/@me", get(application))
        .route("/oauth2/applications/@me", get(application))
        .route(
            "/applications/{application}/commands",
            get(no_commands).put(echo_commands),
        )
        .route(
            "/applications/{application}/guilds/{guild}/commands",
            get(no_commands).put(echo_commands),
        )
}

/// What needs no token.
pub(super) fn open_router() -> Router<std::sync::Arc<crate::driver::Shared>> {
    Router::new().route("/gateway", get(gateway))
}

async fn gateway(State(shared): World, headers: HeaderMap) -> Json<Value> {
    let public = shared.with(|discord| discord.settings.public_host.clone());
    Json(json!({ "url": base_url(&headers, public) }))
}

async fn gateway_bot(State(shared): World, headers: HeaderMap) -> Json<Value> {
    Json(shared.with(|discord| {
        let settings = &discord.settings;
        let (remaining, reset_after) = discord.budget.remaining(discord.now.mono, settings);
        let needed = discord
            .world
            .guild_count()
            .div_ceil(settings.guilds_per_shard_max.max(1));
        let shards = settings
            .shards
            .unwrap_or(u32::try_from(needed.max(1)).unwrap_or(1));
        json!({
            "url": base_url(&headers, settings.public_host.clone()),
            "shards": shards,
            "session_start_limit": {
                "total": settings.identifies_max, "remaining": remaining,
                "reset_after": reset_after, "max_concurrency": settings.max_concurrency,
            },
        })
    }))
}

async fn me(State(shared): World, headers: HeaderMap) -> Json<Value> {
    Json(shared.with(|discord| own_user(discord, &headers)))
}

fn own_user(discord: &Discord, headers: &HeaderMap) -> Value {
    let by_user = discord.user.as_ref().filter(|user| {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|given| given.to_str().ok())
            .is_some_and(|given| bare(given) == user.token.expose())
    });
    let id = by_user.map_or(discord.world.bot(), |user| user.user);
    let mut shown = view::value(&view::user(&discord.world.user(id)));
    shown["verified"] = json!(true);
    shown["mfa_enabled"] = json!(true);
    shown["locale"] = json!("en-GB");
    shown["email"] = Value::Null;
    shown["flags"] = json!(0);
    shown
}

async fn rename_me(
    State(shared): World,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let name = form.text("username", 32);
    form.finish()?;
    shared.with(|discord| {
        if let Some(name) = name {
            let user = discord.world.bot();
            discord.change(Change::RenameUser { user, name })?;
        }
        Ok(Json(own_user(discord, &headers)))
    })
}

async fn my_guilds(State(shared): World) -> Json<Value> {
    let shown = shared.with(|discord| {
        let bot = discord.world.bot();
        let wall = discord.now.wall;
        let guilds = discord.world.guilds().take(200).map(|guild| {
            json!({
                "id": guild.id, "name": guild.name, "icon": guild.icon, "banner": guild.banner,
                "owner": guild.owner == bot, "permissions": guild.permissions_of(bot, wall),
                "features": guild.features,
            })
        });
        guilds.collect::<Vec<Value>>()
    });
    Json(json!(shown))
}

async fn user(State(shared): World, Path(id): Path<UserId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        if !discord.world.knows(id) {
            return Err(ApiError::UNKNOWN_USER);
        }
        Ok(Json(view::value(&view::user(&discord.world.user(id)))))
    })
}

async fn application(State(shared): World) -> Json<Value> {
    Json(shared.with(|discord| view::application(&discord.world)))
}

/// Bots that register commands on start go on; the simulator has no interactions.
async fn no_commands() -> Json<Value> {
    Json(json!([]))
}

async fn echo_commands(body: Bytes) -> Result<Json<Value>, ApiError> {
    serde_json::from_slice(&body)
        .map(Json)
        .map_err(|_| ApiError::INVALID_JSON)
}

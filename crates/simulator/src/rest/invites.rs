//! Invites.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use bytes::Bytes;
use guildgate_model::{GuildId, Permissions};
use serde_json::{Value, json};

use super::{ApiError, World, body::Form, extract::Path};
use crate::{
    driver::Shared,
    gateway::Discord,
    world::{Change, Guild, Invite, bits, view},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/invites/{code}", get(show).delete(delete))
        .route("/guilds/{guild}/invites", get(of_guild))
        .route("/channels/{channel}/invites", get(of_channel).post(create))
}

fn one(discord: &Discord, code: &str) -> Result<Json<Value>, ApiError> {
    let (guild, invite) = discord.world.invite(code).ok_or(ApiError::UNKNOWN_INVITE)?;
    if invite.is_some_and(|invite| has_expired(discord, invite)) {
        return Err(ApiError::UNKNOWN_INVITE);
    }
    let mut shown = match invite {
        Some(invite) => view::invite(&discord.world, guild, invite),
        None => {
            let mut shown = view::invite_target(guild, 0);
            shown["code"] = json!(code);
            shown["expires_at"] = Value::Null;
            shown
        }
    };
    shown["approximate_member_count"] = json!(guild.members.count());
    shown["approximate_presence_count"] = json!(guild.members.count().div_ceil(2));
    Ok(Json(shown))
}

async fn show(State(shared): World, Path(code): Path<String>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| one(discord, &code))
}

async fn delete(State(shared): World, Path(code): Path<String>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let shown = one(discord, &code)?;
        let (guild, _) = discord
            .world
            .invite(&code)
            .ok_or(ApiError::UNKNOWN_INVITE)?;
        discord.demand(guild.id, MANAGE_CHANNELS)?;
        discord.change(Change::DeleteInvite { code: code.into() })?;
        Ok(shown)
    })
}

/// Whether an invite has run out; Discord sends no event of it.
fn has_expired(discord: &Discord, invite: &Invite) -> bool {
    view::expiry(invite).is_some_and(|at| at <= discord.now.wall)
}

fn listed(discord: &Discord, guild: &Guild, channel: Option<u64>) -> Json<Value> {
    let wanted = guild
        .invites
        .iter()
        .filter(|one| channel.is_none_or(|id| one.channel == id) && !has_expired(discord, one));
    let shown = wanted.map(|invite| view::invite(&discord.world, guild, invite));
    Json(json!(shown.collect::<Vec<Value>>()))
}

async fn of_guild(
    State(shared): World,
    Path(guild): Path<GuildId>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_GUILD)?;
        Ok(listed(discord, discord.guild_for_call(guild)?, None))
    })
}

async fn of_channel(
    State(shared): World,
    Path(channel): Path<u64>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let (guild, _) = discord
            .world
            .channel(channel)
            .ok_or(ApiError::UNKNOWN_CHANNEL)?;
        discord.demand(guild.id, MANAGE_CHANNELS)?;
        Ok(listed(discord, guild, Some(channel)))
    })
}

async fn create(
    State(shared): World,
    Path(channel): Path<u64>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let max_age = form.number("max_age", 604_800).unwrap_or(86_400);
    let max_uses = form.number("max_uses", 100).unwrap_or(0);
    // The real Discord makes up every code; a test may want to know it beforehand.
    let code = form.text("code", 32);
    form.finish()?;
    shared.with(|discord| {
        let (guild, _) = discord
            .world
            .channel(channel)
            .ok_or(ApiError::UNKNOWN_CHANNEL)?;
        discord.demand(guild.id, bits(&[0]))?;
        let inviter = Some(discord.world.bot());
        let change = Change::CreateInvite {
            channel,
            code,
            inviter,
            max_age,
            max_uses,
        };
        let made = discord.change(change)?;
        one(discord, made.code.as_deref().unwrap_or_default())
    })
}

const MANAGE_CHANNELS: Permissions = bits(&[4]);

//! Channels: as much as libraries ask for.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use bytes::Bytes;
use guildgate_model::{GuildId, Permissions};
use http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, World, body::Form, extract::Path};
use crate::{
    driver::Shared,
    gateway::Discord,
    world::{Change, Channel, ChannelKind, bits, view},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/guilds/{guild}/channels", get(list).post(create))
        .route("/guilds/{guild}/threads/active", get(no_threads))
        .route("/channels/{channel}", get(show).patch(edit).delete(delete))
        .route("/channels/{channel}/messages", get(no_messages))
}

async fn list(State(shared): World, Path(guild): Path<GuildId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let guild = discord.guild_for_call(guild)?;
        let shown = guild
            .channels
            .iter()
            .map(|one| view::value(&view::channel(guild.id, one)));
        Ok(Json(json!(shown.collect::<Vec<Value>>())))
    })
}

fn one(discord: &Discord, channel: u64) -> Result<Json<Value>, ApiError> {
    let (guild, known) = discord
        .world
        .channel(channel)
        .ok_or(ApiError::UNKNOWN_CHANNEL)?;
    Ok(Json(view::value(&view::channel(guild.id, known))))
}

async fn show(State(shared): World, Path(channel): Path<u64>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| one(discord, channel))
}

async fn create(
    State(shared): World,
    Path(guild): Path<GuildId>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut form = Form::read(&body)?;
    let name = form.text("name", 100);
    if name.is_none() {
        form.missing("name");
    }
    let number = form.number("type", u32::MAX).unwrap_or(0);
    let kind = ChannelKind::from_number(u64::from(number));
    if kind.is_none() {
        form.fault(
            "type",
            "BASE_TYPE_CHOICES",
            "The simulator has types 0, 2 and 4.",
        );
    }
    let channel = Channel {
        id: 0,
        name: name.unwrap_or_default(),
        kind: kind.unwrap_or(ChannelKind::Text),
        position: form.number("position", 500).unwrap_or(0),
        parent: form.id("parent_id"),
        topic: form.nullable_text("topic", 1_024).flatten(),
        overwrites: Box::default(),
        status: None,
    };
    form.finish()?;
    shared.with(|discord| {
        discord.demand(guild, MANAGE_CHANNELS)?;
        let made = discord.change(Change::PutChannel {
            guild,
            channel: Box::new(channel),
        })?;
        Ok((
            StatusCode::CREATED,
            one(discord, made.id.unwrap_or_default())?,
        ))
    })
}

async fn edit(
    State(shared): World,
    Path(channel): Path<u64>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let (name, topic) = (form.text("name", 100), form.nullable_text("topic", 1_024));
    let position = form.number("position", 500);
    form.finish()?;
    shared.with(|discord| {
        let (guild, known) = discord
            .world
            .channel(channel)
            .ok_or(ApiError::UNKNOWN_CHANNEL)?;
        let (guild, mut edited) = (guild.id, known.clone());
        discord.demand(guild, MANAGE_CHANNELS)?;
        edited.name = name.unwrap_or(edited.name);
        edited.topic = topic.unwrap_or(edited.topic);
        edited.position = position.unwrap_or(edited.position);
        discord.change(Change::PutChannel {
            guild,
            channel: Box::new(edited),
        })?;
        one(discord, channel)
    })
}

async fn delete(State(shared): World, Path(channel): Path<u64>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let shown = one(discord, channel)?;
        let (guild, _) = discord
            .world
            .channel(channel)
            .ok_or(ApiError::UNKNOWN_CHANNEL)?;
        discord.demand(guild.id, MANAGE_CHANNELS)?;
        discord.change(Change::DeleteChannel { channel })?;
        Ok(shown)
    })
}

/// The simulator has no threads.
async fn no_threads() -> Json<Value> {
    Json(json!({ "threads": [], "members": [] }))
}

/// The simulator has no messages.
async fn no_messages() -> Json<Value> {
    Json(json!([]))
}

const MANAGE_CHANNELS: Permissions = bits(&[4]);

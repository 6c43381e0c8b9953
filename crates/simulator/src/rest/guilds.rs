//! Guilds and their emojis.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use bytes::Bytes;
use guildgate_model::{EmojiId, GuildId, Permissions};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, World,
    body::Form,
    extract::{Path, Query},
};
use crate::{
    driver::Shared,
    world::{Change, Guild, GuildEdit, bits, view},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/guilds/{guild}", get(show).patch(edit))
        .route("/guilds/{guild}/preview", get(preview))
        .route("/guilds/{guild}/vanity-url", get(vanity))
        .route("/guilds/{guild}/emojis", get(emojis).post(create_emoji))
        .route(
            "/guilds/{guild}/emojis/{emoji}",
            get(emoji).patch(rename_emoji).delete(delete_emoji),
        )
        .route("/users/@me/guilds/{guild}", axum::routing::delete(leave))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    with_counts: Option<String>,
}

/// A guild as REST shows it; counts only where they are asked for.
fn shown(guild: &Guild, with_counts: Option<&str>) -> Value {
    let mut shown = view::value(&view::guild(guild));
    if matches!(with_counts, Some("true" | "True" | "1")) {
        shown["approximate_member_count"] = json!(guild.members.count());
        shown["approximate_presence_count"] = json!(guild.members.count().div_ceil(2));
    }
    shown
}

async fn show(
    State(shared): World,
    Path(id): Path<GuildId>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        Ok(Json(shown(
            discord.guild_for_call(id)?,
            asked.with_counts.as_deref(),
        )))
    })
}

async fn preview(State(shared): World, Path(id): Path<GuildId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| Ok(Json(shown(discord.guild_for_call(id)?, Some("true")))))
}

async fn edit(
    State(shared): World,
    Path(guild): Path<GuildId>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let edit = GuildEdit {
        name: form.text("name", 100),
        owner: form.user("owner_id"),
        icon: form.nullable_text("icon", IMAGE_MAX),
        banner: form.nullable_text("banner", IMAGE_MAX),
        description: form.nullable_text("description", 300),
        // On the real Discord these follow from other calls, boosts and settings pages; here
        // they can be set like the rest.
        vanity: form.nullable_text("vanity_url_code", 32),
        premium_tier: form.level("premium_tier", 3),
        verification_level: form.level("verification_level", 4),
        mfa_level: form.level("mfa_level", 1),
        nsfw_level: form.level("nsfw_level", 3),
    };
    form.finish()?;
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_GUILD)?;
        discord.change(Change::EditGuild {
            guild,
            edit: Box::new(edit),
        })?;
        Ok(Json(shown(discord.guild_for_call(guild)?, None)))
    })
}

async fn leave(State(shared): World, Path(guild): Path<GuildId>) -> Result<StatusCode, ApiError> {
    shared.with(|discord| discord.change(Change::RemoveBot(guild)))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn vanity(State(shared): World, Path(id): Path<GuildId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        discord.demand(id, Permissions::MANAGE_GUILD)?;
        let guild = discord.guild_for_call(id)?;
        Ok(Json(json!({ "code": guild.vanity, "uses": 0 })))
    })
}

async fn emojis(State(shared): World, Path(id): Path<GuildId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let guild = discord.guild_for_call(id)?;
        let shown: Vec<Value> = guild
            .emojis
            .iter()
            .map(|emoji| view::value(&view::emoji(emoji)))
            .collect();
        Ok(Json(json!(shown)))
    })
}

fn one_emoji(guild: &Guild, id: EmojiId) -> Result<Json<Value>, ApiError> {
    let found = guild.emojis.iter().find(|emoji| emoji.id == id);
    found
        .map(|emoji| Json(view::value(&view::emoji(emoji))))
        .ok_or(ApiError::UNKNOWN_EMOJI)
}

async fn emoji(
    State(shared): World,
    Path((guild, emoji)): Path<(GuildId, EmojiId)>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| one_emoji(discord.guild_for_call(guild)?, emoji))
}

async fn create_emoji(
    State(shared): World,
    Path(guild): Path<GuildId>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut form = Form::read(&body)?;
    let name = form.text("name", 32);
    if name.is_none() {
        form.missing("name");
    }
    let image = form.text("image", IMAGE_MAX);
    form.finish()?;
    let animated = image.is_some_and(|image| image.starts_with("data:image/gif"));
    shared.with(|discord| {
        discord.demand(guild, CREATE_EXPRESSIONS)?;
        let name = name.unwrap_or_default();
        let made = discord.change(Change::CreateEmoji {
            guild,
            name,
            animated,
        })?;
        let id = EmojiId(made.id.unwrap_or_default());
        Ok((
            StatusCode::CREATED,
            one_emoji(discord.guild_for_call(guild)?, id)?,
        ))
    })
}

async fn rename_emoji(
    State(shared): World,
    Path((guild, emoji)): Path<(GuildId, EmojiId)>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let name = form.text("name", 32);
    form.finish()?;
    shared.with(|discord| {
        discord.demand(guild, MANAGE_EXPRESSIONS)?;
        if let Some(name) = name {
            discord.change(Change::RenameEmoji { guild, emoji, name })?;
        }
        one_emoji(discord.guild_for_call(guild)?, emoji)
    })
}

async fn delete_emoji(
    State(shared): World,
    Path((guild, emoji)): Path<(GuildId, EmojiId)>,
) -> Result<StatusCode, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, MANAGE_EXPRESSIONS)?;
        discord.change(Change::DeleteEmoji { guild, emoji })?;
        Ok(StatusCode::NO_CONTENT)
    })
}

const MANAGE_EXPRESSIONS: Permissions = bits(&[30]);
const CREATE_EXPRESSIONS: Permissions = bits(&[43]);
/// Characters of an image's data URL, or of its hash.
const IMAGE_MAX: usize = 512 * 1024;

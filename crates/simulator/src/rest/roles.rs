//! Roles.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use bytes::Bytes;
use guildgate_model::{GuildId, Permissions, RoleId};
use http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, World, body::Form, extract::Path};
use crate::{
    driver::Shared,
    gateway::Discord,
    world::{Change, RoleEdit, RoleSource, view},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/guilds/{guild}/roles",
            get(list).post(create).patch(reorder),
        )
        .route(
            "/guilds/{guild}/roles/{role}",
            get(show).patch(edit).delete(delete),
        )
}

fn all(discord: &Discord, guild: GuildId) -> Result<Json<Value>, ApiError> {
    let guild = discord.guild_for_call(guild)?;
    let shown: Vec<Value> = guild
        .roles
        .iter()
        .map(|role| view::value(&view::role(role)))
        .collect();
    Ok(Json(json!(shown)))
}

fn one(discord: &Discord, guild: GuildId, role: RoleId) -> Result<Json<Value>, ApiError> {
    let role = discord
        .guild_for_call(guild)?
        .role(role)
        .ok_or(ApiError::UNKNOWN_ROLE)?;
    Ok(Json(view::value(&view::role(role))))
}

async fn list(State(shared): World, Path(guild): Path<GuildId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| all(discord, guild))
}

async fn show(
    State(shared): World,
    Path((guild, role)): Path<(GuildId, RoleId)>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| one(discord, guild, role))
}

fn read_edit(body: &[u8]) -> Result<RoleEdit, ApiError> {
    let mut form = Form::read(body)?;
    let edit = RoleEdit {
        name: form.text("name", 100),
        permissions: form.permissions("permissions"),
        color: form.number("color", 0xFF_FFFF),
        hoist: form.flag("hoist"),
        position: None,
        mentionable: form.flag("mentionable"),
    };
    form.finish()?;
    Ok(edit)
}

async fn create(
    State(shared): World,
    Path(guild): Path<GuildId>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let edit = read_edit(&body)?;
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_ROLES)?;
        let made = discord.change(Change::CreateRole { guild, edit })?;
        one(discord, guild, RoleId(made.id.unwrap_or_default()))
    })
}

async fn edit(
    State(shared): World,
    Path((guild, role)): Path<(GuildId, RoleId)>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let edit = read_edit(&body)?;
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_ROLES)?;
        discord.demand_above_role(guild, role)?;
        discord.change(Change::EditRole { guild, role, edit })?;
        one(discord, guild, role)
    })
}

async fn reorder(
    State(shared): World,
    Path(guild): Path<GuildId>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let wishes: Vec<Value> = serde_json::from_slice(&body).map_err(|_| ApiError::INVALID_JSON)?;
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_ROLES)?;
        let read = |wish: &Value| {
            let role: RoleId = serde_json::from_value(wish["id"].clone()).ok()?;
            let position = wish["position"]
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())?;
            Some((role, position))
        };
        let wishes: Option<Vec<_>> = wishes.iter().map(read).collect();
        let wishes = wishes.ok_or(ApiError::INVALID_FORM)?;
        for &(role, _) in &wishes {
            discord.demand_above_role(guild, role)?;
        }
        for (role, position) in wishes {
            let edit = RoleEdit {
                position: Some(position),
                ..RoleEdit::default()
            };
            discord.change(Change::EditRole { guild, role, edit })?;
        }
        all(discord, guild)
    })
}

async fn delete(
    State(shared): World,
    Path((guild, role)): Path<(GuildId, RoleId)>,
) -> Result<StatusCode, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_ROLES)?;
        discord.demand_above_role(guild, role)?;
        let known = discord
            .guild_for_call(guild)?
            .role(role)
            .ok_or(ApiError::UNKNOWN_ROLE)?;
        match known.source {
            RoleSource::Guild => {}
            RoleSource::Bot(_) => return Err(ApiError::INVALID_ROLE),
        }
        discord.change(Change::DeleteRole { guild, role })?;
        Ok(StatusCode::NO_CONTENT)
    })
}

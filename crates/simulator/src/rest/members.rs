//! Members, their roles, and bans.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, patch, put},
};
use bytes::Bytes;
use guildgate_model::{GuildId, Permissions, RoleId, UnixMs, UserId};
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
    gateway::{Discord, matching},
    world::{Change, Join, MemberEdit, bits, view},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/guilds/{guild}/members", get(list))
        .route("/guilds/{guild}/members/search", get(search))
        .route("/guilds/{guild}/members/@me", patch(edit_own))
        .route(
            "/guilds/{guild}/members/{user}",
            get(show).put(add).patch(edit).delete(kick),
        )
        .route(
            "/guilds/{guild}/members/{user}/roles/{role}",
            put(give_role).delete(take_role),
        )
        .route("/guilds/{guild}/bans", get(bans))
        .route(
            "/guilds/{guild}/bans/{user}",
            get(show_ban).put(ban).delete(unban),
        )
}

fn one(discord: &Discord, guild: GuildId, user: UserId) -> Result<Json<Value>, ApiError> {
    let known = discord.guild_for_call(guild)?;
    let shown = view::member_of(&discord.world, known, user, view::Place::Inside);
    shown.map(Json).ok_or(ApiError::UNKNOWN_MEMBER)
}

async fn show(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| one(discord, guild, user))
}

#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
    after: Option<UserId>,
}

async fn list(
    State(shared): World,
    Path(guild): Path<GuildId>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let known = discord.guild_for_call(guild)?;
        if discord.world.application().privileged_intents & (1 << 1) == 0 {
            return Err(ApiError::MISSING_ACCESS);
        }
        let limit = page.limit.unwrap_or(1).clamp(1, 1_000);
        let members = known
            .members
            .after(page.after.unwrap_or(UserId(0)))
            .take(limit);
        let shown: Vec<Value> = members
            .map(|member| {
                let user = discord.world.user(member.user);
                view::value(&view::member(known, &member, &user, view::Place::Inside))
            })
            .collect();
        Ok(Json(json!(shown)))
    })
}

#[derive(Deserialize)]
struct Wanted {
    query: Option<String>,
    limit: Option<usize>,
}

async fn search(
    State(shared): World,
    Path(guild): Path<GuildId>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        let known = discord.guild_for_call(guild)?;
        let query = wanted.query.as_deref().unwrap_or_default();
        let limit = wanted.limit.unwrap_or(1).clamp(1, 1_000);
        let found = matching(&discord.world, known, query, limit);
        let shown = found
            .into_iter()
            .filter_map(|user| view::member_of(&discord.world, known, user, view::Place::Inside));
        Ok(Json(json!(shown.collect::<Vec<Value>>())))
    })
}

/// Adds a user. The real Discord wants the user's OAuth2 token with it; here any will do.
async fn add(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let mut form = Form::read(&body)?;
    let nick = form.nullable_text("nick", 32).flatten();
    let roles = form.ids("roles").unwrap_or_default();
    form.finish()?;
    shared.with(|discord| {
        discord.demand(guild, bits(&[0]))?;
        if discord.guild_for_call(guild)?.members.contains(user) {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let roles = roles.into_iter().map(RoleId).collect();
        discord.change(Change::Join(Join {
            guild,
            user,
            nick,
            roles,
        }))?;
        Ok((StatusCode::CREATED, one(discord, guild, user)?).into_response())
    })
}

async fn edit(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let nick = form.nullable_text("nick", 32);
    let roles: Option<Box<[RoleId]>> = form
        .ids("roles")
        .map(|ids| ids.into_iter().map(RoleId).collect());
    let timed_out_until = form.nullable_time("communication_disabled_until");
    shared.with(|discord| {
        let wall = discord.now.wall;
        if timed_out_until
            .flatten()
            .is_some_and(|until| until > UnixMs(wall.0 + TIME_OUT_MAX_MS))
        {
            form.fault(
                "communication_disabled_until",
                "BASE_TYPE_BAD_TIME",
                "The time-out must end within 28 days.",
            );
        }
        form.finish()?;
        let edit = MemberEdit {
            nick,
            roles,
            timed_out_until,
        };
        discord.demand_edit(guild, user, &edit)?;
        discord.change(Change::EditMember { guild, user, edit })?;
        one(discord, guild, user)
    })
}

impl Discord {
    /// Whether the bot may make `edit`.
    ///
    /// # Errors
    /// Discord's 403.
    fn demand_edit(&self, guild: GuildId, user: UserId, edit: &MemberEdit) -> Result<(), ApiError> {
        let known = self.guild_for_call(guild)?;
        let member = known.members.find(user).ok_or(ApiError::UNKNOWN_MEMBER)?;
        if edit.nick.is_some() {
            self.demand(guild, bits(&[27]))?;
            self.demand_above_member(guild, user)?;
        }
        if let Some(roles) = &edit.roles {
            self.demand(guild, Permissions::MANAGE_ROLES)?;
            let changed = roles
                .iter()
                .filter(|role| !member.roles.contains(role))
                .chain(member.roles.iter().filter(|role| !roles.contains(role)));
            for &role in changed.filter(|role| known.role(**role).is_some()) {
                self.demand_above_role(guild, role)?;
            }
        }
        if edit.timed_out_until.is_some() {
            self.demand(guild, bits(&[40]))?;
            self.demand_above_member(guild, user)?;
        }
        Ok(())
    }
}

async fn edit_own(
    State(shared): World,
    Path(guild): Path<GuildId>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::read(&body)?;
    let nick = form.nullable_text("nick", 32);
    form.finish()?;
    shared.with(|discord| {
        discord.demand(guild, bits(&[26]))?;
        let user = discord.world.bot();
        let edit = MemberEdit {
            nick,
            ..MemberEdit::default()
        };
        discord.change(Change::EditMember { guild, user, edit })?;
        one(discord, guild, user)
    })
}

async fn kick(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<StatusCode, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, bits(&[1]))?;
        discord.demand_above_member(guild, user)?;
        discord.change(Change::Leave { guild, user })?;
        Ok(StatusCode::NO_CONTENT)
    })
}

async fn give_role(
    shared: World,
    Path((guild, user, role)): Path<(GuildId, UserId, RoleId)>,
) -> Result<StatusCode, ApiError> {
    move_role(&shared, guild, user, role, |roles| {
        if !roles.contains(&role) {
            roles.push(role);
        }
    })
}

async fn take_role(
    shared: World,
    Path((guild, user, role)): Path<(GuildId, UserId, RoleId)>,
) -> Result<StatusCode, ApiError> {
    move_role(&shared, guild, user, role, |roles| {
        roles.retain(|held| *held != role)
    })
}

fn move_role(
    shared: &Shared,
    guild: GuildId,
    user: UserId,
    role: RoleId,
    change: impl FnOnce(&mut Vec<RoleId>),
) -> Result<StatusCode, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, Permissions::MANAGE_ROLES)?;
        discord.demand_above_role(guild, role)?;
        let known = discord.guild_for_call(guild)?;
        let member = known.members.find(user).ok_or(ApiError::UNKNOWN_MEMBER)?;
        let mut roles = known.roles_of(&member);
        change(&mut roles);
        let edit = MemberEdit {
            roles: Some(roles.into()),
            ..MemberEdit::default()
        };
        discord.change(Change::EditMember { guild, user, edit })?;
        Ok(StatusCode::NO_CONTENT)
    })
}

async fn bans(State(shared): World, Path(guild): Path<GuildId>) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, bits(&[2]))?;
        let bans = discord.guild_for_call(guild)?.bans.iter().take(1_000);
        let shown = bans
            .map(|&user| ban_view(discord, user))
            .collect::<Vec<Value>>();
        Ok(Json(json!(shown)))
    })
}

fn ban_view(discord: &Discord, user: UserId) -> Value {
    json!({ "reason": null, "user": view::user(&discord.world.user(user)) })
}

async fn show_ban(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<Json<Value>, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, bits(&[2]))?;
        let banned = discord
            .guild_for_call(guild)?
            .bans
            .binary_search(&user)
            .is_ok();
        if banned {
            Ok(Json(ban_view(discord, user)))
        } else {
            Err(ApiError::UNKNOWN_BAN)
        }
    })
}

async fn ban(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<StatusCode, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, bits(&[2]))?;
        if discord.guild_for_call(guild)?.members.contains(user) {
            discord.demand_above_member(guild, user)?;
        }
        discord.change(Change::Ban { guild, user })?;
        Ok(StatusCode::NO_CONTENT)
    })
}

async fn unban(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<StatusCode, ApiError> {
    shared.with(|discord| {
        discord.demand(guild, bits(&[2]))?;
        discord.change(Change::Unban { guild, user })?;
        Ok(StatusCode::NO_CONTENT)
    })
}

/// 28 days.
const TIME_OUT_MAX_MS: i64 = 28 * 86_400_000;

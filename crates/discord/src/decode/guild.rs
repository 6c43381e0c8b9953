//! Events about guilds, their roles, emojis and invites.

use guildgate_model::{
    Emoji, EmojiId, GuildData, GuildId, Permissions, Role, RoleId, UpstreamEvent, UserId,
};

use super::{DecodeError, Dispatch, needed};
use crate::json::{Cursor, Malformed};

/// The values of `nsfw_level` that mean "not safe for work": explicit and age restricted.
const NSFW_LEVELS: [u64; 2] = [1, 3];

struct Guild {
    data: GuildData,
    id: Option<GuildId>,
    unavailable: Option<bool>,
}

pub(super) fn create(data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let guild = guild(data)?;
    let id = needed(guild.id, "GUILD_CREATE", "id")?;
    Ok(match guild.unavailable {
        Some(true) => UpstreamEvent::GuildUnavailable(id),
        Some(false) | None => UpstreamEvent::GuildAvailable(Box::new(guild.data)),
    })
}

pub(super) fn update(data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let mut guild = guild(data)?;
    needed(guild.id, "GUILD_UPDATE", "id")?;
    // Only GUILD_CREATE counts the members; a count found here would erase the joins since.
    guild.data.member_count = None;
    Ok(UpstreamEvent::GuildChanged(Box::new(guild.data)))
}

pub(super) fn delete(mut data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let mut id = None;
    let mut unavailable = None;
    data.fields(|key, value| {
        match key {
            b"id" => id = value.number()?,
            b"unavailable" => unavailable = value.boolean()?,
            _ => {}
        }
        Ok(())
    })?;
    let id = GuildId(needed(id, "GUILD_DELETE", "id")?);
    Ok(match unavailable {
        Some(true) => UpstreamEvent::GuildUnavailable(id),
        Some(false) | None => UpstreamEvent::GuildLeft(id),
    })
}

pub(super) fn emojis_update(mut data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let mut guild = None;
    let mut found = Vec::new();
    data.fields(|key, value| {
        match key {
            b"guild_id" => guild = value.number()?,
            b"emojis" => found = emojis(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(UpstreamEvent::EmojisChanged {
        guild: GuildId(needed(guild, "GUILD_EMOJIS_UPDATE", "guild_id")?),
        emojis: found,
    })
}

pub(super) fn role_changed(
    event: &'static str,
    mut data: Cursor<'_>,
) -> Result<UpstreamEvent, DecodeError> {
    let mut guild = None;
    let mut found = None;
    data.fields(|key, value| {
        match key {
            b"guild_id" => guild = value.number()?,
            b"role" => found = role(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(UpstreamEvent::RoleChanged {
        guild: GuildId(needed(guild, event, "guild_id")?),
        role: needed(found, event, "role")?,
    })
}

pub(super) fn role_delete(mut data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let mut guild = None;
    let mut role = None;
    data.fields(|key, value| {
        match key {
            b"guild_id" => guild = value.number()?,
            b"role_id" => role = value.number()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(UpstreamEvent::RoleRemoved {
        guild: GuildId(needed(guild, "GUILD_ROLE_DELETE", "guild_id")?),
        role: RoleId(needed(role, "GUILD_ROLE_DELETE", "role_id")?),
    })
}

pub(super) enum Invite {
    Created,
    Deleted,
}

/// An invite to a group of direct messages has no guild, and concerns nobody.
pub(super) fn invite(mut data: Cursor<'_>, what: Invite) -> Result<Dispatch, DecodeError> {
    let mut guild = None;
    let mut code: Option<Box<str>> = None;
    data.fields(|key, value| {
        match key {
            b"guild_id" => guild = value.number()?,
            b"code" => code = value.text()?.map(Into::into),
            _ => {}
        }
        Ok(())
    })?;
    let (Some(guild), Some(code)) = (guild.map(GuildId), code) else {
        return Ok(Dispatch::Unneeded);
    };
    Ok(Dispatch::Event(match what {
        Invite::Created => UpstreamEvent::InviteCreated { guild, code },
        Invite::Deleted => UpstreamEvent::InviteDeleted { guild, code },
    }))
}

fn guild(mut data: Cursor<'_>) -> Result<Guild, Malformed> {
    let mut seen = Guild {
        data: GuildData::new(GuildId(0)),
        id: None,
        unavailable: None,
    };
    data.fields(|key, value| {
        let guild = &mut seen.data;
        match key {
            b"id" => seen.id = value.number()?.map(GuildId),
            b"unavailable" => seen.unavailable = value.boolean()?,
            b"name" => guild.name = value.text()?.map(Into::into),
            b"owner_id" => guild.owner = value.number()?.map(UserId),
            b"icon" => guild.icon = value.nullable_text()?,
            b"banner" => guild.banner = value.nullable_text()?,
            b"description" => guild.description = value.nullable_text()?,
            b"vanity_url_code" => guild.vanity = value.nullable_text()?,
            b"premium_tier" => guild.premium_tier = small(value)?,
            b"verification_level" => guild.verification_level = small(value)?,
            b"mfa_level" => guild.mfa_level = small(value)?,
            b"nsfw_level" => {
                guild.nsfw = value.number()?.map(|level| NSFW_LEVELS.contains(&level));
            }
            // What servers of an older version send instead of the level.
            b"nsfw" if guild.nsfw.is_none() => guild.nsfw = value.boolean()?,
            b"member_count" => guild.member_count = value.number()?,
            b"roles" => guild.roles = Some(roles(value)?),
            b"emojis" => guild.emojis = Some(emojis(value)?),
            _ => {}
        }
        Ok(())
    })?;
    if let Some(id) = seen.id {
        seen.data.id = id;
    }
    Ok(seen)
}

fn small(value: &mut Cursor<'_>) -> Result<Option<u8>, Malformed> {
    Ok(value.number()?.and_then(|number| u8::try_from(number).ok()))
}

fn roles(value: &mut Cursor<'_>) -> Result<Vec<Role>, Malformed> {
    let mut roles = Vec::new();
    value.items(|item| {
        roles.extend(role(item)?);
        Ok(())
    })?;
    Ok(roles)
}

fn role(value: &mut Cursor<'_>) -> Result<Option<Role>, Malformed> {
    let mut id = None;
    let mut permissions = 0;
    let mut position = 0;
    value.fields(|key, value| {
        match key {
            b"id" => id = value.number()?,
            b"permissions" => permissions = value.number()?.unwrap_or(0),
            b"position" => position = value.number()?.unwrap_or(0),
            _ => {}
        }
        Ok(())
    })?;
    Ok(id.map(|id| Role {
        id: RoleId(id),
        permissions: Permissions(permissions),
        position: u16::try_from(position).unwrap_or(u16::MAX),
    }))
}

fn emojis(value: &mut Cursor<'_>) -> Result<Vec<Emoji>, Malformed> {
    let mut emojis = Vec::new();
    value.items(|item| {
        let mut id = None;
        let mut name: Box<str> = Box::default();
        let mut animated = false;
        item.fields(|key, value| {
            match key {
                b"id" => id = value.number()?,
                b"name" => name = value.text()?.map(Into::into).unwrap_or_default(),
                b"animated" => animated = value.boolean()?.unwrap_or(false),
                _ => {}
            }
            Ok(())
        })?;
        emojis.extend(id.map(|id| Emoji {
            id: EmojiId(id),
            name,
            animated,
        }));
        Ok(())
    })?;
    Ok(emojis)
}

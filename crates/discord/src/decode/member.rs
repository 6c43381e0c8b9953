//! Events about members.

use guildgate_model::{GuildId, MemberData, RoleId, UnixMs, UpstreamEvent, UserId, tag};

use super::{DecodeError, MembersChunk, needed};
use crate::{
    json::{Cursor, Malformed},
    parse_timestamp,
};

/// A member object, whose user may be missing, and the guild where the event names one.
struct Seen {
    guild: Option<GuildId>,
    user: Option<UserId>,
    member: MemberData,
}

pub(super) fn add(mut data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let (guild, member) = whole(member(&mut data)?, "GUILD_MEMBER_ADD")?;
    Ok(UpstreamEvent::MemberJoined { guild, member })
}

pub(super) fn update(mut data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let (guild, member) = whole(member(&mut data)?, "GUILD_MEMBER_UPDATE")?;
    Ok(UpstreamEvent::MemberChanged { guild, member })
}

pub(super) fn remove(mut data: Cursor<'_>) -> Result<UpstreamEvent, DecodeError> {
    let (guild, member) = whole(member(&mut data)?, "GUILD_MEMBER_REMOVE")?;
    Ok(UpstreamEvent::MemberLeft {
        guild,
        user: member.user,
    })
}

/// A member object by itself, as REST answers.
pub(crate) fn alone(mut data: Cursor<'_>) -> Result<Option<MemberData>, Malformed> {
    let seen = member(&mut data)?;
    Ok(seen.user.map(|_| seen.member))
}

pub(super) fn chunk(mut data: Cursor<'_>) -> Result<MembersChunk, DecodeError> {
    let mut guild = None;
    let mut members = Vec::new();
    let mut not_found = Vec::new();
    let mut index = 0;
    let mut count = 1;
    let mut nonce = None;
    data.fields(|key, value| {
        match key {
            b"guild_id" => guild = value.number()?,
            b"members" => value.items(|item| {
                let seen = member(item)?;
                members.extend(seen.user.map(|_| seen.member));
                Ok(())
            })?,
            b"not_found" => value.items(|item| {
                not_found.extend(item.number()?.map(UserId));
                Ok(())
            })?,
            b"chunk_index" => index = count_of(value)?.unwrap_or(0),
            b"chunk_count" => count = count_of(value)?.unwrap_or(1),
            b"nonce" => nonce = value.text()?.map(Into::into),
            _ => {}
        }
        Ok(())
    })?;
    Ok(MembersChunk {
        guild: GuildId(needed(guild, "GUILD_MEMBERS_CHUNK", "guild_id")?),
        members,
        not_found,
        index,
        count: count.max(1),
        nonce,
    })
}

fn count_of(value: &mut Cursor<'_>) -> Result<Option<u32>, Malformed> {
    Ok(value
        .number()?
        .and_then(|number| u32::try_from(number).ok()))
}

fn whole(seen: Seen, event: &'static str) -> Result<(GuildId, MemberData), DecodeError> {
    needed(seen.user, event, "user.id")?;
    Ok((needed(seen.guild, event, "guild_id")?, seen.member))
}

fn member(value: &mut Cursor<'_>) -> Result<Seen, Malformed> {
    let mut seen = Seen {
        guild: None,
        user: None,
        member: MemberData {
            user: UserId(0),
            tag: None,
            roles: None,
            timed_out_until: None,
            joined_at: None,
        },
    };
    value.fields(|key, value| {
        match key {
            b"guild_id" => seen.guild = value.number()?.map(GuildId),
            b"user" => {
                let user = user(value)?;
                seen.user = user.id;
                seen.member.tag = user.tag;
            }
            b"roles" => seen.member.roles = Some(roles(value)?),
            b"communication_disabled_until" => {
                seen.member.timed_out_until = if value.is_null()? {
                    Some(None)
                } else {
                    moment(value)?.map(Some)
                };
            }
            b"joined_at" => seen.member.joined_at = moment(value)?,
            _ => {}
        }
        Ok(())
    })?;
    if let Some(user) = seen.user {
        seen.member.user = user;
    }
    Ok(seen)
}

fn moment(value: &mut Cursor<'_>) -> Result<Option<UnixMs>, Malformed> {
    Ok(value.text()?.and_then(|text| parse_timestamp(&text)))
}

struct User {
    id: Option<UserId>,
    tag: Option<Box<str>>,
}

fn user(value: &mut Cursor<'_>) -> Result<User, Malformed> {
    let mut id = None;
    let mut name = None;
    let mut discriminator = None;
    value.fields(|key, value| {
        match key {
            b"id" => id = value.number()?.map(UserId),
            b"username" => name = value.text()?,
            b"discriminator" => discriminator = value.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(User {
        id,
        tag: name.map(|name| tag(&name, discriminator.as_deref())),
    })
}

fn roles(value: &mut Cursor<'_>) -> Result<Box<[RoleId]>, Malformed> {
    let mut roles = Vec::new();
    value.items(|item| {
        roles.extend(item.number()?.map(RoleId));
        Ok(())
    })?;
    Ok(roles.into())
}

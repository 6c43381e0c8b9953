//! Events about members.

use std::borrow::Cow;

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

/// Nothing for somebody who is not wanted: what follows their id is not looked at.
pub(super) fn update(
    mut data: Cursor<'_>,
    wanted: impl Fn(UserId) -> bool,
) -> Result<Option<UpstreamEvent>, DecodeError> {
    let Some(seen) = member_if(&mut data, wanted)? else {
        return Ok(None);
    };
    let (guild, member) = whole(seen, "GUILD_MEMBER_UPDATE")?;
    Ok(Some(UpstreamEvent::MemberChanged { guild, member }))
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
    Ok(member_if(value, |_| true)?.unwrap_or_else(Seen::nobody))
}

/// Stops at the id of a user who is not wanted, wherever it stands.
fn member_if(
    value: &mut Cursor<'_>,
    wanted: impl Fn(UserId) -> bool,
) -> Result<Option<Seen>, Malformed> {
    let mut seen = Seen::nobody();
    if !value.enter(b'{')? {
        return Ok(Some(seen));
    }
    while let Some(key) = value.next_key()? {
        match key {
            b"user" => {
                let Some(user) = user_if(value, &wanted)? else {
                    return Ok(None);
                };
                seen.user = user.id;
                seen.member.tag = user.tag();
            }
            b"guild_id" => seen.guild = value.number()?.map(GuildId),
            b"roles" => seen.member.roles = Some(roles(value)?),
            b"communication_disabled_until" => {
                seen.member.timed_out_until = if value.is_null()? {
                    value.skip()?;
                    Some(None)
                } else {
                    moment(value)?.map(Some)
                };
            }
            b"joined_at" => seen.member.joined_at = moment(value)?,
            _ => value.skip()?,
        }
    }
    if let Some(user) = seen.user {
        seen.member.user = user;
    }
    Ok(Some(seen))
}

impl Seen {
    fn nobody() -> Seen {
        Seen {
            guild: None,
            user: None,
            member: MemberData {
                user: UserId(0),
                tag: None,
                roles: None,
                timed_out_until: None,
                joined_at: None,
            },
        }
    }
}

fn moment(value: &mut Cursor<'_>) -> Result<Option<UnixMs>, Malformed> {
    Ok(value.text()?.and_then(|text| parse_timestamp(&text)))
}

struct User<'a> {
    id: Option<UserId>,
    name: Option<Cow<'a, str>>,
    discriminator: Option<Cow<'a, str>>,
}

impl User<'_> {
    fn tag(&self) -> Option<Box<str>> {
        let name = self.name.as_deref()?;
        Some(tag(name, self.discriminator.as_deref()))
    }
}

fn user_if<'a>(
    value: &mut Cursor<'a>,
    wanted: &impl Fn(UserId) -> bool,
) -> Result<Option<User<'a>>, Malformed> {
    let mut user = User {
        id: None,
        name: None,
        discriminator: None,
    };
    if !value.enter(b'{')? {
        return Ok(Some(user));
    }
    while let Some(key) = value.next_key()? {
        match key {
            b"id" => {
                user.id = value.number()?.map(UserId);
                if user.id.is_some_and(|id| !wanted(id)) {
                    return Ok(None);
                }
            }
            b"username" => user.name = value.text()?,
            b"discriminator" => user.discriminator = value.text()?,
            _ => value.skip()?,
        }
    }
    Ok(Some(user))
}

/// Most members have fewer roles than this, and are read without a list that grows.
const ROLES_USUAL: usize = 32;

fn roles(value: &mut Cursor<'_>) -> Result<Box<[RoleId]>, Malformed> {
    let mut usual = [RoleId(0); ROLES_USUAL];
    let mut count = 0;
    let mut more = Vec::new();
    value.items(|item| {
        let Some(role) = item.number()?.map(RoleId) else {
            return Ok(());
        };
        match usual.get_mut(count) {
            Some(place) => {
                *place = role;
                count += 1;
            }
            None => more.push(role),
        }
        Ok(())
    })?;
    if more.is_empty() {
        return Ok(usual[..count].into());
    }
    Ok([&usual[..], &more].concat().into())
}

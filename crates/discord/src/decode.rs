//! Takes what the gateway needs out of Discord's events, and nothing else.
//!
//! An event that nobody needs costs a look at its name. Of the others only the needed keys are
//! read; GUILD_CREATE's members, channels and presences, most of its bytes, are passed over.
//! Liberal: a key that is missing or of an unusable type is "not said".

mod guild;
pub(crate) mod member;
mod session;
#[cfg(test)]
mod tests;

use guildgate_model::{GuildId, MemberData, UpstreamEvent, UserId};

use crate::{Envelope, json::Malformed, payload::RateLimited};

/// What an event says that the gateway needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Dispatch {
    /// READY.
    Ready(Ready),
    /// RESUMED.
    Resumed,
    /// A change of a guild's state.
    Event(UpstreamEvent),
    /// GUILD_MEMBERS_CHUNK.
    Members(MembersChunk),
    /// RATE_LIMITED.
    RateLimited(RateLimited),
    /// Nothing: its data was not looked at.
    Unneeded,
}

/// The beginning of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The bot's own user.
    pub bot: UserId,
    /// By which the session is resumed; without it, it cannot be.
    pub session_id: Option<Box<str>>,
    /// Where it is resumed.
    pub resume_url: Option<Box<str>>,
    /// The guilds of this shard, not yet available.
    pub guilds: Vec<GuildId>,
}

/// Part of the answer to a request for members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersChunk {
    /// Where.
    pub guild: GuildId,
    /// Who was found.
    pub members: Vec<MemberData>,
    /// Whom Discord does not know there.
    pub not_found: Vec<UserId>,
    /// Which chunk this is, from 0.
    pub index: u32,
    /// How many there are, at least 1.
    pub count: u32,
    /// The request's nonce.
    pub nonce: Option<Box<str>>,
}

/// An event that is needed and cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Its data is not JSON.
    #[error("an event's data cannot be read")]
    Malformed(#[from] Malformed),
    /// It does not say what it is about.
    #[error("{event} came without a usable `{key}`")]
    Missing {
        /// The event's name.
        event: &'static str,
        /// What it lacks.
        key: &'static str,
    },
}

/// Reads an event, as far as it is needed.
///
/// # Errors
/// [`DecodeError::Malformed`] for data that is not JSON where it was looked at,
/// [`DecodeError::Missing`] for an event that does not say what it is about.
///
/// Source: Discord, "Gateway Events: Receive Events".
pub fn decode(envelope: &Envelope<'_>) -> Result<Dispatch, DecodeError> {
    decode_wanted(envelope, |_| true)
}

/// The same, where GUILD_MEMBER_UPDATE of a user who is not wanted is one of the events that
/// nobody needs. Who joins and who leaves is told in any case: it changes the count.
///
/// # Errors
/// As [`decode`]; an event of somebody who is not wanted is looked at no further than their id.
pub fn decode_wanted(
    envelope: &Envelope<'_>,
    wanted: impl Fn(UserId) -> bool,
) -> Result<Dispatch, DecodeError> {
    let data = envelope.data();
    let event = match envelope.name.unwrap_or_default() {
        "GUILD_CREATE" => guild::create(data)?,
        "GUILD_UPDATE" => guild::update(data)?,
        "GUILD_DELETE" => guild::delete(data)?,
        "GUILD_EMOJIS_UPDATE" => guild::emojis_update(data)?,
        "GUILD_ROLE_CREATE" => guild::role_changed("GUILD_ROLE_CREATE", data)?,
        "GUILD_ROLE_UPDATE" => guild::role_changed("GUILD_ROLE_UPDATE", data)?,
        "GUILD_ROLE_DELETE" => guild::role_delete(data)?,
        "GUILD_MEMBER_ADD" => member::add(data)?,
        "GUILD_MEMBER_UPDATE" => {
            let event = member::update(data, wanted)?;
            return Ok(event.map_or(Dispatch::Unneeded, Dispatch::Event));
        }
        "GUILD_MEMBER_REMOVE" => member::remove(data)?,
        "GUILD_MEMBERS_CHUNK" => return member::chunk(data).map(Dispatch::Members),
        "INVITE_CREATE" => return guild::invite(data, guild::Invite::Created),
        "INVITE_DELETE" => return guild::invite(data, guild::Invite::Deleted),
        "READY" => return session::ready(data).map(Dispatch::Ready),
        "RESUMED" => return Ok(Dispatch::Resumed),
        "RATE_LIMITED" => return session::rate_limited(data).map(Dispatch::RateLimited),
        _ => return Ok(Dispatch::Unneeded),
    };
    Ok(Dispatch::Event(event))
}

fn needed<T>(value: Option<T>, event: &'static str, key: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { event, key })
}

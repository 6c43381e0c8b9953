//! Events about the session itself.

use guildgate_model::{GuildId, UserId};

use super::{DecodeError, Ready};
use crate::{
    Opcode,
    json::{Cursor, Malformed},
    payload::{RateLimited, RateLimitedMeta},
};

/// What a RATE_LIMITED that names no time is taken to mean, in seconds.
const RETRY_AFTER_DEFAULT_S: f64 = 30.0;

/// Asks for nothing: a session whose READY says little is better than none.
pub(super) fn ready(mut data: Cursor<'_>) -> Result<Ready, DecodeError> {
    let mut user = None;
    let mut application = None;
    let mut ready = Ready {
        bot: UserId(0),
        session_id: None,
        resume_url: None,
        guilds: Vec::new(),
    };
    data.fields(|key, value| {
        match key {
            b"user" => user = id(value)?,
            b"application" => application = id(value)?,
            b"session_id" => ready.session_id = value.text()?.map(Into::into),
            b"resume_gateway_url" => ready.resume_url = value.text()?.map(Into::into),
            b"guilds" => value.items(|item| {
                ready.guilds.extend(id(item)?.map(GuildId));
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    ready.bot = UserId(user.or(application).unwrap_or(0));
    Ok(ready)
}

pub(super) fn rate_limited(mut data: Cursor<'_>) -> Result<RateLimited, DecodeError> {
    let mut limited = RateLimited {
        opcode: Opcode::RequestMembers.number(),
        retry_after: RETRY_AFTER_DEFAULT_S,
        meta: RateLimitedMeta::default(),
    };
    data.fields(|key, value| {
        match key {
            b"opcode" => {
                limited.opcode = value
                    .number()?
                    .and_then(|op| u8::try_from(op).ok())
                    .unwrap_or(limited.opcode);
            }
            b"retry_after" => {
                limited.retry_after = value.fraction()?.unwrap_or(RETRY_AFTER_DEFAULT_S);
            }
            b"meta" => value.fields(|key, value| {
                match key {
                    b"guild_id" => limited.meta.guild_id = value.number()?.map(GuildId),
                    b"nonce" => limited.meta.nonce = value.text()?.map(Into::into),
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(limited)
}

fn id(value: &mut Cursor<'_>) -> Result<Option<u64>, Malformed> {
    let mut id = None;
    value.fields(|key, value| {
        if key == b"id" {
            id = value.number()?;
        }
        Ok(())
    })?;
    Ok(id)
}

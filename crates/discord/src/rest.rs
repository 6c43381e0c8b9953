//! The few answers of Discord's REST API that the gateway needs, read as liberally as events.
//!
//! How a request is made, and how often, is the driver's business.

use std::time::Duration;

use guildgate_model::{GuildId, MemberData, UnixMs, UserId};

use crate::{
    Intents, SessionStartLimit,
    decode::member,
    json::{Cursor, Malformed},
    parse_timestamp,
};

/// The answer of `GET /gateway/bot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayBot {
    /// Where to dial.
    pub url: Box<str>,
    /// How many shards Discord recommends, at least one.
    pub shards: u32,
    /// How many identifies are left.
    pub limit: SessionStartLimit,
}

/// The counts of `GET /guilds/{id}?with_counts=true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuildCounts {
    /// How many members, about.
    pub members: Option<u64>,
    /// How many of them are online, about.
    pub online: Option<u64>,
}

/// The answer of `GET /invites/{code}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invite {
    /// Where it leads, if to a guild.
    pub guild: Option<GuildId>,
    /// When it runs out, if by itself.
    pub expires_at: Option<UnixMs>,
}

/// The answer of `GET /applications/@me`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id, which is its bot's too.
    pub id: Option<UserId>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its flags: which privileged intents are switched on, among others.
    pub flags: Option<u64>,
}

impl Application {
    /// The privileged intents that are switched on, with or without Discord's review; none if
    /// the answer does not say.
    ///
    /// Source: Discord, "Application: Application Flags", two bits an intent.
    #[must_use]
    pub fn privileges(&self) -> Option<Intents> {
        let flags = self.flags?;
        let granted = [
            (12, Intents::GUILD_PRESENCES),
            (14, Intents::GUILD_MEMBERS),
            (18, Intents::MESSAGE_CONTENT),
        ];
        let granted = granted
            .iter()
            .filter(|(bit, _)| flags & (0b11 << bit) != 0)
            .fold(Intents::NONE, |all, (_, intent)| all | *intent);
        Some(granted)
    }
}

/// What Discord says of a refusal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorBody {
    /// Discord's own code, 0 if it names none.
    pub code: u64,
    /// What it says.
    pub message: Option<Box<str>>,
    /// After how long to ask again.
    pub retry_after: Option<Duration>,
}

/// Reads the answer of `GET /gateway/bot`; none if it names no URL.
///
/// # Errors
/// [`Malformed`].
pub fn gateway_bot(bytes: &[u8]) -> Result<Option<GatewayBot>, Malformed> {
    let mut url = None;
    let mut shards = 1;
    let mut limit = SessionStartLimit::default();
    Cursor::new(bytes).fields(|key, value| {
        match key {
            b"url" => url = value.text()?.map(Into::into),
            b"shards" => shards = count(value)?.unwrap_or(1),
            b"session_start_limit" => value.fields(|key, value| {
                match key {
                    b"total" => limit.total = count(value)?.unwrap_or(limit.total),
                    b"remaining" => limit.remaining = count(value)?.unwrap_or(limit.remaining),
                    b"max_concurrency" => {
                        limit.max_concurrency = count(value)?.unwrap_or(limit.max_concurrency);
                    }
                    b"reset_after" => {
                        limit.reset_after = value
                            .number()?
                            .map_or(limit.reset_after, Duration::from_millis);
                    }
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(url.map(|url| GatewayBot {
        url,
        shards: shards.max(1),
        limit,
    }))
}

/// Reads the counts of a guild.
///
/// # Errors
/// [`Malformed`].
pub fn guild_counts(bytes: &[u8]) -> Result<GuildCounts, Malformed> {
    let mut counts = GuildCounts {
        members: None,
        online: None,
    };
    Cursor::new(bytes).fields(|key, value| {
        match key {
            b"approximate_member_count" => counts.members = value.number()?,
            b"approximate_presence_count" => counts.online = value.number()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(counts)
}

/// Reads an invite.
///
/// # Errors
/// [`Malformed`].
pub fn invite(bytes: &[u8]) -> Result<Invite, Malformed> {
    let mut invite = Invite {
        guild: None,
        expires_at: None,
    };
    Cursor::new(bytes).fields(|key, value| {
        match key {
            b"guild" => value.fields(|key, value| {
                if key == b"id" {
                    invite.guild = value.number()?.map(GuildId);
                }
                Ok(())
            })?,
            b"expires_at" => {
                invite.expires_at = value.text()?.and_then(|text| parse_timestamp(&text));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(invite)
}

/// Reads a member; none if it names no user.
///
/// # Errors
/// [`Malformed`].
pub fn member(bytes: &[u8]) -> Result<Option<MemberData>, Malformed> {
    member::alone(Cursor::new(bytes))
}

/// Reads an application.
///
/// # Errors
/// [`Malformed`].
pub fn application(bytes: &[u8]) -> Result<Application, Malformed> {
    let mut application = Application {
        id: None,
        name: None,
        flags: None,
    };
    Cursor::new(bytes).fields(|key, value| {
        match key {
            b"id" => application.id = value.number()?.map(UserId),
            b"name" => application.name = value.text()?.map(Into::into),
            b"flags" => application.flags = value.number()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(application)
}

/// Reads what a refusal says; what cannot be read says nothing.
#[must_use]
pub fn error_body(bytes: &[u8]) -> ErrorBody {
    let mut body = ErrorBody::default();
    let read = Cursor::new(bytes).fields(|key, value| {
        match key {
            b"code" => body.code = value.number()?.unwrap_or(0),
            b"message" => body.message = value.text()?.map(Into::into),
            b"retry_after" => {
                body.retry_after = value
                    .fraction()?
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            }
            _ => {}
        }
        Ok(())
    });
    match read {
        Ok(()) => body,
        Err(Malformed { .. }) => ErrorBody::default(),
    }
}

fn count(value: &mut Cursor<'_>) -> Result<Option<u32>, Malformed> {
    Ok(value
        .number()?
        .map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_bot_is_read_with_all_its_keys_or_few() {
        let whole = br#"{"url":"wss://gateway.discord.gg","shards":9,"session_start_limit":
            {"total":1000,"remaining":999,"reset_after":14400000,"max_concurrency":16}}"#;
        assert_eq!(
            gateway_bot(whole),
            Ok(Some(GatewayBot {
                url: "wss://gateway.discord.gg".into(),
                shards: 9,
                limit: SessionStartLimit {
                    total: 1000,
                    remaining: 999,
                    reset_after: Duration::from_hours(4),
                    max_concurrency: 16,
                },
            }))
        );
        let sparse = gateway_bot(br#"{"url":"ws://x","shards":0}"#).expect("JSON");
        let sparse = sparse.expect("a URL");
        assert_eq!(
            (sparse.shards, sparse.limit),
            (1, SessionStartLimit::default())
        );
        assert_eq!(gateway_bot(b"{}"), Ok(None));
        assert!(gateway_bot(b"<html>").is_err());
    }

    #[test]
    fn the_other_answers_are_read() {
        let counts = guild_counts(br#"{"id":"1","approximate_member_count":7}"#).expect("JSON");
        assert_eq!((counts.members, counts.online), (Some(7), None));
        let seen =
            invite(br#"{"code":"a","guild":{"id":"5"},"expires_at":"1970-01-01T00:00:01+00:00"}"#);
        let seen = seen.expect("JSON");
        assert_eq!(
            (seen.guild, seen.expires_at),
            (Some(GuildId(5)), Some(UnixMs(1000)))
        );
        let seen = invite(br#"{"code":"a","guild":null,"expires_at":null}"#).expect("JSON");
        assert_eq!((seen.guild, seen.expires_at), (None, None));
        let seen = member(br#"{"user":{"id":"5"},"roles":["6"]}"#).expect("JSON");
        assert_eq!(seen.expect("a user").user, UserId(5));
        for (flags, privileges) in [
            (r#"{"flags":0}"#, Some(Intents::NONE)),
            (r#"{"flags":8192}"#, Some(Intents::GUILD_PRESENCES)),
            (r#"{"flags":32768}"#, Some(Intents::GUILD_MEMBERS)),
            (r#"{"flags":524288}"#, Some(Intents::MESSAGE_CONTENT)),
            (r#"{"flags":282624}"#, Some(Intents::PRIVILEGED)),
            ("{}", None),
        ] {
            let seen = application(flags.as_bytes()).expect("JSON");
            assert_eq!(seen.privileges(), privileges, "{flags}");
        }
        let refusal = error_body(br#"{"code":50001,"message":"Missing Access","retry_after":1.5}"#);
        assert_eq!(refusal.code, 50_001);
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(error_body(b"<html>"), ErrorBody::default());
    }
}

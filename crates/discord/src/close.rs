//! Why Discord closed a connection, and what that asks of the client.

use std::fmt;

/// The code of a WebSocket close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

/// What a close code asks of the client.
///
/// Source: Discord, "Gateway Close Event Codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Dial again and resume.
    Resume,
    /// Dial again and resume, but not at once: too much was sent.
    ResumeLater,
    /// Dial again and try to resume once. Discord says nothing of a server that closes with
    /// 1000 or 1001; some clients resume, others identify.
    ResumeOnce,
    /// The session is gone: dial again and identify.
    NewSession,
    /// The session timed out. The documents ask for a new one, though resuming often works:
    /// the configuration says which.
    SessionTimedOut,
    /// Dialling again would fail the same way.
    Fatal(Refusal),
}

/// What Discord refuses for good; each has a cure that only a person can apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// 4004: the token.
    Token,
    /// 4010: the shard's number or count.
    Shard,
    /// 4011: too many guilds for so few shards.
    ShardingRequired,
    /// 4012: the API version.
    ApiVersion,
    /// 4013: intents that do not exist.
    InvalidIntents,
    /// 4014: privileged intents that are not switched on.
    DisallowedIntents,
}

impl CloseCode {
    /// The end of a session, on purpose: Discord forgets it and shows the bot offline.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The peer goes away; ends a session like 1000.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// Something unforeseen. Ours, too, for every close that must keep the session.
    pub const UNKNOWN_ERROR: CloseCode = CloseCode(4000);
    /// An opcode that does not exist, or a payload that does not fit it.
    pub const UNKNOWN_OPCODE: CloseCode = CloseCode(4001);
    /// A payload that cannot be decoded.
    pub const DECODE_ERROR: CloseCode = CloseCode(4002);
    /// A payload before identifying.
    pub const NOT_AUTHENTICATED: CloseCode = CloseCode(4003);
    /// A token that is not one.
    pub const AUTHENTICATION_FAILED: CloseCode = CloseCode(4004);
    /// Identified twice.
    pub const ALREADY_AUTHENTICATED: CloseCode = CloseCode(4005);
    /// A session that is no longer valid; retired.
    pub const SESSION_NO_LONGER_VALID: CloseCode = CloseCode(4006);
    /// A resume with a sequence that was never sent.
    pub const INVALID_SEQUENCE: CloseCode = CloseCode(4007);
    /// Payloads too fast.
    pub const RATE_LIMITED: CloseCode = CloseCode(4008);
    /// The session timed out.
    pub const SESSION_TIMED_OUT: CloseCode = CloseCode(4009);
    /// A shard that cannot be.
    pub const INVALID_SHARD: CloseCode = CloseCode(4010);
    /// More guilds than one shard may have.
    pub const SHARDING_REQUIRED: CloseCode = CloseCode(4011);
    /// An API version that is not served.
    pub const INVALID_API_VERSION: CloseCode = CloseCode(4012);
    /// Intents that do not exist.
    pub const INVALID_INTENTS: CloseCode = CloseCode(4013);
    /// Privileged intents that the application may not use.
    pub const DISALLOWED_INTENTS: CloseCode = CloseCode(4014);

    /// What a close with this code asks of the client.
    #[must_use]
    pub const fn remedy(self) -> Remedy {
        match self.0 {
            1000 | 1001 => Remedy::ResumeOnce,
            4003 | 4006 | 4007 => Remedy::NewSession,
            4004 => Remedy::Fatal(Refusal::Token),
            4008 => Remedy::ResumeLater,
            4009 => Remedy::SessionTimedOut,
            4010 => Remedy::Fatal(Refusal::Shard),
            4011 => Remedy::Fatal(Refusal::ShardingRequired),
            4012 => Remedy::Fatal(Refusal::ApiVersion),
            4013 => Remedy::Fatal(Refusal::InvalidIntents),
            4014 => Remedy::Fatal(Refusal::DisallowedIntents),
            _ => Remedy::Resume,
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Refusal {
    /// The close code that says so.
    #[must_use]
    pub const fn code(self) -> CloseCode {
        match self {
            Refusal::Token => CloseCode::AUTHENTICATION_FAILED,
            Refusal::Shard => CloseCode::INVALID_SHARD,
            Refusal::ShardingRequired => CloseCode::SHARDING_REQUIRED,
            Refusal::ApiVersion => CloseCode::INVALID_API_VERSION,
            Refusal::InvalidIntents => CloseCode::INVALID_INTENTS,
            Refusal::DisallowedIntents => CloseCode::DISALLOWED_INTENTS,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Token => "Discord refuses the bot's token (4004)",
            Refusal::Shard => "Discord refuses the shard's number or count (4010)",
            Refusal::ShardingRequired => "the bot is in too many guilds for so few shards (4011)",
            Refusal::ApiVersion => "Discord no longer serves this version of its gateway (4012)",
            Refusal::InvalidIntents => "Discord does not know some of the intents (4013)",
            Refusal::DisallowedIntents => {
                "privileged intents are not switched on for this application (4014)"
            }
        })
    }
}

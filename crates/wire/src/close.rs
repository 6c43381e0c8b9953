//! Why the server closes a connection, and what the client should do then.

/// A close code with its reason and its advice.
///
/// Source: wire protocol, "Close codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseCode {
    /// 1000: the client closed; the server answers in kind.
    Normal,
    /// 1001: the server is going away.
    GoingAway,
    /// 1002: the frame breaks RFC 6455 itself.
    ProtocolError,
    /// 4000: unknown error.
    Unknown,
    /// 4001: unknown opcode, or one that only the server sends.
    UnknownOpcode,
    /// 4002: not decodable.
    NotDecodable,
    /// 4003: a command before authentication.
    NotAuthenticated,
    /// 4004: authentication failed or withdrawn.
    AuthenticationFailed,
    /// 4005: already authenticated.
    AlreadyAuthenticated,
    /// 4008: rate limited.
    RateLimited,
    /// 4009: timed out.
    TimedOut,
    /// 4010: slow consumer.
    SlowConsumer,
    /// 4011: origin not allowed.
    OriginNotAllowed,
    /// 4012: not ready.
    NotReady,
}

impl CloseCode {
    /// Every code, in order.
    pub const ALL: [CloseCode; 14] = [
        CloseCode::Normal,
        CloseCode::GoingAway,
        CloseCode::ProtocolError,
        CloseCode::Unknown,
        CloseCode::UnknownOpcode,
        CloseCode::NotDecodable,
        CloseCode::NotAuthenticated,
        CloseCode::AuthenticationFailed,
        CloseCode::AlreadyAuthenticated,
        CloseCode::RateLimited,
        CloseCode::TimedOut,
        CloseCode::SlowConsumer,
        CloseCode::OriginNotAllowed,
        CloseCode::NotReady,
    ];

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            CloseCode::Normal => 1000,
            CloseCode::GoingAway => 1001,
            CloseCode::ProtocolError => 1002,
            CloseCode::Unknown => 4000,
            CloseCode::UnknownOpcode => 4001,
            CloseCode::NotDecodable => 4002,
            CloseCode::NotAuthenticated => 4003,
            CloseCode::AuthenticationFailed => 4004,
            CloseCode::AlreadyAuthenticated => 4005,
            CloseCode::RateLimited => 4008,
            CloseCode::TimedOut => 4009,
            CloseCode::SlowConsumer => 4010,
            CloseCode::OriginNotAllowed => 4011,
            CloseCode::NotReady => 4012,
        }
    }

    /// The reason sent with it: at most 123 bytes, no secret, what to do where it helps.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            CloseCode::Normal => "",
            CloseCode::GoingAway => "the server is going away; reconnect",
            CloseCode::ProtocolError => "the frame breaks the WebSocket protocol",
            CloseCode::Unknown => "unknown error; reconnect",
            CloseCode::UnknownOpcode => "unknown opcode, or one that only the server sends",
            CloseCode::NotDecodable => {
                "not decodable: expected one JSON object in a text frame within the size limit"
            }
            CloseCode::NotAuthenticated => "not authenticated: send opcode 1 first",
            CloseCode::AuthenticationFailed => {
                "authentication failed or withdrawn; fetch a new token"
            }
            CloseCode::AlreadyAuthenticated => "already authenticated",
            CloseCode::RateLimited => "rate limited; reconnect later",
            CloseCode::TimedOut => "timed out; reconnect",
            CloseCode::SlowConsumer => "slow consumer: the queue overran; reconnect",
            CloseCode::OriginNotAllowed => "origin not allowed",
            CloseCode::NotReady => "not ready yet; reconnect later",
        }
    }

    /// Whether a client should dial again, and so whether its session is kept for a resume.
    #[must_use]
    pub fn invites_reconnect(self) -> bool {
        match self {
            CloseCode::GoingAway
            | CloseCode::Unknown
            | CloseCode::RateLimited
            | CloseCode::TimedOut
            | CloseCode::SlowConsumer
            | CloseCode::NotReady => true,
            CloseCode::Normal
            | CloseCode::ProtocolError
            | CloseCode::UnknownOpcode
            | CloseCode::NotDecodable
            | CloseCode::NotAuthenticated
            | CloseCode::AuthenticationFailed
            | CloseCode::AlreadyAuthenticated
            | CloseCode::OriginNotAllowed => false,
        }
    }

    /// What it means, for the documents.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            CloseCode::Normal => "the client closed; the server answers in kind",
            CloseCode::GoingAway => "the server is going away",
            CloseCode::ProtocolError => "a frame broke RFC 6455 itself",
            CloseCode::Unknown => "unknown error",
            CloseCode::UnknownOpcode => "unknown opcode, or one that only the server sends",
            CloseCode::NotDecodable => {
                "not decodable: bad JSON, binary, wrong types, over the size limit"
            }
            CloseCode::NotAuthenticated => "a command before authentication",
            CloseCode::AuthenticationFailed => "authentication failed or withdrawn",
            CloseCode::AlreadyAuthenticated => "already authenticated",
            CloseCode::RateLimited => "rate limited: too many frames",
            CloseCode::TimedOut => "timed out: authentication or heartbeat",
            CloseCode::SlowConsumer => "slow consumer: its queue overran",
            CloseCode::OriginNotAllowed => {
                "origin not allowed; not sent by this server, which answers the upgrade with 403"
            }
            CloseCode::NotReady => "not ready: the Discord side has not come up yet",
        }
    }

    /// Whether to reconnect, for the documents.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match (self.invites_reconnect(), self) {
            (true, CloseCode::RateLimited | CloseCode::NotReady) => "yes, later",
            (true, _) => "yes",
            (false, _) => "no",
        }
    }
}

//! Why the gateway closes a connection.

/// A gateway close code and what Discord says with it.
///
/// Source: Discord, "Opcodes and Status Codes: Gateway Close Event Codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode {
    /// The number.
    pub code: u16,
    /// The reason in the close frame.
    pub reason: &'static str,
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// With a close frame.
    With(CloseCode),
    /// Without one: the socket is gone.
    Drop,
}

macro_rules! codes {
    ($($name:ident = $code:literal $reason:literal;)+) => {
        impl CloseCode {
            $(pub(crate) const $name: CloseCode = CloseCode { code: $code, reason: $reason };)+

            /// Every code that the gateway closes with.
            pub const ALL: &[CloseCode] = &[$(CloseCode::$name),+];
        }
    };
}

codes! {
    UNKNOWN_ERROR = 4000 "Unknown error.";
    UNKNOWN_OPCODE = 4001 "Unknown opcode.";
    DECODE_ERROR = 4002 "Error while decoding payload.";
    NOT_AUTHENTICATED = 4003 "Not authenticated.";
    AUTHENTICATION_FAILED = 4004 "Authentication failed.";
    ALREADY_AUTHENTICATED = 4005 "Already authenticated.";
    INVALID_SEQ = 4007 "Invalid seq.";
    RATE_LIMITED = 4008 "You are being rate limited.";
    TIMED_OUT = 4009 "Session timed out.";
    INVALID_SHARD = 4010 "Invalid shard.";
    SHARDING_REQUIRED = 4011 "Sharding required.";
    INVALID_VERSION = 4012 "Invalid API version.";
    INVALID_INTENTS = 4013 "Invalid intent(s).";
    DISALLOWED_INTENTS = 4014 "Disallowed intent(s).";
}

impl CloseCode {
    /// The code with this number; of an unknown one, without a reason.
    #[must_use]
    pub fn of(code: u16) -> CloseCode {
        let known = CloseCode::ALL.iter().find(|known| known.code == code);
        known.copied().unwrap_or(CloseCode { code, reason: "" })
    }
}

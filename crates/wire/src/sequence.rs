//! Numbers and names that make a session resumable.

use std::{fmt, str::FromStr};

/// An event's place in its session: `s`, from 1, rising by one for every event kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Sequence {
        self.plus(1)
    }

    /// The one that comes `events` later.
    #[must_use]
    pub fn plus(self, events: usize) -> Sequence {
        Sequence(self.0 + events as u64)
    }
}

/// A session's name, by which a client resumes it: which edge shard it lives on, and 120
/// random bits. Knowing it is not enough to resume: the token is asked for as well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The edge shard that the session lives on.
    pub edge: u8,
    /// Random.
    pub random: [u8; 15],
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.edge)?;
        self.random
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:02x}{:02x}…)", self.edge, self.random[0])
    }
}

/// A text that is no [`SessionId`]: not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id: expected 32 hexadecimal digits")]
pub struct ParseSessionIdError;

impl FromStr for SessionId {
    type Err = ParseSessionIdError;

    fn from_str(text: &str) -> Result<SessionId, ParseSessionIdError> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(ParseSessionIdError);
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(ParseSessionIdError),
        };
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        let [edge, random @ ..] = bytes;
        Ok(SessionId { edge, random })
    }
}

//! A client frame's header.

use super::Violation;

/// What a frame is.
///
/// Source: RFC 6455, 5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0: goes on with a fragmented message.
    Continuation,
    /// 1.
    Text,
    /// 2.
    Binary,
    /// 8.
    Close,
    /// 9.
    Ping,
    /// 10.
    Pong,
}

impl Kind {
    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Kind::Continuation => 0,
            Kind::Text => 1,
            Kind::Binary => 2,
            Kind::Close => 8,
            Kind::Ping => 9,
            Kind::Pong => 10,
        }
    }

    fn from_number(number: u8) -> Result<Kind, Violation> {
        Ok(match number {
            0 => Kind::Continuation,
            1 => Kind::Text,
            2 => Kind::Binary,
            8 => Kind::Close,
            9 => Kind::Ping,
            10 => Kind::Pong,
            reserved => return Err(Violation::ReservedOpcode(reserved)),
        })
    }

    /// Whether it may stand between the fragments of a message.
    pub(super) fn is_control(self) -> bool {
        match self {
            Kind::Continuation | Kind::Text | Kind::Binary => false,
            Kind::Close | Kind::Ping | Kind::Pong => true,
        }
    }
}

/// A decoded header; its rules that need no context have been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) last: bool,
    /// RSV1: the message is deflated.
    pub(super) deflated: bool,
    /// As claimed by the client, up to 2^64 - 1.
    pub(super) payload_len: u64,
    pub(super) key: [u8; 4],
}

/// Longest header of a client frame, bytes: 2, an eight-byte length, a four-byte key.
pub(super) const HEADER_BYTES_MAX: usize = 14;
/// Longest payload of a control frame, bytes.
pub(super) const CONTROL_BYTES_MAX: u64 = 125;

impl Header {
    /// Decodes the header at the start of `bytes`, and says how long it is; none while it is
    /// incomplete. What is wrong with its first two bytes is known before the rest is there.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x30 != 0 {
            return Err(Violation::ReservedBits);
        }
        let kind = Kind::from_number(first & 0x0f)?;
        let last = first & 0x80 != 0;
        let deflated = first & 0x40 != 0;
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short_len = second & 0x7f;
        if kind.is_control() {
            if !last {
                return Err(Violation::FragmentedControl);
            }
            if deflated {
                return Err(Violation::ReservedBits);
            }
            if u64::from(short_len) > CONTROL_BYTES_MAX {
                return Err(Violation::LongControl);
            }
        }
        let (payload_len, rest, len_bytes) = match short_len {
            126 => {
                let Some((len, rest)) = rest.split_first_chunk::<2>() else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes(*len)), rest, 2)
            }
            127 => {
                let Some((len, rest)) = rest.split_first_chunk::<8>() else {
                    return Ok(None);
                };
                (u64::from_be_bytes(*len), rest, 8)
            }
            short => (u64::from(short), rest, 0),
        };
        if (len_bytes == 2 && payload_len < 126) || (len_bytes == 8 && payload_len < 1 << 16) {
            return Err(Violation::LongLength);
        }
        let Some(key) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        let header = Header {
            kind,
            last,
            deflated,
            payload_len,
            key: *key,
        };
        Ok(Some((header, 2 + len_bytes + 4)))
    }
}

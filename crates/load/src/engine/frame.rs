//! RFC 6455 from the client's end, as much as a load generator needs.

/// What a server frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole text message; the server never fragments.
    Text,
    /// A whole binary message.
    Binary,
    /// A close frame.
    Close,
    /// A ping, to be answered.
    Ping,
    /// Anything else.
    Other,
}

/// One server frame found at the head of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Where its payload begins.
    pub start: usize,
    /// Where it ends, and the next frame begins.
    pub end: usize,
}

/// Finds the frame at the head of `bytes`; none if it is not all there yet.
pub fn find(bytes: &[u8]) -> Option<Found> {
    let (&first, rest) = bytes.split_first()?;
    let (&second, _) = rest.split_first()?;
    let (start, length): (usize, usize) = match second & 0x7F {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(length).ok()?)
        }
        short => (2, usize::from(short)),
    };
    let end = start.checked_add(length)?;
    let kind = match first & 0x0F {
        1 => Kind::Text,
        2 => Kind::Binary,
        8 => Kind::Close,
        9 => Kind::Ping,
        _ => Kind::Other,
    };
    (bytes.len() >= end).then_some(Found { kind, start, end })
}

/// Appends one masked client frame. The key is fixed: a load generator on its own machine
/// protects no proxy from itself.
pub fn write(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&KEY);
    out.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a pong.
pub const PONG: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_once_it_is_whole() {
        let mut bytes = vec![0x81, 126, 1, 0];
        bytes.extend(std::iter::repeat_n(b'x', 256));
        for length in 0..bytes.len() {
            assert_eq!(find(&bytes[..length]), None, "{length} bytes are not all");
        }
        bytes.push(0x88);
        assert_eq!(
            find(&bytes),
            Some(Found {
                kind: Kind::Text,
                start: 4,
                end: 260
            })
        );
    }

    #[test]
    fn client_frames_are_masked_with_the_length_in_its_shortest_form() {
        for (length, head) in [(0, 6), (125, 6), (126, 8), (0xFFFF, 8), (0x1_0000, 14)] {
            let mut out = Vec::new();
            write(TEXT, &vec![0; length], &mut out);
            assert_eq!(out.len(), head + length);
            assert_eq!(out[1] & 0x80, 0x80, "masked");
        }
    }
}

//! Server frames: never masked, never in fragments.

use super::Kind;

/// Longest header of a server frame, bytes: 2 and an eight-byte length.
const HEADER_BYTES_MAX: usize = 10;

/// Appends the header of a whole frame with `payload_len` bytes after it. `rsv1` marks a
/// deflated message.
pub fn frame_header(kind: Kind, rsv1: bool, payload_len: usize, out: &mut Vec<u8>) {
    let mut header = [0; HEADER_BYTES_MAX];
    header[0] = 0x80 | if rsv1 { 0x40 } else { 0 } | kind.number();
    let len = match payload_len {
        0..=125 => {
            header[1] = payload_len as u8;
            2
        }
        126..=0xffff => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        }
    };
    out.extend_from_slice(&header[..len]);
}

/// Appends a text frame.
pub fn text(payload: &str, out: &mut Vec<u8>) {
    frame_header(Kind::Text, false, payload.len(), out);
    out.extend_from_slice(payload.as_bytes());
}

/// Appends a ping without payload.
pub fn ping(out: &mut Vec<u8>) {
    frame_header(Kind::Ping, false, 0, out);
}

/// Appends the pong for a ping with this payload.
pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    frame_header(Kind::Pong, false, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a close frame; with no code its payload is empty. A reason over 123 bytes is cut
/// between two characters.
pub fn close(code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
    let Some(code) = code else {
        frame_header(Kind::Close, false, 0, out);
        return;
    };
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    frame_header(Kind::Close, false, 2 + end, out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&reason.as_bytes()[..end]);
}

/// What a control frame's 125 bytes leave beside the code.
const REASON_BYTES_MAX: usize = 123;

//! Client frames, typed by hand.

use crate::MESSAGE_BYTES_MAX;

/// How a frame says how long it is.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// In as few bytes as it can.
    Shortest,
    /// In eight bytes, needed or not.
    Eight,
    /// In eight bytes, and not the truth.
    Claimed(u64),
}

/// How it is masked.
#[derive(Debug, Clone, Copy)]
pub enum Mask {
    With([u8; 4]),
    Without,
}

/// One frame; `first` is its first byte.
pub fn frame(first: u8, mask: Mask, length: Length, payload: &[u8]) -> Vec<u8> {
    let flag = match mask {
        Mask::With(_) => 0x80,
        Mask::Without => 0,
    };
    let mut bytes = vec![first];
    match (length, payload.len()) {
        (Length::Shortest, len @ 0..=125) => bytes.push(flag | len as u8),
        (Length::Shortest, len @ 126..=0xffff) => {
            bytes.push(flag | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        (Length::Shortest | Length::Eight, len) => {
            bytes.push(flag | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
        (Length::Claimed(len), _) => {
            bytes.push(flag | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    match mask {
        Mask::With(key) => {
            bytes.extend(key);
            bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
        }
        Mask::Without => bytes.extend(payload),
    }
    bytes
}

/// What a walk over the headers alone tells of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// How many bytes its last frame lacks; none if it ends between two frames.
    pub lacks: usize,
    /// Whether a frame claims more than anybody takes. It is the last, whatever follows.
    pub claims_too_much: bool,
    /// Whether one is a close frame.
    pub closes: bool,
    /// Whether one says its length in more bytes than it needs.
    pub long_form: bool,
}

/// Walks over the frames of `bytes`, whatever they are.
pub fn walk(bytes: &[u8]) -> Walk {
    let mut walk = Walk::default();
    let mut rest = bytes;
    while let [first, second, after @ ..] = rest {
        walk.closes |= first & 0x0f == 8;
        let len_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let len = match after.get(..len_bytes) {
            Some([]) => u64::from(second & 0x7f),
            Some(bytes) => bytes
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
            None => 0,
        };
        walk.long_form |= match len_bytes {
            2 => after.len() >= 2 && len < 126,
            8 => after.len() >= 8 && len < 1 << 16,
            _ => false,
        };
        let payload = usize::try_from(len)
            .ok()
            .filter(|&len| len <= MESSAGE_BYTES_MAX);
        walk.claims_too_much = payload.is_none();
        let key_bytes = usize::from(second & 0x80 != 0) * 4;
        let whole = 2 + len_bytes + key_bytes + payload.unwrap_or(0);
        if walk.claims_too_much || whole > rest.len() {
            walk.lacks = whole.saturating_sub(rest.len());
            return walk;
        }
        rest = &rest[whole..];
    }
    // The shortest frame that there is has a header of two bytes and a key.
    walk.lacks = if rest.is_empty() { 0 } else { 6 - rest.len() };
    walk
}

#[test]
fn a_walk_tells_what_the_last_frame_lacks() {
    let key = Mask::With([1, 2, 3, 4]);
    let whole = [
        frame(0x81, key, Length::Shortest, &[b'x'; 200]),
        frame(0x88, Mask::Without, Length::Shortest, b"abc"),
    ]
    .concat();
    for (cut, lacks) in [(0, 0), (1, 1), (3, 3), (4, 5), (5, 0), (6, 1), (206, 201)] {
        let walk = walk(&whole[..whole.len() - cut]);
        assert_eq!((walk.lacks, walk.closes), (lacks, cut < 4), "less {cut}");
    }
    assert!(walk(&frame(0x81, key, Length::Claimed(1 << 63), b"")).claims_too_much);
    assert!(walk(&frame(0x81, key, Length::Eight, b"short")).long_form);
    assert!(!walk(&whole).long_form);
}

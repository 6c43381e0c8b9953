//! What clients may send: sound conversations, and what becomes of them.

use guildgate_server::edge::codec::Deflater;
use proptest::{collection::vec, prelude::*, sample::Index, sample::select};

use crate::frames::{Length, Mask, frame};

/// A message and how it is sent.
#[derive(Debug, Clone)]
pub struct Message {
    pub text: String,
    /// Where its payload is cut into fragments, anywhere in its characters.
    pub cuts: Vec<Index>,
    /// A ping before each fragment but the first, if it is there.
    pub pings: Vec<Option<Vec<u8>>>,
    pub key: [u8; 4],
}

impl Message {
    /// As it is.
    pub fn plain(&self) -> Vec<u8> {
        self.send(0, self.text.as_bytes())
    }

    /// As permessage-deflate has it.
    pub fn deflated(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        Deflater::default().whole(self.text.as_bytes(), &mut payload);
        self.send(0x40, &payload)
    }

    fn send(&self, rsv: u8, payload: &[u8]) -> Vec<u8> {
        let mut cuts: Vec<usize> = self
            .cuts
            .iter()
            .map(|cut| cut.index(payload.len() + 1))
            .collect();
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([payload.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let mut bytes = Vec::new();
        for (number, (start, end)) in starts.zip(ends).enumerate() {
            if let Some(Some(ping)) = number.checked_sub(1).and_then(|at| self.pings.get(at)) {
                bytes.extend(frame(0x89, Mask::With(self.key), Length::Shortest, ping));
            }
            let kind = if number == 0 { 1 | rsv } else { 0 };
            let last = if number == cuts.len() { 0x80 } else { 0 };
            bytes.extend(frame(
                last | kind,
                Mask::With(self.key),
                Length::Shortest,
                &payload[start..end],
            ));
        }
        bytes
    }
}

/// Texts of characters of one to four bytes, mostly short.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z{}\":ßéЖ中✓😀]{0,40}",
        1 => "[a-d中😀]{0,1000}",
    ]
}

pub fn message() -> impl Strategy<Value = Message> {
    (
        text(),
        vec(any::<Index>(), 0..5),
        vec(proptest::option::of(vec(any::<u8>(), 0..125)), 0..5),
        any::<[u8; 4]>(),
    )
        .prop_map(|(text, cuts, pings, key)| Message {
            text,
            cuts,
            pings,
            key,
        })
}

/// The lengths that a connection's bytes come in.
pub fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![usize::MAX]),
        Just(vec![1]),
        vec(1usize..40, 1..10),
        vec(1usize..5_000, 1..4),
    ]
}

/// Frames, sound and unsound, that may follow each other in any way.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => text().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
        1 => (1_000usize..4_200).prop_map(|len| vec![b'x'; len]),
        // Half a character, or none.
        1 => select(vec![&b"\xf0\x9f"[..], b"\x98\x80", b"\xc3", b"\xed\xa0", b""])
            .prop_map(<[u8]>::to_vec),
    ];
    let first = prop_oneof![
        8 => select(vec![0x81u8, 0x01, 0x01, 0x00, 0x00, 0x80, 0x80, 0x89, 0x8a]),
        2 => select(vec![0x82u8, 0x02, 0xc1, 0x41, 0x09, 0xc9, 0xc0]),
        1 => any::<u8>(),
    ];
    let length = prop_oneof![
        20 => Just(Length::Shortest),
        1 => Just(Length::Eight),
        1 => select(vec![0u64, 125, 126, 4_096, 4_097, 65_535, 65_536, 1 << 32, 1 << 63, u64::MAX])
            .prop_map(Length::Claimed),
    ];
    let mask = prop_oneof![
        20 => any::<[u8; 4]>().prop_map(Mask::With),
        1 => Just(Mask::Without),
    ];
    prop_oneof![
        10 => (first, mask, length, payload)
            .prop_map(|(first, mask, length, payload)| frame(first, mask, length, &payload)),
        1 => close(),
    ]
}

/// Close frames with every code that matters, and some that are none.
fn close() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        4 => select(vec![1000u16, 1001, 1003, 1007, 1009, 1011, 1013, 1014, 3000, 4999]),
        2 => select(vec![0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]),
    ];
    let payload = prop_oneof![
        1 => Just(Vec::new()),
        1 => Just(vec![3]),
        8 => (code, "[a-zß😀]{0,28}")
            .prop_map(|(code, reason)| [&code.to_be_bytes()[..], reason.as_bytes()].concat()),
        1 => code_with_bad_reason(),
    ];
    (payload, any::<[u8; 4]>())
        .prop_map(|(payload, key)| frame(0x88, Mask::With(key), Length::Shortest, &payload))
}

fn code_with_bad_reason() -> impl Strategy<Value = Vec<u8>> {
    select(vec![&b"\x03\xe8\xff"[..], b"\x03\xe8ok\xe2\x82"]).prop_map(<[u8]>::to_vec)
}

/// Frames in any order, and conversations, whole, cut off, or with some bytes changed.
pub fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        2 => message().prop_map(|message| message.plain()),
        3 => any_frame(),
    ];
    let change = (any::<Index>(), any::<u8>(), 0usize..4);
    (vec(part, 0..8), vec(change, 0..3), any::<Index>(), 0u8..4).prop_map(
        |(parts, changes, cut, how)| {
            let mut bytes = parts.concat();
            if how == 0 {
                for (at, byte, kind) in changes {
                    if bytes.is_empty() {
                        break;
                    }
                    let at = at.index(bytes.len());
                    match kind {
                        0 => bytes[at] = byte,
                        1 => bytes[at] ^= 1 << (byte % 8),
                        2 => bytes.insert(at, byte),
                        _ => drop(bytes.remove(at)),
                    }
                }
            }
            if how < 2 {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes
        },
    )
}

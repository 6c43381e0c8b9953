//! What the edge writes, read by others as clients.

use guildgate_server::edge::codec::{self, Deflater, Kind, finish_shared};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixed,
    peers::{self, Side},
    seen::{End, Said, Seen},
    strategies::{pieces, text},
};

/// One frame of the edge's.
#[derive(Debug, Clone)]
enum Frame {
    Text(String),
    /// A text that is sent deflated.
    Deflated(String),
    /// A text that many share, deflated once, and what only this client gets behind it.
    Shared(String, String),
    Ping,
    Pong(Vec<u8>),
}

impl Frame {
    /// Writes it, and says what a client must make of it.
    ///
    /// The peers know no extension. So what is deflated is given to them as a binary message,
    /// whose payload another inflater reads afterwards.
    fn write(&self, out: &mut Vec<u8>) -> Said {
        match self {
            Frame::Text(text) => {
                codec::text(text, out);
                Said::Text(text.clone().into_bytes())
            }
            Frame::Deflated(text) => {
                let mut payload = Vec::new();
                Deflater::default().whole(text.as_bytes(), &mut payload);
                deflated(payload, text.as_bytes(), out)
            }
            Frame::Shared(text, tail) => {
                let mut opened = Vec::new();
                Deflater::default().open(text.as_bytes(), &mut opened);
                let mut payload = Vec::new();
                finish_shared(&opened, tail.as_bytes(), &mut payload);
                deflated(payload, [text.as_str(), tail].concat().as_bytes(), out)
            }
            Frame::Ping => {
                codec::ping(out);
                Said::Ping(Vec::new())
            }
            Frame::Pong(payload) => {
                codec::pong(payload, out);
                Said::Pong
            }
        }
    }
}

fn deflated(payload: Vec<u8>, text: &[u8], out: &mut Vec<u8>) -> Said {
    let start = out.len();
    codec::frame_header(Kind::Text, true, payload.len(), out);
    assert_eq!(out[start], 0xc1, "a whole, deflated text");
    out[start] = 0x82;
    out.extend_from_slice(&payload);
    // RFC 7692, 7.2.2: what the sender has left out is put back; a last block ends the stream.
    let whole = [
        payload.as_slice(),
        &[0, 0, 0xff, 0xff],
        &[1, 0, 0, 0xff, 0xff],
    ]
    .concat();
    let inflated = miniz_oxide::inflate::decompress_to_vec(&whole).expect("a deflated text");
    assert_eq!(inflated, text);
    Said::Binary(payload)
}

fn frame() -> impl Strategy<Value = Frame> {
    let long = (0usize..70_000, text()).prop_map(|(len, text)| {
        let characters = ["ü", "x", "😀"].concat() + &text;
        characters.repeat(len / characters.len())
    });
    let any_text = prop_oneof![6 => text(), 1 => long];
    prop_oneof![
        3 => any_text.clone().prop_map(Frame::Text),
        3 => any_text.clone().prop_map(Frame::Deflated),
        3 => (any_text, "[a-z😀]{0,40}").prop_map(|(text, tail)| Frame::Shared(text, tail)),
        1 => Just(Frame::Ping),
        1 => vec(any::<u8>(), 0..=125).prop_map(Frame::Pong),
    ]
}

proptest! {
    #![proptest_config(fixed(60))]

    #[test]
    fn whatever_is_sent_is_read_byte_by_byte_as_it_was_meant(
        frames in vec(frame(), 0..8),
        close in proptest::option::of((
            proptest::option::of(prop_oneof![Just(1000u16), Just(1011), 4000u16..4020]),
            "[a-zß😀]{0,80}",
        )),
        pieces in pieces(),
    ) {
        let mut bytes = Vec::new();
        let said = frames.iter().map(|frame| frame.write(&mut bytes)).collect();
        let end = match &close {
            None => End::Open,
            Some((code, reason)) => {
                codec::close(*code, reason, &mut bytes);
                End::Closed(*code)
            }
        };
        let meant = Seen { said, end };
        prop_assert_eq!(&peers::tungstenite(&bytes, &pieces, Side::Client), &meant);
        prop_assert_eq!(&peers::tokio_websockets(&bytes, &pieces, Side::Client), &meant);
    }
}

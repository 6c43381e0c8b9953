//! The decoder against another's: the same bytes to both, sound and unsound.
//!
//! What the two may differ in, and do: a length in more bytes than it needs, and binary
//! messages, are refused here alone; so neither is drawn.

use futures_util::StreamExt;
use guildgate_server::edge::codec::{Chunk, Decoder, Deflate, Message};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio_websockets::ServerBuilder;

/// What both can say of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text(String),
    Ping(Vec<u8>),
    Pong,
    Close,
    Refused,
}

fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let key = [9, 8, 7, 6];
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(mask | len as u8),
        len => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
    }
    if masked {
        bytes.extend(key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
    } else {
        bytes.extend(payload);
    }
    bytes
}

fn ours(bytes: &[u8], piece: usize) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let mut chunk = Chunk::new(&mut piece);
        loop {
            match decoder.next(&mut chunk, 1 << 20, Deflate::Off) {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => seen.push(Seen::Text(text.to_owned())),
                Ok(Some(Message::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                Ok(Some(Message::Pong)) => seen.push(Seen::Pong),
                Ok(Some(Message::Fragment)) => {}
                Ok(Some(Message::Deflated(_))) => panic!("deflating was not agreed"),
                Ok(Some(Message::Close(_))) => {
                    seen.push(Seen::Close);
                    return seen;
                }
                Err(_) => {
                    seen.push(Seen::Refused);
                    return seen;
                }
            }
        }
    }
    seen
}

async fn theirs(bytes: Vec<u8>) -> Vec<Seen> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(&bytes).await.expect("it fits");
    client.shutdown().await.expect("it is open");
    let mut peer = ServerBuilder::new().serve(server);
    let mut seen = Vec::new();
    while let Some(next) = peer.next().await {
        match next {
            Ok(message) if message.is_close() => {
                seen.push(Seen::Close);
                break;
            }
            Ok(message) if message.is_ping() => {
                seen.push(Seen::Ping(message.as_payload().to_vec()));
            }
            Ok(message) if message.is_pong() => seen.push(Seen::Pong),
            Ok(message) => seen.push(Seen::Text(
                message.as_text().expect("no binary is drawn").to_owned(),
            )),
            // The end of the bytes is not a fault of theirs.
            Err(tokio_websockets::Error::Io(_)) => break,
            Err(_) => {
                seen.push(Seen::Refused);
                break;
            }
        }
    }
    seen
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => ".{0,80}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    let close = prop_oneof![
        Just(Vec::new()),
        (
            prop::sample::select(vec![1000u16, 1001, 1011, 3000, 4999, 999, 1005, 1006]),
            "[a-z]{0,20}"
        )
            .prop_map(|(code, reason)| [&code.to_be_bytes()[..], reason.as_bytes()].concat()),
        Just(vec![3]),
    ];
    prop_oneof![
        6 => payload.clone().prop_map(|payload| frame(0x81, true, &payload)),
        3 => payload.clone().prop_map(|payload| frame(0x01, true, &payload)),
        3 => payload.clone().prop_map(|payload| frame(0x00, true, &payload)),
        3 => payload.clone().prop_map(|payload| frame(0x80, true, &payload)),
        2 => payload.clone().prop_map(|payload| frame(0x89, true, &payload)),
        2 => payload.clone().prop_map(|payload| frame(0x8a, true, &payload)),
        1 => close.prop_map(|payload| frame(0x88, true, &payload)),
        1 => payload.clone().prop_map(|payload| frame(0x81, false, &payload)),
        1 => (any::<u8>(), payload)
            .prop_filter("no binary", |(first, _)| first & 0x0f != 2)
            .prop_map(|(first, payload)| frame(first, true, &payload)),
    ]
}

proptest! {
    #[test]
    fn both_see_the_same(
        frames in prop::collection::vec(any_frame(), 0..10),
        piece in 1usize..40,
    ) {
        let bytes = frames.concat();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        prop_assert_eq!(ours(&bytes, piece), runtime.block_on(theirs(bytes)));
    }
}

use proptest::prelude::*;

use super::{Chunk, Decoder, Deflate, Message, Violation};
use crate::edge::codec::Kind;

/// What came out, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Got {
    Text(String),
    Deflated(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Fragment,
    Close(Option<u16>),
    Violation(Violation),
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_claiming(first, payload.len() as u64, payload)
}

fn frame_claiming(first: u8, len: u64, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(0x80 | len as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(b, k)| b ^ k));
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

const SIZE_MAX: usize = 4096;

/// Feeds `bytes` in pieces of the given lengths, the rest at once, and collects what comes out
/// up to the first violation or close.
fn decode_in(bytes: &[u8], pieces: &[usize], deflate: Deflate) -> Vec<Got> {
    let mut decoder = Decoder::default();
    let mut got = Vec::new();
    let mut rest = bytes.to_vec();
    let mut pieces = pieces.iter();
    loop {
        let len = pieces
            .next()
            .map_or(rest.len(), |len| (*len).min(rest.len()));
        let mut piece: Vec<u8> = rest.drain(..len).collect();
        let mut chunk = Chunk::new(&mut piece);
        loop {
            got.push(match decoder.next(&mut chunk, SIZE_MAX, deflate) {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => Got::Text(text.to_owned()),
                Ok(Some(Message::Deflated(bytes))) => Got::Deflated(bytes.to_vec()),
                Ok(Some(Message::Ping(bytes))) => Got::Ping(bytes.to_vec()),
                Ok(Some(Message::Pong)) => Got::Pong,
                Ok(Some(Message::Fragment)) => Got::Fragment,
                Ok(Some(Message::Close(code))) => {
                    got.push(Got::Close(code));
                    return got;
                }
                Err(violation) => {
                    got.push(Got::Violation(violation));
                    return got;
                }
            });
        }
        assert!(chunk.rest().is_empty(), "none means all was taken");
        if rest.is_empty() {
            return got;
        }
    }
}

/// The same whole, byte by byte, and in threes.
fn check(bytes: &[u8], expected: &[Got]) {
    for piece in [usize::MAX, 1, 3] {
        let pieces = vec![piece; bytes.len()];
        assert_eq!(
            decode_in(bytes, &pieces, Deflate::Off),
            expected,
            "in pieces of {piece}"
        );
    }
}

fn violates(bytes: &[u8], violation: Violation) {
    check(bytes, &[Got::Violation(violation)]);
}

#[test]
fn whole_messages() {
    check(&text(""), &[Got::Text(String::new())]);
    check(&text("{}"), &[Got::Text("{}".into())]);
    let long = "ü".repeat(SIZE_MAX / 2);
    check(&text(&long), &[Got::Text(long)]);
    let two = [text("one"), text("two")].concat();
    check(&two, &[Got::Text("one".into()), Got::Text("two".into())]);
    check(&frame(0x89, b"hello"), &[Got::Ping(b"hello".into())]);
    check(&frame(0x89, &[7; 125]), &[Got::Ping(vec![7; 125])]);
    check(&frame(0x8a, b"hello"), &[Got::Pong]);
}

#[test]
fn fragments_with_control_frames_between() {
    let bytes = [
        frame(0x01, "gr\u{fc}".as_bytes()[..3].as_ref()),
        frame(0x89, b"?"),
        frame(0x00, "gr\u{fc}".as_bytes()[3..].as_ref()),
        frame(0x8a, b""),
        frame(0x80, b"n"),
        text("next"),
    ]
    .concat();
    check(
        &bytes,
        &[
            Got::Fragment,
            Got::Ping(b"?".into()),
            Got::Fragment,
            Got::Pong,
            Got::Text("gr\u{fc}n".into()),
            Got::Text("next".into()),
        ],
    );
}

#[test]
fn closes() {
    check(&frame(0x88, b""), &[Got::Close(None)]);
    for code in [1000u16, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        let payload = [&code.to_be_bytes()[..], b"bye"].concat();
        check(&frame(0x88, &payload), &[Got::Close(Some(code))]);
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        violates(&frame(0x88, &code.to_be_bytes()), Violation::BadClose);
    }
    violates(&frame(0x88, b"\x03"), Violation::BadClose);
    violates(&frame(0x88, b"\x03\xe8\xff"), Violation::BadClose);
}

#[test]
fn frames_against_the_rules() {
    violates(&[0x81, 0x02, b'{', b'}'], Violation::Unmasked);
    violates(&frame(0xc1, b"{}"), Violation::ReservedBits);
    violates(&frame(0xa1, b"{}"), Violation::ReservedBits);
    violates(&frame(0x91, b"{}"), Violation::ReservedBits);
    violates(&frame(0xc9, b""), Violation::ReservedBits);
    for opcode in [3u8, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        violates(
            &frame(0x80 | opcode, b""),
            Violation::ReservedOpcode(opcode),
        );
    }
    violates(&frame(0x09, b""), Violation::FragmentedControl);
    violates(&frame(0x89, &[0; 126]), Violation::LongControl);
    violates(&frame(0x80, b"x"), Violation::Stray);
    violates(
        &[0x81, 0x80 | 126, 0, 125, 1, 2, 3, 4],
        Violation::LongLength,
    );
    violates(
        &[0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4],
        Violation::LongLength,
    );
    let interleaved = [frame(0x01, b"a"), text("b")].concat();
    check(
        &interleaved,
        &[Got::Fragment, Got::Violation(Violation::Interleaved)],
    );
}

#[test]
fn sound_frames_that_the_protocol_has_no_use_for() {
    violates(&frame(0x82, b"{}"), Violation::Binary);
    violates(&frame(0x81, b"\xff"), Violation::NotUtf8);
    violates(&frame(0x81, b"\xe2\x82"), Violation::NotUtf8);
    for violation in [Violation::Binary, Violation::NotUtf8, Violation::TooLarge] {
        assert!(violation.is_sound_websocket());
    }
}

#[test]
fn bad_utf8_is_seen_before_the_message_ends() {
    let bytes = [frame(0x01, b"ok\xed\xa0"), frame(0x00, b"never read")].concat();
    check(&bytes, &[Got::Violation(Violation::NotUtf8)]);
}

#[test]
fn sizes_are_refused_on_the_header_alone() {
    for claimed in [SIZE_MAX as u64 + 1, 1 << 20, 1 << 32, 1 << 63, u64::MAX] {
        violates(&frame_claiming(0x81, claimed, b""), Violation::TooLarge);
    }
    let mut decoder = Decoder::default();
    let mut header = frame_claiming(0x81, SIZE_MAX as u64, b"");
    let mut chunk = Chunk::new(&mut header);
    let next = decoder.next(&mut chunk, SIZE_MAX, Deflate::Off);
    assert_eq!(next, Ok(None));
    assert!(
        decoder.held_bytes() < 256,
        "a claim reserves nothing: {} bytes held",
        decoder.held_bytes()
    );
}

#[test]
fn fragments_are_limited_together() {
    let half = vec![b'x'; SIZE_MAX / 2];
    let fits = [frame(0x01, &half), frame(0x80, &half)].concat();
    check(&fits, &[Got::Fragment, Got::Text("x".repeat(SIZE_MAX))]);
    let too_much = [frame(0x01, &half), frame(0x00, &half), frame(0x80, b"x")].concat();
    check(
        &too_much,
        &[
            Got::Fragment,
            Got::Fragment,
            Got::Violation(Violation::TooLarge),
        ],
    );
}

#[test]
fn a_decoder_at_rest_holds_nothing() {
    let mut decoder = Decoder::default();
    let mut bytes = [frame(0x01, b"a"), frame(0x80, b"b")].concat();
    let mut chunk = Chunk::new(&mut bytes);
    while let Ok(Some(_)) = decoder.next(&mut chunk, SIZE_MAX, Deflate::Off) {}
    assert_eq!(decoder.held_bytes(), 0);
    assert_eq!(size_of::<Decoder>(), size_of::<usize>());
}

#[test]
fn deflated_messages_need_the_extension() {
    let bytes = frame(0xc1, b"\x00");
    assert_eq!(
        decode_in(&bytes, &[], Deflate::On),
        [Got::Deflated(vec![0])]
    );
    let stray = [frame(0x41, b"a"), frame(0xc0, b"b")].concat();
    assert_eq!(
        decode_in(&stray, &[], Deflate::On),
        [Got::Fragment, Got::Violation(Violation::ReservedBits)]
    );
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec![
        (Kind::Text, true),
        (Kind::Text, false),
        (Kind::Continuation, true),
        (Kind::Continuation, false),
        (Kind::Ping, true),
        (Kind::Pong, true),
        (Kind::Close, true),
    ]);
    (kinds, ".{0,40}").prop_map(|((kind, last), payload)| {
        let payload = match kind {
            Kind::Close => Vec::new(),
            _ => payload.into_bytes(),
        };
        frame(if last { 0x80 } else { 0 } | kind.number(), &payload)
    })
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_messages(
        frames in prop::collection::vec(any_frame(), 0..12),
        pieces in prop::collection::vec(0usize..40, 0..60),
    ) {
        let bytes = frames.concat();
        prop_assert_eq!(
            decode_in(&bytes, &pieces, Deflate::Off),
            decode_in(&bytes, &[], Deflate::Off)
        );
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(0usize..20, 0..20),
    ) {
        prop_assert_eq!(
            decode_in(&bytes, &pieces, Deflate::On),
            decode_in(&bytes, &[], Deflate::On)
        );
    }
}

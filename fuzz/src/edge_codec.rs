//! Any bytes from a client are decoded or refused: without a panic, within bounded memory, and
//! alike however they are cut.
//!
//! The first byte is the length of the pieces, the second whether deflating was agreed; the
//! rest is what the client sends. Shared by the fuzzer and by the ordinary tests, which replay
//! the corpus.

use guildgate_server::edge::codec::{Chunk, Decoder, Deflate, Inflater, Message, Violation};

const MESSAGE_BYTES_MAX: usize = 4096;
/// Twice the largest message, since a vector grows by doubling, and what a decoder is.
const HELD_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX + 512;

/// What came out, comparable.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Inflated(Result<Vec<u8>, String>),
    Ping(Vec<u8>),
    Pong,
    Fragment,
    Close(Option<u16>),
    Violation(Violation),
}

/// Panics where the decoder does not keep its word.
pub fn check(data: &[u8]) {
    let [piece, deflate, bytes @ ..] = data else {
        return;
    };
    let deflate = if deflate % 2 == 0 {
        Deflate::Off
    } else {
        Deflate::On
    };
    let whole = decode(bytes, usize::MAX, deflate);
    let pieces = decode(bytes, usize::from(*piece).max(1), deflate);
    assert_eq!(whole, pieces, "the same bytes, cut differently");
}

fn decode(bytes: &[u8], piece: usize, deflate: Deflate) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut inflater = Inflater::default();
    let mut seen = Vec::new();
    for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        let mut piece = piece.to_vec();
        let mut chunk = Chunk::new(&mut piece);
        loop {
            let next = decoder.next(&mut chunk, MESSAGE_BYTES_MAX, deflate);
            seen.push(match next {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => Seen::Text(text.to_owned()),
                Ok(Some(Message::Deflated(payload))) => {
                    let text = inflater.inflate(payload, MESSAGE_BYTES_MAX);
                    assert!(
                        text.is_err() || text.is_ok_and(|text| text.len() <= MESSAGE_BYTES_MAX)
                    );
                    Seen::Inflated(text.map(<[u8]>::to_vec).map_err(|error| error.to_string()))
                }
                Ok(Some(Message::Ping(payload))) => Seen::Ping(payload.to_vec()),
                Ok(Some(Message::Pong)) => Seen::Pong,
                Ok(Some(Message::Fragment)) => Seen::Fragment,
                Ok(Some(Message::Close(code))) => {
                    seen.push(Seen::Close(code));
                    return seen;
                }
                Err(violation) => {
                    seen.push(Seen::Violation(violation));
                    return seen;
                }
            });
        }
        assert!(decoder.held_bytes() <= HELD_BYTES_MAX, "bounded memory");
    }
    seen
}

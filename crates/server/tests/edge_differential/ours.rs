//! What the edge's decoder makes of bytes.

use guildgate_server::edge::codec::{
    Chunk, Decoder, Deflate, InflateError, Inflater, Message, Violation,
};

use crate::{
    MESSAGE_BYTES_MAX,
    seen::{End, Fault, Said, Seen},
};

/// Feeds `bytes` in pieces of the given lengths, over and over.
pub fn decode(bytes: &[u8], pieces: &[usize], deflate: Deflate) -> Seen {
    let mut decoder = Decoder::default();
    let mut inflater = Inflater::default();
    let mut said = Vec::new();
    let mut rest = bytes;
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let len = pieces.next().map_or(rest.len(), |&len| len.min(rest.len()));
        let (piece, after) = rest.split_at(len);
        rest = after;
        let mut piece = piece.to_vec();
        let mut chunk = Chunk::new(&mut piece);
        loop {
            let end = match decoder.next(&mut chunk, MESSAGE_BYTES_MAX, deflate) {
                Ok(None) => break,
                Ok(Some(message)) => match message {
                    Message::Text(text) => {
                        said.push(Said::Text(text.as_bytes().to_vec()));
                        continue;
                    }
                    Message::Deflated(payload) => match inflate(&mut inflater, payload) {
                        Ok(text) => {
                            said.push(Said::Text(text));
                            continue;
                        }
                        Err(fault) => End::Refused(fault),
                    },
                    Message::Ping(payload) => {
                        said.push(Said::Ping(payload.to_vec()));
                        continue;
                    }
                    Message::Pong => {
                        said.push(Said::Pong);
                        continue;
                    }
                    Message::Fragment => continue,
                    Message::Close(code) => End::Closed(code),
                },
                Err(violation) => End::Refused(fault(violation)),
            };
            return Seen { said, end };
        }
    }
    Seen {
        said,
        end: End::Open,
    }
}

/// As the edge's shard does it.
fn inflate(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, Fault> {
    match inflater.inflate(payload, MESSAGE_BYTES_MAX) {
        Ok(text) if std::str::from_utf8(text).is_ok() => Ok(text.to_vec()),
        Ok(_) => Err(Fault::Utf8),
        Err(InflateError::Corrupt) => Err(Fault::Inflate),
        Err(InflateError::TooLarge) => Err(Fault::Size),
    }
}

fn fault(violation: Violation) -> Fault {
    match violation {
        Violation::NotUtf8 => Fault::Utf8,
        Violation::TooLarge => Fault::Size,
        Violation::Binary => Fault::Binary,
        Violation::Unmasked
        | Violation::ReservedBits
        | Violation::ReservedOpcode(_)
        | Violation::FragmentedControl
        | Violation::LongControl
        | Violation::LongLength
        | Violation::Stray
        | Violation::Interleaved
        | Violation::BadClose => Fault::Frames,
    }
}

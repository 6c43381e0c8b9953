//! The three ways in which Discord compresses.
//!
//! Source: Discord, "Gateway: Encoding and Compression".

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compress, Compression as Level, FlushCompress, write::ZlibEncoder};
use tokio_websockets::Message;
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

use crate::gateway::Compression;

/// A connection's compressor.
pub(super) enum Packer {
    Plain,
    /// One context for the connection; every message ends with a sync flush.
    Zlib(Box<Compress>),
    /// One context for the connection; every message is flushed.
    Zstd(Box<Encoder<'static>>),
}

impl Packer {
    /// # Errors
    /// Where zstd has no memory left.
    pub(super) fn new(compression: Compression) -> io::Result<Packer> {
        Ok(match compression {
            Compression::None | Compression::Payload => Packer::Plain,
            Compression::Zlib => Packer::Zlib(Box::new(Compress::new(Level::fast(), true))),
            Compression::Zstd => Packer::Zstd(Box::new(Encoder::new(ZSTD_LEVEL)?)),
        })
    }

    /// The WebSocket messages that carry `text`.
    ///
    /// # Errors
    /// Where the compressor fails, which it does not on memory it was given.
    pub(super) fn pack(
        &mut self,
        text: String,
        compression: Compression,
        payload_min: usize,
        zlib_split: Option<usize>,
    ) -> io::Result<Vec<Message>> {
        match self {
            Packer::Plain if compression == Compression::Payload && text.len() >= payload_min => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Level::fast());
                encoder.write_all(text.as_bytes())?;
                Ok(vec![Message::binary(encoder.finish()?)])
            }
            Packer::Plain => Ok(vec![Message::text(text)]),
            Packer::Zlib(context) => {
                let packed = Bytes::from(deflate(context, text.as_bytes())?);
                let size = zlib_split.unwrap_or(packed.len()).max(1);
                let parts = (0..packed.len()).step_by(size);
                Ok(parts
                    .map(|from| Message::binary(packed.slice(from..packed.len().min(from + size))))
                    .collect())
            }
            Packer::Zstd(context) => {
                Ok(vec![Message::binary(zstd_flush(context, text.as_bytes())?)])
            }
        }
    }
}

fn deflate(context: &mut Compress, input: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(input.len() / 4 + 64);
    let start = context.total_in();
    loop {
        let done = usize::try_from(context.total_in() - start).unwrap_or(input.len());
        let room = out.capacity();
        context
            .compress_vec(&input[done..], &mut out, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        let consumed = usize::try_from(context.total_in() - start).unwrap_or(input.len());
        // A flush is complete only when it left room in what it was given.
        if consumed == input.len() && out.len() < room {
            return Ok(out);
        }
        out.reserve(out.capacity().max(4_096));
    }
}

fn zstd_flush(context: &mut Encoder<'static>, input: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut scratch = vec![0; 64 * 1_024];
    let mut from = InBuffer::around(input);
    loop {
        let mut to = OutBuffer::around(&mut scratch[..]);
        let left = if from.pos < input.len() {
            context.run(&mut from, &mut to)?;
            1
        } else {
            context.flush(&mut to)?
        };
        out.extend_from_slice(to.as_slice());
        if left == 0 {
            return Ok(out);
        }
    }
}

/// Light: the simulator shares its machine with what it tests.
const ZSTD_LEVEL: i32 = 1;

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;

    #[test]
    fn every_zlib_message_ends_with_a_sync_flush_and_inflates_by_one_context() {
        let mut context = Compress::new(Level::fast(), true);
        let mut inflate = Decompress::new(true);
        for length in [0, 1, 60, 4_096, 100_000] {
            let text: Vec<u8> = (0..length)
                .map(|index| b'a' + (index * index % 23) as u8)
                .collect();
            let packed = deflate(&mut context, &text).expect("it packs");
            assert!(packed.ends_with(&[0, 0, 0xFF, 0xFF]), "{length} bytes");
            let mut out = Vec::with_capacity(length + 64);
            inflate
                .decompress_vec(&packed, &mut out, FlushDecompress::Sync)
                .expect("it inflates");
            assert_eq!(out, text);
        }
    }

    #[test]
    fn zstd_messages_follow_from_each_other() {
        let mut context = Encoder::new(ZSTD_LEVEL).expect("an encoder");
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for length in [1, 60, 300_000] {
            let text = vec![b'x'; length];
            all.extend(zstd_flush(&mut context, &text).expect("it packs"));
            expected.extend(text);
        }
        let mut decoder = zstd::stream::raw::Decoder::new().expect("a decoder");
        let mut scratch = vec![0; expected.len() + 1];
        let mut from = InBuffer::around(&all);
        let mut to = OutBuffer::around(&mut scratch[..]);
        while from.pos < all.len() {
            decoder.run(&mut from, &mut to).expect("it unpacks");
        }
        assert_eq!(to.as_slice(), expected);
    }
}

//! zlib: one stream a connection, or one a message.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Complete, InflateError, grow};

/// What ends every payload of a zlib stream: an empty stored block, the sync flush.
const FLUSH_SUFFIX: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// One context for the connection; a payload may span several messages.
pub(super) struct ZlibStream {
    decoder: Decompress,
    waiting: Vec<u8>,
}

impl ZlibStream {
    pub(super) fn new() -> ZlibStream {
        ZlibStream {
            decoder: Decompress::new(true),
            waiting: Vec::new(),
        }
    }

    pub(super) fn inflate(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<Complete, InflateError> {
        if self.waiting.is_empty() && message.ends_with(&FLUSH_SUFFIX) {
            return run(&mut self.decoder, message, out, bytes_max).map(|_| Complete::Yes);
        }
        if self.waiting.len().saturating_add(message.len()) > bytes_max {
            return Err(InflateError::TooLarge(bytes_max));
        }
        self.waiting.extend_from_slice(message);
        if !self.waiting.ends_with(&FLUSH_SUFFIX) {
            return Ok(Complete::NotYet);
        }
        let whole = std::mem::take(&mut self.waiting);
        run(&mut self.decoder, &whole, out, bytes_max).map(|_| Complete::Yes)
    }
}

/// Every message a zlib stream of its own.
pub(super) struct ZlibPayload {
    decoder: Decompress,
}

impl ZlibPayload {
    pub(super) fn new() -> ZlibPayload {
        ZlibPayload {
            decoder: Decompress::new(true),
        }
    }

    pub(super) fn inflate(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<Complete, InflateError> {
        self.decoder.reset(true);
        match run(&mut self.decoder, message, out, bytes_max)? {
            Status::StreamEnd => Ok(Complete::Yes),
            Status::Ok | Status::BufError => Err(InflateError::Corrupt),
        }
    }
}

fn run(
    decoder: &mut Decompress,
    mut input: &[u8],
    out: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<Status, InflateError> {
    loop {
        if out.len() == out.capacity() {
            grow(out, input.len().saturating_mul(4), bytes_max)?;
        }
        let (before_in, before_out) = (decoder.total_in(), out.len());
        let status = decoder
            .decompress_vec(input, out, FlushDecompress::Sync)
            .map_err(|_| InflateError::Corrupt)?;
        let consumed =
            usize::try_from(decoder.total_in() - before_in).map_err(|_| InflateError::Corrupt)?;
        input = &input[consumed..];
        // A full buffer may hide more output, even with no input left.
        let full = out.len() == out.capacity();
        match status {
            Status::StreamEnd => return Ok(status),
            Status::Ok | Status::BufError if input.is_empty() && !full => return Ok(status),
            Status::Ok | Status::BufError if full => {}
            Status::Ok | Status::BufError if consumed == 0 && out.len() == before_out => {
                return Err(InflateError::Corrupt);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

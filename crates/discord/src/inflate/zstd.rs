//! zstd: one stream a connection, one payload a message.

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::{Complete, InflateError, grow};

/// The largest window that a stream may ask for, as a power of two: 8 MiB, what every decoder
/// is to support. The window's memory is taken on the stream's word alone.
const WINDOW_LOG_MAX: u32 = 23;

/// One context for the connection. A message need not end a zstd frame, nor begin one.
pub(super) struct ZstdStream {
    decoder: Decoder<'static>,
}

impl ZstdStream {
    pub(super) fn new() -> Result<ZstdStream, InflateError> {
        let mut decoder = Decoder::new().map_err(|_| InflateError::Memory)?;
        decoder
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .map_err(|_| InflateError::Memory)?;
        Ok(ZstdStream { decoder })
    }

    pub(super) fn inflate(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<Complete, InflateError> {
        let mut input = InBuffer::around(message);
        loop {
            if out.len() == out.capacity() {
                grow(out, message.len().saturating_mul(4), bytes_max)?;
            }
            let at = out.len();
            let before = (input.pos(), at);
            self.decoder
                .run(&mut input, &mut OutBuffer::around_pos(&mut *out, at))
                .map_err(|_| InflateError::Corrupt)?;
            // Consumed input does not mean that all output is out: that shows by room left over.
            let full = out.len() == out.capacity();
            if full {
                continue;
            }
            if input.pos() == message.len() {
                return Ok(if out.is_empty() {
                    Complete::NotYet
                } else {
                    Complete::Yes
                });
            }
            if (input.pos(), out.len()) == before {
                return Err(InflateError::Corrupt);
            }
        }
    }
}

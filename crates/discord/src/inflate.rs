//! Undoes Discord's compression, with bounds on what comes out.
//!
//! One inflater a connection: a stream's context ends with it. Every kind hands back the bytes
//! of one payload; whether they are UTF-8 or JSON is not its concern.

#[cfg(test)]
pub(crate) mod tests;
mod zlib;
mod zstd;

use crate::inflate::{zlib::ZlibPayload, zlib::ZlibStream, zstd::ZstdStream};

/// How Discord compresses what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: text frames.
    None,
    /// Some frames are binary, each a zlib stream of its own; asked for in IDENTIFY.
    Payload,
    /// One zlib stream a connection.
    ZlibStream,
    /// One zstd stream a connection.
    #[default]
    ZstdStream,
}

impl Compression {
    /// The value of the gateway URL's `compress`, if it is the transport that is compressed.
    #[must_use]
    pub fn transport(self) -> Option<&'static str> {
        match self {
            Compression::None | Compression::Payload => None,
            Compression::ZlibStream => Some("zlib-stream"),
            Compression::ZstdStream => Some("zstd-stream"),
        }
    }
}

/// The most bytes that one payload may have, both ways of counting. Member chunks pass 1 MiB.
pub const INFLATED_BYTES_MAX: usize = 64 << 20;

/// Above so many bytes the buffer is given back after use, so that one large guild at the start
/// does not stay in memory for good.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Why a binary frame was not inflated. The stream is lost with it: dial again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// A binary frame where only text was agreed on.
    #[error("a binary frame came on a connection without compression")]
    Unexpected,
    /// What arrived is not what was agreed on.
    #[error("the compressed stream is corrupt")]
    Corrupt,
    /// More came out than any payload has.
    #[error("a payload grows past {0} bytes")]
    TooLarge(usize),
    /// The decoder could not be set up.
    #[error("no memory for a decoder")]
    Memory,
}

/// The decompressor of one connection.
pub struct Inflater {
    kind: Kind,
    out: Vec<u8>,
    bytes_max: usize,
}

enum Kind {
    None,
    Payload(ZlibPayload),
    ZlibStream(ZlibStream),
    ZstdStream(ZstdStream),
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

impl Inflater {
    /// A fresh context, for a fresh connection.
    ///
    /// # Errors
    /// [`InflateError::Memory`].
    pub fn new(compression: Compression) -> Result<Inflater, InflateError> {
        Inflater::with_bound(compression, INFLATED_BYTES_MAX)
    }

    /// The same with another bound on a payload's bytes.
    ///
    /// # Errors
    /// [`InflateError::Memory`].
    pub fn with_bound(
        compression: Compression,
        bytes_max: usize,
    ) -> Result<Inflater, InflateError> {
        let kind = match compression {
            Compression::None => Kind::None,
            Compression::Payload => Kind::Payload(ZlibPayload::new()),
            Compression::ZlibStream => Kind::ZlibStream(ZlibStream::new()),
            Compression::ZstdStream => Kind::ZstdStream(ZstdStream::new()?),
        };
        Ok(Inflater {
            kind,
            out: Vec::new(),
            bytes_max,
        })
    }

    /// Takes one binary message; answers with a payload's bytes once one is complete.
    ///
    /// # Errors
    /// [`InflateError`]; the connection is of no more use then.
    ///
    /// Source: Discord, "Gateway: Encoding and Compression".
    pub fn push(&mut self, message: &[u8]) -> Result<Option<&[u8]>, InflateError> {
        if self.out.capacity() > KEPT_BYTES_MAX {
            self.out = Vec::new();
        }
        self.out.clear();
        let complete = match &mut self.kind {
            Kind::None => return Err(InflateError::Unexpected),
            Kind::Payload(zlib) => zlib.inflate(message, &mut self.out, self.bytes_max)?,
            Kind::ZlibStream(zlib) => zlib.inflate(message, &mut self.out, self.bytes_max)?,
            Kind::ZstdStream(zstd) => zstd.inflate(message, &mut self.out, self.bytes_max)?,
        };
        Ok(match complete {
            Complete::Yes => Some(&self.out),
            Complete::NotYet => None,
        })
    }
}

/// Whether a message ended a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Complete {
    Yes,
    NotYet,
}

/// Makes room for more output, within the bound.
fn grow(out: &mut Vec<u8>, hint: usize, bytes_max: usize) -> Result<(), InflateError> {
    if out.len() >= bytes_max {
        return Err(InflateError::TooLarge(bytes_max));
    }
    // Doubling keeps the copies few; the hint keeps the first step from being too small.
    let wanted = out.len().max(hint).max(4096);
    out.reserve_exact(wanted.min(bytes_max - out.len()));
    Ok(())
}

//! RFC 6455 for a server, as plain functions of bytes: what comes in becomes messages, what
//! goes out becomes frames.
//!
//! A connection at rest owns one empty pointer here. Sizes are checked on a frame's header,
//! before a byte of it is stored. Nothing here knows a socket or the protocol inside the text
//! messages.

mod decode;
mod deflate;
mod encode;
mod header;
mod mask;

pub use decode::{Chunk, Decoder, Deflate, Message, Violation};
pub use deflate::{Deflater, InflateError, Inflater, finish_shared, finished_len};
pub use encode::{close, frame_header, ping, pong, text};
pub use header::Kind;

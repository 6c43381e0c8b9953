//! Discord's gateway: its opcodes, payloads, intents and close codes, and the machine that
//! keeps one shard's session alive.
//!
//! Pure: no async, no clock, no randomness, no I/O. Frames and time go in, frames and events
//! come out; a driver owns the socket. Of Discord's events only what the rest of the project
//! needs is decoded.

mod close;
mod decode;
mod envelope;
mod inflate;
mod intents;
mod json;
mod limiter;
mod opcode;
pub mod payload;
mod queue;
mod requests;
pub mod rest;
mod rng;
mod shard;
mod timestamp;

pub use close::{CloseCode, Refusal, Remedy};
pub use decode::{DecodeError, Dispatch, MembersChunk, Ready, decode, decode_wanted};
pub use envelope::{Envelope, EnvelopeError};
pub use inflate::{Compression, INFLATED_BYTES_MAX, InflateError, Inflater};
pub use intents::{IntentInfo, Intents, Privilege};
pub use json::Malformed;
pub use limiter::{Importance, SEND_PAYLOADS_MAX, SEND_WINDOW, SendLimiter};
pub use opcode::{Direction, Opcode};
pub use payload::ChannelId;
pub use queue::{IDENTIFY_SPACING, IdentifyQueue, Permit, SessionStartLimit};
pub use requests::{
    AfterStall, CHUNK_TIMEOUT, FULL_REQUEST_SPACING, MemberRequests, MembersOutcome, REQUESTS_MAX,
    RequestError,
};
pub use rng::Rng;
pub use shard::{
    AfterTimeout, Backlog, COMMANDS_MAX, Command, CommandError, Epoch, Input, Loss, Message, Note,
    OnReconnect, Output, PrivilegedRefused, Purpose, Shard, ShardConfig, ShardNumber, ShardSession,
    Stopped, Timeouts, UserOpcodes,
};
pub use timestamp::parse_timestamp;

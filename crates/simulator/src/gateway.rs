//! Discord's gateway as plain state: connections, sessions, budgets, faults.
//!
//! Pure: a frame, a lost socket or a moment goes in; what to send waits to be pulled. The
//! drivers own the sockets and decide nothing.

mod budget;
mod close;
mod commands;
mod connection;
mod fault;
mod identify;
pub(crate) mod intents;
mod members;
mod motion;
mod playback;
mod pull;
mod session;
mod state;
mod storm;
mod timing;

pub(crate) use close::Close;
pub use close::CloseCode;
pub(crate) use connection::{Compression, ConnectionId, Entry, Opening};
pub use fault::{Corruption, Fault, Target};
pub(crate) use members::matching;
pub use motion::{Burst, BurstKind, BurstReport, Emission};
pub use playback::{Playback, Speed};
pub(crate) use pull::Outgoing;
pub use state::Counters;
pub(crate) use state::Discord;

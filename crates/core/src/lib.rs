//! The gateway's own machines: what a client may do, what a guild is, who hears of what.
//!
//! Pure: machines take [`guildgate_model::Now`] and an input, and put outputs into a list; a
//! driver performs those. Nothing here names a socket, a store or a bus.

pub mod client;
pub mod form_session;
pub mod hub;
mod id;
pub mod outbox;
pub mod rate;
pub mod rebase;

pub use id::ClientId;

//! The clients' side of a node: sockets, frames, and who they belong to.

mod ports;

pub use ports::{FromEdge, ToEdge};

/// An upgraded socket on its way to an edge shard.
#[derive(Debug)]
pub struct Handover {}

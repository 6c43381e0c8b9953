//! Names inside one node.

use std::fmt;

/// A client of this node, for as long as its session lasts: where it lives, and which tenant
/// of that place it is.
///
/// A full session keeps its id through a resume. Ids are reused with a new `generation`, so a
/// message that comes late finds nobody rather than somebody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// Place in the shard's slab.
    pub slot: u32,
    /// How often the place was let before.
    pub generation: u16,
    /// The edge shard.
    pub edge: u8,
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ClientId({}/{}.{})",
            self.edge, self.slot, self.generation
        )
    }
}

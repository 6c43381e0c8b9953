//! Versions of a document that several people edit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of a form or of a draft: `apv` on the wire, where it is a number. The first is 1;
/// every accepted patch makes the next.
///
/// Source: wire protocol, "Live application sessions".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// That of a document nobody has changed yet.
    pub const FIRST: Revision = Revision(1);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

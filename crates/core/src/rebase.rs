//! Patches of a document that several people edit, and when an old one still holds.
//!
//! RFC 6902 in full, bounded, and applied whole or not at all. A patch that was made on an older
//! version is applied as it is, word for word, where nothing it touches has changed since: what
//! it reads, writes or counts on by an array's index. So everyone who applies the same patches
//! in the same order has the same document, and nobody has to transform anything.
//!
//! It knows documents, not sessions: who may patch, and where versions are kept, is
//! [`crate::form_session`]'s.

mod apply;
mod footprint;
mod guard;
mod history;
mod patch;
#[cfg(test)]
mod tests;

pub use apply::{Applied, apply};
pub use footprint::Footprint;
pub use guard::{FormGuard, Guard};
pub use history::{History, RebaseError};
pub use patch::{Patch, PatchError, PatchErrorKind};

/// Most operations of one patch.
pub const PATCH_OPS_MAX: usize = 100;
/// Most bytes of one patch as compact JSON.
pub const PATCH_BYTES_MAX: usize = 64 * 1024;
/// Most steps of a pointer.
pub const POINTER_TOKENS_MAX: usize = 16;
/// Most bytes that the copies of one patch may make, all told: copies of copies would double
/// the document with every operation.
pub const COPIED_BYTES_MAX: usize = 64 * 1024;
/// Most versions that a patch may be behind and still be rebased.
pub const HISTORY_VERSIONS_MAX: usize = 256;
/// Most changes that are remembered, over all those versions.
pub const HISTORY_CHANGES_MAX: usize = 4_096;

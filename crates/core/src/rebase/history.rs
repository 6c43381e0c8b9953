//! The last versions of a document, as far as a rebase must know them.

use std::collections::VecDeque;

use guildgate_model::Revision;
use serde_json::Value;

use super::{
    Applied, Footprint, Guard, HISTORY_CHANGES_MAX, HISTORY_VERSIONS_MAX, Patch, PatchError, apply,
    footprint::Change,
};

/// What changed in the last versions of one document, up to the newest.
///
/// Past [`HISTORY_VERSIONS_MAX`] or [`HISTORY_CHANGES_MAX`] the oldest is forgotten, and a patch
/// that is so far behind is a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    newest: Revision,
    versions: VecDeque<Vec<Change>>,
    changes: usize,
}

/// Why a patch cannot be applied to the newest version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebaseError {
    /// What it touches has changed since its base, or that cannot be told any more.
    #[error("what the patch touches has changed since version {base}")]
    Stale {
        /// Its base.
        base: Revision,
    },
    /// Its base is a version that this node has not seen.
    #[error("there is no version {base} yet: the newest is {newest}")]
    Ahead {
        /// Its base.
        base: Revision,
        /// The newest version.
        newest: Revision,
    },
    /// It is at fault by itself.
    #[error(transparent)]
    Patch(#[from] PatchError),
}

impl History {
    /// Knows nothing before `newest`.
    #[must_use]
    pub fn new(newest: Revision) -> History {
        History {
            newest,
            versions: VecDeque::new(),
            changes: 0,
        }
    }

    /// The newest version.
    #[must_use]
    pub fn newest(&self) -> Revision {
        self.newest
    }

    /// Takes in what made the next version.
    pub fn push(&mut self, footprint: Footprint) {
        let changes = footprint.into_changes();
        self.newest = self.newest.next();
        self.changes += changes.len();
        self.versions.push_back(changes);
        while self.versions.len() > HISTORY_VERSIONS_MAX || self.changes > HISTORY_CHANGES_MAX {
            let forgotten = self.versions.pop_front().unwrap_or_default();
            self.changes -= forgotten.len();
        }
    }

    /// Applies a patch that was made on version `base` to `document`, the newest.
    ///
    /// # Errors
    /// [`RebaseError::Stale`] if something it touches has changed since, if `base` is too far
    /// back to tell, or if it is old and fails: it may have been right when it was made.
    /// [`RebaseError::Ahead`] if `base` is newer than the newest. [`RebaseError::Patch`] if it
    /// was made on the newest version and fails, or touches what it may not.
    ///
    /// Source: wire protocol, "Live application sessions", Patch.
    pub fn rebase(
        &self,
        document: &Value,
        base: Revision,
        patch: &Patch,
        guard: Guard<'_>,
    ) -> Result<Applied, RebaseError> {
        let newest = self.newest;
        let Some(behind) = newest.0.checked_sub(base.0) else {
            return Err(RebaseError::Ahead { base, newest });
        };
        if behind == 0 {
            return Ok(apply(document, patch, guard)?);
        }
        let known = usize::try_from(behind)
            .ok()
            .and_then(|behind| self.versions.len().checked_sub(behind));
        let Some(first) = known else {
            return Err(RebaseError::Stale { base });
        };
        let Ok(applied) = apply(document, patch, guard) else {
            return Err(RebaseError::Stale { base });
        };
        let mut since = self.versions.iter().skip(first).flatten();
        if since.any(|change| applied.footprint.is_disturbed_by(change)) {
            return Err(RebaseError::Stale { base });
        }
        Ok(applied)
    }
}

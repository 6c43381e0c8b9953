//! What a session is resumed by, and how far its events are in safe hands.

use std::fmt;

use guildgate_model::ShardId;
use serde::{Deserialize, Serialize};

use super::ShardConfig;
use crate::{CloseCode, Intents};

/// A session that another process can go on with, as plain data.
///
/// Valid for some minutes after its connection dropped, unless that was closed with 1000 or
/// 1001.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSession {
    /// Whose.
    pub shard: ShardNumber,
    /// By which it is resumed.
    pub session_id: Box<str>,
    /// Where it is resumed; the main URL if none.
    pub resume_url: Option<Box<str>>,
    /// Every event up to this one is in safe hands.
    pub seq: u64,
    /// What it asked for.
    pub intents: Intents,
}

impl ShardSession {
    /// Whether a shard of this configuration can go on with it. One that goes without refused
    /// intents cannot: only a new session shows whether they are switched on by now, and tells
    /// the rest of the gateway what it must do without. That costs an identify.
    pub(super) fn fits(&self, config: &ShardConfig) -> bool {
        ShardId::from(self.shard) == config.shard && self.intents == config.intents
    }
}

/// A [`ShardId`] as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardNumber {
    /// Its number.
    pub id: u32,
    /// Of how many.
    pub count: u32,
}

impl From<ShardId> for ShardNumber {
    fn from(shard: ShardId) -> ShardNumber {
        ShardNumber {
            id: shard.id,
            count: shard.count,
        }
    }
}

impl From<ShardNumber> for ShardId {
    fn from(shard: ShardNumber) -> ShardId {
        ShardId {
            id: shard.id,
            count: shard.count,
        }
    }
}

impl fmt::Debug for ShardSession {
    /// Without the id, which is half a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardSession")
            .field("shard", &self.shard)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

/// The code that keeps a session when we close.
pub(super) const KEEP: CloseCode = CloseCode::UNKNOWN_ERROR;

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: Option<Box<str>>,
    pub(super) resume_url: Option<Box<str>>,
    pub(super) progress: Progress,
}

/// Received, forwarded, handled: three places in the same sequence.
///
/// A connection that drops resumes after what was received; another process resumes after what
/// is safe, so that an event lost between the two is replayed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    received: Option<u64>,
    /// The last event handed out, while it is not in safe hands.
    outstanding: Option<u64>,
    safe: Option<u64>,
}

impl Progress {
    pub(super) fn resumed_at(seq: u64) -> Progress {
        Progress {
            received: Some(seq),
            outstanding: None,
            safe: Some(seq),
        }
    }

    pub(super) fn received(self) -> Option<u64> {
        self.received
    }

    pub(super) fn safe(self) -> Option<u64> {
        self.safe
    }

    /// An event arrived that nobody needs.
    pub(super) fn on_unneeded(&mut self, seq: u64) {
        self.received = Some(seq);
        if self.outstanding.is_none() {
            self.safe = Some(seq);
        }
    }

    /// An event arrived and was handed out.
    pub(super) fn on_forwarded(&mut self, seq: u64) {
        self.received = Some(seq);
        self.outstanding = Some(seq);
    }

    /// What was handed out up to here is safe, and with the last of it all that followed.
    pub(super) fn on_handled(&mut self, seq: u64) {
        let Some(outstanding) = self.outstanding else {
            return;
        };
        if seq == outstanding {
            self.outstanding = None;
            self.safe = self.received;
        } else if seq < outstanding && self.safe.is_none_or(|safe| seq > safe) {
            self.safe = Some(seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_never_passes_what_was_handled() {
        let mut progress = Progress::default();
        progress.on_forwarded(1);
        assert_eq!(progress.safe(), None);
        progress.on_unneeded(2);
        assert_eq!((progress.received(), progress.safe()), (Some(2), None));
        progress.on_handled(1);
        assert_eq!(progress.safe(), Some(2));
        progress.on_unneeded(3);
        assert_eq!(progress.safe(), Some(3));
        progress.on_forwarded(4);
        progress.on_forwarded(5);
        progress.on_unneeded(6);
        assert_eq!(progress.safe(), Some(3));
        progress.on_handled(4);
        assert_eq!(progress.safe(), Some(4));
        progress.on_handled(99);
        assert_eq!(progress.safe(), Some(4), "never heard of it");
        progress.on_handled(5);
        assert_eq!(progress.safe(), Some(6));
    }
}

//! How much waits, as far as it counts.

use guildgate_wire::{Lane, Limits};

use super::Entry;

/// Frames and bytes that must not be dropped.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

impl Load {
    pub(super) fn add(&mut self, entry: &Entry) {
        let entry = Load::of(entry);
        self.frames += entry.frames;
        self.bytes += entry.bytes;
    }

    pub(super) fn subtract(&mut self, entry: &Entry) {
        let entry = Load::of(entry);
        self.frames -= entry.frames;
        self.bytes -= entry.bytes;
    }

    /// Whether this, less what is excused, is more than may wait.
    pub(super) fn exceeds(self, excused: Load, limits: &Limits) -> bool {
        self.frames > limits.queue_frames_max.saturating_add(excused.frames)
            || self.bytes > limits.queue_bytes_max.saturating_add(excused.bytes)
    }

    pub(super) fn at_most(self, bound: &Load) -> Load {
        Load {
            frames: self.frames.min(bound.frames),
            bytes: self.bytes.min(bound.bytes),
        }
    }

    /// Counts and snapshots weigh nothing: there is never more than one of each a guild.
    fn of(entry: &Entry) -> Load {
        let bytes = match entry {
            Entry::Event(event, _) => match event.lane() {
                Lane::Certain => event.len_max(),
                Lane::Count(_) | Lane::Snapshot(_) | Lane::Resync(_) => return Load::default(),
            },
            Entry::Raw(text) => text.len(),
        };
        Load { frames: 1, bytes }
    }
}

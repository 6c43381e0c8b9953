//! What waits for the socket.

use std::collections::VecDeque;

use guildgate_wire::{EventFrame, Lane, Limits};

use super::{Entry, Overrun, load::Load};

/// Frames that the socket has not taken, in order, and how much they are.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    unsent: VecDeque<Entry>,
    /// How much of `unsent` is certain.
    load: Load,
    /// How much of `load` a resume put there at once: that is not the reader's slowness.
    excused: Load,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unsent.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.unsent.iter()
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.unsent.into_iter()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.load.add(&entry);
        self.unsent.push_back(entry);
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.unsent.pop_front()?;
        self.load.subtract(&entry);
        Some(entry)
    }

    /// Drops the event that a newer one of `lane` replaces, which weighs nothing; whether there
    /// was one.
    pub(super) fn give_way_to(&mut self, lane: Lane) -> bool {
        let older = match lane {
            Lane::Certain => None,
            Lane::Count(_) | Lane::Snapshot(_) | Lane::Resync(_) => {
                self.unsent.iter().rposition(|entry| match entry {
                    Entry::Event(older, _) => older.lane().gives_way_to(lane),
                    Entry::Raw(_) => false,
                })
            }
        };
        older.is_some_and(|index| self.unsent.remove(index).is_some())
    }

    /// Drops events whose content is known to be seen.
    pub(super) fn forget(&mut self, is_known: impl Fn(&EventFrame) -> bool) {
        let Waiting { unsent, load, .. } = self;
        unsent.retain(|entry| match entry {
            Entry::Event(event, _) if is_known(event) => {
                load.subtract(entry);
                false
            }
            Entry::Event(..) | Entry::Raw(_) => true,
        });
    }

    /// What waits now was put there by a resume. No more of it is excused than can be kept, and
    /// opcode 2: a client that takes its session over again and again without reading must not
    /// gather more.
    pub(super) fn excuse(&mut self, limits: &Limits) {
        self.excused = self.load.at_most(&Load {
            frames: limits.resume_events_max.saturating_add(1),
            bytes: limits.resume_bytes_max,
        });
    }

    pub(super) fn within(&self, limits: &Limits) -> Result<(), Overrun> {
        if self.load.exceeds(self.excused, limits) {
            Err(Overrun)
        } else {
            Ok(())
        }
    }
}

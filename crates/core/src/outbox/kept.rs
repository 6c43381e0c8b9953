//! What was written, or could not be, and has not been acknowledged.

use std::{collections::VecDeque, sync::Arc};

use guildgate_model::NotificationId;
use guildgate_wire::{EventFrame, Lane, Limits, Sequence};

/// The kept events of one session, and the number up to which none can be asked for again.
///
/// Counts and snapshots stand apart from the rest: there is one of each a guild, so the one
/// that gives way is found at once, however much else is kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// In the order of their numbers.
    certain: VecDeque<Numbered>,
    /// In no order; never two of one lane.
    latest: Vec<Numbered>,
    bytes: usize,
    floor: Sequence,
    /// The newest event that was forgotten: as good as kept, where a client says what it saw.
    forgotten: Sequence,
    /// How many were forgotten past a bound since this was last asked.
    outgrown: u32,
}

type Numbered = (Sequence, Arc<EventFrame>);

impl Kept {
    /// Nothing kept, and nothing up to `floor` to be had.
    pub(super) fn after(floor: Sequence) -> Kept {
        Kept {
            certain: VecDeque::new(),
            latest: Vec::new(),
            bytes: 0,
            floor,
            forgotten: floor,
            outgrown: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.certain.len() + self.latest.len()
    }

    /// A client that has seen less than this has missed what cannot be brought back.
    pub(super) fn floor(&self) -> Sequence {
        self.floor
    }

    /// The certain events that were saved, and the floor that they stood on.
    pub(super) fn restore(
        floor: Sequence,
        certain: impl Iterator<Item = (Sequence, Arc<EventFrame>)>,
    ) -> Kept {
        let certain: VecDeque<Numbered> = certain.collect();
        Kept {
            bytes: certain.iter().map(|(_, event)| event.len_max()).sum(),
            certain,
            latest: Vec::new(),
            floor,
            forgotten: floor,
            outgrown: 0,
        }
    }

    /// The events that nothing replaces, in order.
    pub(super) fn certain(&self) -> impl Iterator<Item = &Numbered> {
        self.certain.iter()
    }

    /// Forgets the event that a newer one of `lane` replaces. The floor stays: the newer one
    /// says all that this one did.
    pub(super) fn give_way_to(&mut self, lane: Lane) {
        if lane == Lane::Certain {
            return;
        }
        if let Some(index) = self
            .latest
            .iter()
            .position(|(_, older)| older.lane().gives_way_to(lane))
        {
            let (_, older) = self.latest.swap_remove(index);
            self.bytes -= older.len_max();
        }
    }

    /// Keeps an event, and forgets the oldest past a bound.
    pub(super) fn push(&mut self, event: Arc<EventFrame>, sequence: Sequence, limits: &Limits) {
        self.bytes += event.len_max();
        match event.lane() {
            Lane::Certain => self.certain.push_back((sequence, event)),
            Lane::Count(_) | Lane::Snapshot(_) | Lane::Resync(_) => {
                // There are one or two for as long as a session lives, and many sessions.
                self.latest.reserve_exact(1);
                self.latest.push((sequence, event));
            }
        }
        while self.len() > limits.resume_events_max || self.bytes > limits.resume_bytes_max {
            let Some(oldest) = self.take_oldest() else {
                break;
            };
            self.floor = self.floor.max(oldest);
            self.outgrown = self.outgrown.saturating_add(1);
        }
    }

    /// How many events were forgotten past a bound since this was last asked.
    pub(super) fn take_outgrown(&mut self) -> u32 {
        std::mem::take(&mut self.outgrown)
    }

    /// Takes one event out, whose number the caller knows; whether it was there.
    pub(super) fn take(&mut self, sequence: Sequence) -> bool {
        let certain = self
            .certain
            .binary_search_by_key(&sequence, |(sequence, _)| *sequence)
            .ok()
            .and_then(|index| self.certain.remove(index));
        let taken = certain.or_else(|| {
            self.latest
                .iter()
                .position(|(kept, _)| *kept == sequence)
                .map(|index| self.latest.swap_remove(index))
        });
        match taken {
            Some((_, event)) => {
                self.bytes -= event.len_max();
                true
            }
            None => false,
        }
    }

    /// Forgets everything up to `seen`. A number past all that is kept is taken for the last
    /// one kept: nobody has seen what was not written.
    pub(super) fn acknowledge(&mut self, seen: Sequence) {
        let newest = self
            .latest
            .iter()
            .chain(self.certain.back())
            .map(|(sequence, _)| *sequence)
            .fold(self.forgotten, Sequence::max);
        self.floor = self.floor.max(seen.min(newest));
        while let Some((sequence, event)) = self.certain.front()
            && *sequence <= self.floor
        {
            self.bytes -= event.len_max();
            self.certain.pop_front();
        }
        let floor = self.floor;
        let bytes = &mut self.bytes;
        self.latest.retain(|(sequence, event)| {
            let stays = *sequence > floor;
            if !stays {
                *bytes -= event.len_max();
            }
            stays
        });
    }

    /// The notifications that the events after `seen` tell of.
    pub(super) fn notifications_after(
        &self,
        seen: Sequence,
    ) -> impl Iterator<Item = NotificationId> {
        self.certain
            .iter()
            .filter(move |(sequence, _)| *sequence > seen)
            .filter_map(|(_, event)| event.notification())
    }

    /// Forgets events whose content is known to be seen. The floor stays: nothing is missing
    /// without them.
    pub(super) fn forget(&mut self, is_known: impl Fn(&EventFrame) -> bool) {
        let Kept {
            certain,
            bytes,
            forgotten,
            ..
        } = self;
        certain.retain(|(sequence, event)| {
            let stays = !is_known(event);
            if !stays {
                *bytes -= event.len_max();
                *forgotten = Sequence::max(*forgotten, *sequence);
            }
            stays
        });
    }

    /// Empties it, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<(Arc<EventFrame>, Sequence)> {
        let mut all: Vec<_> = std::mem::take(&mut self.certain)
            .into_iter()
            .chain(std::mem::take(&mut self.latest))
            .map(|(sequence, event)| (event, sequence))
            .collect();
        all.sort_unstable_by_key(|(_, sequence)| *sequence);
        self.bytes = 0;
        all
    }

    fn take_oldest(&mut self) -> Option<Sequence> {
        let certain = self.certain.front().map(|(sequence, _)| *sequence);
        let latest = self.latest.iter().map(|(sequence, _)| *sequence).min();
        let oldest = match (certain, latest) {
            (Some(certain), Some(latest)) => certain.min(latest),
            (certain, latest) => certain.or(latest)?,
        };
        self.take(oldest);
        Some(oldest)
    }
}

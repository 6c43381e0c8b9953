//! Events on their way to one client: written at once, staged, or left to wait.

use std::{io, sync::Arc};

use guildgate_core::{
    hub::Audience,
    outbox::{Admission, Burst, Socket as Readiness},
};
use guildgate_wire::{Ends, EventFrame, Limits};

use super::{
    Aftermath,
    encoding::{Encoder, Template},
    fanout::Entry,
    place::Place,
};
use crate::edge::{EdgeStats, codec::Deflate};

/// Bytes that several members get alike, and a buffer for those who get their own. Good for one
/// slice of one guild's members; what it has room for is kept for the next.
#[derive(Debug, Default)]
pub(super) struct Shared {
    plain: Batch,
    deflated: Batch,
    own: Own,
}

/// The frames of all entries from a cursor on, as a basic member gets them.
#[derive(Debug, Default)]
struct Batch {
    cursor: Option<u64>,
    bytes: Vec<u8>,
    frames: u64,
    /// What they end, for all who get them.
    ends: Vec<Ends>,
}

/// All entries from a cursor on that sessions get.
#[derive(Debug, Default)]
struct Own {
    cursor: Option<u64>,
    burst: Burst,
    /// What they end, for all who get them.
    ends: Vec<Ends>,
    plain: Template,
    deflated: Template,
}

/// What bringing events to one client needs besides the client.
pub(super) struct Carrier<'a> {
    pub(super) slot: u32,
    pub(super) limits: &'a Limits,
    pub(super) stats: &'a EdgeStats,
    pub(super) encoder: &'a mut Encoder,
    pub(super) aftermath: &'a mut Vec<Aftermath>,
}

impl Shared {
    /// Forgets what it holds.
    pub(super) fn clear(&mut self) {
        for batch in [&mut self.plain, &mut self.deflated] {
            batch.cursor = None;
            batch.bytes.clear();
            batch.bytes.shrink_to(ROOM_BYTES_MAX);
        }
        self.own.cursor = None;
        self.own.burst = Burst::default();
        for template in [&mut self.own.plain, &mut self.own.deflated] {
            template.clear();
            template.shrink_to(ROOM_BYTES_MAX);
        }
    }
}

/// Room for bytes that is kept though nothing is in it.
const ROOM_BYTES_MAX: usize = 16 * 1024;

impl Carrier<'_> {
    /// The same bytes for everybody at this cursor.
    pub(super) fn write_shared<'e>(
        &mut self,
        place: &mut Place,
        entries: impl Iterator<Item = &'e Entry> + Clone,
        cursor: u64,
        shared: &mut Shared,
    ) -> io::Result<()> {
        let Some(socket) = &mut place.socket else {
            return Ok(());
        };
        let deflate = socket.peer.deflate;
        let batch = match deflate {
            Deflate::Off => &mut shared.plain,
            Deflate::On => &mut shared.deflated,
        };
        if batch.cursor != Some(cursor) {
            batch.cursor = Some(cursor);
            batch.bytes.clear();
            batch.frames = 0;
            batch.ends = ends_of(entries.clone().map(|entry| &entry.event));
            for entry in entries.clone() {
                self.encoder
                    .event(&entry.event, None, deflate, &mut batch.bytes);
                batch.frames += 1;
            }
        }
        let taken = socket.write(&batch.bytes, self.stats)?;
        if taken == 0 {
            self.admit_all(place, entries);
            return Ok(());
        }
        if taken < batch.bytes.len() {
            socket.stage().extend_from_slice(&batch.bytes[taken..]);
        }
        self.stats.frames_out.add(batch.frames);
        for ends in &batch.ends {
            self.note_end(*ends);
        }
        Ok(())
    }

    /// The same texts, with the session's own numbers.
    pub(super) fn write_own<'e>(
        &mut self,
        place: &mut Place,
        entries: impl Iterator<Item = &'e Entry> + Clone,
        cursor: u64,
        shared: &mut Shared,
    ) -> io::Result<()> {
        let Some(socket) = &mut place.socket else {
            return Ok(());
        };
        let own = &mut shared.own;
        if own.cursor != Some(cursor) {
            own.cursor = Some(cursor);
            own.burst = entries
                .clone()
                .filter(|entry| entry.audience == Audience::All)
                .map(|entry| entry.event.clone())
                .collect();
            own.ends = ends_of(own.burst.events());
            own.plain.clear();
            own.deflated.clear();
        }
        if own.burst.events().is_empty() {
            return Ok(());
        }
        let outbox = place.client.outbox_mut();
        let Some(first) = outbox.admit_burst(&own.burst, self.limits) else {
            self.admit_all(place, entries);
            return Ok(());
        };
        let deflate = socket.peer.deflate;
        let template = match deflate {
            Deflate::Off => &mut own.plain,
            Deflate::On => &mut own.deflated,
        };
        let events = own.burst.events();
        for ends in &own.ends {
            self.note_end(*ends);
        }
        let bytes = template.fill(self.encoder, deflate, events, first);
        let taken = socket.write(bytes, self.stats)?;
        if taken > 0 {
            if taken < bytes.len() {
                socket.stage().extend_from_slice(&bytes[taken..]);
            }
            self.stats.frames_out.add(events.len() as u64);
        } else {
            for (place, event) in events.iter().enumerate() {
                let put = outbox.put_back(event, Some(first.plus(place)), self.limits);
                if put.is_err() {
                    self.note(Admission::Overrun);
                }
            }
        }
        Ok(())
    }

    pub(super) fn admit_all<'e>(
        &mut self,
        place: &mut Place,
        entries: impl Iterator<Item = &'e Entry>,
    ) {
        for entry in entries {
            if entry.is_for(place) {
                self.admit(place, &entry.event);
            }
        }
    }

    /// Stages an event if the client's socket is free; otherwise it waits, or is kept.
    pub(super) fn admit(&mut self, place: &mut Place, event: &Arc<EventFrame>) {
        self.note_end(event.ends());
        let readiness = match &place.socket {
            Some(socket) => socket.state(),
            None => Readiness::Busy,
        };
        match place
            .client
            .outbox_mut()
            .admit(event, readiness, self.limits)
        {
            Admission::Write(sequence) => {
                if let Some(socket) = &mut place.socket {
                    let deflate = socket.peer.deflate;
                    self.encoder.event(event, sequence, deflate, socket.stage());
                    self.stats.frames_out.add(1);
                }
            }
            other => self.note(other),
        }
    }

    fn note(&mut self, admission: Admission) {
        match admission {
            Admission::Write(_) | Admission::Waits | Admission::Kept => {}
            Admission::Replaced => self.stats.conflated.add(1),
            Admission::Overrun => self.aftermath.push(Aftermath::Overrun(self.slot)),
        }
    }

    fn note_end(&mut self, ends: Ends) {
        match ends {
            Ends::Nothing => {}
            ends @ (Ends::GuildConnection(_) | Ends::ApplicationSession(_)) => {
                self.aftermath.push(Aftermath::Ended(self.slot, ends));
            }
        }
    }
}

/// What events end, which nearly none does. Asked once for all members: every event lies elsewhere
/// in memory, which each call into the kernel pushes out of the caches.
fn ends_of<'e>(events: impl IntoIterator<Item = &'e Arc<EventFrame>>) -> Vec<Ends> {
    events
        .into_iter()
        .map(|event| event.ends())
        .filter(|ends| *ends != Ends::Nothing)
        .collect()
}

//! What waits for one client's socket, and what is kept in case that socket is lost.
//!
//! Two queues with one invariant: a numbered event is in exactly one of them from the moment
//! it is admitted until it is acknowledged, replaced by a newer one of its lane, forgotten
//! because the notification in it was acknowledged, or pushed out by a bound, and the last of
//! these makes a resume from before it impossible. So a resume never has a silent hole. A
//! number whose event was replaced never comes; its newer event does, which is all that a
//! count or a snapshot promises.
//!
//! The outbox writes nothing. A driver that finds nothing waiting writes an admitted event at
//! once and hands it back only if the socket refused it; a basic connection whose socket
//! takes everything owns no memory here.
//!
//! Source: wire protocol, "Events" (the two lanes) and "Resume".

mod burst;
mod kept;
mod load;
mod saved;
mod waiting;

use std::sync::Arc;

use guildgate_model::NotificationId;
use guildgate_wire::{EventFrame, Limits, Sequence};

pub use burst::Burst;
use kept::Kept;
pub(crate) use saved::SavedOutbox;
use waiting::Waiting;

/// Whether the driver could write at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// It would take bytes, as far as is known.
    Free,
    /// It refused some, and has not said since that it would take more; a frame may be half
    /// written.
    Busy,
}

/// What becomes of an admitted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Nothing waits: write it now, with this sequence. If the socket takes none of it, give
    /// it to [`Outbox::put_back`].
    Write(Option<Sequence>),
    /// It waits in the outbox.
    Waits,
    /// It waits, and an older one of its lane that waited has given way.
    Replaced,
    /// There is no socket; it is kept for a resume.
    Kept,
    /// Too much waits already: the client is too slow, and is to be closed (4010). The event
    /// is kept all the same if the session can be resumed.
    Overrun,
}

/// More waits for the socket than [`Limits::queue_frames_max`] or [`Limits::queue_bytes_max`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more waits for the client's socket than it may")]
pub struct Overrun;

/// A frame that waits, borrowed for writing.
#[derive(Debug, Clone, Copy)]
pub enum Unsent<'a> {
    /// An event, with its number if its session can be resumed.
    Event(&'a EventFrame, Option<Sequence>),
    /// A whole frame's text.
    Raw(&'a str),
}

impl Unsent<'_> {
    /// Appends the frame's text.
    pub fn write_to(&self, text: &mut Vec<u8>) {
        match self {
            Unsent::Event(event, sequence) => event.write_to(*sequence, text),
            Unsent::Raw(raw) => text.extend_from_slice(raw.as_bytes()),
        }
    }

    /// Length of [`Unsent::write_to`]'s text at most, bytes.
    #[must_use]
    pub fn len_max(&self) -> usize {
        match self {
            Unsent::Event(event, _) => event.len_max(),
            Unsent::Raw(raw) => raw.len(),
        }
    }
}

/// One client's outbox.
#[derive(Debug)]
pub struct Outbox {
    numbering: Numbering,
    /// None as long as nothing waits and nothing is kept.
    queues: Option<Box<Queues>>,
}

/// Whether events are numbered, up to where, and whether there is a socket.
#[derive(Debug, Clone, Copy)]
enum Numbering {
    /// A basic connection: nothing outlives its socket.
    None,
    /// A session with a socket.
    Attached(Sequence),
    /// A session without one.
    Detached(Sequence),
}

#[derive(Debug)]
struct Queues {
    /// None as long as nothing waits, which is nearly always.
    waiting: Option<Box<Waiting>>,
    kept: Kept,
}

#[derive(Debug)]
enum Entry {
    Event(Arc<EventFrame>, Option<Sequence>),
    Raw(Box<str>),
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::new()
    }
}

impl Outbox {
    /// An empty outbox of a connection that cannot be resumed.
    #[must_use]
    pub fn new() -> Outbox {
        Outbox {
            numbering: Numbering::None,
            queues: None,
        }
    }

    /// From here on events are numbered from 1 and kept.
    pub(crate) fn number(&mut self) {
        self.numbering = Numbering::Attached(Sequence(0));
    }

    /// Takes an event in: numbers it, keeps it if the session can be resumed, and says whether
    /// to write it now.
    ///
    /// Of an unacknowledged count or snapshot and a newer one of the same guild only the newer
    /// remains. That costs a look at the few lanes kept, and for a client that is behind, at
    /// what waits.
    pub fn admit(&mut self, event: &Arc<EventFrame>, socket: Socket, limits: &Limits) -> Admission {
        match self.numbering {
            Numbering::None => match (&self.queues, socket) {
                (None, Socket::Free) => Admission::Write(None),
                (None | Some(_), Socket::Free | Socket::Busy) => {
                    self.wait(event.clone(), None, limits)
                }
            },
            Numbering::Attached(last) => {
                let sequence = last.next();
                self.numbering = Numbering::Attached(sequence);
                let queues = self.queues.get_or_insert_with(|| Queues::after(last));
                queues.kept.give_way_to(event.lane());
                if queues.waiting.is_none() && socket == Socket::Free {
                    queues.kept.push(event.clone(), sequence, limits);
                    Admission::Write(Some(sequence))
                } else {
                    self.wait(event.clone(), Some(sequence), limits)
                }
            }
            Numbering::Detached(last) => {
                let sequence = last.next();
                self.numbering = Numbering::Detached(sequence);
                let queues = self.queues.get_or_insert_with(|| Queues::after(last));
                queues.kept.give_way_to(event.lane());
                queues.kept.push(event.clone(), sequence, limits);
                Admission::Kept
            }
        }
    }

    /// Takes all of a burst in, as [`Outbox::admit`] would one after the other, if a session's
    /// socket is free and nothing waits for it: the number of the first, and the others' follow
    /// on. All are to be written now, and what the socket takes nothing of goes to
    /// [`Outbox::put_back`]. Nothing has happened where there is none.
    pub fn admit_burst(&mut self, burst: &Burst, limits: &Limits) -> Option<Sequence> {
        let Numbering::Attached(last) = self.numbering else {
            return None;
        };
        if self.has_unsent() {
            return None;
        }
        let first = last.next();
        let queues = self.queues.get_or_insert_with(|| Queues::after(last));
        for (place, event) in burst.lasting() {
            queues.kept.give_way_to(event.lane());
            let sequence = first.plus(place);
            queues.kept.push(event.clone(), sequence, limits);
        }
        self.numbering = Numbering::Attached(last.plus(burst.events().len()));
        Some(first)
    }

    /// Takes back an event that was admitted with [`Admission::Write`] and of which the socket
    /// took nothing: it waits. Several are given back in the order of their admission, before
    /// anything else is admitted.
    ///
    /// # Errors
    /// [`Overrun`] if too much waits; the event waits all the same.
    pub fn put_back(
        &mut self,
        event: &Arc<EventFrame>,
        sequence: Option<Sequence>,
        limits: &Limits,
    ) -> Result<(), Overrun> {
        if let (Some(sequence), Some(queues)) = (sequence, &mut self.queues) {
            let kept = queues.kept.take(sequence);
            let pushed_out = sequence <= queues.kept.floor();
            if !kept && !pushed_out {
                // A later one of the same burst has replaced it, and comes next.
                return Ok(());
            }
        }
        match self.wait(event.clone(), sequence, limits) {
            Admission::Overrun => Err(Overrun),
            Admission::Write(_) | Admission::Waits | Admission::Replaced | Admission::Kept => {
                Ok(())
            }
        }
    }

    /// Puts a whole frame behind what waits: one that is no event, and is forgotten once it is
    /// written or its socket is lost.
    ///
    /// # Errors
    /// [`Overrun`] if too much waits; the frame waits all the same.
    pub fn queue_raw(&mut self, text: Box<str>, limits: &Limits) -> Result<(), Overrun> {
        if matches!(self.numbering, Numbering::Detached(_)) {
            return Ok(());
        }
        let waiting = self.queues().waiting.get_or_insert_default();
        waiting.push(Entry::Raw(text));
        waiting.within(limits)
    }

    /// Whether anything waits for the socket.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.queues
            .as_ref()
            .is_some_and(|queues| queues.waiting.is_some())
    }

    /// What waits for the socket, in order. Nothing is taken out by looking.
    pub fn unsent(&self) -> impl Iterator<Item = Unsent<'_>> {
        self.queues
            .iter()
            .flat_map(|queues| queues.unsent())
            .map(|entry| match entry {
                Entry::Event(event, sequence) => Unsent::Event(event, *sequence),
                Entry::Raw(text) => Unsent::Raw(text),
            })
    }

    /// The first `frames` of [`Outbox::unsent`] are the socket's now. A frame that the socket
    /// took in part is among them; its rest is the driver's to write before all else.
    pub fn sent(&mut self, frames: usize, limits: &Limits) {
        let Some(queues) = &mut self.queues else {
            return;
        };
        let Queues { waiting, kept } = &mut **queues;
        for _ in 0..frames {
            let Some(entry) = waiting.as_mut().and_then(|waiting| waiting.pop()) else {
                break;
            };
            if let Entry::Event(event, Some(sequence)) = entry {
                kept.push(event, sequence, limits);
            }
        }
        waiting.take_if(|waiting| waiting.is_empty());
        self.shed();
    }

    /// How many frames wait, and how many events are kept: for metrics.
    #[must_use]
    pub fn depths(&self) -> (usize, usize) {
        self.queues.as_ref().map_or((0, 0), |queues| {
            let waiting = queues.waiting.as_ref().map_or(0, |waiting| waiting.len());
            (waiting, queues.kept.len())
        })
    }

    /// How many events had no room among those kept for a resume, since this was last asked: for
    /// metrics.
    pub fn take_outgrown(&mut self) -> u32 {
        self.queues
            .as_mut()
            .map_or(0, |queues| queues.kept.take_outgrown())
    }

    /// The client has seen everything up to `seen`: no resume will ask for it again. Said of
    /// events that were not written yet, it is ignored.
    pub(crate) fn acknowledge(&mut self, seen: Sequence) {
        if let Some(queues) = &mut self.queues {
            queues.kept.acknowledge(seen);
        }
        self.shed();
    }

    /// The notifications that a client which has seen everything up to `seen` is told by events
    /// that are here.
    pub(crate) fn notifications_after(
        &self,
        seen: Sequence,
    ) -> impl Iterator<Item = NotificationId> {
        self.queues.iter().flat_map(move |queues| {
            let waiting = queues.unsent().filter_map(move |entry| match entry {
                Entry::Event(event, sequence) if *sequence > Some(seen) => event.notification(),
                Entry::Event(..) | Entry::Raw(_) => None,
            });
            queues.kept.notifications_after(seen).chain(waiting)
        })
    }

    /// These notifications were acknowledged: nobody here needs to be told of them again. A
    /// resume from before them stays possible.
    pub(crate) fn forget_notifications(&mut self, ids: &[NotificationId]) {
        let Some(queues) = &mut self.queues else {
            return;
        };
        let is_known =
            |event: &EventFrame| event.notification().is_some_and(|id| ids.contains(&id));
        queues.kept.forget(is_known);
        queues.waiting.take_if(|waiting| {
            waiting.forget(is_known);
            waiting.is_empty()
        });
        self.shed();
    }

    /// The socket is gone: what a resume can bring back is kept, the rest forgotten.
    pub(crate) fn detach(&mut self, limits: &Limits) {
        match self.numbering {
            Numbering::None => self.queues = None,
            Numbering::Attached(last) | Numbering::Detached(last) => {
                self.numbering = Numbering::Detached(last);
                if let Some(queues) = &mut self.queues {
                    let waiting = queues.waiting.take().unwrap_or_default();
                    for entry in waiting.into_entries() {
                        if let Entry::Event(event, Some(sequence)) = entry {
                            queues.kept.push(event, sequence, limits);
                        }
                    }
                }
                self.shed();
            }
        }
    }

    /// Whether a client that has seen everything up to `seen` can be told the rest without a
    /// hole.
    pub(crate) fn resumes_from(&self, seen: Sequence) -> bool {
        match self.numbering {
            Numbering::None => false,
            Numbering::Attached(last) | Numbering::Detached(last) => {
                let floor = match &self.queues {
                    // Freed only once nothing is kept, so that all is acknowledged.
                    None => last,
                    Some(queues) => queues.kept.floor(),
                };
                floor <= seen && seen <= last
            }
        }
    }

    /// A new socket: `first` waits for it, then everything after `seen`. No bound is applied
    /// on the way: what [`Outbox::resumes_from`] promised must not be pushed out now.
    pub(crate) fn resume(&mut self, seen: Sequence, first: Box<str>, limits: &Limits) {
        let (Numbering::Attached(last) | Numbering::Detached(last)) = self.numbering else {
            debug_assert!(false, "only a session is resumed");
            return;
        };
        self.numbering = Numbering::Attached(last);
        let queues = self.queues();
        queues.kept.acknowledge(seen);
        let kept = queues
            .kept
            .take_all()
            .into_iter()
            .map(|(event, sequence)| Entry::Event(event, Some(sequence)));
        let waited = queues.waiting.take().unwrap_or_default();
        let unsent = waited.into_entries().filter(|entry| match entry {
            Entry::Event(_, sequence) => *sequence > Some(seen),
            Entry::Raw(_) => false,
        });
        let all = std::iter::once(Entry::Raw(first)).chain(kept).chain(unsent);
        let mut waiting = Waiting::default();
        for entry in all {
            waiting.push(entry);
        }
        waiting.excuse(limits);
        queues.waiting = Some(Box::new(waiting));
    }

    /// Puts an event at the end of what waits, in place of an older one of its lane.
    fn wait(
        &mut self,
        event: Arc<EventFrame>,
        sequence: Option<Sequence>,
        limits: &Limits,
    ) -> Admission {
        let waiting = self.queues().waiting.get_or_insert_default();
        let replaced = waiting.give_way_to(event.lane());
        waiting.push(Entry::Event(event, sequence));
        match (waiting.within(limits), replaced) {
            (Err(Overrun), _) => Admission::Overrun,
            (Ok(()), true) => Admission::Replaced,
            (Ok(()), false) => Admission::Waits,
        }
    }

    fn queues(&mut self) -> &mut Queues {
        let last = match self.numbering {
            Numbering::None => Sequence(0),
            Numbering::Attached(last) | Numbering::Detached(last) => last,
        };
        self.queues.get_or_insert_with(|| Queues::after(last))
    }

    /// Gives the memory back once there is nothing in it, and nothing that was ever in it can
    /// be asked for.
    fn shed(&mut self) {
        let last = match self.numbering {
            Numbering::None => Sequence(0),
            Numbering::Attached(last) | Numbering::Detached(last) => last,
        };
        if self.queues.as_ref().is_some_and(|queues| {
            let is_empty = queues.waiting.is_none() && queues.kept.len() == 0;
            is_empty && queues.kept.floor() >= last
        }) {
            self.queues = None;
        }
    }
}

impl Queues {
    /// Empty queues of an outbox that was empty at `last`: nothing up to there can be asked
    /// for again.
    fn after(last: Sequence) -> Box<Queues> {
        Box::new(Queues {
            waiting: None,
            kept: Kept::after(last),
        })
    }

    fn unsent(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.iter().flat_map(|waiting| waiting.entries())
    }
}

#[cfg(test)]
mod tests;

//! The way of events from Discord's shards to whoever takes them.
//!
//! What a shard has decoded by the time its socket falls silent goes over in one message. Sent
//! one by one, the first of a burst would wake the taker, who would pass on a part of the burst
//! while the rest is still being decoded, and every client would be written to once a part.
//!
//! The bound is on events, however they are put together.

use std::{collections::VecDeque, sync::Arc};

use guildgate_model::{Mono, ShardId, UpstreamEvent, WantedMark};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

/// An event as it left a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// On which shard.
    pub shard: ShardId,
    /// When it was decoded.
    pub at: Mono,
    /// The wishes that everything after it heeds.
    pub mark: WantedMark,
    /// What happened.
    pub event: UpstreamEvent,
}

/// A way for events, of which at most so many are under way.
#[must_use]
pub fn arrivals(events_max: usize) -> (Departures, Arrivals) {
    let (to, batches) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(events_max));
    let departures = Departures {
        batches: to,
        room: Arc::clone(&room),
    };
    let arrivals = Arrivals {
        batches,
        room,
        begun: VecDeque::new(),
        events_max,
    };
    (departures, arrivals)
}

/// The shards' end.
#[derive(Debug, Clone)]
pub struct Departures {
    batches: mpsc::UnboundedSender<Vec<Arrived>>,
    room: Arc<Semaphore>,
}

/// The taker's end.
#[derive(Debug)]
pub struct Arrivals {
    batches: mpsc::UnboundedReceiver<Vec<Arrived>>,
    room: Arc<Semaphore>,
    /// What is left of a message that was taken in part.
    begun: VecDeque<Arrived>,
    events_max: usize,
}

/// Nobody takes events any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes events any more")]
pub struct NobodyTakes;

/// Room for some events.
pub(super) struct Room<'a> {
    departures: &'a Departures,
    permit: SemaphorePermit<'a>,
}

impl Departures {
    /// Waits until there is room for an event.
    ///
    /// # Errors
    /// [`NobodyTakes`].
    pub(super) async fn room(&self) -> Result<(), NobodyTakes> {
        self.room.acquire().await.map(drop).map_err(|_| NobodyTakes)
    }

    /// Room for up to `wanted` events, if there is any just now.
    pub(super) fn room_for(&self, wanted: usize) -> Option<Room<'_>> {
        let count = wanted.min(self.room.available_permits());
        let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
        let permit = self.room.try_acquire_many(count).ok()?;
        Some(Room {
            departures: self,
            permit,
        })
    }

    /// Sends one event by itself.
    ///
    /// # Errors
    /// [`NobodyTakes`].
    pub async fn send(&self, arrived: Arrived) -> Result<(), NobodyTakes> {
        let permit = self.room.acquire().await.map_err(|_| NobodyTakes)?;
        let room = Room {
            departures: self,
            permit,
        };
        room.send(vec![arrived]);
        Ok(())
    }
}

impl Room<'_> {
    pub(super) fn events(&self) -> usize {
        self.permit.num_permits()
    }

    /// Sends as many events as there is room for.
    pub(super) fn send(self, batch: Vec<Arrived>) {
        debug_assert_eq!(batch.len(), self.events());
        if self.departures.batches.send(batch).is_ok() {
            self.permit.forget();
        }
    }
}

impl Arrivals {
    /// The next event; none once nobody is left to send one.
    pub async fn recv(&mut self) -> Option<Arrived> {
        if self.begun.is_empty() {
            self.begun = self.batches.recv().await?.into();
        }
        self.take()
    }

    /// The next event, if it is there.
    pub fn try_recv(&mut self) -> Option<Arrived> {
        if self.begun.is_empty() {
            self.begun = self.batches.try_recv().ok()?.into();
        }
        self.take()
    }

    /// How many events are under way.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.events_max
            .saturating_sub(self.room.available_permits())
    }

    fn take(&mut self) -> Option<Arrived> {
        let arrived = self.begun.pop_front()?;
        self.room.add_permits(1);
        Some(arrived)
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(number: u64) -> Arrived {
        Arrived {
            shard: ShardId { id: 0, count: 1 },
            at: Mono::ZERO,
            mark: WantedMark::ALL,
            event: UpstreamEvent::GuildLeft(guildgate_model::GuildId(number)),
        }
    }

    #[tokio::test]
    async fn the_bound_is_on_events_and_the_order_is_theirs() {
        let (departures, mut arrivals) = arrivals(3);
        let room = departures.room_for(5).expect("room");
        assert_eq!(room.events(), 3);
        room.send(vec![arrived(1), arrived(2), arrived(3)]);
        assert!(departures.room_for(1).is_none());
        assert_eq!(arrivals.waiting(), 3);
        assert_eq!(arrivals.recv().await, Some(arrived(1)));
        assert_eq!(departures.room().await, Ok(()));
        departures.send(arrived(4)).await.expect("a taker");
        let rest: Vec<Arrived> = std::iter::from_fn(|| arrivals.try_recv()).collect();
        assert_eq!(rest, [arrived(2), arrived(3), arrived(4)]);
        drop(departures);
        assert_eq!(arrivals.recv().await, None);
    }

    #[tokio::test]
    async fn who_waits_for_room_hears_that_nobody_takes() {
        let (departures, arrivals) = arrivals(1);
        departures.send(arrived(1)).await.expect("a taker");
        let waits = departures.room();
        drop(arrivals);
        assert_eq!(waits.await, Err(NobodyTakes));
        assert_eq!(departures.send(arrived(2)).await, Err(NobodyTakes));
    }
}

//! Events that many sessions take in together.

use std::sync::Arc;

use guildgate_wire::{EventFrame, Lane};

/// Events in their order, and which of them are still worth keeping once all are written.
///
/// A count that a later one of the same burst replaces is written, and gone at once. Which
/// those are is the same for every session, and looked for here once.
#[derive(Debug, Default)]
pub struct Burst {
    events: Vec<Arc<EventFrame>>,
    /// Places of those events that none behind them replaces, in order.
    lasting: Vec<usize>,
}

impl Burst {
    /// All of them.
    #[must_use]
    pub fn events(&self) -> &[Arc<EventFrame>] {
        &self.events
    }

    /// Those to keep, each with its place.
    pub(super) fn lasting(&self) -> impl Iterator<Item = (usize, &Arc<EventFrame>)> {
        self.lasting
            .iter()
            .map(|place| (*place, &self.events[*place]))
    }
}

impl FromIterator<Arc<EventFrame>> for Burst {
    fn from_iter<I: IntoIterator<Item = Arc<EventFrame>>>(events: I) -> Burst {
        let events = Vec::from_iter(events);
        let mut newer: Vec<Lane> = Vec::new();
        let mut lasting = Vec::new();
        for (place, event) in events.iter().enumerate().rev() {
            let lane = event.lane();
            if !newer.iter().any(|newer| lane.gives_way_to(*newer)) {
                lasting.push(place);
                if lane != Lane::Certain {
                    newer.push(lane);
                }
            }
        }
        lasting.reverse();
        Burst { events, lasting }
    }
}

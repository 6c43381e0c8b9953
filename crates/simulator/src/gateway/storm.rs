//! Fault upon fault, by chance, the same for the same seed.

use std::time::Duration;

use guildgate_model::Mono;

use super::{ConnectionId, Corruption, Discord, Fault, connection::Phase};

/// A storm that is on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storm {
    every: Duration,
    next: Mono,
}

impl Storm {
    pub(super) fn deadline(self) -> Mono {
        self.next
    }
}

impl Discord {
    /// Lets one fault happen about `every` so often, each to one connection; none ends it.
    pub(crate) fn set_storm(&mut self, every: Option<Duration>) {
        let now = self.now.mono;
        self.storm = every.map(|every| Storm {
            every,
            next: now + every,
        });
    }

    /// Lets the faults happen that are due.
    pub(super) fn blow(&mut self) {
        let now = self.now.mono;
        let Some(storm) = self.storm.filter(|storm| storm.next <= now) else {
            return;
        };
        let live = |(id, connection): (&ConnectionId, &super::connection::Connection)| {
            matches!(connection.phase, Phase::Live(_)).then_some(*id)
        };
        let met: Vec<ConnectionId> = self.connections.iter().filter_map(live).collect();
        if let Some(&id) = self.rng.pick(&met) {
            let fault = self.rng.pick(&FAULTS).cloned();
            tracing::debug!(connection = id.0, ?fault, "the storm strikes");
            if let Some(fault) = fault {
                self.counters.storm_faults += 1;
                self.fault_one(id, &fault);
            }
        }
        // Between a half and one and a half of the mean.
        let part = u32::try_from(self.rng.below(1_000)).unwrap_or(0) + 500;
        self.storm = Some(Storm {
            next: now + storm.every * part / 1_000,
            ..storm
        });
    }
}

/// What a storm consists of: all that a client must survive without a new token.
const FAULTS: [Fault; 9] = [
    Fault::Reconnect {
        close_after: Some(Duration::from_secs(1)),
    },
    Fault::InvalidSession { resumable: true },
    Fault::InvalidSession { resumable: false },
    Fault::Drop,
    Fault::Close { code: 4000 },
    Fault::Close { code: 4009 },
    Fault::Corrupt(Corruption::Json),
    Fault::AskHeartbeat,
    Fault::LoseAcks,
];

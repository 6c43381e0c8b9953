//! How much one connection may send.

use std::{collections::VecDeque, time::Duration};

use guildgate_model::Mono;

/// The most payloads of any kind in [`SEND_WINDOW`]; one more is closed with 4008.
///
/// Source: Discord, "Gateway: Rate Limiting".
pub const SEND_PAYLOADS_MAX: usize = 120;
/// The window that slides over what was sent.
pub const SEND_WINDOW: Duration = Duration::from_secs(60);

/// Payloads that left on time may arrive bunched together, so the window is taken longer.
const MARGIN: Duration = Duration::from_millis(500);
/// What the reserve may take at most, however short the heartbeat's interval is.
const RESERVE_MAX: usize = SEND_PAYLOADS_MAX / 2;

/// Whether a payload may use what is kept back for heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Heartbeats, IDENTIFY, RESUME: the connection depends on them.
    Vital,
    /// Everything else.
    Ordinary,
}

/// A sliding window over one connection's payloads.
///
/// Sliding, since a window that restarts lets a double burst through at its edge.
#[derive(Debug, Clone)]
pub struct SendLimiter {
    sent: VecDeque<Mono>,
    reserve: usize,
}

impl SendLimiter {
    /// An unused window, with room kept back for the heartbeats of one window and two more
    /// payloads.
    #[must_use]
    pub fn new(heartbeat_interval: Duration) -> SendLimiter {
        let interval = heartbeat_interval.as_millis().max(1);
        let beats = SEND_WINDOW.as_millis().div_ceil(interval);
        SendLimiter {
            sent: VecDeque::new(),
            reserve: usize::try_from(beats)
                .unwrap_or(usize::MAX)
                .saturating_add(2)
                .min(RESERVE_MAX),
        }
    }

    /// Counts one payload, if it may be sent now.
    ///
    /// # Errors
    /// The moment from which it may.
    pub fn admit(&mut self, now: Mono, importance: Importance) -> Result<(), Mono> {
        let free_at = self.free_at(now, importance);
        if free_at > now {
            return Err(free_at);
        }
        while self.sent.front().is_some_and(|&at| gone(at) <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        Ok(())
    }

    /// From when one payload may be sent; not after `now` if at once.
    #[must_use]
    pub fn free_at(&self, now: Mono, importance: Importance) -> Mono {
        let bound = match importance {
            Importance::Vital => SEND_PAYLOADS_MAX,
            Importance::Ordinary => SEND_PAYLOADS_MAX - self.reserve,
        };
        match self.sent.len().checked_sub(bound) {
            // The window has room once this one and all before it have left.
            Some(index) => gone(self.sent[index]),
            None => now,
        }
    }
}

fn gone(sent: Mono) -> Mono {
    sent + SEND_WINDOW + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_ever_holds_more_than_the_limit() {
        let mut limiter = SendLimiter::new(Duration::from_secs(45));
        let mut sent: Vec<Mono> = Vec::new();
        let mut now = Mono::ZERO;
        for step in 0..1000_u64 {
            let importance = if step % 9 == 0 {
                Importance::Vital
            } else {
                Importance::Ordinary
            };
            if let Err(at) = limiter.admit(now, importance) {
                assert!(at > now);
                now = at;
                limiter.admit(now, importance).expect("its own promise");
            }
            sent.push(now);
            now = now + Duration::from_millis(step % 50);
        }
        for (index, &first) in sent.iter().enumerate() {
            let within = sent[index..]
                .iter()
                .filter(|at| at.since(first) <= SEND_WINDOW)
                .count();
            assert!(within <= SEND_PAYLOADS_MAX, "{within} from {first:?}");
        }
    }

    #[test]
    fn heartbeats_always_find_room() {
        let mut limiter = SendLimiter::new(Duration::from_secs(45));
        let now = Mono::ZERO;
        let mut ordinary = 0;
        while limiter.admit(now, Importance::Ordinary).is_ok() {
            ordinary += 1;
        }
        assert_eq!(ordinary, 120 - 4);
        for _ in 0..4 {
            limiter.admit(now, Importance::Vital).expect("kept back");
        }
        assert!(limiter.admit(now, Importance::Vital).is_err());
    }
}

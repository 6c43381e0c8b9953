//! The heartbeat of one connection.

use std::time::Duration;

use guildgate_model::Mono;

use crate::Rng;

/// The interval where HELLO names none.
pub(super) const INTERVAL_DEFAULT: Duration = Duration::from_millis(41_250);
/// The bounds of what HELLO may ask for: below, beats alone would pass the send limit.
const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_hours(1);

#[derive(Debug, Clone)]
pub(super) struct Heart {
    interval: Duration,
    due: Mono,
    /// When the beat that waits for its answer was sent.
    unanswered: Option<Mono>,
    /// No judging before this.
    patient_until: Mono,
}

/// What a heart wants when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Nothing yet.
    Rest,
    /// Send a heartbeat.
    Beat,
    /// The last one was never answered: the connection is dead.
    Dead,
}

impl Heart {
    /// The first beat comes somewhere within the interval, so that many clients spread.
    pub(super) fn new(now: Mono, interval: Option<Duration>, rng: &mut Rng) -> Heart {
        let interval = interval
            .filter(|interval| !interval.is_zero())
            .unwrap_or(INTERVAL_DEFAULT)
            .clamp(INTERVAL_MIN, INTERVAL_MAX);
        Heart {
            interval,
            due: now + rng.within(interval),
            unanswered: None,
            patient_until: Mono::ZERO,
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn deadline(&self) -> Mono {
        match self.unanswered {
            Some(_) => self.due.max(self.patient_until),
            None => self.due,
        }
    }

    /// A beat that is due and whose forerunner was not answered means death, but only once all
    /// that arrived has been read; or after another whole interval, for a reader that is never done.
    pub(super) fn pulse(&self, now: Mono, all_read: bool) -> Pulse {
        if now < self.due {
            return Pulse::Rest;
        }
        match self.unanswered {
            None => Pulse::Beat,
            Some(_) if all_read || now >= self.due + self.interval => Pulse::Dead,
            Some(_) => Pulse::Rest,
        }
    }

    pub(super) fn be_patient(&mut self, until: Mono) {
        self.patient_until = until;
    }

    /// The beat of the schedule was sent.
    pub(super) fn on_beat(&mut self, now: Mono) {
        self.unanswered = Some(now);
        self.due = now + self.interval;
    }

    /// A beat had to wait for the send limit.
    pub(super) fn on_delayed(&mut self, until: Mono) {
        self.due = until;
    }

    /// An answer; unasked ones are ignored.
    pub(super) fn on_ack(&mut self, now: Mono) -> Option<Duration> {
        self.unanswered.take().map(|sent| now.since(sent))
    }
}

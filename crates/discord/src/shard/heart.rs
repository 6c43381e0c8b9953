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
}

/// How far what arrived has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// All of it.
    Done,
    /// It is being read.
    Busy,
    /// Nobody reads just now.
    Stalled,
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
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn deadline(&self) -> Mono {
        self.due
    }

    /// A beat that is due and whose forerunner was not answered means death, but only once all
    /// that arrived has been read; or after another whole interval, for a reader that is never
    /// done. While nobody reads, beats go on: the answer may have come long ago.
    pub(super) fn pulse(&self, now: Mono, reader: Reader) -> Pulse {
        if now < self.due {
            return Pulse::Rest;
        }
        match (self.unanswered, reader) {
            (None, _) | (Some(_), Reader::Stalled) => Pulse::Beat,
            (Some(_), Reader::Done) => Pulse::Dead,
            (Some(_), Reader::Busy) if now >= self.due + self.interval => Pulse::Dead,
            (Some(_), Reader::Busy) => Pulse::Rest,
        }
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

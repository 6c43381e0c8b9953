//! How often a bot may identify.
//!
//! Source: Discord, "Gateway: Session Start Limit Object" and "Max Concurrency".

use std::collections::BTreeMap;

use guildgate_model::Mono;

use crate::config::Settings;

/// The identifies of a bot: the day's allowance, and one a bucket at a time.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    used: u32,
    window_end: Option<Mono>,
    last_of_key: BTreeMap<u32, Mono>,
    token: TokenState,
}

/// Whether the bot's token still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TokenState {
    #[default]
    Good,
    /// The allowance was overrun: Discord resets the token.
    Reset,
}

/// Whether an IDENTIFY may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// Too soon after another one of its bucket: op 9 false.
    TooSoon,
    /// One too many for the day: every session dies, and the token with them.
    Overrun,
}

impl Budget {
    pub(crate) fn token(&self) -> TokenState {
        self.token
    }

    /// Whether the token still works.
    pub(crate) fn is_token_good(&self) -> bool {
        self.token == TokenState::Good
    }

    /// Makes the token work again, with a full allowance.
    pub(crate) fn restore(&mut self) {
        *self = Budget::default();
    }

    /// How many are left, and how many milliseconds until all are back.
    pub(crate) fn remaining(&self, now: Mono, settings: &Settings) -> (u32, u64) {
        match self.window_end {
            Some(end) if end > now => {
                let reset_after = u64::try_from(end.since(now).as_millis()).unwrap_or(u64::MAX);
                (
                    settings.identifies_max.saturating_sub(self.used),
                    reset_after,
                )
            }
            Some(_) | None => (settings.identifies_max, 0),
        }
    }

    /// Counts one IDENTIFY of the shard with this `id`.
    pub(crate) fn admit(&mut self, now: Mono, shard: u32, settings: &Settings) -> Admission {
        let key = shard % settings.max_concurrency.max(1);
        let last = self.last_of_key.get(&key);
        if last.is_some_and(|&last| now < last + settings.identify_interval) {
            return Admission::TooSoon;
        }
        if self.window_end.is_none_or(|end| end <= now) {
            self.window_end = Some(now + settings.identify_window);
            self.used = 0;
        }
        self.last_of_key.insert(key, now);
        self.used += 1;
        if self.used > settings.identifies_max {
            self.token = TokenState::Reset;
            return Admission::Overrun;
        }
        Admission::Admitted
    }
}

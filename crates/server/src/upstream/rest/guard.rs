//! Stops us before Discord does: past 10,000 refused requests in ten minutes it bans an address.
//!
//! Source: Discord, "Rate Limits: Invalid Request Limit".

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use guildgate_model::Mono;
use http::StatusCode;

use super::RestError;

/// Far below Discord's bound, which every process behind our address shares.
const REFUSALS_MAX: usize = 500;
const WINDOW: Duration = Duration::from_secs(600);

/// Counts refusals.
#[derive(Debug, Default)]
pub(super) struct InvalidGuard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    token_refused: bool,
    refusals: VecDeque<Mono>,
}

impl InvalidGuard {
    /// Whether a request may be made.
    pub(super) fn admit(&self, now: Mono) -> Result<(), RestError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.token_refused {
            return Err(RestError::TokenRefused);
        }
        while state.refusals.front().is_some_and(|&at| at + WINDOW <= now) {
            state.refusals.pop_front();
        }
        match state.refusals.front() {
            Some(&first) if state.refusals.len() >= REFUSALS_MAX => Err(RestError::HeldBack {
                retry_after: (first + WINDOW).since(now),
            }),
            _ => Ok(()),
        }
    }

    /// Takes note of an answer.
    pub(super) fn note(&self, now: Mono, status: StatusCode) {
        let refused = matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if refused {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.token_refused |= status == StatusCode::UNAUTHORIZED;
            state.refusals.push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_ends_it() {
        let guard = InvalidGuard::default();
        guard.note(Mono::ZERO, StatusCode::UNAUTHORIZED);
        let much_later = Mono::ZERO + Duration::from_hours(9);
        assert!(matches!(
            guard.admit(much_later),
            Err(RestError::TokenRefused)
        ));
    }

    #[test]
    fn many_refusals_pause_it() {
        let guard = InvalidGuard::default();
        for _ in 0..REFUSALS_MAX {
            guard.admit(Mono::ZERO).expect("below the bound");
            guard.note(Mono::ZERO, StatusCode::FORBIDDEN);
            guard.note(Mono::ZERO, StatusCode::NOT_FOUND);
        }
        let later = Mono::ZERO + Duration::from_secs(60);
        assert!(matches!(
            guard.admit(later),
            Err(RestError::HeldBack { retry_after }) if retry_after == Duration::from_secs(540)
        ));
        guard.admit(Mono::ZERO + WINDOW).expect("forgotten");
    }
}

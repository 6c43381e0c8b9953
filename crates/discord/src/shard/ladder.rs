//! How soon and where to dial again.

use std::time::Duration;

use crate::Rng;

/// So many attempts to resume may fail in a row; then the session is given up.
pub(super) const RESUME_FAILURES_MAX: u8 = 3;
/// After so long a connection is stable, and its loss is a first one.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(60);

const DELAY_BASE: Duration = Duration::from_secs(1);
const DELAY_DOUBLINGS_MAX: u32 = 6;
const DELAY_MAX: Duration = Duration::from_secs(60);
const DELAY_RATE_LIMITED: Duration = Duration::from_secs(5);
const DELAY_INVALID: Duration = Duration::from_secs(1);
const DELAY_INVALID_SPREAD: Duration = Duration::from_secs(4);

/// What the end of a connection asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Resume.
    Resume,
    /// Resume, after a pause.
    ResumeLater,
    /// Resume, and give up if that fails.
    ResumeOnce,
    /// Resume after the wait that an invalid session asks for.
    ResumeInvalid,
    /// Identify.
    NewSession,
    /// Identify after the wait that an invalid session asks for.
    NewSessionInvalid,
}

impl Fate {
    pub(super) fn keeps_session(self) -> bool {
        match self {
            Fate::Resume | Fate::ResumeLater | Fate::ResumeOnce | Fate::ResumeInvalid => true,
            Fate::NewSession | Fate::NewSessionInvalid => false,
        }
    }
}

/// How far a connection had come when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// Not as far as READY or RESUMED.
    Nothing,
    /// It was active.
    Active {
        /// For how long.
        lasted: Duration,
    },
}

/// Counts what fails.
#[derive(Debug, Clone, Default)]
pub(super) struct Ladder {
    attempts: u32,
    resume_failures: u8,
    avoid_resume_host: bool,
}

/// Whether a session that failed to resume is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    TryAgain,
    GiveUp,
}

impl Ladder {
    pub(super) fn avoids_resume_host(&self) -> bool {
        self.avoid_resume_host
    }

    pub(super) fn on_active(&mut self) {
        self.forget_session();
    }

    pub(super) fn forget_session(&mut self) {
        self.resume_failures = 0;
        self.avoid_resume_host = false;
    }

    /// The next resume is the last.
    pub(super) fn on_last_chance(&mut self) {
        self.resume_failures = RESUME_FAILURES_MAX - 1;
    }

    /// From the second try on the main URL is dialled, with the session kept.
    pub(super) fn on_resume_failed(&mut self) -> Verdict {
        self.resume_failures += 1;
        self.avoid_resume_host = true;
        if self.resume_failures >= RESUME_FAILURES_MAX {
            Verdict::GiveUp
        } else {
            Verdict::TryAgain
        }
    }

    /// A first loss of a stable connection is dialled again at once; after that the wait doubles.
    pub(super) fn delay(&mut self, reached: Reached, fate: Fate, rng: &mut Rng) -> Duration {
        let lasted = match reached {
            Reached::Nothing => None,
            Reached::Active { lasted } => Some(lasted),
        };
        if lasted.is_some_and(|lasted| lasted >= STABLE_AFTER) {
            self.attempts = 0;
        }
        let doublings = self.attempts.min(DELAY_DOUBLINGS_MAX);
        let first = self.attempts == 0 && lasted.is_some();
        self.attempts = self.attempts.saturating_add(1);
        let backoff = if first {
            Duration::ZERO
        } else {
            let full = (DELAY_BASE * 2_u32.pow(doublings)).min(DELAY_MAX);
            full / 2 + rng.within(full / 2)
        };
        match fate {
            Fate::Resume | Fate::ResumeOnce | Fate::NewSession => backoff,
            Fate::ResumeLater => backoff.max(DELAY_RATE_LIMITED),
            Fate::ResumeInvalid | Fate::NewSessionInvalid => {
                backoff.max(DELAY_INVALID + rng.within(DELAY_INVALID_SPREAD))
            }
        }
    }
}

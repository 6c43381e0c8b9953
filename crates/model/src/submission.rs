//! What becomes of a submission of an application form.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Decision, UnixMs, UserId};

/// Where a submission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionStatus {
    /// Nobody has decided.
    Pending,
    /// Accepted, for good.
    Accepted,
    /// Denied, for good.
    Denied,
    /// A manager wants to think about it; still to be decided.
    OnHold,
    /// The applicant took it back.
    Withdrawn,
}

/// How long after a hold somebody else's review still counts as one made at the same time,
/// unless it says that it knows of the hold.
pub const REVIEWS_AT_ONCE: Duration = Duration::from_secs(2);

/// A review that was made before: of a submission on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastReview {
    /// Who made it.
    pub reviewer: UserId,
    /// When.
    pub at: UnixMs,
}

/// A review, as far as it matters whether it comes too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewReview {
    /// The decision.
    pub decision: Decision,
    /// Who makes it.
    pub reviewer: UserId,
    /// The status that they saw, if they say so.
    pub expected: Option<SubmissionStatus>,
    /// When.
    pub at: UnixMs,
}

/// A review or withdrawal that comes too late: somebody was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the submission is {0} already; read it again")]
pub struct AlreadyDecided(pub SubmissionStatus);

/// A text that names no [`SubmissionStatus`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no status: expected pending, accepted, denied, on_hold or withdrawn")]
pub struct UnknownSubmissionStatus(pub String);

impl SubmissionStatus {
    /// Every status, in the order of the documents.
    pub const ALL: [SubmissionStatus; 5] = [
        SubmissionStatus::Pending,
        SubmissionStatus::Accepted,
        SubmissionStatus::Denied,
        SubmissionStatus::OnHold,
        SubmissionStatus::Withdrawn,
    ];

    /// Its name in the API, the exports and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SubmissionStatus::Pending => "pending",
            SubmissionStatus::Accepted => "accepted",
            SubmissionStatus::Denied => "denied",
            SubmissionStatus::OnHold => "on_hold",
            SubmissionStatus::Withdrawn => "withdrawn",
        }
    }

    /// Whether it is still to be decided. A user has one such submission a guild at most.
    #[must_use]
    pub fn is_undecided(self) -> bool {
        match self {
            SubmissionStatus::Pending | SubmissionStatus::OnHold => true,
            SubmissionStatus::Accepted | SubmissionStatus::Denied | SubmissionStatus::Withdrawn => {
                false
            }
        }
    }

    /// Whether it counts to the limit of a form that is open up to one.
    #[must_use]
    pub fn counts_to_limit(self) -> bool {
        self != SubmissionStatus::Withdrawn
    }

    /// Where it stands after a review. Who holds what is held already comes too late, as does
    /// who reviews what is decided, or what is not any more as they saw it. Whoever does not say
    /// how they saw it has not seen a hold of somebody else's that is not
    /// [`REVIEWS_AT_ONCE`] old: of two who review at once one comes too late.
    ///
    /// # Errors
    /// [`AlreadyDecided`]: the review is refused with `conflict`.
    pub fn reviewed(
        self,
        last: Option<LastReview>,
        review: &NewReview,
    ) -> Result<SubmissionStatus, AlreadyDecided> {
        let next = SubmissionStatus::from(review.decision);
        let is_seen = match (review.expected, last) {
            (Some(expected), _) => expected == self,
            (None, Some(last)) => {
                last.reviewer == review.reviewer || last.at + REVIEWS_AT_ONCE <= review.at
            }
            (None, None) => true,
        };
        if self.is_undecided() && self != next && is_seen {
            Ok(next)
        } else {
            Err(AlreadyDecided(self))
        }
    }

    /// Where it stands after its applicant took it back.
    ///
    /// # Errors
    /// [`AlreadyDecided`], if it was decided before.
    pub fn withdrawn(self) -> Result<SubmissionStatus, AlreadyDecided> {
        if self.is_undecided() {
            Ok(SubmissionStatus::Withdrawn)
        } else {
            Err(AlreadyDecided(self))
        }
    }
}

impl From<Decision> for SubmissionStatus {
    fn from(decision: Decision) -> SubmissionStatus {
        match decision {
            Decision::Accepted => SubmissionStatus::Accepted,
            Decision::Denied => SubmissionStatus::Denied,
            Decision::OnHold => SubmissionStatus::OnHold,
        }
    }
}

impl fmt::Display for SubmissionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SubmissionStatus {
    type Err = UnknownSubmissionStatus;

    fn from_str(text: &str) -> Result<SubmissionStatus, UnknownSubmissionStatus> {
        SubmissionStatus::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| UnknownSubmissionStatus(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_decided_once() {
        use SubmissionStatus::{Accepted, Denied, OnHold, Pending, Withdrawn};
        let cases = [
            (Pending, Decision::Accepted, Some(Accepted)),
            (Pending, Decision::Denied, Some(Denied)),
            (Pending, Decision::OnHold, Some(OnHold)),
            (OnHold, Decision::Accepted, Some(Accepted)),
            (OnHold, Decision::Denied, Some(Denied)),
            (OnHold, Decision::OnHold, None),
            (Accepted, Decision::Denied, None),
            (Accepted, Decision::Accepted, None),
            (Denied, Decision::Accepted, None),
            (Withdrawn, Decision::Accepted, None),
        ];
        for (from, decision, expected) in cases {
            let reviewed = from.reviewed(None, &review(decision, None, 0));
            assert_eq!(
                reviewed,
                expected.ok_or(AlreadyDecided(from)),
                "{from} then {decision:?}"
            );
        }
    }

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    fn review(decision: Decision, expected: Option<SubmissionStatus>, at: i64) -> NewReview {
        NewReview {
            decision,
            reviewer: BOB,
            expected,
            at: UnixMs(at),
        }
    }

    #[test]
    fn a_review_counts_where_its_maker_can_have_seen_the_last() {
        use SubmissionStatus::{OnHold, Pending};
        let held_by = |reviewer| {
            Some(LastReview {
                reviewer,
                at: UnixMs(10_000),
            })
        };
        let cases = [
            (held_by(ANN), None, 10_000, false),
            (held_by(ANN), None, 11_999, false),
            (held_by(ANN), None, 12_000, true),
            // A node whose clock is behind.
            (held_by(ANN), None, 9_000, false),
            (held_by(BOB), None, 10_000, true),
            (held_by(ANN), Some(OnHold), 10_000, true),
            (held_by(ANN), Some(Pending), 99_000, false),
            (held_by(BOB), Some(Pending), 99_000, false),
        ];
        for (last, expected, at, is_made) in cases {
            let new = review(Decision::Accepted, expected, at);
            let made = OnHold.reviewed(last, &new);
            assert_eq!(made.is_ok(), is_made, "{new:?} after {last:?}");
        }
        let new = review(Decision::OnHold, Some(OnHold), 99_000);
        assert!(Pending.reviewed(None, &new).is_err());
    }

    #[test]
    fn only_the_undecided_is_withdrawn() {
        for status in SubmissionStatus::ALL {
            let expected = if status.is_undecided() {
                Ok(SubmissionStatus::Withdrawn)
            } else {
                Err(AlreadyDecided(status))
            };
            assert_eq!(status.withdrawn(), expected, "{status}");
        }
    }

    #[test]
    fn a_status_has_one_name() {
        for status in SubmissionStatus::ALL {
            assert_eq!(status.name().parse(), Ok(status));
            let json = serde_json::to_string(&status).expect("a status serializes");
            assert_eq!(json, format!("\"{}\"", status.name()));
        }
        assert!("decided".parse::<SubmissionStatus>().is_err());
    }
}

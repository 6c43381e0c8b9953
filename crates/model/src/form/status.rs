//! Whether a form takes submissions.

use serde_json::{Value, json};

use crate::UnixMs;

/// A form's status; `status` and `status_data` of the document.
///
/// Source: wire protocol, "Form".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: takes none.
    Closed,
    /// 1: takes any.
    Open,
    /// 2: takes no more.
    Full,
    /// 3: opens by itself.
    Opening {
        /// When.
        opens_at: UnixMs,
    },
    /// 4: takes a number of submissions, withdrawn ones not counted.
    OpenUpTo {
        /// How many.
        limit: u32,
    },
}

/// Whether a submission can be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// It can.
    Open,
    /// It cannot: error `closed`.
    Closed,
    /// It cannot yet: error `closed`, which says when.
    OpensAt(UnixMs),
    /// It cannot any more: error `full`.
    Full,
}

impl Status {
    /// Whether a form of this status takes a submission at `now`, where it has `taken` that
    /// count (see [`crate::SubmissionStatus::counts_to_limit`]).
    ///
    /// A form whose opening time has come is open, whether or not its document says so yet.
    #[must_use]
    pub fn intake(self, now: UnixMs, taken: u32) -> Intake {
        match self {
            Status::Closed => Intake::Closed,
            Status::Open => Intake::Open,
            Status::Full => Intake::Full,
            Status::Opening { opens_at } if now < opens_at => Intake::OpensAt(opens_at),
            Status::Opening { .. } => Intake::Open,
            Status::OpenUpTo { limit } if taken < limit => Intake::Open,
            Status::OpenUpTo { .. } => Intake::Full,
        }
    }

    /// When the status changes by itself, if it will.
    #[must_use]
    pub fn opens_at(self) -> Option<UnixMs> {
        match self {
            Status::Opening { opens_at } => Some(opens_at),
            Status::Closed | Status::Open | Status::Full | Status::OpenUpTo { .. } => None,
        }
    }

    pub(super) fn to_json(self) -> (u8, Value) {
        match self {
            Status::Closed => (0, Value::Null),
            Status::Open => (1, Value::Null),
            Status::Full => (2, Value::Null),
            Status::Opening { opens_at } => (3, json!({"opens_at": opens_at})),
            Status::OpenUpTo { limit } => (4, json!({"limit": limit})),
        }
    }
}

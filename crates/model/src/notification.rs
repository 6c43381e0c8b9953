//! What an applicant is told.

use serde::{Deserialize, Serialize};

use crate::{ApplicationId, GuildId, NotificationId, UnixMs};

/// What was decided of an application; `proccessed_type` on the wire.
///
/// Source: wire protocol, "Notifications".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Decision {
    /// 0.
    Accepted,
    /// 1.
    Denied,
    /// 2.
    OnHold,
}

/// A number that names no [`Decision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no decision: expected 0 (accepted), 1 (denied) or 2 (on hold)")]
pub struct UnknownDecision(pub u8);

impl From<Decision> for u8 {
    fn from(decision: Decision) -> u8 {
        match decision {
            Decision::Accepted => 0,
            Decision::Denied => 1,
            Decision::OnHold => 2,
        }
    }
}

impl TryFrom<u8> for Decision {
    type Error = UnknownDecision;

    fn try_from(number: u8) -> Result<Decision, UnknownDecision> {
        match number {
            0 => Ok(Decision::Accepted),
            1 => Ok(Decision::Denied),
            2 => Ok(Decision::OnHold),
            other => Err(UnknownDecision(other)),
        }
    }
}

/// One notification in a user's inbox: an application of theirs was reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its id, by which a client acknowledges it.
    pub id: NotificationId,
    /// What was decided.
    pub decision: Decision,
    /// Where.
    pub guild: GuildId,
    /// Of which application, where one is known.
    pub application: Option<ApplicationId>,
    /// What the reviewer wrote.
    pub note: Option<Box<str>>,
    /// When.
    pub at: UnixMs,
}

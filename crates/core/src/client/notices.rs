//! What a session knows of its user's notifications, so that each is told once.
//!
//! A notification has two ways to a client: the inbox, which opcode 2 tells, and the event at
//! the time of the review. The inbox may be read before the event is told or after it, and an
//! acknowledgement may overtake either. So a session remembers what its opcode 2 named and what
//! its client acknowledged. What is forgotten here past a bound is told once more, never lost.
//!
//! Source: wire protocol, "Notifications" and "Resume".

use std::collections::VecDeque;

use guildgate_model::{Notification, NotificationId};
use serde::{Deserialize, Serialize};

/// Most ids remembered of each sort; an inbox has no more.
const REMEMBERED_MAX: usize = 1_000;

/// The notifications of one session. Most have none, and own no memory here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Remembered", into = "Remembered")]
pub(super) struct Notices(Option<Box<Remembered>>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// Told in opcode 2, and not known to have arrived.
    unproved: Box<[NotificationId]>,
    /// Told in an opcode 2: their events may still be under way.
    named: VecDeque<NotificationId>,
    /// Acknowledged: an inbox that was read before may still have them.
    acknowledged: VecDeque<NotificationId>,
}

impl Notices {
    /// Opcode 2 tells these.
    pub(super) fn name(&mut self, told: &[Notification]) {
        if told.is_empty() && self.0.is_none() {
            return;
        }
        let remembered = self.0.get_or_insert_default();
        remembered.unproved = told.iter().map(|told| told.id).collect();
        for told in told {
            remember(&mut remembered.named, told.id);
        }
    }

    /// What opcode 2 told and is not known to have arrived; from here on it is.
    pub(super) fn prove(&mut self) -> Vec<NotificationId> {
        self.0.as_mut().map_or_else(Vec::new, |remembered| {
            std::mem::take(&mut remembered.unproved).into_vec()
        })
    }

    pub(super) fn is_unproved(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|remembered| !remembered.unproved.is_empty())
    }

    pub(super) fn acknowledge(&mut self, ids: &[NotificationId]) {
        for &id in ids {
            remember(&mut self.0.get_or_insert_default().acknowledged, id);
        }
    }

    /// The acknowledgement was refused: the inbox has them still, and tells them again.
    pub(super) fn take_back(&mut self, ids: &[NotificationId]) {
        if let Some(remembered) = &mut self.0 {
            remembered.acknowledged.retain(|id| !ids.contains(id));
        }
    }

    pub(super) fn is_acknowledged(&self, id: NotificationId) -> bool {
        self.0
            .as_ref()
            .is_some_and(|remembered| remembered.acknowledged.contains(&id))
    }

    /// Whether an event that tells of it would tell it a second time.
    pub(super) fn knows(&self, id: NotificationId) -> bool {
        let known = self.0.as_ref();
        known.is_some_and(|remembered| remembered.named.contains(&id)) || self.is_acknowledged(id)
    }
}

impl From<Remembered> for Notices {
    fn from(remembered: Remembered) -> Notices {
        let is_any = remembered != Remembered::default();
        Notices(is_any.then(|| Box::new(remembered)))
    }
}

impl From<Notices> for Remembered {
    fn from(notices: Notices) -> Remembered {
        notices
            .0
            .map_or_else(Remembered::default, |remembered| *remembered)
    }
}

fn remember(ids: &mut VecDeque<NotificationId>, id: NotificationId) {
    if ids.contains(&id) {
        return;
    }
    if ids.len() == REMEMBERED_MAX {
        ids.pop_front();
    }
    ids.push_back(id);
}

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

/// The notifications of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notices {
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
        self.unproved = told.iter().map(|told| told.id).collect();
        for told in told {
            remember(&mut self.named, told.id);
        }
    }

    /// What opcode 2 told and is not known to have arrived; from here on it is.
    pub(super) fn prove(&mut self) -> Vec<NotificationId> {
        std::mem::take(&mut self.unproved).into_vec()
    }

    pub(super) fn is_unproved(&self) -> bool {
        !self.unproved.is_empty()
    }

    pub(super) fn acknowledge(&mut self, ids: &[NotificationId]) {
        for &id in ids {
            remember(&mut self.acknowledged, id);
        }
    }

    /// The acknowledgement was refused: the inbox has them still, and tells them again.
    pub(super) fn take_back(&mut self, ids: &[NotificationId]) {
        self.acknowledged.retain(|id| !ids.contains(id));
    }

    pub(super) fn is_acknowledged(&self, id: NotificationId) -> bool {
        self.acknowledged.contains(&id)
    }

    /// Whether an event that tells of it would tell it a second time.
    pub(super) fn knows(&self, id: NotificationId) -> bool {
        self.named.contains(&id) || self.is_acknowledged(id)
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

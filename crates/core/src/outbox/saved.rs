//! What an outbox keeps over a restart.

use guildgate_model::NotificationId;
use guildgate_wire::{EventFrame, Sequence};
use serde::{Deserialize, Serialize};

use super::{Kept, Numbering, Outbox, Queues};

/// The certain events of a session without a socket, and between which numbers they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedOutbox {
    floor: u64,
    last: u64,
    /// By number; each an event's text as [`EventFrame::open_text`] gives it, and which
    /// notification it tells.
    events: Vec<(u64, Box<str>, Option<NotificationId>)>,
}

impl Outbox {
    /// What is to be kept; none of an outbox that is no session's without a socket.
    pub(crate) fn save(&self) -> Option<SavedOutbox> {
        let Numbering::Detached(last) = self.numbering else {
            return None;
        };
        let kept = self.queues.as_ref().map(|queues| &queues.kept);
        let certain = kept.into_iter().flat_map(Kept::certain);
        Some(SavedOutbox {
            floor: kept.map_or(last, Kept::floor).0,
            last: last.0,
            events: certain
                .map(|(sequence, event)| {
                    let text = event.open_text().into();
                    (sequence.0, text, event.notification())
                })
                .collect(),
        })
    }

    /// The outbox as it was, without its counts and snapshots.
    pub(crate) fn restore(saved: SavedOutbox) -> Outbox {
        let events = saved.events.into_iter();
        let certain = events.map(|(sequence, text, notification)| {
            (Sequence(sequence), EventFrame::saved(text, notification))
        });
        Outbox {
            numbering: Numbering::Detached(Sequence(saved.last)),
            // Even with nothing in them: what was not seen may have been a count.
            queues: Some(Box::new(Queues {
                waiting: None,
                kept: Kept::restore(Sequence(saved.floor), certain),
            })),
        }
    }
}

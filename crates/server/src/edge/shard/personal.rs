//! Users' own events, for clients that are between two shards when one is told.
//!
//! Every shard is told every such event, in one order, so that a count says how far a shard has
//! heard; a client takes its shard's count with it.

use std::{collections::VecDeque, sync::Arc};

use guildgate_model::UserId;
use guildgate_wire::EventFrame;

/// Most events remembered. The way between two shards takes milliseconds; what is forgotten
/// here is in the inbox still.
const REMEMBERED_MAX: usize = 256;

/// The last of users' own events.
#[derive(Debug, Default)]
pub(super) struct Personal {
    heard: u64,
    last: VecDeque<(UserId, Arc<EventFrame>)>,
}

impl Personal {
    pub(super) fn note(&mut self, user: UserId, event: Arc<EventFrame>) {
        self.heard += 1;
        self.last.push_back((user, event));
        if self.last.len() > REMEMBERED_MAX {
            self.last.pop_front();
        }
    }

    /// How many there were, ever.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// The user's events after the first `heard` of all, oldest first.
    pub(super) fn after(&self, heard: u64, user: Option<UserId>) -> Vec<Arc<EventFrame>> {
        let newer = usize::try_from(self.heard.saturating_sub(heard)).unwrap_or(usize::MAX);
        self.last
            .iter()
            .skip(self.last.len().saturating_sub(newer))
            .filter(|(owner, _)| Some(*owner) == user)
            .map(|(_, event)| Arc::clone(event))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use guildgate_model::{GuildId, Permissions};

    use super::*;

    #[test]
    fn a_client_that_moves_is_told_what_its_user_was_told_on_its_way() {
        const USER: UserId = UserId(1);
        let event = |number| EventFrame::privilege(GuildId(7), USER, "", Permissions(number));
        let mut origin = Personal::default();
        let mut home = Personal::default();
        for number in 0..400 {
            let owner = UserId(number % 2);
            origin.note(owner, event(number));
        }
        let heard = origin.heard();
        for number in 0..405 {
            home.note(UserId(number % 2), event(number));
        }
        let told = home.after(heard, Some(USER));
        assert_eq!(told, [event(401), event(403)]);
        assert!(home.after(heard, Some(UserId(9))).is_empty());
        assert!(home.after(home.heard() + 3, Some(USER)).is_empty());
        assert_eq!(home.after(0, Some(USER)).len(), REMEMBERED_MAX / 2);
    }
}

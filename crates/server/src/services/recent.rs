//! What the shards were told a moment ago.
//!
//! A client that is being let in is on no shard yet. What is told to the shards between the
//! look at the database and the answer would pass it by: a notification would not be shown,
//! a revoked token would live on. So both are remembered for a while, and the answer takes
//! them in. Telling and answering hold the same lock, so nothing falls between.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use guildgate_model::{Notification, NotificationId, TokenId, UserId};

/// How many things are remembered. A question is answered within seconds; more than these are
/// not told in that time, short of a flood, and then the inbox still has them.
const REMEMBERED_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    /// How many things were told, ever.
    told: u64,
    entries: VecDeque<(u64, Told)>,
}

/// One thing that the shards were told.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Notification(UserId, Notification),
    Revoked(TokenId),
}

/// A moment, to catch up from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(u64);

/// What was told since a mark.
#[derive(Debug)]
pub(super) struct News<'a>(Vec<&'a Told>);

impl Recent {
    /// Now.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().told)
    }

    /// Remembers something, and lets `tell` tell the shards.
    pub(super) fn tell(&self, told: Told, tell: impl FnOnce()) {
        let mut log = self.lock();
        log.told += 1;
        let number = log.told;
        log.entries.push_back((number, told));
        if log.entries.len() > REMEMBERED_MAX {
            log.entries.pop_front();
        }
        tell();
    }

    /// Lets `answer` see what was told since `mark`, and send its answer; nothing else is told
    /// meanwhile.
    pub(super) fn catch_up(&self, mark: Mark, answer: impl FnOnce(&News<'_>)) {
        let log = self.lock();
        let news = log
            .entries
            .iter()
            .rev()
            .take_while(|(number, _)| *number > mark.0)
            .map(|(_, told)| told)
            .collect();
        answer(&News(news));
    }

    /// These notifications were seen: nobody needs to be shown them any more.
    pub(super) fn forget(&self, user: UserId, ids: &[NotificationId]) {
        self.lock().entries.retain(|(_, told)| match told {
            Told::Notification(owner, notification) => {
                *owner != user || !ids.contains(&notification.id)
            }
            Told::Revoked(_) => true,
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News<'_> {
    /// Whether this token was revoked.
    pub(super) fn revoked(&self, token: TokenId) -> bool {
        self.0
            .iter()
            .any(|told| matches!(told, Told::Revoked(id) if *id == token))
    }

    /// What is in the user's inbox, with what came in since it was read, oldest first.
    pub(super) fn with_missed(
        &self,
        user: UserId,
        mut missed: Vec<Notification>,
    ) -> Vec<Notification> {
        for told in self.0.iter().rev() {
            match told {
                Told::Notification(owner, notification)
                    if *owner == user && missed.iter().all(|known| known.id != notification.id) =>
                {
                    missed.push(notification.clone());
                }
                Told::Notification(..) | Told::Revoked(_) => {}
            }
        }
        missed
    }
}

//! What the shards were told a moment ago.
//!
//! A client that is being let in is on no shard yet. What is told to the shards between the
//! look at the database and the answer would pass it by: a notification would not be shown,
//! a revoked token would live on, an acknowledged notification would be shown again. So all are
//! remembered for a while, and the answer takes them in. Telling and answering hold the same lock, so nothing falls between.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use guildgate_model::{Notification, NotificationId, TokenId, UserId};

use super::NoAnswer;

/// How many things are remembered. A question is answered within seconds; where more than these
/// are told in that time, it is looked into anew.
const REMEMBERED_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    /// How many things were told, ever.
    told: u64,
    /// The last thing that is not remembered any more.
    forgotten: u64,
    entries: VecDeque<(u64, Told)>,
    /// Acknowledgements on their way to the database.
    under_way: Vec<(UserId, Vec<NotificationId>)>,
}

/// One thing that the shards were told.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Notification(UserId, Notification),
    Acknowledged(UserId, Vec<NotificationId>),
    Revoked(TokenId),
}

/// A moment, to catch up from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(u64);

/// More was told since a mark than is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLate;

/// What was told since a mark.
#[derive(Debug)]
pub(super) struct News<'a> {
    told: Vec<&'a Told>,
    under_way: &'a [(UserId, Vec<NotificationId>)],
}

impl Recent {
    /// Now.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().told)
    }

    /// Remembers something, and lets `tell` tell the shards. A notification that the inbox showed
    /// before the feed came to it, and that has been acknowledged since, is told to nobody; nor is
    /// an acknowledgement that this process took itself, and told when it did.
    pub(super) fn tell(&self, told: Told, tell: impl FnOnce()) {
        let mut log = self.lock();
        let is_known = match &told {
            Told::Notification(user, notification) => log.is_acknowledged(*user, notification.id),
            Told::Acknowledged(user, ids) => log.has_told(*user, ids),
            Told::Revoked(_) => false,
        };
        if is_known {
            return;
        }
        log.note(told);
        tell();
    }

    /// Lets `answer` see what was told since `mark`, and send its answer; nothing else is told
    /// meanwhile.
    ///
    /// # Errors
    /// [`TooLate`] if not all of it is remembered; then nothing is sent.
    pub(super) fn catch_up(
        &self,
        mark: Mark,
        answer: impl FnOnce(&News<'_>),
    ) -> Result<(), TooLate> {
        let log = self.lock();
        if log.forgotten > mark.0 {
            return Err(TooLate);
        }
        let told = log
            .entries
            .iter()
            .rev()
            .take_while(|(number, _)| *number > mark.0)
            .map(|(_, told)| told)
            .collect();
        answer(&News {
            told,
            under_way: &log.under_way,
        });
        Ok(())
    }

    /// A client wants to acknowledge these: from here on nobody is let in with them.
    pub(super) fn acknowledging(&self, user: UserId, ids: &[NotificationId]) {
        self.lock().under_way.push((user, ids.to_vec()));
    }

    /// The database has done it, or has not; `tell` tells the shards.
    pub(super) fn acknowledged<T>(
        &self,
        user: UserId,
        ids: Vec<NotificationId>,
        done: Result<T, NoAnswer>,
        tell: impl FnOnce(),
    ) {
        let mut log = self.lock();
        let is_this = |(other, others): &(UserId, Vec<_>)| *other == user && *others == ids;
        if let Some(at) = log.under_way.iter().position(is_this) {
            log.under_way.swap_remove(at);
        }
        if done.is_ok() {
            log.note(Told::Acknowledged(user, ids));
            tell();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn is_acknowledged(&self, user: UserId, id: NotificationId) -> bool {
        let mut under_way = self.under_way.iter();
        under_way.any(|(owner, ids)| *owner == user && ids.contains(&id))
            || self.has_told(user, &[id])
    }

    /// Whether the shards were told that all of these are acknowledged. One under way may yet fail,
    /// or seem to.
    fn has_told(&self, user: UserId, ids: &[NotificationId]) -> bool {
        let told = self
            .entries
            .iter()
            .rev()
            .filter_map(|(_, told)| match told {
                Told::Acknowledged(owner, ids) if *owner == user => Some(ids),
                Told::Acknowledged(..) | Told::Notification(..) | Told::Revoked(_) => None,
            });
        let of_user: Vec<_> = told.collect();
        ids.iter()
            .all(|id| of_user.iter().any(|told| told.contains(id)))
    }

    fn note(&mut self, told: Told) {
        self.told += 1;
        self.entries.push_back((self.told, told));
        if self.entries.len() > REMEMBERED_MAX
            && let Some((oldest, _)) = self.entries.pop_front()
        {
            self.forgotten = oldest;
        }
    }
}

impl News<'_> {
    /// Whether this token was revoked.
    pub(super) fn revoked(&self, token: TokenId) -> bool {
        self.told
            .iter()
            .any(|told| matches!(told, Told::Revoked(id) if *id == token))
    }

    /// What is in the user's inbox, with what came in since it was read and without what was
    /// acknowledged, oldest first.
    pub(super) fn with_missed(
        &self,
        user: UserId,
        mut missed: Vec<Notification>,
    ) -> Vec<Notification> {
        for told in self.told.iter().rev() {
            match told {
                Told::Notification(owner, notification)
                    if *owner == user && missed.iter().all(|known| known.id != notification.id) =>
                {
                    missed.push(notification.clone());
                }
                Told::Notification(..) | Told::Acknowledged(..) | Told::Revoked(_) => {}
            }
        }
        let since = self.told.iter().filter_map(|told| match told {
            Told::Acknowledged(owner, ids) => Some((owner, ids)),
            Told::Notification(..) | Told::Revoked(_) => None,
        });
        let under_way = self.under_way.iter().map(|(owner, ids)| (owner, ids));
        for (owner, ids) in since.chain(under_way) {
            if *owner == user {
                missed.retain(|one| !ids.contains(&one.id));
            }
        }
        missed
    }
}

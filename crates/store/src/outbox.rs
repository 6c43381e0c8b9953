//! What is still to be done elsewhere: roles to give, web hooks to call.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use guildgate_model::{ApplicationId, GuildId, RoleId, UnixMs, UserId};
use serde_json::Value;

use crate::{Listed, Page, StoreError};

/// Something to be done elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Give a role to an applicant in Discord.
    GrantRole {
        /// Where.
        guild: GuildId,
        /// To whom.
        user: UserId,
        /// Which.
        role: RoleId,
        /// For which submission.
        application: ApplicationId,
    },
    /// Call a web hook.
    Webhook {
        /// Whose event.
        guild: GuildId,
        /// Where to: a name or address of the configuration's.
        endpoint: Box<str>,
        /// By which the receiver knows it again; the same event for the same endpoint is
        /// queued once. With a submission or a review, `$id` in it stands for the submission's
        /// id or the notification's, since the caller cannot know it before.
        event: Box<str>,
        /// What to send. With a submission or a review, `id` and `application_id` are filled
        /// in: the event and the submission.
        body: Value,
    },
}

/// A kind of task, each with its own worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// [`Task::GrantRole`].
    GrantRole,
    /// [`Task::Webhook`].
    Webhook,
}

impl Task {
    /// The web hook that it calls; empty for a role.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match self {
            Task::GrantRole { .. } => "",
            Task::Webhook { endpoint, .. } => endpoint,
        }
    }

    /// Whose worker does it.
    #[must_use]
    pub fn topic(&self) -> Topic {
        match self {
            Task::GrantRole { .. } => Topic::GrantRole,
            Task::Webhook { .. } => Topic::Webhook,
        }
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutboxState {
    /// To be done, or being done.
    Pending,
    /// Done.
    Done,
    /// Given up; a manager may have it tried again.
    Failed,
}

/// How many tasks a worker has hands for: so many in all, and so many for each endpoint, so that
/// one which does not answer holds up no other. Roles count as one endpoint, without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    all: u32,
    each: u32,
    busy: BTreeMap<Box<str>, u32>,
}

impl Room {
    /// Room for so many in all, and so many for each endpoint, while nothing is being done.
    #[must_use]
    pub fn new(all: u32, each: u32) -> Room {
        Room {
            all,
            each,
            busy: BTreeMap::new(),
        }
    }

    /// How many each endpoint can have.
    #[must_use]
    pub fn each(&self) -> u32 {
        self.each
    }

    /// Takes a place for a task of this endpoint, if there is one.
    pub fn enter(&mut self, endpoint: &str) -> bool {
        let busy = self.busy.entry(endpoint.into()).or_default();
        let is_free = self.all > 0 && *busy < self.each;
        if is_free {
            self.all -= 1;
            *busy += 1;
        }
        is_free
    }

    /// Gives a place back.
    pub fn leave(&mut self, endpoint: &str) {
        if let Some(busy) = self.busy.get_mut(endpoint) {
            self.all += 1;
            *busy -= 1;
            if *busy == 0 {
                self.busy.remove(endpoint);
            }
        }
    }
}

/// A task that was taken, to be settled by who took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Of which item.
    pub item: u64,
    /// Which attempt, from 1.
    pub number: u32,
}

/// A task with its fate so far.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxItem {
    /// Its number; pages go by it.
    pub id: u64,
    /// What is to be done.
    pub task: Task,
    /// Where it stands.
    pub state: OutboxState,
    /// How often it was taken.
    pub attempts: u32,
    /// Not before then.
    pub next_at: UnixMs,
    /// What went wrong last.
    pub error: Option<Box<str>>,
    /// When it was queued.
    pub created_at: UnixMs,
}

impl OutboxItem {
    /// The attempt that this item, just taken, stands for.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        Attempt {
            item: self.id,
            number: self.attempts,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Done.
    Done,
    /// Not done; to be tried again.
    RetryAt {
        /// Not before then.
        at: UnixMs,
        /// What went wrong.
        error: Box<str>,
    },
    /// Not done, and not worth trying again.
    Failed {
        /// What went wrong.
        error: Box<str>,
    },
}

/// What is still to be done elsewhere. At least once: a task whose taker dies is taken again
/// when the lease is over.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Queues a task; answers its number, that of the first where the event is queued already.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn enqueue(&self, task: Task, now: UnixMs) -> Result<u64, StoreError>;

    /// Takes tasks that are due and for which there is room, oldest first. Nobody else gets
    /// them for `lease`.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn take_due(
        &self,
        topic: Topic,
        room: Room,
        lease: Duration,
        now: UnixMs,
    ) -> Result<Vec<OutboxItem>, StoreError>;

    /// Says how an attempt ended; what became of a role goes into the audit trail with it.
    /// Passed over if the task was taken again since, or settled: then `false`.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn settle(
        &self,
        attempt: Attempt,
        settlement: Settlement,
        now: UnixMs,
    ) -> Result<bool, StoreError>;

    /// Has a failed task tried again. `false` if there is no failed task of that number in the
    /// guild.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn retry(&self, guild: GuildId, id: u64, now: UnixMs) -> Result<bool, StoreError>;

    /// A guild's tasks, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn list_outbox(
        &self,
        guild: GuildId,
        topic: Topic,
        state: Option<OutboxState>,
        page: Page,
    ) -> Result<Listed<OutboxItem>, StoreError>;

    /// Forgets tasks that were done and queued before `before`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn purge_outbox(&self, before: UnixMs) -> Result<u64, StoreError>;
}

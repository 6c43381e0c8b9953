//! What is still to be done elsewhere: roles to give, web hooks to call.

use std::time::Duration;

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
        /// queued once. A submission's own id is filled in where this holds `$id`, since
        /// the caller cannot know it before.
        event: Box<str>,
        /// What to send. A string value `"$id"` anywhere in it becomes the submission's id.
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

    /// Takes tasks that are due, oldest first. Nobody else gets them for `lease`.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn take_due(
        &self,
        topic: Topic,
        limit: u32,
        lease: Duration,
        now: UnixMs,
    ) -> Result<Vec<OutboxItem>, StoreError>;

    /// Says how an attempt ended. Passed over if the task was taken again since, or settled:
    /// then `false`.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn settle(&self, attempt: Attempt, settlement: Settlement) -> Result<bool, StoreError>;

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

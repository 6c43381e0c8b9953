//! What applicants have not been told yet.

use async_trait::async_trait;
use guildgate_model::{
    ApplicationId, Decision, GuildId, Notification, NotificationId, UnixMs, UserId,
};

use crate::StoreError;

/// The most notifications kept for one user; past it the oldest give way, so that a user who
/// never comes back costs no more than this.
pub const INBOX_MAX: u32 = 1_000;

/// A notification to be put into a user's inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Whose inbox.
    pub user: UserId,
    /// What was decided.
    pub decision: Decision,
    /// Where.
    pub guild: GuildId,
    /// Of which application.
    pub application: Option<ApplicationId>,
    /// What the reviewer wrote.
    pub note: Option<Box<str>>,
}

/// What applicants have not been told yet.
///
/// A notification waits until its user acknowledges it. For users none of whose clients ever
/// acknowledged anything it waits until it was delivered in an op 2, since such clients would
/// be shown it for ever. The first acknowledgement, if only of nothing, makes a user one who
/// acknowledges, for good; what the last op 2 delivered before that waits again.
///
/// Source: wire protocol, "Notifications".
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Puts a notification into a user's inbox, and says so in the feed.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed; then it is not there.
    async fn add_notification(
        &self,
        new: NewNotification,
        now: UnixMs,
    ) -> Result<Notification, StoreError>;

    /// All that waits for a user, oldest first; at most [`INBOX_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn pending_notifications(&self, user: UserId) -> Result<Vec<Notification>, StoreError>;

    /// These were delivered in an op 2: unless the user is one who acknowledges, they wait no
    /// longer, and what was delivered before them is gone. Ids that are not theirs are passed
    /// over. Answers how many were not delivered before.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn mark_delivered(&self, user: UserId, ids: &[NotificationId])
    -> Result<u64, StoreError>;

    /// The user acknowledged these, perhaps none: gone, and the feed says which. Ids that are not
    /// theirs are passed over. Answers how many are gone.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn acknowledge(
        &self,
        user: UserId,
        ids: &[NotificationId],
        now: UnixMs,
    ) -> Result<u64, StoreError>;
}

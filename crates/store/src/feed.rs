//! What has changed, in one order for every process on the database.

use async_trait::async_trait;
use guildgate_model::{
    ApplicationId, GuildId, Notification, NotificationId, Revision, SubmissionStatus, TokenId,
    TokenKind, UnixMs, UserId,
};
use tokio::sync::watch;

use crate::{DocumentKey, SetInvite, StoreError};

/// A place in the feed: everything up to and including this change has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor(pub u64);

/// One entry of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place; go on from here.
    pub cursor: Cursor,
    /// When it was made, by the clock of the node that made it.
    pub at: UnixMs,
    /// What changed.
    pub kind: ChangeKind,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// A token was withdrawn: its live connections end.
    TokenRevoked {
        /// Which.
        id: TokenId,
        /// What it was good for.
        kind: TokenKind,
        /// Whose it was.
        owner: Option<u64>,
    },
    /// A notification was put into an inbox.
    NotificationAdded {
        /// Whose.
        user: UserId,
        /// The whole of it, since it may be out of the inbox by the time this is read.
        notification: Notification,
    },
    /// Notifications were acknowledged, and are out of the inbox: no session need be told of them.
    NotificationsAcknowledged {
        /// Whose.
        user: UserId,
        /// Which.
        ids: Vec<NotificationId>,
    },
    /// A form or a draft has a new version.
    DocumentChanged {
        /// Which.
        key: DocumentKey,
        /// Its newest version as of this change.
        revision: Revision,
    },
    /// An application was submitted.
    Submitted {
        /// Where.
        guild: GuildId,
        /// Its id.
        id: ApplicationId,
        /// By whom.
        user: UserId,
    },
    /// A submission was reviewed or withdrawn.
    SubmissionChanged {
        /// Where.
        guild: GuildId,
        /// Its id.
        id: ApplicationId,
        /// Whose it is.
        user: UserId,
        /// What it is now.
        status: SubmissionStatus,
    },
    /// Another invite is shown for a guild, or none.
    InviteSet(SetInvite),
    /// What a later version, beside this one on the database, makes and this one does not know.
    Unknown,
}

/// What has changed, in one order for every process on the database.
///
/// No change is ever skipped: places are given out in the order of the commits, so that a
/// reader who has seen place *n* has seen everything below it.
#[async_trait]
pub trait Feed: Send + Sync {
    /// The changes after `cursor`, oldest first, at most `limit`. Cheap when there are none:
    /// one seek in an index.
    ///
    /// # Errors
    /// [`StoreError::FeedBehind`] if some of them are purged; others if the database failed.
    async fn changes_after(&self, cursor: Cursor, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// The place of the newest change; where a reader who has just read everything starts.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn head(&self) -> Result<Cursor, StoreError>;

    /// Changes its value whenever *this* process has added to the feed, so that its own
    /// changes are read at once; those of others are found by polling.
    fn feed_signal(&self) -> watch::Receiver<u64>;

    /// Forgets changes made before `before`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn purge_changes(&self, before: UnixMs) -> Result<u64, StoreError>;
}

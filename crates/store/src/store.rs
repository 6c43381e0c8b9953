//! The whole of what a store does.

use async_trait::async_trait;

use crate::{
    Audit, DiscordState, Documents, Feed, Inbox, Invites, KeptSessions, Outbox, StoreError,
    Submissions, Tokens,
};

/// A database of the gateway's. Shared by everyone as `Arc<dyn Store>`.
///
/// Every operation is one transaction, durable before it is answered. An operation whose
/// future is dropped may or may not happen, but never by halves.
#[async_trait]
pub trait Store:
    Tokens
    + Inbox
    + Feed
    + DiscordState
    + Documents
    + Submissions
    + Audit
    + Outbox
    + Invites
    + KeptSessions
{
    /// Asks the database for a sign of life, through the same path that writes take.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Closed`].
    async fn ping(&self) -> Result<(), StoreError>;

    /// What engine and version this is, for a person: `SQLite 3.50.1, schema 2`.
    ///
    /// # Errors
    /// As for [`Store::ping`].
    async fn version(&self) -> Result<String, StoreError>;

    /// Writes what is written lazily (when tokens were last used). The last call before exit.
    ///
    /// # Errors
    /// As for [`Store::ping`].
    async fn flush(&self) -> Result<(), StoreError>;
}

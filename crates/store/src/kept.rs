//! Clients' sessions on their way from one process to the next.

use async_trait::async_trait;
use guildgate_model::UnixMs;

use crate::StoreError;

/// Clients' sessions on their way from one process to the next.
#[async_trait]
pub trait KeptSessions: Send + Sync {
    /// Keeps sessions, in chunks that are opaque to the store; all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn keep_sessions(&self, chunks: Vec<Vec<u8>>, saved_at: UnixMs)
    -> Result<(), StoreError>;

    /// Takes out all that is kept, and gives what was kept at `since` or later. Nothing is given
    /// twice: a session lives in one process.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn take_sessions(&self, since: UnixMs) -> Result<Vec<Vec<u8>>, StoreError>;
}

//! Which invite the site shows for a guild.

use async_trait::async_trait;
use guildgate_model::{GuildId, UnixMs};

use crate::StoreError;

/// The invite that the site shows for a guild, as somebody has set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetInvite {
    /// The guild.
    pub guild: GuildId,
    /// The invite's code; none where the site is to show none, whatever a configuration says.
    pub code: Option<Box<str>>,
}

/// Which invite the site shows for a guild.
#[async_trait]
pub trait Invites: Send + Sync {
    /// Keeps an invite in place of the guild's one before, and tells of it in the feed.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn set_invite(&self, invite: SetInvite, now: UnixMs) -> Result<(), StoreError>;

    /// Every guild's for which something was ever set, in no order.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn load_invites(&self) -> Result<Vec<SetInvite>, StoreError>;
}

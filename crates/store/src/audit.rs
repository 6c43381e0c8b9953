//! Who did what, and when.

use async_trait::async_trait;
use guildgate_model::{GuildId, UnixMs, UserId};
use serde_json::Value;

use crate::{Listed, Page, StoreError};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditAction {
    /// A form was changed by a patch. `detail`: `{apv}`; what changed is in its history.
    FormChanged,
    /// An old version of a form was made the newest. `detail`: `{apv, restored}`.
    FormRestored,
    /// An application was submitted. `detail`: `{id, apv}`.
    Submitted,
    /// An application was withdrawn. `detail`: `{id}`.
    Withdrawn,
    /// An application was reviewed. `detail`: `{id, user, decision, note}`.
    Reviewed,
    /// A role was given to an applicant. `detail`: `{id, user, role}`.
    RoleGranted,
    /// A role could not be given. `detail`: `{id, user, role, error}`.
    RoleGrantFailed,
}

impl AuditAction {
    /// Every action.
    pub const ALL: [AuditAction; 7] = [
        AuditAction::FormChanged,
        AuditAction::FormRestored,
        AuditAction::Submitted,
        AuditAction::Withdrawn,
        AuditAction::Reviewed,
        AuditAction::RoleGranted,
        AuditAction::RoleGrantFailed,
    ];

    /// Its name in the API and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AuditAction::FormChanged => "form_changed",
            AuditAction::FormRestored => "form_restored",
            AuditAction::Submitted => "submitted",
            AuditAction::Withdrawn => "withdrawn",
            AuditAction::Reviewed => "reviewed",
            AuditAction::RoleGranted => "role_granted",
            AuditAction::RoleGrantFailed => "role_grant_failed",
        }
    }
}

/// One entry of a guild's audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its place in the trail; pages go by it. Ignored by [`Audit::append_audit`].
    pub id: u64,
    /// Where.
    pub guild: GuildId,
    /// When.
    pub at: UnixMs,
    /// Who; nobody if the gateway itself.
    pub actor: Option<UserId>,
    /// What.
    pub action: AuditAction,
    /// The particulars, by action.
    pub detail: Value,
}

/// Who did what, and when. Forms and reviews write theirs themselves.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Adds an entry; answers its place.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn append_audit(&self, entry: AuditEntry) -> Result<u64, StoreError>;

    /// A guild's trail, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn list_audit(
        &self,
        guild: GuildId,
        page: Page,
    ) -> Result<Listed<AuditEntry>, StoreError>;
}

//! Documents that several people edit: forms, and drafts of answers.

use async_trait::async_trait;
use guildgate_model::{GuildId, Revision, UnixMs, UserId, form::Renamed};
use serde_json::Value;

use crate::{Listed, Page, StoreError};

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKey {
    /// A guild's form. Every version is kept.
    Form(GuildId),
    /// A user's own draft of answers to a guild's form. The last 64 versions are kept.
    Draft(GuildId, UserId),
}

impl DocumentKey {
    /// The guild whose form this is, or is a draft for.
    #[must_use]
    pub fn guild(self) -> GuildId {
        match self {
            DocumentKey::Form(guild) | DocumentKey::Draft(guild, _) => guild,
        }
    }
}

/// A document as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its version: `apv`.
    pub revision: Revision,
    /// Its content.
    pub content: Value,
}

/// One version of a document's history.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentVersion {
    /// Which.
    pub revision: Revision,
    /// Who made it; nobody for the first.
    pub actor: Option<UserId>,
    /// When.
    pub at: UnixMs,
    /// What made it out of the one before; none for the first.
    pub patch: Option<Value>,
    /// The name its maker gave to the patch.
    pub patch_id: Option<PatchId>,
}

/// A name that a patch's maker gives it, so that it is taken once however often it is sent.
/// Unique to document and maker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchId(pub Box<str>);

/// A patch that made `content` out of version `base`.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendPatch {
    /// Of which document.
    pub key: DocumentKey,
    /// The version it was applied to; must still be the newest.
    pub base: Revision,
    /// The patch, for the history.
    pub patch: Value,
    /// What it made.
    pub content: Value,
    /// Who made it.
    pub actor: UserId,
    /// Its name, if its maker gave it one.
    pub patch_id: Option<PatchId>,
    /// The fields of a form that stand under another id in it: none of them may be answered by
    /// then.
    pub renamed: Vec<Renamed>,
}

/// An old version that shall be the newest again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreVersion {
    /// Of which document.
    pub key: DocumentKey,
    /// Which version.
    pub wanted: Revision,
    /// The version that its maker took for the newest; must still be.
    pub base: Revision,
    /// Who wants it.
    pub actor: UserId,
}

/// What became of a patch that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It made this version.
    New(Revision),
    /// It had been taken before, and made this version then.
    Before(Revision),
}

impl Appended {
    /// The version that the patch made.
    #[must_use]
    pub fn revision(self) -> Revision {
        match self {
            Appended::New(revision) | Appended::Before(revision) => revision,
        }
    }
}

/// Why a patch was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PatchRefusal {
    /// The document has moved on: rebase onto this, or give up.
    #[error("the document is at version {} by now", newest.revision)]
    Conflict {
        /// The document as it is now.
        newest: Document,
    },
    /// There is no such document, or no such version of it.
    #[error("no such document or version")]
    Unknown,
    /// It renames a field that a submission answers.
    #[error("submissions answer the field {}, so its id stays", .0.was)]
    Answered(Renamed),
}

/// Documents that several people edit: forms, and drafts of answers.
///
/// One order of versions for everyone, also across processes: of two patches made on the same
/// version one is taken, and the other is told what the newest is.
///
/// Contents and patches may be nested 100 deep; the caller sees to that. Deeper ones would be
/// kept and could not be read again.
#[async_trait]
pub trait Documents: Send + Sync {
    /// A document as it is now.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn read_document(&self, key: DocumentKey) -> Result<Option<Document>, StoreError>;

    /// A document as it is now; if there is none, it begins as `initial`, at
    /// [`Revision::FIRST`].
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn open_document(
        &self,
        key: DocumentKey,
        initial: Value,
        now: UnixMs,
    ) -> Result<Document, StoreError>;

    /// Makes the next version, if `base` is still the newest. For a form, writes the audit
    /// trail too.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed. A lost race is `Ok(Err(_))`.
    async fn append_patch(
        &self,
        patch: AppendPatch,
        now: UnixMs,
    ) -> Result<Result<Appended, PatchRefusal>, StoreError>;

    /// Makes an old version the newest again, as a version of its own. Fields that submissions
    /// answer are not renamed by that either.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed. A lost race is `Ok(Err(_))`.
    async fn restore_version(
        &self,
        restore: RestoreVersion,
        now: UnixMs,
    ) -> Result<Result<Document, PatchRefusal>, StoreError>;

    /// A document as it was at a version; none if there is none such, or it is kept no more.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn read_version(
        &self,
        key: DocumentKey,
        revision: Revision,
    ) -> Result<Option<Document>, StoreError>;

    /// The versions of a document, newest first; pages go by revision.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn list_versions(
        &self,
        key: DocumentKey,
        page: Page,
    ) -> Result<Listed<DocumentVersion>, StoreError>;

    /// The patches after a version, oldest first, at most `limit`: what a rebase must look at,
    /// and what another node's feed reader shows to its editors.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn versions_after(
        &self,
        key: DocumentKey,
        base: Revision,
        limit: u32,
    ) -> Result<Vec<DocumentVersion>, StoreError>;

    /// The guilds whose form opens by itself, and when; those that should be open already too.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn opening_forms(&self) -> Result<Vec<(GuildId, UnixMs)>, StoreError>;

    /// Forgets a document with its history: a draft that was thrown away, the form of a guild
    /// that has left.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn discard_document(&self, key: DocumentKey) -> Result<(), StoreError>;
}

//! What live application sessions ask of the database.
//!
//! The sessions themselves are machines of `guildgate-core`, on the hub's thread; here their
//! questions are put to the store, and answered in their words.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use guildgate_core::{
    form_session::{
        Append, Appended, Ask, Credentials, NotVerified, Opened, PublishedForm, Reply, SessionKey,
        StoreFailed, Target, Verified, Version,
    },
    rebase::Patch,
};
use guildgate_model::{ApplicationId, Form, GuildId, Revision, TokenKind, UserId, form::FieldId};
use guildgate_store::{
    AppendPatch, Document, DocumentKey, DocumentVersion, Owner, PAGE_MAX, Page, PatchId,
    PatchRefusal, StoreError, SubmissionFilter,
};
use serde_json::{Value, json};

use super::{NoAnswer, Services};

/// How many versions before the newest a session starts with, to judge stale patches by. The
/// store keeps as many of a draft.
const VERSIONS_BEHIND: u64 = 64;

/// How many versions are read at a time.
const VERSIONS_MAX: u32 = 256;

/// Who made a version that came about by itself, in the store's words.
pub(super) const NOBODY: UserId = UserId(0);

/// Which fields of a guild's form submissions answer, as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct AnsweredFields(Mutex<BTreeMap<GuildId, Answered>>);

#[derive(Debug, Default, Clone)]
struct Answered {
    fields: BTreeSet<FieldId>,
    /// The newest submission that was read.
    newest: Option<ApplicationId>,
}

/// Forms as they were last read, for as long as somebody uses them: ten thousand drafts of one
/// form's answers have one form.
#[derive(Debug, Default)]
pub(super) struct PublishedForms(Mutex<BTreeMap<GuildId, Weak<PublishedForm>>>);

/// How many forms may be remembered before those that nobody uses are forgotten.
const FORMS_MAX: usize = 1_024;

/// The store's name of a document.
pub(super) fn document_key(key: SessionKey) -> DocumentKey {
    match key.target {
        Target::Form => DocumentKey::Form(key.guild),
        Target::Answers(user) => DocumentKey::Draft(key.guild, user),
    }
}

/// The sessions' name of a document.
pub(super) fn session_key(key: DocumentKey) -> SessionKey {
    match key {
        DocumentKey::Form(guild) => SessionKey {
            guild,
            target: Target::Form,
        },
        DocumentKey::Draft(guild, user) => SessionKey {
            guild,
            target: Target::Answers(user),
        },
    }
}

impl Services {
    /// Answers a session's question.
    pub(super) async fn form_reply(&self, key: SessionKey, ask: Ask) -> Reply {
        match ask {
            Ask::Verify { user, credentials } => {
                Reply::Verified(self.verify(user, &credentials).await)
            }
            Ask::Open => Reply::Opened(
                self.timed(self.open_document(key))
                    .await
                    .map(Box::new)
                    .map_err(|NoAnswer| StoreFailed),
            ),
            Ask::Load { after } => {
                let versions =
                    self.parts
                        .store
                        .versions_after(document_key(key), after, VERSIONS_MAX);
                let loaded = self.timed(versions).await.map_err(|NoAnswer| StoreFailed);
                Reply::Loaded(loaded.map(|all| all.into_iter().map(version).collect()))
            }
            Ask::Append(append) => Reply::Appended(self.append(key, *append).await),
        }
    }

    /// Both tokens must be the user's own, each of its kind.
    async fn verify(
        &self,
        user: UserId,
        credentials: &Credentials,
    ) -> Result<Verified, NotVerified> {
        let pairs = [
            (&credentials.user_token, TokenKind::User),
            (&credentials.gateway_token, TokenKind::GatewayUser),
        ];
        let now = self.parts.clock.now().wall;
        let owner = Owner::Id(user.0);
        let mut records = Vec::with_capacity(pairs.len());
        for (token, kind) in pairs {
            let inspected = self.parts.store.inspect_token(token, kind, owner, now);
            match self.timed(inspected).await {
                Ok(Ok(record)) => records.push(record),
                Ok(Err(refusal)) => {
                    self.parts.metrics.count_refusal(refusal);
                    tracing::info!(
                        expected = %kind,
                        claimed = %user,
                        reason = refusal.name(),
                        "token refused for an application session"
                    );
                    return Err(NotVerified::NotGood);
                }
                Err(NoAnswer) => return Err(NotVerified::StoreFailed),
            }
        }
        Ok(Verified {
            tokens: [records[0].id, records[1].id],
            expires_at: records.iter().filter_map(|record| record.expires_at).min(),
        })
    }

    async fn open_document(&self, key: SessionKey) -> Result<Opened, StoreError> {
        let store = &self.parts.store;
        let name = document_key(key);
        let now = self.parts.clock.now().wall;
        let newest = store
            .open_document(name, beginning(key.target), now)
            .await?;
        let (start, versions) = self.with_history(name, newest).await?;
        let (answered_fields, form) = match key.target {
            Target::Form => (self.answered_fields(key.guild).await?, None),
            Target::Answers(_) => (BTreeSet::new(), self.published_form(key.guild).await?),
        };
        Ok(Opened {
            revision: start.revision,
            document: start.content,
            versions,
            answered_fields,
            form,
        })
    }

    /// An older version and what came after it; the newest alone where older ones are gone.
    async fn with_history(
        &self,
        name: DocumentKey,
        newest: Document,
    ) -> Result<(Document, Vec<Version>), StoreError> {
        let store = &self.parts.store;
        let behind = newest.revision.0.saturating_sub(VERSIONS_BEHIND);
        let start = Revision(behind.max(Revision::FIRST.0));
        if start == newest.revision {
            return Ok((newest, Vec::new()));
        }
        let Some(older) = store.read_version(name, start).await? else {
            return Ok((newest, Vec::new()));
        };
        let versions = store.versions_after(name, start, VERSIONS_MAX).await?;
        // A version that was written as a whole cannot be followed from the one before, nor one
        // whose patch is past the bounds, as that of a large form that was restored.
        let is_patch = |patch: &Value| Patch::parse(patch.clone()).is_ok();
        let can_follow = |version: &DocumentVersion| version.patch.as_ref().is_some_and(is_patch);
        match versions.iter().all(can_follow) {
            true => Ok((older, versions.into_iter().map(version).collect())),
            false => Ok((newest, Vec::new())),
        }
    }

    /// A guild's form as it is now; none if it has none, or one that makes no sense.
    pub(super) async fn published_form(
        &self,
        guild: GuildId,
    ) -> Result<Option<Arc<PublishedForm>>, StoreError> {
        let key = DocumentKey::Form(guild);
        let found = self.parts.store.read_document(key).await?;
        Ok(found.and_then(|document| self.published.share(guild, document)))
    }

    /// Every field that a submission of the guild answers. What was read once is remembered:
    /// answers are never taken back.
    pub(crate) async fn answered_fields(
        &self,
        guild: GuildId,
    ) -> Result<BTreeSet<FieldId>, StoreError> {
        let mut answered = self.answered.of(guild);
        let known = answered.newest;
        let mut page = Page::first(PAGE_MAX);
        'pages: loop {
            let listed = self
                .parts
                .store
                .list_submissions(guild, SubmissionFilter::default(), page)
                .await?;
            for submission in listed.items {
                if Some(submission.id) <= known {
                    break 'pages;
                }
                answered.newest = answered.newest.max(Some(submission.id));
                answered.fields.extend(fields_of(&submission.answers));
            }
            match listed.next {
                Some(next) => page.before = Some(next),
                None => break,
            }
        }
        let fields = answered.fields.clone();
        self.answered.remember(guild, answered);
        Ok(fields)
    }

    async fn append(&self, key: SessionKey, append: Append) -> Appended {
        let now = self.parts.clock.now().wall;
        let patch = AppendPatch {
            key: document_key(key),
            base: append.base,
            patch: append.patch,
            content: append.document,
            actor: append.author.unwrap_or(NOBODY),
            patch_id: append.name.map(PatchId),
            renamed: append.renamed,
        };
        match self.timed(self.parts.store.append_patch(patch, now)).await {
            Ok(Ok(guildgate_store::Appended::New(revision))) => Appended::Kept(revision),
            Ok(Ok(guildgate_store::Appended::Before(revision))) => Appended::KeptBefore(revision),
            Ok(Err(PatchRefusal::Conflict { .. })) => Appended::Conflict,
            Ok(Err(PatchRefusal::Answered(renamed))) => Appended::Answered([renamed.was].into()),
            // A draft that was thrown away meanwhile begins anew when it is opened again.
            Ok(Err(PatchRefusal::Unknown)) | Err(NoAnswer) => Appended::Failed,
        }
    }
}

impl PublishedForms {
    /// The document as a form: the one that others use already, if it is the same version.
    fn share(&self, guild: GuildId, document: Document) -> Option<Arc<PublishedForm>> {
        let known = self.lock().get(&guild).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| known.revision == document.revision) {
            return Some(known);
        }
        let form = Form::check(&document.content).ok()?;
        let published = Arc::new(PublishedForm {
            revision: document.revision,
            document: document.content,
            form,
        });
        let mut all = self.lock();
        if all.len() >= FORMS_MAX {
            all.retain(|_, form| form.strong_count() > 0);
        }
        all.insert(guild, Arc::downgrade(&published));
        Some(published)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<GuildId, Weak<PublishedForm>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AnsweredFields {
    fn of(&self, guild: GuildId) -> Answered {
        self.lock().get(&guild).cloned().unwrap_or_default()
    }

    fn remember(&self, guild: GuildId, answered: Answered) {
        let mut all = self.lock();
        let kept = all.entry(guild).or_default();
        if kept.newest < answered.newest {
            *kept = answered;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<GuildId, Answered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids that answers name.
pub(super) fn fields_of(answers: &Value) -> impl Iterator<Item = FieldId> {
    answers
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(id, _)| FieldId::try_from(id.as_str()).ok())
}

/// A document that nobody has written yet.
fn beginning(target: Target) -> Value {
    match target {
        Target::Form => Form::empty_document(),
        Target::Answers(_) => json!({}),
    }
}

fn version(version: DocumentVersion) -> Version {
    Version {
        revision: version.revision,
        author: version.actor.filter(|&actor| actor != NOBODY),
        patch: version.patch,
        name: version.patch_id.map(|PatchId(name)| name),
    }
}

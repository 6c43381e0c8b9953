//! Opens forms whose time has come, whether or not anybody edits them.
//!
//! Every node does: the patch is kept under a name that follows from the version it is made on,
//! so that one node's is the next version and the others find it taken. Live sessions see it
//! through the feed, as they see what another node made.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use guildgate_core::rebase::{Guard, Patch, apply};
use guildgate_model::{Form, GuildId, UnixMs};
use guildgate_store::{AppendPatch, DocumentKey, PatchId, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Services, forms::NOBODY};

/// Longest wait before the clock is looked at again: it may be set meanwhile.
const NAP_MAX: Duration = Duration::from_secs(30);

/// How long to wait after the database has failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The forms that open by themselves, and when.
#[derive(Debug, Default)]
pub(super) struct Openings {
    due: Mutex<BTreeMap<GuildId, UnixMs>>,
    changed: Notify,
}

impl Services {
    /// Reads which forms are to be opened.
    pub(super) async fn read_openings(&self) -> Result<(), StoreError> {
        for (guild, at) in self.parts.store.opening_forms().await? {
            self.openings.set(guild, Some(at));
        }
        Ok(())
    }

    /// A guild's form is this now.
    pub(super) fn watch_opening(&self, guild: GuildId, form: Option<&Form>) {
        let opens_at = form.and_then(|form| form.status.opens_at());
        self.openings.set(guild, opens_at);
    }

    /// Opens forms at their time until `stop`.
    pub(super) async fn open_forms(&self, stop: &CancellationToken) {
        let mut pause = Duration::ZERO;
        loop {
            let now = self.parts.clock.now().wall;
            let nap = self.openings.next_in(now).unwrap_or(NAP_MAX).min(NAP_MAX);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.openings.changed.notified(), if pause.is_zero() => continue,
                () = tokio::time::sleep(nap.max(pause)) => {}
            }
            pause = Duration::ZERO;
            for guild in self.openings.due(self.parts.clock.now().wall) {
                if let Err(error) = self.open_form(guild).await {
                    tracing::warn!(
                        %guild,
                        error = &error as &dyn std::error::Error,
                        "a form could not be opened at its time; it is tried again"
                    );
                    pause = RETRY_AFTER;
                }
            }
        }
    }

    async fn open_form(&self, guild: GuildId) -> Result<(), StoreError> {
        let (store, key) = (&self.parts.store, DocumentKey::Form(guild));
        let now = self.parts.clock.now().wall;
        let newest = store.read_document(key).await?;
        let form = newest
            .as_ref()
            .and_then(|newest| Form::check(&newest.content).ok());
        // Where it is not due any more this says so; where others are faster, the feed does.
        self.watch_opening(guild, form.as_ref());
        let opening = form.and_then(|form| form.opening_patch(now));
        let Some((newest, json)) = newest.zip(opening) else {
            return Ok(());
        };
        let made = Patch::parse(json)
            .and_then(|patch| Ok((apply(&newest.content, &patch, Guard::Open)?, patch)));
        let Ok((applied, patch)) = made else {
            self.watch_opening(guild, None);
            return Ok(());
        };
        let append = AppendPatch {
            key,
            base: newest.revision,
            patch: patch.as_json().clone(),
            content: applied.document,
            actor: NOBODY,
            patch_id: Some(PatchId(Form::opening_name(newest.revision))),
            renamed: Vec::new(),
        };
        if let Ok(appended) = store.append_patch(append, now).await? {
            self.watch_opening(guild, None);
            tracing::info!(%guild, apv = %appended.revision(), "form opened at its time");
        }
        Ok(())
    }
}

impl Openings {
    fn set(&self, guild: GuildId, opens_at: Option<UnixMs>) {
        let mut due = self.lock();
        let before = match opens_at {
            Some(at) => due.insert(guild, at),
            None => due.remove(&guild),
        };
        drop(due);
        if before != opens_at {
            self.changed.notify_one();
        }
    }

    fn due(&self, now: UnixMs) -> Vec<GuildId> {
        let due = self.lock();
        let mut guilds = Vec::new();
        guilds.extend(
            due.iter()
                .filter(|(_, at)| **at <= now)
                .map(|(guild, _)| *guild),
        );
        guilds
    }

    fn next_in(&self, now: UnixMs) -> Option<Duration> {
        let next = self.lock().values().min().copied()?;
        let ms = next.0.saturating_sub(now.0).max(0);
        Some(Duration::from_millis(ms.cast_unsigned()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<GuildId, UnixMs>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

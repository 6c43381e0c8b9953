//! Since when a form is open up to its limit: only what is submitted from then on counts.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use guildgate_core::form_session::PublishedForm;
use guildgate_model::{Form, GuildId, Revision, UnixMs, form::Status};
use guildgate_store::{DocumentKey, DocumentVersion, Page, StoreError};
use serde_json::Value;

use super::Services;

/// How many versions are looked through at a time.
const VERSIONS_PAGE: u32 = 64;

/// When the seasons began that have been asked for; one a guild.
#[derive(Debug, Default)]
pub(super) struct Seasons(Mutex<BTreeMap<GuildId, Season>>);

#[derive(Debug, Clone, Copy)]
struct Season {
    /// The form's status all through it.
    status: Status,
    began: UnixMs,
    /// A version of the form in it.
    seen: Revision,
}

impl Services {
    /// When the form came to the status that it has, limit included: the time of that version.
    pub(super) async fn season_began(
        &self,
        guild: GuildId,
        form: &PublishedForm,
    ) -> Result<UnixMs, StoreError> {
        let status = form.form.status;
        let known = self
            .seasons
            .of(guild)
            .filter(|season| season.status == status);
        let began = self.look_back(guild, form, known).await?;
        self.seasons.remember(
            guild,
            Season {
                status,
                began,
                seen: form.revision,
            },
        );
        Ok(began)
    }

    async fn look_back(
        &self,
        guild: GuildId,
        form: &PublishedForm,
        known: Option<Season>,
    ) -> Result<UnixMs, StoreError> {
        let (store, key) = (&self.parts.store, DocumentKey::Form(guild));
        let mut page = Page {
            before: form.revision.0.checked_add(1),
            limit: VERSIONS_PAGE,
        };
        let mut earliest = UnixMs(i64::MIN);
        loop {
            let listed = store.list_versions(key, page).await?;
            for version in listed.items {
                if let Some(season) = known.filter(|season| season.seen >= version.revision) {
                    return Ok(season.began);
                }
                earliest = version.at;
                if !may_set_status(&version) {
                    continue;
                }
                let before = Revision(version.revision.0.saturating_sub(1));
                let before = store.read_version(key, before).await?;
                let before = before.and_then(|before| Form::check(&before.content).ok());
                if before.is_none_or(|before| before.status != form.form.status) {
                    return Ok(version.at);
                }
            }
            match listed.next {
                Some(next) => page.before = Some(next),
                None => return Ok(earliest),
            }
        }
    }
}

/// Whether the patch that made this version can have changed the form's status.
fn may_set_status(version: &DocumentVersion) -> bool {
    let Some(operations) = version.patch.as_ref().and_then(Value::as_array) else {
        return true;
    };
    let touches = |operation: &Value, key: &str| {
        let pointer = operation.get(key).and_then(Value::as_str);
        pointer.is_some_and(|pointer| pointer.is_empty() || pointer.starts_with("/status"))
    };
    operations
        .iter()
        .any(|operation| touches(operation, "path") || touches(operation, "from"))
}

impl Seasons {
    fn of(&self, guild: GuildId) -> Option<Season> {
        self.lock().get(&guild).copied()
    }

    fn remember(&self, guild: GuildId, season: Season) {
        self.lock().insert(guild, season);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<GuildId, Season>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A form written from outside a session: judged, and kept as the next version.

use std::collections::BTreeSet;

use guildgate_core::rebase::{
    Applied, Footprint, FormGuard, Guard, HISTORY_VERSIONS_MAX, History, Patch, PatchErrorKind,
    RebaseError, apply,
};
use guildgate_model::{
    Form, GuildId, Revision, UserId,
    form::{Faults, FieldId, Renamed, check_size, renamed},
};
use guildgate_store::{AppendPatch, Document, DocumentKey, PatchRefusal, StoreError};
use serde_json::{Value, json};

use super::{Api, bad_patch, conflict, diff::diff, newest};
use crate::problem::{Problem, ProblemKind};

/// How often a change is judged anew because somebody was faster.
pub(super) const TRIES_MAX: u32 = 8;

/// A change to a form.
pub(super) struct Write {
    pub(super) guild: GuildId,
    pub(super) actor: UserId,
    /// The version that it was made on; whatever is the newest if none.
    pub(super) base: Option<Revision>,
    pub(super) change: Change,
}

pub(super) enum Change {
    /// This shall be the form.
    Whole(Value),
    /// This shall be done to it.
    Patch(Patch),
}

/// What a change makes of the newest version.
struct Next {
    patch: Value,
    content: Value,
    renamed: Vec<Renamed>,
}

/// Keeps a change as the next version, and answers the newest; no version is made of a change
/// that changes nothing.
pub(super) async fn write(api: &Api, write: Write) -> Result<Document, Problem> {
    let Write {
        guild,
        actor,
        base,
        change,
    } = write;
    let key = DocumentKey::Form(guild);
    let answered = api.services.answered_fields(guild).await?;
    for _ in 0..TRIES_MAX {
        let newest = newest(api, guild).await?;
        let next = match &change {
            Change::Whole(document) => replaced(&newest, base, document, &answered)?,
            Change::Patch(patch) => patched(api, guild, &newest, base, patch, &answered).await?,
        };
        let Some(Next {
            patch,
            content,
            renamed,
        }) = next
        else {
            return Ok(newest);
        };
        let now = api.clock.now().wall;
        api.store
            .open_document(key, Form::empty_document(), now)
            .await?;
        let append = AppendPatch {
            key,
            base: newest.revision,
            patch,
            content: content.clone(),
            actor,
            patch_id: None,
            renamed,
        };
        match api.store.append_patch(append, now).await? {
            Ok(appended) => {
                let revision = appended.revision();
                tracing::info!(%guild, %actor, apv = %revision, "form changed");
                return Ok(Document { revision, content });
            }
            Err(PatchRefusal::Answered(renamed)) => return Err(stays(&renamed)),
            // Somebody was faster: judged again, on what they made of it.
            Err(PatchRefusal::Conflict { .. } | PatchRefusal::Unknown) => {}
        }
    }
    Err(Problem::new(
        ProblemKind::Unavailable,
        "others change this form so fast that the change found no turn; send it again",
    ))
}

/// A whole form in place of the newest.
fn replaced(
    newest: &Document,
    base: Option<Revision>,
    document: &Value,
    answered: &BTreeSet<FieldId>,
) -> Result<Option<Next>, Problem> {
    if base.is_some_and(|base| base != newest.revision) {
        return Err(conflict(newest, "the form has changed since"));
    }
    Form::check(document)
        .map_err(|faults| not_a_form(&faults, "the body is JSON, but not a form; see `errors`"))?;
    let renamed = renamed(&newest.content, document);
    if let Some(field) = renamed.iter().find(|field| answered.contains(&field.was)) {
        return Err(stays(field));
    }
    if *document == newest.content {
        return Ok(None);
    }
    let smallest = diff(&newest.content, document);
    let whole = json!([{ "op": "replace", "path": "", "value": document }]);
    for patch in [smallest, whole] {
        // What sessions cannot follow must not come into the history.
        let Ok(parsed) = Patch::parse(patch.clone()) else {
            continue;
        };
        let makes = apply(&newest.content, &parsed, Guard::Open);
        if makes.is_ok_and(|applied| applied.document == *document) {
            return Ok(Some(Next {
                patch,
                content: document.clone(),
                renamed,
            }));
        }
    }
    Err(Problem::field(
        "",
        "too large to be written in one go: write it in parts, by PATCH",
    ))
}

/// A field that submissions answer would stand under another id.
pub(super) fn stays(renamed: &Renamed) -> Problem {
    let detail = format!(
        "submissions answer the field {}, so its id stays",
        renamed.was
    );
    Problem::field(&*renamed.pointer, detail)
}

/// What a patch makes of the newest version.
async fn patched(
    api: &Api,
    guild: GuildId,
    newest: &Document,
    base: Option<Revision>,
    patch: &Patch,
    answered: &BTreeSet<FieldId>,
) -> Result<Option<Next>, Problem> {
    let base = base.unwrap_or(newest.revision);
    let history = history(api, guild, base, newest.revision).await?;
    let guard = FormGuard::new(answered.clone());
    let Applied {
        document, renamed, ..
    } = history
        .rebase(&newest.content, base, patch, Guard::Form(&guard))
        .map_err(|error| match error {
            RebaseError::Stale { .. } => {
                conflict(newest, "what the patch touches has changed since")
            }
            RebaseError::Ahead { .. } => conflict(newest, "the form has no such version yet"),
            RebaseError::Patch(error) if error.kind == PatchErrorKind::TestFailed => {
                let pointer = format!("/{}/value", error.operation.unwrap_or_default());
                conflict(newest, "a `test` of the patch found something else")
                    .at(pointer, &*error.message)
            }
            // What all of it made is at fault, rather than an operation.
            RebaseError::Patch(error)
                if error.operation.is_none() && error.kind == PatchErrorKind::Protected =>
            {
                Problem::field(&*error.pointer, &*error.message)
            }
            RebaseError::Patch(error) => bad_patch(&error, patch.as_json()),
        })?;
    let made = check_size(&document).and_then(|()| Form::check(&document));
    made.map_err(|faults| {
        let detail = "the patch would make the form invalid; `errors` point into the form as it \
                      would be";
        not_a_form(&faults, detail)
    })?;
    Ok((document != newest.content).then(|| Next {
        patch: patch.as_json().clone(),
        content: document,
        renamed,
    }))
}

/// What changed from `base` to the newest version. Knows less where less is kept: then a patch
/// that is so far behind is a conflict.
async fn history(
    api: &Api,
    guild: GuildId,
    base: Revision,
    newest: Revision,
) -> Result<History, StoreError> {
    let blank = History::new(newest);
    let behind = newest.0.saturating_sub(base.0);
    let limit = u32::try_from(behind).unwrap_or(u32::MAX);
    if behind == 0 || usize::try_from(behind).is_ok_and(|behind| behind > HISTORY_VERSIONS_MAX) {
        return Ok(blank);
    }
    let key = DocumentKey::Form(guild);
    let Some(start) = api.store.read_version(key, base).await? else {
        return Ok(blank);
    };
    let versions = api.store.versions_after(key, base, limit).await?;
    let mut history = History::new(base);
    let mut content = start.content;
    for version in versions
        .into_iter()
        .filter(|found| found.revision <= newest)
    {
        let Some((document, footprint)) = follow(&content, version.patch) else {
            return Ok(blank);
        };
        history.push(footprint);
        content = document;
    }
    Ok(if history.newest() == newest {
        history
    } else {
        blank
    })
}

fn follow(content: &Value, patch: Option<Value>) -> Option<(Value, Footprint)> {
    let patch = Patch::parse(patch?).ok()?;
    let applied = apply(content, &patch, Guard::Open).ok()?;
    Some((applied.document, applied.footprint))
}

fn not_a_form(faults: &Faults, detail: &str) -> Problem {
    let detail = match faults.unlisted() {
        0 => detail.to_owned(),
        more => format!("{detail}, and {more} more"),
    };
    let problem = Problem::new(ProblemKind::Unprocessable, detail);
    faults.list().iter().fold(problem, |problem, fault| {
        problem.at(&*fault.pointer, &*fault.message)
    })
}

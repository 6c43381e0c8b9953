//! The document of a session, as far as this node knows it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use guildgate_model::{
    Answers, Form, Revision, RoleId, UnixMs, UserId,
    form::{Renamed, check_size, role_gained},
};
use serde_json::Value;

use super::{Opened, PATCH_NAMES_MAX, PublishedForm, Target, Version, refusal};
use crate::{
    client::Refusal,
    rebase::{Applied, Footprint, FormGuard, Guard, History, Patch, RebaseError, apply},
};

/// The newest version that is known, and what is needed to judge a patch on it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) document: Value,
    pub(super) history: History,
    meaning: Meaning,
    names: Names,
}

/// What the document must make sense as.
#[derive(Debug)]
enum Meaning {
    /// A form.
    Form {
        /// When it opens by itself; none also where an older document is no form.
        opens_at: Option<UnixMs>,
        guard: FormGuard,
    },
    /// A draft of answers to a form; to none, where the guild has none.
    Draft(Option<Arc<PublishedForm>>),
}

/// A patch that was applied and found to make sense, not yet kept.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) document: Value,
    pub(super) footprint: Footprint,
    /// Fields that stand under another id in it: refused where a submission answers them by now.
    pub(super) renamed: Vec<Renamed>,
}

/// A version does not follow from what is known: a gap, or no patch that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

impl Content {
    pub(super) fn open(target: Target, opened: Opened) -> Result<Content, Broken> {
        let meaning = match target {
            Target::Form => Meaning::Form {
                opens_at: None,
                guard: FormGuard::new(opened.answered_fields),
            },
            Target::Answers(_) => Meaning::Draft(opened.form),
        };
        let mut content = Content {
            document: opened.document,
            history: History::new(opened.revision),
            meaning,
            names: Names::default(),
        };
        for version in &opened.versions {
            content.follow(version)?;
        }
        content.reread();
        Ok(content)
    }

    pub(super) fn newest(&self) -> Revision {
        self.history.newest()
    }

    /// The form that a draft answers.
    pub(super) fn published(&self) -> Option<&PublishedForm> {
        match &self.meaning {
            Meaning::Form { .. } => None,
            Meaning::Draft(form) => form.as_deref(),
        }
    }

    pub(super) fn publish(&mut self, newer: Arc<PublishedForm>) {
        if let Meaning::Draft(form) = &mut self.meaning
            && form
                .as_ref()
                .is_none_or(|form| form.revision < newer.revision)
        {
            *form = Some(newer);
        }
    }

    pub(super) fn lock(
        &mut self,
        fields: std::collections::BTreeSet<guildgate_model::form::FieldId>,
    ) {
        match &mut self.meaning {
            Meaning::Form { guard, .. } => guard.lock(fields),
            Meaning::Draft(_) => {}
        }
    }

    /// When the form opens by itself.
    pub(super) fn opens_at(&self) -> Option<UnixMs> {
        match &self.meaning {
            Meaning::Form { opens_at, .. } => *opens_at,
            Meaning::Draft(_) => None,
        }
    }

    /// The version that the user's patch of that name made, if it was taken before.
    pub(super) fn named(&self, user: UserId, name: &str) -> Option<Revision> {
        self.names.find(user, name)
    }

    /// What `patch` would make of the newest version.
    pub(super) fn try_patch(&self, base: Revision, patch: &Patch) -> Result<Next, Refusal> {
        let guard = match &self.meaning {
            Meaning::Form { guard, .. } => Guard::Form(guard),
            // There `apv` is a field's id like any other.
            Meaning::Draft(_) => Guard::Open,
        };
        let rebased = self.history.rebase(&self.document, base, patch, guard);
        let Applied {
            document,
            footprint,
            renamed,
        } = rebased.map_err(|error| match error {
            RebaseError::Stale { .. } => refusal::conflict(self.newest(), &self.document),
            RebaseError::Ahead { base, newest } => refusal::base_ahead(base, newest),
            RebaseError::Patch(error) => refusal::bad_patch(&error, self.newest(), &self.document),
        })?;
        check_size(&document).map_err(|faults| refusal::too_large(&faults))?;
        match &self.meaning {
            Meaning::Form { .. } => {
                Form::check(&document).map_err(|faults| refusal::invalid_form(&faults))?;
            }
            Meaning::Draft(published) => {
                let none = Form {
                    status: guildgate_model::form::Status::Closed,
                    sections: Vec::new(),
                    role_on_accept: None,
                };
                let form = published
                    .as_ref()
                    .map_or(&none, |published| &published.form);
                Answers::check_draft(form, &self.document, &document)
                    .map_err(|faults| refusal::invalid_answers(&faults))?;
            }
        }
        Ok(Next {
            document,
            footprint,
            renamed,
        })
    }

    /// The role that accepted applicants would get with `next`, and do not get now.
    pub(super) fn role_gained(&self, next: &Next) -> Option<RoleId> {
        match self.meaning {
            Meaning::Form { .. } => role_gained(&self.document, &next.document),
            Meaning::Draft(_) => None,
        }
    }

    /// The next version, of this session's own making, is kept.
    pub(super) fn advance(&mut self, next: Next, author: Option<UserId>, name: Option<&str>) {
        self.document = next.document;
        self.history.push(next.footprint);
        self.names.note(author, name, self.history.newest());
        self.reread();
    }

    /// The next version, as the store tells it.
    pub(super) fn follow(&mut self, version: &Version) -> Result<(), Broken> {
        if version.revision != self.newest().next() {
            return Err(Broken);
        }
        let patch = version.patch.clone().ok_or(Broken)?;
        let patch = Patch::parse(patch).map_err(|_| Broken)?;
        let applied = apply(&self.document, &patch, Guard::Open).map_err(|_| Broken)?;
        let next = Next {
            document: applied.document,
            footprint: applied.footprint,
            renamed: applied.renamed,
        };
        self.advance(next, version.author, version.name.as_deref());
        Ok(())
    }

    fn reread(&mut self) {
        if let Meaning::Form { opens_at, .. } = &mut self.meaning {
            let form = Form::check(&self.document).ok();
            *opens_at = form.and_then(|form| form.status.opens_at());
        }
    }
}

/// The names of the last patches that had one.
#[derive(Debug, Default)]
struct Names {
    known: BTreeMap<(UserId, Box<str>), Revision>,
    oldest_first: VecDeque<(UserId, Box<str>)>,
}

impl Names {
    fn note(&mut self, author: Option<UserId>, name: Option<&str>, revision: Revision) {
        let (Some(author), Some(name)) = (author, name) else {
            return;
        };
        let entry: (UserId, Box<str>) = (author, name.into());
        if self.known.insert(entry.clone(), revision).is_none() {
            self.oldest_first.push_back(entry);
        }
        if self.oldest_first.len() > PATCH_NAMES_MAX
            && let Some(forgotten) = self.oldest_first.pop_front()
        {
            self.known.remove(&forgotten);
        }
    }

    fn find(&self, author: UserId, name: &str) -> Option<Revision> {
        self.known.get(&(author, Box::from(name))).copied()
    }
}

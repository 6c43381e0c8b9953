//! What waits to be done to the document, and what is being done.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use guildgate_model::{Grants, Mono, Now, Revision, RoleId, UserId, form::FieldId};
use guildgate_wire::patch_taken;

use super::{
    Output, PublishedForm, SessionKey, Ticket, Version,
    content::{Content, Next},
    machine::answer,
};
use crate::{ClientId, client::Refusal, rebase::Patch};

/// The document and what is to be done to it.
#[derive(Debug, Default)]
pub(super) struct Patches {
    pub(super) content: Option<Content>,
    pub(super) sight: Sight,
    /// The highest version that is said to be kept.
    pub(super) goal: Revision,
    pub(super) work: Work,
    pub(super) queue: VecDeque<Pending>,
    pub(super) queue_bytes: usize,
    /// Not before then is a failing store asked again by itself.
    pub(super) retry_at: Option<Mono>,
    /// When the form must be looked at because it opens by itself.
    pub(super) opens_due: Option<Mono>,
}

/// Whether the content is all that there is, as far as is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    #[default]
    Clear,
    /// There may be later versions.
    Behind,
    /// What is known does not fit what is kept: it must be read as a whole.
    Lost,
}

/// The one question about the document that is open.
#[derive(Debug, Default)]
pub(super) enum Work {
    #[default]
    Idle,
    Opening(Ticket),
    Loading(Ticket),
    Appending(Box<Appending>),
}

/// A patch that the store is keeping.
#[derive(Debug)]
pub(super) struct Appending {
    pub(super) ticket: Ticket,
    pub(super) pending: Pending,
    pub(super) next: Next,
}

/// A patch that is not kept yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) origin: Origin,
    pub(super) base: Revision,
    pub(super) patch: Patch,
    pub(super) name: Option<Box<str>>,
    pub(super) bytes: usize,
    pub(super) tries: u32,
}

#[derive(Debug)]
pub(super) enum Origin {
    /// A user's; those clients of theirs wait for the answer.
    User {
        user: UserId,
        waiters: Vec<ClientId>,
        /// Which roles they may give.
        grants: Grants,
    },
    /// The form opens by itself.
    Nobody,
}

impl Patches {
    pub(super) fn on_changed(&mut self, revision: Revision) {
        self.goal = self.goal.max(revision);
    }

    pub(super) fn on_published(&mut self, form: Arc<PublishedForm>) {
        if let Some(content) = &mut self.content {
            content.publish(form);
        }
    }

    pub(super) fn on_submitted(&mut self, fields: BTreeSet<FieldId>) {
        if let Some(content) = &mut self.content {
            content.lock(fields);
        }
    }

    /// The document, unless it must be read anew.
    pub(super) fn current(&self) -> Option<&Content> {
        self.content.as_ref().filter(|_| self.sight != Sight::Lost)
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle) && self.queue.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        // While a question is open its reply comes first.
        if !matches!(self.work, Work::Idle) {
            return None;
        }
        self.retry_at.into_iter().chain(self.opens_due).min()
    }

    pub(super) fn has_waiter(&self, client: ClientId) -> bool {
        self.pending()
            .any(|pending| pending.waiters().contains(&client))
    }

    pub(super) fn forget_waiter(&mut self, client: ClientId) {
        let in_work = match &mut self.work {
            Work::Appending(appending) => Some(&mut appending.pending),
            Work::Idle | Work::Opening(_) | Work::Loading(_) => None,
        };
        for pending in self.queue.iter_mut().chain(in_work) {
            if let Origin::User { waiters, .. } = &mut pending.origin {
                waiters.retain(|waiter| *waiter != client);
            }
        }
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        let in_work = match &self.work {
            Work::Appending(appending) => Some(&appending.pending),
            Work::Idle | Work::Opening(_) | Work::Loading(_) => None,
        };
        self.queue.iter().chain(in_work)
    }

    pub(super) fn find_named(&mut self, user: UserId, name: &str) -> Option<&mut Pending> {
        let in_work = match &mut self.work {
            Work::Appending(appending) => Some(&mut appending.pending),
            Work::Idle | Work::Opening(_) | Work::Loading(_) => None,
        };
        let mut all = self.queue.iter_mut().chain(in_work);
        all.find(|pending| pending.is_named(user, name))
    }

    pub(super) fn push_back(&mut self, pending: Pending) {
        self.queue_bytes += pending.bytes;
        self.queue.push_back(pending);
    }

    pub(super) fn push_front(&mut self, pending: Pending) {
        self.queue_bytes += pending.bytes;
        self.queue.push_front(pending);
    }

    pub(super) fn pop_front(&mut self) -> Option<Pending> {
        let pending = self.queue.pop_front()?;
        self.queue_bytes -= pending.bytes;
        Some(pending)
    }

    /// Takes the patch of this name out of the queue: it is known to be kept.
    pub(super) fn take_named(&mut self, version: &Version) -> Option<Pending> {
        let (author, name) = (version.author?, version.name.as_deref()?);
        let mut all = self.queue.iter();
        let at = all.position(|pending| pending.is_named(author, name))?;
        let pending = self.queue.remove(at)?;
        self.queue_bytes -= pending.bytes;
        Some(pending)
    }

    pub(super) fn is_opening_queued(&self) -> bool {
        self.pending()
            .any(|pending| matches!(pending.origin, Origin::Nobody))
    }

    /// Sets when the form must be looked at again because of its opening time.
    pub(super) fn watch_opening(&mut self, now: Now) {
        let opens_at = self.content.as_ref().and_then(Content::opens_at);
        self.opens_due = opens_at.map(|at| now.mono_at(at));
    }

    /// Whether versions are kept that are not known here.
    pub(super) fn is_behind(&self, newest: Revision) -> bool {
        self.sight == Sight::Behind || self.goal > newest
    }
}

impl Pending {
    pub(super) fn waiters(&self) -> &[ClientId] {
        match &self.origin {
            Origin::User { waiters, .. } => waiters,
            Origin::Nobody => &[],
        }
    }

    pub(super) fn author(&self) -> Option<UserId> {
        match &self.origin {
            Origin::User { user, .. } => Some(*user),
            Origin::Nobody => None,
        }
    }

    /// Whether its author may have the form give this role.
    pub(super) fn may_give(&self, role: RoleId) -> bool {
        match &self.origin {
            Origin::User { grants, .. } => grants.allow(role),
            Origin::Nobody => false,
        }
    }

    pub(super) fn is_named(&self, user: UserId, name: &str) -> bool {
        self.author() == Some(user) && self.name.as_deref() == Some(name)
    }

    pub(super) fn refuse(&self, refusal: &Refusal, out: &mut Vec<Output>) {
        for client in self.waiters() {
            answer(out, *client, Err(refusal.clone()));
        }
    }

    pub(super) fn take(&self, key: SessionKey, revision: Revision, out: &mut Vec<Output>) {
        for client in self.waiters() {
            answer(out, *client, Ok(patch_taken(key.guild, revision)));
        }
    }
}

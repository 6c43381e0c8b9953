//! The one order of patches: what waits, what the store is keeping, what others made.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use guildgate_model::{Mono, Now, Revision, UserId, form::FieldId};
use guildgate_wire::{EventFrame, patch_taken};
use serde_json::{Value, json};

use super::{
    APPEND_TRIES_MAX, Append, Appended, Ask, FormSession, Opened, Output, PublishedForm,
    QUEUE_BYTES_MAX, QUEUE_PATCHES_MAX, STORE_RETRY, StoreFailed, Ticket, Version, WAITERS_MAX,
    content::{Content, Next},
    machine::answer,
    participant::Auth,
    refusal,
};
use crate::{ClientId, client::Refusal, rebase::Patch};

/// The document and what is to be done to it.
#[derive(Debug, Default)]
pub(super) struct Patches {
    content: Option<Content>,
    sight: Sight,
    /// The highest version that is said to be kept.
    goal: Revision,
    work: Work,
    queue: VecDeque<Pending>,
    queue_bytes: usize,
    /// Not before then is a failing store asked again by itself.
    retry_at: Option<Mono>,
    /// When the form must be looked at because it opens by itself.
    opens_due: Option<Mono>,
}

/// Whether the content is all that there is, as far as is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sight {
    #[default]
    Clear,
    /// There may be later versions.
    Behind,
    /// What is known does not fit what is kept: it must be read as a whole.
    Lost,
}

/// The one question about the document that is open.
#[derive(Debug, Default)]
enum Work {
    #[default]
    Idle,
    Opening(Ticket),
    Loading(Ticket),
    Appending(Box<Appending>),
}

/// A patch that the store is keeping.
#[derive(Debug)]
struct Appending {
    ticket: Ticket,
    pending: Pending,
    next: Next,
}

/// A patch that is not kept yet.
#[derive(Debug)]
struct Pending {
    origin: Origin,
    base: Revision,
    patch: Patch,
    name: Option<Box<str>>,
    bytes: usize,
    tries: u32,
}

#[derive(Debug)]
enum Origin {
    /// A user's; those clients of theirs wait for the answer.
    User {
        user: UserId,
        waiters: Vec<ClientId>,
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

    fn pending(&self) -> impl Iterator<Item = &Pending> {
        let in_work = match &self.work {
            Work::Appending(appending) => Some(&appending.pending),
            Work::Idle | Work::Opening(_) | Work::Loading(_) => None,
        };
        self.queue.iter().chain(in_work)
    }

    fn find_named(&mut self, user: UserId, name: &str) -> Option<&mut Pending> {
        let in_work = match &mut self.work {
            Work::Appending(appending) => Some(&mut appending.pending),
            Work::Idle | Work::Opening(_) | Work::Loading(_) => None,
        };
        let mut all = self.queue.iter_mut().chain(in_work);
        all.find(|pending| pending.is_named(user, name))
    }

    fn push_back(&mut self, pending: Pending) {
        self.queue_bytes += pending.bytes;
        self.queue.push_back(pending);
    }

    fn push_front(&mut self, pending: Pending) {
        self.queue_bytes += pending.bytes;
        self.queue.push_front(pending);
    }

    fn pop_front(&mut self) -> Option<Pending> {
        let pending = self.queue.pop_front()?;
        self.queue_bytes -= pending.bytes;
        Some(pending)
    }

    /// Takes the patch of this name out of the queue: it is known to be kept.
    fn take_named(&mut self, version: &Version) -> Option<Pending> {
        let (author, name) = (version.author?, version.name.as_deref()?);
        let mut all = self.queue.iter();
        let at = all.position(|pending| pending.is_named(author, name))?;
        let pending = self.queue.remove(at)?;
        self.queue_bytes -= pending.bytes;
        Some(pending)
    }

    fn is_opening_queued(&self) -> bool {
        self.pending()
            .any(|pending| matches!(pending.origin, Origin::Nobody))
    }

    /// Sets when the form must be looked at again because of its opening time.
    fn watch_opening(&mut self, now: Now) {
        let opens_at = self.content.as_ref().and_then(Content::opens_at);
        self.opens_due = opens_at.map(|at| now.mono_at(at));
    }

    /// Whether versions are kept that are not known here.
    fn is_behind(&self, newest: Revision) -> bool {
        self.sight == Sight::Behind || self.goal > newest
    }
}

impl Pending {
    fn waiters(&self) -> &[ClientId] {
        match &self.origin {
            Origin::User { waiters, .. } => waiters,
            Origin::Nobody => &[],
        }
    }

    fn author(&self) -> Option<UserId> {
        match &self.origin {
            Origin::User { user, .. } => Some(*user),
            Origin::Nobody => None,
        }
    }

    fn is_named(&self, user: UserId, name: &str) -> bool {
        self.author() == Some(user) && self.name.as_deref() == Some(name)
    }

    fn refuse(&self, refusal: &Refusal, out: &mut Vec<Output>) {
        for client in self.waiters() {
            answer(out, *client, Err(refusal.clone()));
        }
    }

    fn take(&self, session: &FormSession, revision: Revision, out: &mut Vec<Output>) {
        for client in self.waiters() {
            answer(out, *client, Ok(patch_taken(session.key.guild, revision)));
        }
    }
}

impl FormSession {
    pub(super) fn on_patch(
        &mut self,
        client: ClientId,
        base: Revision,
        json: Value,
        nonce: Option<Box<str>>,
        out: &mut Vec<Output>,
    ) {
        let user = match self.may_patch(client) {
            Ok(user) => user,
            Err(refused) => return answer(out, client, Err(refused)),
        };
        let text = json.to_string();
        let patch = match Patch::parse(json) {
            Ok(patch) => patch,
            Err(error) => {
                return answer(out, client, Err(refusal::malformed_patch(&error)));
            }
        };
        let name = nonce.map(|nonce| name_of(base, &text, &nonce));
        if let Some(name) = &name {
            let known = self.patches.content.as_ref();
            if let Some(revision) = known.and_then(|content| content.named(user, name)) {
                return answer(out, client, Ok(patch_taken(self.key.guild, revision)));
            }
            if let Some(Pending {
                origin: Origin::User { waiters, .. },
                ..
            }) = self.patches.find_named(user, name)
            {
                if waiters.len() < WAITERS_MAX {
                    waiters.push(client);
                } else {
                    answer(out, client, Err(refusal::too_many()));
                }
                return;
            }
        }
        let is_full = self.patches.queue.len() >= QUEUE_PATCHES_MAX
            || self.patches.queue_bytes + text.len() > QUEUE_BYTES_MAX;
        if is_full {
            return answer(out, client, Err(refusal::too_many()));
        }
        let waiters = vec![client];
        self.patches.push_back(Pending {
            origin: Origin::User { user, waiters },
            base,
            patch,
            name,
            bytes: text.len(),
            tries: 0,
        });
    }

    /// Looked at when a patch comes and again when it is taken: what happened in between counts.
    fn may_patch(&self, client: ClientId) -> Result<UserId, Refusal> {
        let participant = self
            .participants
            .find(client)
            .ok_or_else(refusal::no_session)?;
        match participant.auth {
            Auth::Good(_) => Ok(participant.user),
            Auth::Required { .. } | Auth::Checking(_) => Err(refusal::reauth_required()),
        }
    }

    /// Goes on with whatever can be gone on with. There is one question about the document open
    /// at a time, so that versions come in one order.
    pub(super) fn pump(&mut self, now: Now, out: &mut Vec<Output>) {
        self.look_at_opening(now);
        while matches!(self.patches.work, Work::Idle) {
            if !self.see_all(now, out) {
                return;
            }
            let Some(pending) = self.patches.pop_front() else {
                return;
            };
            self.begin(pending, out);
        }
    }

    /// Whether the document is there and known to its end; asks for it if not.
    fn see_all(&mut self, now: Now, out: &mut Vec<Output>) -> bool {
        let after = match &self.patches.content {
            Some(content) if self.patches.sight != Sight::Lost => {
                let newest = content.newest();
                if !self.patches.is_behind(newest) {
                    self.patches.retry_at = None;
                    return true;
                }
                Some(newest)
            }
            Some(_) | None => None,
        };
        let is_wanted = !self.participants.is_empty()
            || !self.patches.queue.is_empty()
            || self.is_document_awaited();
        let is_pressing = !self.patches.queue.is_empty() || self.is_document_awaited();
        let is_held_off = self.patches.retry_at.is_some_and(|at| now.mono < at);
        if is_wanted && is_held_off && !is_pressing {
            return false;
        }
        self.patches.retry_at = None;
        if !is_wanted {
            return false;
        }
        self.patches.work = match after {
            Some(after) => Work::Loading(self.ask(Ask::Load { after }, out)),
            None => Work::Opening(self.ask(Ask::Open, out)),
        };
        false
    }

    /// Begins to keep a patch, or answers why not.
    fn begin(&mut self, mut pending: Pending, out: &mut Vec<Output>) {
        if let Origin::User { waiters, .. } = &mut pending.origin {
            waiters.retain(|client| match self.may_patch(*client) {
                Ok(_) => true,
                Err(refused) => {
                    answer(out, *client, Err(refused));
                    false
                }
            });
            if waiters.is_empty() {
                return;
            }
        }
        let Some(content) = &self.patches.content else {
            return pending.refuse(&refusal::unavailable(), out);
        };
        let named = pending.author().zip(pending.name.as_deref());
        if let Some(revision) = named.and_then(|(user, name)| content.named(user, name)) {
            return pending.take(self, revision, out);
        }
        // Another node may have kept versions that its client has seen and this one has not.
        if pending.base > content.newest() && pending.tries == 0 {
            pending.tries += 1;
            self.patches.sight = Sight::Behind;
            return self.patches.push_front(pending);
        }
        match content.try_patch(pending.base, &pending.patch) {
            Ok(next) => {
                let append = Append {
                    base: content.newest(),
                    patch: pending.patch.as_json().clone(),
                    document: next.document.clone(),
                    author: pending.author(),
                    name: pending.name.clone(),
                };
                let ticket = self.ask(Ask::Append(Box::new(append)), out);
                self.patches.work = Work::Appending(Box::new(Appending {
                    ticket,
                    pending,
                    next,
                }));
            }
            Err(refused) => pending.refuse(&refused, out),
        }
    }

    pub(super) fn on_appended(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Appended,
        out: &mut Vec<Output>,
    ) {
        let (mut pending, next) = match std::mem::take(&mut self.patches.work) {
            Work::Appending(appending) if appending.ticket == ticket => {
                let Appending { pending, next, .. } = *appending;
                (pending, next)
            }
            other => {
                self.patches.work = other;
                return;
            }
        };
        let Some(content) = &mut self.patches.content else {
            return pending.refuse(&refusal::unavailable(), out);
        };
        let expected = content.newest().next();
        match result {
            Appended::Kept(revision) if revision == expected => {
                content.advance(next, pending.author(), pending.name.as_deref());
                self.tell_patch(
                    revision,
                    pending.author(),
                    pending.patch.as_json(),
                    pending.waiters(),
                    out,
                );
                pending.take(self, revision, out);
                self.patches.watch_opening(now);
            }
            // Kept before, by another node or before a crash: answered when its turn in the
            // order of versions has come, which may be now.
            Appended::Kept(revision) | Appended::KeptBefore(revision) if revision < expected => {
                pending.take(self, revision, out);
            }
            Appended::Kept(goal) | Appended::KeptBefore(goal) => {
                self.patches.push_front(pending);
                self.patches.on_changed(goal);
            }
            Appended::Conflict => {
                pending.tries += 1;
                if pending.tries > APPEND_TRIES_MAX {
                    pending.refuse(&refusal::unavailable(), out);
                } else {
                    self.patches.push_front(pending);
                }
                self.patches.sight = Sight::Behind;
            }
            Appended::Failed => {
                pending.refuse(&refusal::unavailable(), out);
                self.patches.sight = Sight::Behind;
            }
        }
    }

    pub(super) fn on_loaded(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<Vec<Version>, StoreFailed>,
        out: &mut Vec<Output>,
    ) {
        if !matches!(self.patches.work, Work::Loading(open) if open == ticket) {
            return;
        }
        self.patches.work = Work::Idle;
        let Ok(versions) = result else {
            return self.on_store_failed(now, out);
        };
        let is_end = versions.is_empty();
        if self.patches.sight == Sight::Behind {
            self.patches.sight = Sight::Clear;
        }
        for version in versions {
            self.follow(&version, out);
        }
        if let (true, Some(content)) = (is_end, &self.patches.content) {
            self.patches.goal = content.newest();
        }
        self.patches.watch_opening(now);
        self.admit_started(now, out);
    }

    /// Takes in a version that is kept, and tells everybody.
    fn follow(&mut self, version: &Version, out: &mut Vec<Output>) {
        let Some(content) = &mut self.patches.content else {
            return;
        };
        if version.revision <= content.newest() || self.patches.sight == Sight::Lost {
            return;
        }
        if content.follow(version).is_err() {
            self.patches.sight = Sight::Lost;
            return;
        }
        let patch = version.patch.as_ref().unwrap_or(&Value::Null);
        let own = self.patches.take_named(version);
        let waiters = own.as_ref().map_or(&[][..], Pending::waiters);
        self.tell_patch(version.revision, version.author, patch, waiters, out);
        if let Some(own) = own {
            own.take(self, version.revision, out);
        }
    }

    pub(super) fn on_opened(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<Box<Opened>, StoreFailed>,
        out: &mut Vec<Output>,
    ) {
        if !matches!(self.patches.work, Work::Opening(open) if open == ticket) {
            return;
        }
        self.patches.work = Work::Idle;
        let opened = result
            .ok()
            .map(|opened| Content::open(self.key.target, *opened));
        let Some(Ok(content)) = opened else {
            return self.on_store_failed(now, out);
        };
        let newest = content.newest();
        let before = self.patches.content.replace(content);
        self.patches.sight = Sight::Clear;
        self.patches.watch_opening(now);
        if before.is_some_and(|before| before.newest() != newest) {
            self.tell_whole(newest, out);
        }
        self.admit_started(now, out);
    }

    /// Whoever waits is told, rather than left waiting for a store that may stay away.
    fn on_store_failed(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(pending) = self.patches.pop_front() {
            pending.refuse(&refusal::unavailable(), out);
        }
        self.refuse_started(out);
        self.patches.retry_at = Some(now.mono + STORE_RETRY);
    }

    fn tell_patch(
        &self,
        revision: Revision,
        author: Option<UserId>,
        patch: &Value,
        but: &[ClientId],
        out: &mut Vec<Output>,
    ) {
        let mut others = self
            .participants
            .clients()
            .filter(|client| !but.contains(client))
            .peekable();
        if others.peek().is_none() {
            return;
        }
        let event = EventFrame::session_patch(self.key.guild, author, revision, patch);
        for client in others {
            let event = event.clone();
            out.push(Output::Event { client, event });
        }
    }

    /// The document was read as a whole: so it is told, as a patch of its root.
    fn tell_whole(&self, revision: Revision, out: &mut Vec<Output>) {
        let Some(content) = &self.patches.content else {
            return;
        };
        let patch = json!([{"op": "replace", "path": "", "value": content.document}]);
        self.tell_patch(revision, None, &patch, &[], out);
    }

    /// A form whose time has come opens by itself: a patch of nobody's, in its turn.
    fn look_at_opening(&mut self, now: Now) {
        let is_due = self.patches.opens_due.is_some_and(|at| at <= now.mono);
        if !is_due || self.patches.is_opening_queued() {
            return;
        }
        self.patches.watch_opening(now);
        let Some(content) = &self.patches.content else {
            return;
        };
        let form = guildgate_model::Form::check(&content.document).ok();
        let Some(json) = form.and_then(|form| form.opening_patch(now.wall)) else {
            return;
        };
        let Ok(patch) = Patch::parse(json) else {
            return;
        };
        let base = content.newest();
        // If this one comes to nothing, there is another try later.
        self.patches.opens_due = Some(now.mono + STORE_RETRY);
        self.patches.push_back(Pending {
            origin: Origin::Nobody,
            base,
            patch,
            name: None,
            bytes: 0,
            tries: 0,
        });
    }
}

/// What tells a repeated patch from a new one. A nonce alone is not enough: many clients count
/// theirs from the start again when their page is loaded.
fn name_of(base: Revision, patch: &str, nonce: &str) -> Box<str> {
    // FNV-1a: a collision hurts nobody but the user who made it.
    let digest = patch.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{base}.{digest:016x}.{nonce}").into()
}

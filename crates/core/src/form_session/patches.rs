//! The one order of patches: how they are taken, kept and told, this node's and others'.

use guildgate_model::{Form, Now, Revision, UserId};
use guildgate_wire::{EventFrame, patch_taken};
use serde_json::{Value, json};

use super::{
    APPEND_TRIES_MAX, Append, Appended, Ask, Caller, FormSession, Opened, Output, QUEUE_BYTES_MAX,
    QUEUE_PATCHES_MAX, STORE_RETRY, StoreFailed, Ticket, Version, WAITERS_MAX,
    content::Content,
    machine::answer,
    participant::Auth,
    queue::{Appending, Origin, Pending, Sight, Work},
    refusal,
};
use crate::{ClientId, client::Refusal, rebase::Patch};

impl FormSession {
    pub(super) fn on_patch(
        &mut self,
        caller: Caller,
        base: Revision,
        json: Value,
        nonce: Option<Box<str>>,
        out: &mut Vec<Output>,
    ) {
        let client = caller.client;
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
                origin: Origin::User {
                    waiters, grants, ..
                },
                ..
            }) = self.patches.find_named(user, name)
            {
                *grants = caller.grants;
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
            origin: Origin::User {
                user,
                waiters,
                grants: caller.grants,
            },
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
            return pending.take(self.key, revision, out);
        }
        // Another node may have kept versions that its client has seen and this one has not.
        if pending.base > content.newest() && pending.tries == 0 {
            pending.tries += 1;
            self.patches.sight = Sight::Behind;
            return self.patches.push_front(pending);
        }
        match content.try_patch(pending.base, &pending.patch) {
            Ok(next) => {
                if let Some(role) = content.role_gained(&next)
                    && !pending.may_give(role)
                {
                    return pending.refuse(&refusal::role_too_high(role), out);
                }
                let append = Append {
                    base: content.newest(),
                    patch: pending.patch.as_json().clone(),
                    document: next.document.clone(),
                    author: pending.author(),
                    name: match pending.origin {
                        Origin::User { .. } => pending.name.clone(),
                        Origin::Nobody => Some(Form::opening_name(content.newest())),
                    },
                    renamed: next.renamed.clone(),
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
                pending.take(self.key, revision, out);
                self.patches.watch_opening(now);
            }
            // Kept before, by another node or before a crash: answered when its turn in the
            // order of versions has come, which may be now.
            Appended::Kept(revision) | Appended::KeptBefore(revision) if revision < expected => {
                pending.take(self.key, revision, out);
            }
            Appended::Kept(goal) | Appended::KeptBefore(goal) => {
                self.patches.push_front(pending);
                self.patches.on_changed(goal);
            }
            Appended::Conflict => {
                pending.tries += 1;
                if pending.tries > APPEND_TRIES_MAX {
                    pending.refuse(&refusal::outrun(), out);
                } else {
                    self.patches.push_front(pending);
                }
                self.patches.sight = Sight::Behind;
            }
            // Judged again, and refused for what is known now.
            Appended::Answered(fields) => {
                content.lock(fields);
                self.patches.push_front(pending);
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
            own.take(self.key, version.revision, out);
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
        let form = Form::check(&content.document).ok();
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

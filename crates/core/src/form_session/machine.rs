//! The session itself: who comes, stays and goes. Patches are in `patches.rs`.

use std::collections::{BTreeMap, BTreeSet};

use guildgate_model::{Mono, Now, TokenId, UserId};
use guildgate_wire::{
    EndReason, EventFrame, FormView, ParticipantView, ReauthReason, SessionStarted,
    reauthenticated, session_heartbeat_taken, success,
};
use serde_json::value::RawValue;

use super::{
    Ask, Caller, Command, Credentials, HEARTBEAT_INTERVAL, Input, NotVerified, Output,
    PARTICIPANTS_MAX, PRESENCE_USERS_MAX, REAUTH_WITHIN, Reply, SessionKey, Standing, Ticket,
    Verified,
    participant::{Auth, Heartbeat, Link, Participant, Participants, Share},
    patches::Patches,
    refusal,
};
use crate::{ClientId, client::Refusal};

/// The live editing of one document on this node.
#[derive(Debug)]
pub struct FormSession {
    pub(super) key: SessionKey,
    pub(super) participants: Participants,
    pub(super) patches: Patches,
    starting: BTreeMap<ClientId, Starting>,
    checks: BTreeMap<Ticket, ClientId>,
    /// Tokens revoked while some are being looked at: the reply may be older than that.
    revoked: BTreeSet<TokenId>,
    tickets: u64,
}

/// A client that wants in.
#[derive(Debug)]
struct Starting {
    user: UserId,
    tag: Box<str>,
    standing: Standing,
    link: Link,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its tokens are being looked at.
    Checking,
    /// They are good; the document is being opened.
    Opening(Verified),
}

impl FormSession {
    /// A session without anybody in it yet.
    #[must_use]
    pub fn new(key: SessionKey) -> FormSession {
        FormSession {
            key,
            participants: Participants::default(),
            patches: Patches::default(),
            starting: BTreeMap::new(),
            checks: BTreeMap::new(),
            revoked: BTreeSet::new(),
            tickets: 0,
        }
    }

    /// Takes one input, and appends what is to be done about it to `out`, in order.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Command { caller, command } => self.on_command(now, caller, command, out),
            Input::Detached(client) => self.on_link(now, client, Link::Detached),
            Input::Attached(client) => self.on_link(now, client, Link::Attached),
            Input::Closed(client) => self.on_closed(client, out),
            Input::Standing { user, standing } => self.on_standing(now, user, standing, out),
            Input::TokenRevoked(token) => self.on_token_revoked(now, token, out),
            Input::GuildGone => self.on_guild_gone(out),
            Input::Changed(revision) => self.patches.on_changed(revision),
            Input::FormPublished(form) => self.patches.on_published(form),
            Input::Submitted(fields) => self.patches.on_submitted(fields),
            Input::Reply { ticket, reply } => self.on_reply(now, ticket, reply, out),
            Input::Deadline => self.on_deadline(now, out),
        }
        self.pump(now, out);
    }

    /// When [`Input::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let timers = [self.participants.deadline(), self.patches.deadline()];
        timers.into_iter().flatten().min()
    }

    /// Whether nobody takes part and nothing is under way: the session can be forgotten.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.participants.is_empty()
            && self.starting.is_empty()
            && self.checks.is_empty()
            && self.patches.is_idle()
    }

    /// Whether the client takes part, or is about to.
    #[must_use]
    pub fn has(&self, client: ClientId) -> bool {
        self.participants.find(client).is_some() || self.starting.contains_key(&client)
    }

    fn on_command(&mut self, now: Now, caller: Caller, command: Command, out: &mut Vec<Output>) {
        let client = caller.client;
        // How the caller stands is known best to who hands the command over.
        self.on_standing(now, caller.user, caller.standing, out);
        match command {
            Command::Start(credentials) => self.on_start(caller, credentials, out),
            Command::Patch { base, patch, nonce } => {
                if self.participants.find(client).is_none() {
                    return answer(out, client, Err(refusal::no_session()));
                }
                self.on_patch(client, base, patch, nonce, out);
            }
            Command::Reauth {
                credentials,
                known_permissions,
            } => self.on_reauth(now, client, credentials, &known_permissions, out),
            Command::Heartbeat => {
                let taken = self.participants.edit(client, now, |participant| {
                    // The next is sent when this one would have been too late, so that they
                    // keep their pace; one that comes unasked changes nothing.
                    if let Heartbeat::Awaited(until) = participant.heartbeat {
                        participant.heartbeat = Heartbeat::Due(until);
                    }
                    session_heartbeat_taken()
                });
                answer(out, client, taken.ok_or_else(refusal::no_session));
            }
            Command::End => {
                if self.participants.find(client).is_none() {
                    return answer(out, client, Err(refusal::no_session()));
                }
                answer(out, client, Ok(success()));
                self.end(client, EndReason::Command, out);
            }
        }
    }

    fn on_start(&mut self, caller: Caller, credentials: Credentials, out: &mut Vec<Output>) {
        let Caller {
            client,
            user,
            tag,
            standing,
        } = caller;
        let refused = if self.has(client) {
            Some(refusal::session_exists())
        } else if !self.key.target.admits(user, standing) {
            Some(refusal::forbidden(self.key.target))
        } else if self.participants.len() + self.starting.len() >= PARTICIPANTS_MAX {
            Some(refusal::crowded())
        } else {
            None
        };
        if let Some(refused) = refused {
            return answer(out, client, Err(refused));
        }
        let starting = Starting {
            user,
            tag,
            standing,
            link: Link::Attached,
            stage: Stage::Checking,
        };
        self.starting.insert(client, starting);
        let ticket = self.ask(Ask::Verify { user, credentials }, out);
        self.checks.insert(ticket, client);
    }

    fn on_reauth(
        &mut self,
        now: Now,
        client: ClientId,
        credentials: Credentials,
        known_permissions: &str,
        out: &mut Vec<Output>,
    ) {
        let Some(participant) = self.participants.find(client) else {
            return answer(out, client, Err(refusal::no_session()));
        };
        if !participant.was_told(known_permissions) {
            answer(out, client, Err(refusal::wrong_permissions()));
            return self.end(client, EndReason::ReauthFailed, out);
        }
        let user = participant.user;
        let ticket = self.ask(Ask::Verify { user, credentials }, out);
        self.checks.insert(ticket, client);
        self.participants.edit(client, now, |participant| {
            participant.auth = Auth::Checking(ticket);
        });
    }

    fn on_link(&mut self, now: Now, client: ClientId, link: Link) {
        if let Some(starting) = self.starting.get_mut(&client) {
            starting.link = link;
        }
        self.participants.edit(client, now, |participant| {
            participant.link = link;
            if link == Link::Attached {
                participant.heartbeat = Heartbeat::Due(now.mono + HEARTBEAT_INTERVAL);
            }
        });
    }

    fn on_closed(&mut self, client: ClientId, out: &mut Vec<Output>) {
        self.starting.remove(&client);
        self.checks.retain(|_, waiting| *waiting != client);
        self.patches.forget_waiter(client);
        self.leave(client, out);
    }

    fn on_standing(&mut self, now: Now, user: UserId, standing: Standing, out: &mut Vec<Output>) {
        for starting in self.starting.values_mut() {
            if starting.user == user {
                starting.standing = standing;
            }
        }
        for client in self.participants.clients_of(user) {
            let before = self.participants.find(client).map(|one| one.standing);
            if before == Some(standing) {
                continue;
            }
            self.participants.edit(client, now, |participant| {
                participant.standing = standing;
                participant.tell(standing.permissions());
            });
            if self.key.target.admits(user, standing) {
                self.require_reauth(now, client, ReauthReason::PermissionsChanged, out);
            } else {
                self.end(client, EndReason::Forbidden, out);
            }
        }
    }

    fn on_token_revoked(&mut self, now: Now, token: TokenId, out: &mut Vec<Output>) {
        if !self.checks.is_empty() {
            self.revoked.insert(token);
        }
        let holds = |verified: &Verified| verified.tokens.contains(&token);
        let holders: Vec<ClientId> = self
            .participants
            .all()
            .filter(|(_, one)| matches!(&one.auth, Auth::Good(verified) if holds(verified)))
            .map(|(client, _)| client)
            .collect();
        for client in holders {
            self.require_reauth(now, client, ReauthReason::TokenRevoked, out);
        }
        let opening: Vec<ClientId> = self
            .starting
            .iter()
            .filter(|(_, one)| matches!(&one.stage, Stage::Opening(verified) if holds(verified)))
            .map(|(client, _)| *client)
            .collect();
        for client in opening {
            self.starting.remove(&client);
            answer(out, client, Err(refusal::bad_tokens()));
        }
    }

    fn on_guild_gone(&mut self, out: &mut Vec<Output>) {
        for client in std::mem::take(&mut self.starting).into_keys() {
            let refused = Refusal::new(
                guildgate_wire::ErrorCode::UnknownGuild,
                "the bot is no longer in this guild",
            );
            self.checks.retain(|_, waiting| *waiting != client);
            answer(out, client, Err(refused));
        }
        // Everybody goes at once, so nobody is told of anybody's leaving.
        let clients: Vec<ClientId> = self.participants.clients().collect();
        for client in clients {
            self.participants.remove(client);
            self.tell_end(client, EndReason::GuildGone, out);
        }
    }

    fn on_reply(&mut self, now: Now, ticket: Ticket, reply: Reply, out: &mut Vec<Output>) {
        match reply {
            Reply::Verified(result) => {
                let Some(client) = self.checks.remove(&ticket) else {
                    return;
                };
                let result = match result {
                    Ok(verified) if verified.tokens.iter().any(|id| self.revoked.contains(id)) => {
                        Err(NotVerified::NotGood)
                    }
                    other => other,
                };
                if self.checks.is_empty() {
                    self.revoked.clear();
                }
                self.on_verified(now, ticket, client, result, out);
            }
            Reply::Opened(result) => self.on_opened(now, ticket, result, out),
            Reply::Loaded(result) => self.on_loaded(now, ticket, result, out),
            Reply::Appended(result) => self.on_appended(now, ticket, result, out),
        }
    }

    fn on_verified(
        &mut self,
        now: Now,
        ticket: Ticket,
        client: ClientId,
        result: Result<Verified, NotVerified>,
        out: &mut Vec<Output>,
    ) {
        if let Some(starting) = self.starting.get_mut(&client) {
            match result {
                Ok(verified) => {
                    starting.stage = Stage::Opening(verified);
                    self.admit_started(now, out);
                }
                Err(why) => {
                    self.starting.remove(&client);
                    answer(out, client, Err(not_verified(why)));
                }
            }
            return;
        }
        let checked = self.participants.find(client).map(|one| &one.auth);
        if !matches!(checked, Some(Auth::Checking(awaited)) if *awaited == ticket) {
            // It has left meanwhile; the command still wants its answer.
            return answer(out, client, Err(refusal::no_session()));
        }
        match result {
            Ok(verified) => {
                let permissions = self.participants.edit(client, now, |participant| {
                    participant.auth = Auth::Good(verified);
                    participant.settle();
                    participant.standing.permissions()
                });
                let data = permissions.map(reauthenticated);
                answer(out, client, data.ok_or_else(refusal::no_session));
            }
            Err(NotVerified::NotGood) => {
                answer(out, client, Err(refusal::bad_tokens()));
                self.end(client, EndReason::ReauthFailed, out);
            }
            Err(NotVerified::StoreFailed) => {
                let until = now.mono + REAUTH_WITHIN;
                self.participants.edit(client, now, |participant| {
                    participant.auth = Auth::Required { until };
                });
                answer(out, client, Err(refusal::unavailable()));
            }
        }
    }

    fn on_deadline(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(client) = self.participants.due(now.mono) {
            self.on_timer(now, client, out);
        }
    }

    fn on_timer(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        let Some(participant) = self.participants.find(client) else {
            return;
        };
        match &participant.auth {
            Auth::Required { until } if *until <= now.mono => {
                return self.end(client, EndReason::ReauthFailed, out);
            }
            Auth::Good(Verified {
                expires_at: Some(at),
                ..
            }) if *at <= now.wall => {
                return self.require_reauth(now, client, ReauthReason::TokenExpired, out);
            }
            Auth::Required { .. } | Auth::Good(_) | Auth::Checking(_) => {}
        }
        let awaited = Heartbeat::Awaited(now.mono + HEARTBEAT_INTERVAL);
        match participant.heartbeat {
            // A client without a socket is neither asked nor ended.
            _ if participant.link == Link::Detached => {
                self.participants.edit(client, now, |_| {});
            }
            Heartbeat::Awaited(until) if until <= now.mono && !self.is_answer_owed(client) => {
                self.end(client, EndReason::HeartbeatTimeout, out);
            }
            Heartbeat::Due(at) | Heartbeat::Awaited(at) if at <= now.mono => {
                let event = EventFrame::session_heartbeat(self.key.guild);
                out.push(Output::Event { client, event });
                self.participants
                    .edit(client, now, |participant| participant.heartbeat = awaited);
            }
            // The wall clock was set back: the token lasts longer than it seemed.
            Heartbeat::Due(_) | Heartbeat::Awaited(_) => {
                self.participants.edit(client, now, |_| {});
            }
        }
    }

    /// A client is fed no further command while it waits for an answer, so what it does not say
    /// meanwhile is not its fault.
    fn is_answer_owed(&self, client: ClientId) -> bool {
        let is_checking = self
            .participants
            .find(client)
            .is_some_and(|one| matches!(one.auth, Auth::Checking(_)));
        is_checking || self.patches.has_waiter(client)
    }

    fn require_reauth(
        &mut self,
        now: Now,
        client: ClientId,
        reason: ReauthReason,
        out: &mut Vec<Output>,
    ) {
        let until = now.mono + REAUTH_WITHIN;
        let is_new = self.participants.edit(client, now, |participant| {
            let is_good = matches!(participant.auth, Auth::Good(_));
            if is_good {
                participant.auth = Auth::Required { until };
            }
            is_good
        });
        // One request is enough for several reasons, and does not give more time.
        if is_new == Some(true) {
            let deadline_ms = u64::try_from(REAUTH_WITHIN.as_millis()).unwrap_or(u64::MAX);
            let event = EventFrame::session_reauth(self.key.guild, reason, deadline_ms);
            out.push(Output::Event { client, event });
        }
    }

    /// Lets in everybody whose tokens are good, once the document is open.
    pub(super) fn admit_started(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.patches.current().is_none() {
            return;
        }
        let ready: Vec<ClientId> = self
            .starting
            .iter()
            .filter(|(_, one)| matches!(one.stage, Stage::Opening(_)))
            .map(|(client, _)| *client)
            .collect();
        for client in ready {
            self.admit(now, client, out);
        }
    }

    fn admit(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        let Some(Starting {
            user,
            tag,
            standing,
            link,
            stage: Stage::Opening(verified),
        }) = self.starting.remove(&client)
        else {
            return;
        };
        // Rights may have gone while tokens and document were fetched.
        if !self.key.target.admits(user, standing) {
            return answer(out, client, Err(refusal::forbidden(self.key.target)));
        }
        let Some(content) = self.patches.current() else {
            return answer(out, client, Err(refusal::unavailable()));
        };
        let participants = self.participants.users().take(PRESENCE_USERS_MAX);
        let started = SessionStarted {
            gid: self.key.guild,
            apv: content.newest(),
            document: &content.document,
            participants: participants
                .map(|(uid, tag)| ParticipantView { uid, tag })
                .collect(),
            heartbeat_interval: u64::try_from(HEARTBEAT_INTERVAL.as_millis()).unwrap_or(u64::MAX),
            permissions: standing.permissions(),
            form: content.published().map(|published| FormView {
                apv: published.revision,
                document: &published.document,
            }),
        };
        answer(out, client, Ok(started.to_raw()));
        let who = ParticipantView {
            uid: user,
            tag: &tag,
        };
        let event = EventFrame::session_join(self.key.guild, &who);
        let mut participant = Participant::new(user, tag, standing, verified, now);
        participant.link = link;
        if self.participants.insert(client, participant, now) == Share::Only {
            self.tell_presence(client, &event, out);
        }
    }

    /// Whether somebody who waits to start cannot go on without the document.
    pub(super) fn is_document_awaited(&self) -> bool {
        let is_opening = |one: &Starting| matches!(one.stage, Stage::Opening(_));
        self.starting.values().any(is_opening)
    }

    /// Turns away everybody who waits for the document.
    pub(super) fn refuse_started(&mut self, out: &mut Vec<Output>) {
        self.starting.retain(|client, one| match one.stage {
            Stage::Checking => true,
            Stage::Opening(_) => {
                answer(out, *client, Err(refusal::unavailable()));
                false
            }
        });
    }

    fn end(&mut self, client: ClientId, reason: EndReason, out: &mut Vec<Output>) {
        self.tell_end(client, reason, out);
        self.leave(client, out);
    }

    fn tell_end(&self, client: ClientId, reason: EndReason, out: &mut Vec<Output>) {
        let event = EventFrame::application_session_end(self.key.guild, reason.name());
        out.push(Output::Event { client, event });
    }

    fn leave(&mut self, client: ClientId, out: &mut Vec<Output>) {
        let Some((participant, share)) = self.participants.remove(client) else {
            return;
        };
        if share == Share::Only {
            let who = ParticipantView {
                uid: participant.user,
                tag: &participant.tag,
            };
            let event = EventFrame::session_leave(self.key.guild, &who);
            self.tell_presence(client, &event, out);
        }
    }

    fn tell_presence(
        &self,
        about: ClientId,
        event: &std::sync::Arc<EventFrame>,
        out: &mut Vec<Output>,
    ) {
        if self.participants.count_users() > PRESENCE_USERS_MAX {
            return;
        }
        for client in self
            .participants
            .clients()
            .filter(|client| *client != about)
        {
            let event = event.clone();
            out.push(Output::Event { client, event });
        }
    }

    pub(super) fn ask(&mut self, ask: Ask, out: &mut Vec<Output>) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let key = self.key;
        out.push(Output::Ask { key, ticket, ask });
        ticket
    }
}

pub(super) fn answer(
    out: &mut Vec<Output>,
    client: ClientId,
    result: Result<Box<RawValue>, Refusal>,
) {
    out.push(Output::Answer { client, result });
}

fn not_verified(why: NotVerified) -> Refusal {
    match why {
        NotVerified::NotGood => refusal::bad_tokens(),
        NotVerified::StoreFailed => refusal::unavailable(),
    }
}

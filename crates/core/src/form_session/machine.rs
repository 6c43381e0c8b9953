//! The session itself: what happens to it, who stays and who goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use guildgate_model::{Mono, Now, TokenId, UserId};
use guildgate_wire::{
    EndReason, ErrorCode, EventFrame, ParticipantView, ReauthReason, session_heartbeat_taken,
    success,
};
use serde_json::value::RawValue;

use super::{
    Ask, Caller, Command, HEARTBEAT_INTERVAL, Input, NotVerified, Output, REAUTH_WITHIN, Reply,
    SessionKey, Standing, Ticket, Verified,
    crowd::Crowd,
    entry::{Stage, Starting},
    participant::{Auth, Heartbeat, Link, Participants},
    queue::Patches,
    refusal,
};
use crate::{ClientId, client::Refusal};

/// The live editing of one document on this node.
#[derive(Debug)]
pub struct FormSession {
    pub(super) key: SessionKey,
    pub(super) participants: Participants,
    /// While there are too many users to tell of each; none otherwise.
    pub(super) crowd: Option<Box<Crowd>>,
    pub(super) patches: Patches,
    pub(super) starting: BTreeMap<ClientId, Starting>,
    pub(super) checks: BTreeMap<Ticket, ClientId>,
    /// Tokens revoked while some are being looked at: the reply may be older than that.
    pub(super) revoked: BTreeSet<TokenId>,
    pub(super) tickets: u64,
    /// One for all: it is kept for each client until the client acknowledges it.
    heartbeat: Option<Arc<EventFrame>>,
}

impl FormSession {
    /// A session without anybody in it yet.
    #[must_use]
    pub fn new(key: SessionKey) -> FormSession {
        FormSession {
            key,
            participants: Participants::default(),
            crowd: None,
            patches: Patches::default(),
            starting: BTreeMap::new(),
            checks: BTreeMap::new(),
            revoked: BTreeSet::new(),
            tickets: 0,
            heartbeat: None,
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
        self.shed();
    }

    /// Gives back the memory of what only a start or a proof needs.
    fn shed(&mut self) {
        if self.starting.is_empty() {
            self.starting = BTreeMap::new();
        }
        if self.checks.is_empty() {
            self.checks = BTreeMap::new();
            self.revoked = BTreeSet::new();
        }
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
            Command::Start { credentials, nonce } => {
                self.on_start(caller, credentials, nonce, out);
            }
            Command::Patch { base, patch, nonce } => {
                if self.participants.find(client).is_none() {
                    return answer(out, client, Err(refusal::no_session()));
                }
                self.on_patch(caller, base, patch, nonce, out);
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
                ErrorCode::UnknownGuild,
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
        self.crowd = None;
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
                let guild = self.key.guild;
                let event = self
                    .heartbeat
                    .get_or_insert_with(|| EventFrame::session_heartbeat(guild))
                    .clone();
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

    pub(super) fn end(&mut self, client: ClientId, reason: EndReason, out: &mut Vec<Output>) {
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
        let who = ParticipantView {
            uid: participant.user,
            tag: &participant.tag,
        };
        self.tell_left(client, share, &who, out);
    }

    pub(super) fn tell_presence(
        &self,
        about: ClientId,
        event: &Arc<EventFrame>,
        out: &mut Vec<Output>,
    ) {
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

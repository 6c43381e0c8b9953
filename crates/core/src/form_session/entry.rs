//! How a client comes into a session, and proves itself again.

use guildgate_model::{Now, UserId};
use guildgate_wire::{
    EndReason, EventFrame, FormView, ParticipantView, SessionStarted, reauthenticated,
};
use serde_json::value::RawValue;

use super::{
    Ask, Caller, Credentials, FormSession, HEARTBEAT_INTERVAL, NotVerified, Output,
    PARTICIPANTS_MAX, REAUTH_WITHIN, Standing, Ticket, Verified,
    content::Content,
    machine::answer,
    participant::{Auth, Link, Participant},
    refusal,
};
use crate::{ClientId, client::Refusal};

/// A client that wants in.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) user: UserId,
    pub(super) tag: Box<str>,
    pub(super) standing: Standing,
    pub(super) link: Link,
    pub(super) nonce: Option<Box<str>>,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Its tokens are being looked at.
    Checking,
    /// They are good; the document is being opened.
    Opening(Verified),
}

impl FormSession {
    pub(super) fn on_start(
        &mut self,
        caller: Caller,
        credentials: Credentials,
        nonce: Option<Box<str>>,
        out: &mut Vec<Output>,
    ) {
        let Caller {
            client,
            user,
            tag,
            standing,
            grants: _,
        } = caller;
        if self.was_started(client, nonce.as_deref()) {
            return self.answer_again(client, out);
        }
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
            nonce,
            stage: Stage::Checking,
        };
        self.starting.insert(client, starting);
        let ticket = self.ask(Ask::Verify { user, credentials }, out);
        self.checks.insert(ticket, client);
    }

    /// Whether the client is in by a start with this nonce, whose answer it may not have had.
    pub(super) fn was_started(&self, client: ClientId, nonce: Option<&str>) -> bool {
        let started = self.participants.find(client);
        started.is_some_and(|one| nonce.is_some() && one.nonce.as_deref() == nonce)
    }

    /// Tells a client that is in how things are by now.
    fn answer_again(&mut self, client: ClientId, out: &mut Vec<Output>) {
        let (Some(participant), Some(content)) =
            (self.participants.find(client), self.patches.current())
        else {
            return answer(out, client, Err(refusal::unavailable()));
        };
        let user = participant.user;
        let is_alone = self.participants.clients_of(user).len() == 1;
        let own = is_alone.then_some(user);
        let data = self.started(participant.standing, content, own);
        answer(out, client, Ok(data));
        let named = self.named(own);
        self.note_named(client, named);
    }

    /// `data` of a start's answer; `own` is the user of a client that is in already, by no other.
    fn started(&self, standing: Standing, content: &Content, own: Option<UserId>) -> Box<RawValue> {
        let started = SessionStarted {
            gid: self.key.guild,
            apv: content.newest(),
            document: &content.document,
            participants: self
                .others(own)
                .map(|(uid, tag)| ParticipantView { uid, tag })
                .collect(),
            heartbeat_interval: u64::try_from(HEARTBEAT_INTERVAL.as_millis()).unwrap_or(u64::MAX),
            permissions: standing.permissions(),
            form: content.published().map(|published| FormView {
                apv: published.revision,
                document: &published.document,
            }),
        };
        started.to_raw()
    }

    pub(super) fn on_reauth(
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

    pub(super) fn on_verified(
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
            nonce,
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
        answer(out, client, Ok(self.started(standing, content, None)));
        let named = self.named(None);
        let who = ParticipantView {
            uid: user,
            tag: &tag,
        };
        let event = EventFrame::session_join(self.key.guild, &who);
        let mut participant = Participant::new(user, tag, standing, verified, now);
        participant.link = link;
        participant.nonce = nonce;
        let share = self.participants.insert(client, participant, now);
        self.tell_joined(client, share, named, &event, out);
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
}

fn not_verified(why: NotVerified) -> Refusal {
    match why {
        NotVerified::NotGood => refusal::bad_tokens(),
        NotVerified::StoreFailed => refusal::unavailable(),
    }
}

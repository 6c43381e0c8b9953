//! All sessions of a node: finds the one that an input is for, and forgets those that are over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use guildgate_model::{GuildId, Mono, Now, Revision, TokenId, UserId, form::FieldId};
use guildgate_wire::ErrorCode;

use super::{
    Caller, Command, FormSession, Input, Output, PublishedForm, Reply, SessionKey, Standing,
    Target, Ticket, machine::answer, refusal,
};
use crate::{ClientId, client::Refusal};

/// The live sessions of a node.
///
/// Holds what no single session can: that a connection has one session a guild, whatever its
/// target.
#[derive(Debug, Default)]
pub struct FormSessions {
    sessions: BTreeMap<SessionKey, Box<Live>>,
    timers: BTreeSet<(Mono, SessionKey)>,
    by_client: BTreeMap<ClientId, Vec<SessionKey>>,
}

/// A session, and what stands for it among the timers.
#[derive(Debug)]
struct Live {
    session: FormSession,
    armed: Option<Mono>,
}

/// What happens to the sessions of a node.
#[derive(Debug)]
pub enum SessionsInput {
    /// A client wants something.
    Command {
        /// In which guild; where the client did not say, in the one where it has a session.
        guild: Option<GuildId>,
        /// What is to be edited; looked at where a session is started.
        target: Target,
        /// Who.
        caller: Caller,
        /// What.
        command: Command,
    },
    /// A client's socket is gone; it may come back.
    Detached(ClientId),
    /// It is back.
    Attached(ClientId),
    /// It will not come back.
    Closed(ClientId),
    /// How a user stands in a guild, whenever that may have changed.
    Standing {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
        /// How.
        standing: Standing,
    },
    /// A token was revoked.
    TokenRevoked(TokenId),
    /// The bot is no longer in the guild.
    GuildGone(GuildId),
    /// A document has this version by now; the store's feed says so.
    Changed {
        /// Which.
        key: SessionKey,
        /// Its newest version.
        revision: Revision,
    },
    /// A guild's form has changed; for the drafts there.
    FormPublished {
        /// Where.
        guild: GuildId,
        /// What it is now.
        form: Arc<PublishedForm>,
    },
    /// Somebody applied: the ids of these fields stay.
    Submitted {
        /// Where.
        guild: GuildId,
        /// What was answered.
        fields: BTreeSet<FieldId>,
    },
    /// What came of an [`Output::Ask`].
    Reply {
        /// Which session asked.
        key: SessionKey,
        /// Which question.
        ticket: Ticket,
        /// What.
        reply: Reply,
    },
    /// The deadline has come; harmless if it has not.
    Deadline,
}

impl FormSessions {
    /// No session yet.
    #[must_use]
    pub fn new() -> FormSessions {
        FormSessions::default()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether somebody edits this here: whether the store's news of it are wanted.
    #[must_use]
    pub fn is_live(&self, key: SessionKey) -> bool {
        self.sessions.contains_key(&key)
    }

    /// The guilds where `client` takes part in a session, or is about to.
    pub fn guilds_of(&self, client: ClientId) -> impl Iterator<Item = GuildId> {
        let keys = self.by_client.get(&client).map_or(&[][..], Vec::as_slice);
        keys.iter().map(|key| key.guild)
    }

    /// When [`SessionsInput::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Takes one input, and appends what is to be done about it to `out`, in order.
    pub fn handle(&mut self, now: Now, input: SessionsInput, out: &mut Vec<Output>) {
        match input {
            SessionsInput::Command {
                guild,
                target,
                caller,
                command,
            } => self.on_command(now, guild, target, caller, command, out),
            SessionsInput::Detached(client) => {
                self.feed_all_of(client, now, || Input::Detached(client), out);
            }
            SessionsInput::Attached(client) => {
                self.feed_all_of(client, now, || Input::Attached(client), out);
            }
            SessionsInput::Closed(client) => {
                self.feed_all_of(client, now, || Input::Closed(client), out);
                self.by_client.remove(&client);
            }
            SessionsInput::Standing {
                guild,
                user,
                standing,
            } => {
                // A user is in two documents of a guild at most, however many are live there.
                for target in [Target::Form, Target::Answers(user)] {
                    let key = SessionKey { guild, target };
                    self.feed(key, now, Input::Standing { user, standing }, out);
                }
            }
            SessionsInput::TokenRevoked(token) => {
                let keys: Vec<SessionKey> = self.sessions.keys().copied().collect();
                for key in keys {
                    self.feed(key, now, Input::TokenRevoked(token), out);
                }
            }
            SessionsInput::GuildGone(guild) => {
                for key in self.keys_in(guild) {
                    self.feed(key, now, Input::GuildGone, out);
                }
            }
            SessionsInput::Changed { key, revision } => {
                self.feed(key, now, Input::Changed(revision), out);
            }
            SessionsInput::FormPublished { guild, form } => {
                for key in self.keys_in(guild) {
                    if key.target != Target::Form {
                        self.feed(key, now, Input::FormPublished(form.clone()), out);
                    }
                }
            }
            SessionsInput::Submitted { guild, fields } => {
                let target = Target::Form;
                self.feed(
                    SessionKey { guild, target },
                    now,
                    Input::Submitted(fields),
                    out,
                );
            }
            SessionsInput::Reply { key, ticket, reply } => {
                self.feed(key, now, Input::Reply { ticket, reply }, out);
            }
            SessionsInput::Deadline => {
                while let Some((at, key)) = self.timers.first().copied() {
                    if at > now.mono {
                        break;
                    }
                    self.feed(key, now, Input::Deadline, out);
                    if self.timers.first() == Some(&(at, key)) {
                        break;
                    }
                }
            }
        }
    }

    fn on_command(
        &mut self,
        now: Now,
        guild: Option<GuildId>,
        target: Target,
        caller: Caller,
        command: Command,
        out: &mut Vec<Output>,
    ) {
        let client = caller.client;
        let open = self.by_client.get(&client).map_or(&[][..], Vec::as_slice);
        let key = match (&command, guild) {
            (Command::Start { nonce, .. }, Some(guild)) => {
                let key = SessionKey { guild, target };
                // A start that is sent again finds its session; one of another target does not.
                let is_repeated = self
                    .sessions
                    .get(&key)
                    .is_some_and(|live| live.session.was_started(client, nonce.as_deref()));
                if !is_repeated && open.iter().any(|key| key.guild == guild) {
                    return answer(out, client, Err(refusal::session_exists()));
                }
                self.sessions
                    .entry(key)
                    .or_insert_with(|| Box::new(Live::new(key)));
                Ok(key)
            }
            (_, Some(guild)) => {
                let key = open.iter().find(|key| key.guild == guild);
                key.copied().ok_or_else(refusal::no_session)
            }
            (_, None) => match open {
                [] => Err(refusal::no_session()),
                [key] => Ok(*key),
                [_, _, ..] => Err(Refusal::new(
                    ErrorCode::BadRequest,
                    "gid: needed, since this connection has several application sessions",
                )),
            },
        };
        match key {
            Ok(key) => self.feed(key, now, Input::Command { caller, command }, out),
            Err(refused) => answer(out, client, Err(refused)),
        }
    }

    fn feed_all_of(
        &mut self,
        client: ClientId,
        now: Now,
        input: impl Fn() -> Input,
        out: &mut Vec<Output>,
    ) {
        for key in self.by_client.get(&client).cloned().unwrap_or_default() {
            self.feed(key, now, input(), out);
        }
    }

    fn keys_in(&self, guild: GuildId) -> Vec<SessionKey> {
        let first = SessionKey {
            guild,
            target: Target::Form,
        };
        self.sessions
            .range(first..)
            .map(|(key, _)| *key)
            .take_while(|key| key.guild == guild)
            .collect()
    }

    fn feed(&mut self, key: SessionKey, now: Now, input: Input, out: &mut Vec<Output>) {
        let Some(live) = self.sessions.get_mut(&key) else {
            return;
        };
        let session = &mut live.session;
        let concerned = match &input {
            Input::Command { caller, .. } => Some(caller.client),
            _ => None,
        };
        let before = out.len();
        session.handle(now, input, out);
        // Who is spoken to may have come or gone.
        let spoken_to: BTreeSet<ClientId> = out[before..]
            .iter()
            .filter_map(|output| match output {
                Output::Answer { client, .. } => Some(*client),
                Output::Event { client, event } => match event.ends() {
                    guildgate_wire::Ends::ApplicationSession(_) => Some(*client),
                    guildgate_wire::Ends::Nothing | guildgate_wire::Ends::GuildConnection(_) => {
                        None
                    }
                },
                Output::Ask { .. } => None,
            })
            .chain(concerned)
            .collect();
        for client in spoken_to {
            let is_in = session.has(client);
            let keys = self.by_client.entry(client).or_default();
            match keys.iter().position(|open| *open == key) {
                None if is_in => {
                    // Most have one, and a list that grows by itself begins with room for four.
                    keys.reserve_exact(1);
                    keys.push(key);
                }
                Some(at) if !is_in => {
                    keys.swap_remove(at);
                }
                None | Some(_) => {}
            }
            if keys.is_empty() {
                self.by_client.remove(&client);
            }
        }
        let deadline = if session.is_finished() {
            None
        } else {
            session.deadline()
        };
        let before = std::mem::replace(&mut live.armed, deadline);
        if session.is_finished() {
            self.sessions.remove(&key);
        }
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.timers.remove(&(at, key));
        }
        if let Some(at) = deadline {
            self.timers.insert((at, key));
        }
    }
}

impl Live {
    fn new(key: SessionKey) -> Live {
        Live {
            session: FormSession::new(key),
            armed: None,
        }
    }
}

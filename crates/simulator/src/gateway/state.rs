//! The whole simulated Discord: its world, connections and sessions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use guildgate_model::{GuildId, Now, Secret, UserId};
use serde::Serialize;
use serde_json::json;

use super::{
    Close, CloseCode, ConnectionId, Playback,
    budget::Budget,
    commands::Shown,
    connection::{Compression, Connection, Control, Opening, Phase},
    intents,
    motion::Movement,
    session::{Job, Link, Session},
    storm::Storm,
};
use crate::{
    clock::Clock,
    config::{Settings, SimulatorConfig, UserAccount},
    event::{Audience, Dispatch, Event},
    rest::Buckets,
    rng::{Rng, hash_text},
    world::{Applied, Change, ChangeError, Effect, World},
};

/// What the simulator has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Sockets that were opened.
    pub connections: u64,
    /// Good IDENTIFYs.
    pub identifies: u64,
    /// Good RESUMEs.
    pub resumes: u64,
    /// RESUMEs answered with op 9.
    pub resumes_refused: u64,
    /// Heartbeats received.
    pub heartbeats: u64,
    /// Payloads received, heartbeats included.
    pub payloads: u64,
    /// Events that the world brought about, each counted once however many got it.
    pub events: u64,
    /// Dispatches given to sessions.
    pub dispatches: u64,
    /// Connections that the gateway closed.
    pub closes: u64,
    /// Faults of storms.
    pub storm_faults: u64,
    /// REST calls.
    pub rest_calls: u64,
}

/// The state of everything but the sockets.
#[derive(Debug)]
pub(crate) struct Discord {
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) buckets: Buckets,
    pub(crate) token: Secret,
    pub(crate) user: Option<UserAccount>,
    pub(crate) budget: Budget,
    pub(crate) counters: Counters,
    pub(crate) now: Now,
    pub(super) clock: Clock,
    pub(super) seed: u64,
    pub(super) rng: Rng,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) sessions: BTreeMap<Box<str>, Session>,
    pub(super) movement: Movement,
    pub(super) playback: Option<Playback>,
    pub(super) storm: Option<Storm>,
    /// How those show themselves who have said so, by IDENTIFY or op 3.
    pub(super) shown: BTreeMap<UserId, Shown>,
    pub(super) wakes: BTreeSet<ConnectionId>,
    ended: Vec<ConnectionId>,
}

impl Discord {
    pub(crate) fn new(config: SimulatorConfig) -> Discord {
        let now = config.clock.now();
        Discord {
            world: config.world,
            settings: config.settings,
            buckets: Buckets::default(),
            token: config.token,
            user: config.user,
            budget: Budget::default(),
            counters: Counters::default(),
            now,
            movement: Movement::new(config.motion, now.mono),
            playback: config.playback,
            storm: None,
            clock: config.clock,
            seed: config.seed,
            rng: Rng::new(config.seed),
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            shown: BTreeMap::new(),
            wakes: BTreeSet::new(),
            ended: Vec::new(),
        }
    }

    /// A client dialled: HELLO waits for it, or the close that its URL earned.
    pub(crate) fn open(&mut self, opening: Opening) -> ConnectionId {
        self.counters.connections += 1;
        let id = ConnectionId(self.counters.connections);
        let compression = match opening.compress.as_deref() {
            None | Some("") => Ok(Compression::None),
            Some("zlib-stream") => Ok(Compression::Zlib),
            Some("zstd-stream") => Ok(Compression::Zstd),
            Some(_) => Err(CloseCode::DECODE_ERROR),
        };
        let fault = match (opening.version.as_deref(), opening.encoding.as_deref()) {
            (Some("9" | "10"), None | Some("json" | "")) => None,
            (Some("9" | "10"), Some(_)) => Some(CloseCode::DECODE_ERROR),
            (Some(_) | None, _) => Some(CloseCode::INVALID_VERSION),
        };
        let fault = fault.or(compression.err());
        let compression = compression.unwrap_or(Compression::None);
        let mut connection = Connection::new(self.now.mono, opening, compression);
        match fault {
            Some(code) => {
                connection.end(Close::With(code));
            }
            None => {
                let interval = self.settings.heartbeat_interval.as_millis();
                let interval = u64::try_from(interval).unwrap_or(u64::MAX);
                connection.say(
                    10,
                    &json!({ "heartbeat_interval": interval, "_trace": ["[\"simulator\"]"] }),
                );
            }
        }
        self.connections.insert(id, connection);
        self.wake(id);
        id
    }

    /// A socket is gone; `code` is that of the client's close frame, if it sent one.
    pub(crate) fn gone(&mut self, id: ConnectionId, code: Option<u16>) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        let Some(key) = connection.session().map(Box::<str>::from) else {
            return;
        };
        match code {
            // A client that closes so will not come back; its bot goes offline at once.
            Some(1000 | 1001) => self.forget(&key),
            Some(_) | None => self.unlink(&key),
        }
    }

    /// Ends a connection; its session, if any, can be resumed.
    pub(super) fn close(&mut self, id: ConnectionId, code: CloseCode) {
        self.end(id, Close::With(code));
    }

    pub(super) fn end(&mut self, id: ConnectionId, close: Close) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let session = connection.session().map(Box::<str>::from);
        connection.end(close);
        self.ended.push(id);
        self.counters.closes += 1;
        if let Some(key) = session {
            self.unlink(&key);
        }
        self.wake(id);
    }

    /// A session lost its socket and waits to be resumed.
    pub(super) fn unlink(&mut self, key: &str) {
        let until = self.now.mono + self.settings.resume_window;
        if let Some(session) = self.sessions.get_mut(key) {
            session.link = Link::Down { until };
        }
    }

    /// A session ends for good; the bot goes offline with its last one.
    pub(super) fn forget(&mut self, key: &str) {
        let Some(session) = self.sessions.remove(key) else {
            return;
        };
        if !self
            .sessions
            .values()
            .any(|other| other.user == session.user)
        {
            self.shown.remove(&session.user);
            self.presence_changed(session.user, "offline");
        }
    }

    /// Lets `change` happen and sends what follows from it.
    ///
    /// # Errors
    /// [`ChangeError`] where the world does not allow it.
    pub(crate) fn change(&mut self, change: Change) -> Result<Applied, ChangeError> {
        let mut applied = self.world.apply(self.now.wall, change)?;
        for effect in std::mem::take(&mut applied.effects) {
            match effect {
                Effect::Send(event) => self.dispatch(&event),
                Effect::GuildAppears(guild) => self.guild_appears(guild),
            }
        }
        Ok(applied)
    }

    /// Gives `event` to every session that may have it.
    pub(crate) fn dispatch(&mut self, event: &Event) {
        self.counters.events += 1;
        let gone = (event.dispatch.name == "GUILD_DELETE")
            .then(|| event.audience.guild_id())
            .flatten();
        let mut woken = Vec::new();
        for session in self.sessions.values_mut() {
            if let Some(guild) = gone {
                session.pending.remove(&guild);
            }
            if session.takes(event) {
                session.push(Arc::clone(&event.dispatch), &self.settings);
                self.counters.dispatches += 1;
                woken.extend(connection_of(session));
            }
        }
        woken.into_iter().for_each(|id| self.wake(id));
    }

    /// Sends an event that the world does not make by itself. Of its name only what names
    /// consist of is kept, since it goes into frames as it is.
    pub(crate) fn dispatch_raw(
        &mut self,
        name: &str,
        guild: Option<GuildId>,
        data: &serde_json::Value,
    ) {
        let plain = |byte: &char| byte.is_ascii_alphanumeric() || *byte == '_';
        let name: String = name.chars().filter(plain).collect();
        let needed = intents::needed(&name, guild.is_some());
        let audience = match guild {
            Some(guild) => Audience::Guild {
                guild,
                intents: needed,
            },
            None => Audience::FirstShard { intents: needed },
        };
        self.dispatch(&Event {
            audience,
            dispatch: Dispatch::new(name, data),
        });
    }

    fn guild_appears(&mut self, guild: GuildId) {
        self.counters.events += 1;
        let mut woken = Vec::new();
        for session in self.sessions.values_mut() {
            if session.shard.serves(guild) && session.intents & intents::GUILDS != 0 {
                session.pending.insert(guild);
                session.jobs.push_back(Job::Backfill(guild));
                woken.extend(connection_of(session));
            }
        }
        woken.into_iter().for_each(|id| self.wake(id));
    }

    /// Gives `dispatch` to one session.
    pub(super) fn tell(&mut self, key: &str, dispatch: Arc<Dispatch>) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.push(dispatch, &self.settings);
            self.counters.dispatches += 1;
            if let Some(id) = connection_of(session) {
                self.wake(id);
            }
        }
    }

    /// Notes that something waits for this connection.
    pub(super) fn wake(&mut self, id: ConnectionId) {
        let now = self.now.mono;
        if let Some(connection) = self.connections.get_mut(&id) {
            if connection.delay == Duration::ZERO {
                self.wakes.insert(id);
            } else if connection.held_until.is_none() {
                connection.held_until = Some(now + connection.delay);
            }
        }
    }

    /// The connections that have something to pull since this was last asked.
    pub(crate) fn take_wakes(&mut self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.wakes)
    }

    /// The connections that were ended since this was last asked.
    pub(crate) fn take_ended(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.ended)
    }

    /// Ends every connection; the simulator is going.
    pub(crate) fn shut_down(&mut self) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.end(
                id,
                Close::With(CloseCode {
                    code: 1001,
                    reason: "going away",
                }),
            );
        }
    }

    /// A new session's id.
    pub(super) fn new_session_id(&mut self) -> Box<str> {
        let number = self.rng.next();
        hash_text(number ^ self.seed).into()
    }

    /// Every session, for an operator to see.
    pub(crate) fn session_list(&self) -> Vec<serde_json::Value> {
        let mut shown = Vec::new();
        for (key, session) in &self.sessions {
            shown.push(json!({
                "id": key, "user": session.user, "shard": [session.shard.id, session.shard.count],
                "intents": session.intents, "seq": session.last,
                "connected": connection_of(session).is_some(),
            }));
        }
        shown
    }

    /// Whether a connection is being closed.
    pub(crate) fn is_closed(&self, id: ConnectionId) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|connection| connection.phase == Phase::Closed)
    }

    /// Whether this user has a session.
    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.sessions.values().any(|session| session.user == user)
    }

    pub(super) fn control(&mut self, id: ConnectionId, control: Control) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.control.push_back(control);
            self.wake(id);
        }
    }
}

/// The connection that a session is linked to.
pub(super) fn connection_of(session: &Session) -> Option<ConnectionId> {
    match session.link {
        Link::Up(id) => Some(id),
        Link::Down { .. } => None,
    }
}

#[cfg(test)]
mod tests;

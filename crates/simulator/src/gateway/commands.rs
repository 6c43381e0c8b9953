//! What a client sends: opcodes, their payloads, and what they earn.
//!
//! Source: Discord, "Opcodes and Status Codes" and "Gateway Events: Send Events".

use guildgate_model::{GuildId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CloseCode, ConnectionId, Discord,
    connection::{Acks, Phase},
    intents,
    session::Account,
};
use crate::{
    event::{Dispatch, Event},
    rng::{hash_text, mix},
    world::{Change, view},
};

/// How a user shows themselves.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    status: Box<str>,
    activities: Value,
}

#[derive(Deserialize)]
struct Payload {
    op: u64,
    #[serde(default)]
    d: Value,
}

impl Discord {
    /// One message of a client's.
    pub(crate) fn frame(&mut self, id: ConnectionId, message: &[u8]) {
        let (now, settings) = (self.now.mono, &self.settings);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.phase == Phase::Closed {
            return;
        }
        self.counters.payloads += 1;
        let fits = message.len() <= settings.payload_bytes_max;
        if fits && !connection.admit(now, settings.payloads_max, settings.payload_window) {
            return self.close(id, CloseCode::RATE_LIMITED);
        }
        if !fits {
            return self.close(id, CloseCode::DECODE_ERROR);
        }
        match serde_json::from_slice::<Payload>(message) {
            Ok(payload) => self.command(id, &payload),
            Err(_) => self.close(id, CloseCode::DECODE_ERROR),
        }
    }

    fn command(&mut self, id: ConnectionId, payload: &Payload) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let session = connection.session().map(Box::<str>::from);
        let d = &payload.d;
        match (payload.op, session) {
            (1, _) => self.heartbeat(id),
            (2 | 6, Some(_)) => self.close(id, CloseCode::ALREADY_AUTHENTICATED),
            (2, None) => self.identify(id, d),
            (6, None) => self.resume(id, d),
            (3 | 4 | 5 | 8 | 12 | 31 | 43, None) => self.close(id, CloseCode::NOT_AUTHENTICATED),
            (op @ (3 | 4 | 5 | 8 | 12 | 31 | 43), Some(key)) => {
                if let Err(code) = self.session_command(&key, op, d) {
                    self.close(id, code);
                }
            }
            (_, _) => self.close(id, CloseCode::UNKNOWN_OPCODE),
        }
    }

    fn heartbeat(&mut self, id: ConnectionId) {
        self.counters.heartbeats += 1;
        let now = self.now.mono;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.heard = now;
        match connection.acks {
            Acks::Sent => {
                connection.say(11, &Value::Null);
                self.wake(id);
            }
            Acks::Lost => {}
        }
    }

    fn session_command(&mut self, key: &str, op: u64, d: &Value) -> Result<(), CloseCode> {
        let Some(session) = self.sessions.get(key) else {
            return Ok(());
        };
        let (user, account) = (session.user, session.account);
        match (op, account) {
            (3, _) => {
                if !d.is_object() {
                    return Err(CloseCode::DECODE_ERROR);
                }
                self.set_presence(user, d);
                Ok(())
            }
            (4, _) => self.voice_state(key, user, d),
            (8, _) => self.request_members(key, d),
            (31, _) => self.request_sounds(key, d),
            (43, _) => self.request_channel_info(key, d),
            (5, Account::User) => {
                self.voice_ping(key, user);
                Ok(())
            }
            (12, Account::User) => self.guild_sync(key, user, d),
            // Bots know neither op 5 nor op 12.
            (_, Account::Bot | Account::User) => Err(CloseCode::UNKNOWN_OPCODE),
        }
    }

    /// Op 3.
    pub(super) fn set_presence(&mut self, user: UserId, presence: &Value) {
        let status = presence["status"].as_str().unwrap_or("online").to_owned();
        let activities = match &presence["activities"] {
            listed @ Value::Array(_) => listed.clone(),
            _ => json!([]),
        };
        let shown = Shown {
            // Nobody sees who is invisible.
            status: match &*status {
                "invisible" => "offline".into(),
                _ => status.into(),
            },
            activities,
        };
        let status = shown.status.clone();
        self.shown.insert(user, shown);
        self.presence_changed(user, &status);
    }

    /// PRESENCE_UPDATE in every guild that the user shares.
    pub(super) fn presence_changed(&mut self, user: UserId, status: &str) {
        let guilds = self
            .world
            .guilds()
            .filter(|guild| guild.members.contains(user));
        let listening = self
            .sessions
            .values()
            .any(|one| one.intents & intents::GUILD_PRESENCES != 0);
        if !listening {
            return;
        }
        let activities = self.activities(user);
        let events: Vec<Event> = guilds
            .map(|guild| {
                let data = json!({
                    "user": { "id": user }, "guild_id": guild.id, "status": status,
                    "activities": activities, "client_status": { "web": status },
                });
                Event::guild("PRESENCE_UPDATE", guild.id, intents::GUILD_PRESENCES, &data)
            })
            .collect();
        events.iter().for_each(|event| self.dispatch(event));
    }

    /// Op 4.
    fn voice_state(&mut self, key: &str, user: UserId, d: &Value) -> Result<(), CloseCode> {
        let guild = read_id(&d["guild_id"])
            .map(GuildId)
            .ok_or(CloseCode::DECODE_ERROR)?;
        let channel = match &d["channel_id"] {
            Value::Null => None,
            channel => Some(read_id(channel).ok_or(CloseCode::DECODE_ERROR)?),
        };
        let change = Change::Voice {
            guild,
            user,
            channel,
            self_mute: d["self_mute"] == json!(true),
            self_deaf: d["self_deaf"] == json!(true),
        };
        // Discord ignores what it cannot do here: a channel that is not there, a guild that is
        // not the bot's.
        if self.change(change).is_ok() && channel.is_some() {
            self.tell(key, voice_server(guild, user));
        }
        Ok(())
    }

    /// Op 5, of a user's account: the voice servers are named again.
    fn voice_ping(&mut self, key: &str, user: UserId) {
        let inside = |guild: &&crate::world::Guild| {
            guild
                .voice
                .binary_search_by_key(&user, |state| state.user)
                .is_ok()
        };
        let guilds: Vec<GuildId> = self
            .world
            .guilds()
            .filter(inside)
            .map(|guild| guild.id)
            .collect();
        for guild in guilds {
            self.tell(key, voice_server(guild, user));
        }
    }

    /// Op 12, of a user's account: the members and presences of each guild that it is in.
    fn guild_sync(&mut self, key: &str, user: UserId, d: &Value) -> Result<(), CloseCode> {
        let ids = d.as_array().ok_or(CloseCode::DECODE_ERROR)?;
        for id in ids.iter().filter_map(read_id).map(GuildId) {
            let Some(guild) = self
                .world
                .guild(id)
                .filter(|guild| guild.members.contains(user))
            else {
                continue;
            };
            let members: Vec<UserId> = guild
                .members
                .iter()
                .take(SYNC_MEMBERS_MAX)
                .map(|member| member.user)
                .collect();
            let shown = view::MemberList {
                world: &self.world,
                guild,
                users: &members,
            };
            let data = json!({ "id": id, "members": shown, "presences": self.presences(&members) });
            self.tell(key, Dispatch::new("GUILD_SYNC", &data));
        }
        Ok(())
    }

    /// Op 31.
    fn request_sounds(&mut self, key: &str, d: &Value) -> Result<(), CloseCode> {
        let ids = d["guild_ids"].as_array().ok_or(CloseCode::DECODE_ERROR)?;
        for guild in ids.iter().filter_map(read_id).map(GuildId) {
            if self.world.guild(guild).is_some() {
                let data = json!({ "guild_id": guild, "soundboard_sounds": [] });
                self.tell(key, Dispatch::new("SOUNDBOARD_SOUNDS", &data));
            }
        }
        Ok(())
    }

    /// Op 43.
    fn request_channel_info(&mut self, key: &str, d: &Value) -> Result<(), CloseCode> {
        let id = read_id(&d["guild_id"])
            .map(GuildId)
            .ok_or(CloseCode::DECODE_ERROR)?;
        let fields = d["fields"].as_array().ok_or(CloseCode::DECODE_ERROR)?;
        let Some(guild) = self.world.guild(id) else {
            return Ok(());
        };
        let voice = guild
            .channels
            .iter()
            .filter(|one| one.kind == crate::world::ChannelKind::Voice);
        let channels: Vec<Value> = voice
            .map(|channel| {
                let mut shown = json!({ "id": view::Id(channel.id) });
                if fields.contains(&json!("status")) {
                    shown["status"] = json!(channel.status);
                }
                if fields.contains(&json!("voice_start_time")) {
                    shown["voice_start_time"] = Value::Null;
                }
                shown
            })
            .collect();
        let data = json!({ "guild_id": id, "channels": channels });
        self.tell(key, Dispatch::new("CHANNEL_INFO", &data));
        Ok(())
    }

    /// The presences of those of `users` who are not offline.
    pub(super) fn presences(&self, users: &[UserId]) -> Vec<Value> {
        let shown = |&user: &UserId| {
            let status = self.status(user)?;
            Some(json!({
                "user": { "id": user }, "status": status, "activities": self.activities(user),
                "client_status": { "web": status },
            }))
        };
        users.iter().filter_map(shown).collect()
    }

    fn activities(&self, user: UserId) -> Value {
        let shown = self.shown.get(&user);
        shown.map_or(json!([]), |shown| shown.activities.clone())
    }

    /// A user's status, if they are not offline: as they say, or online while they have a
    /// session; that of people who never log in by chance, always the same.
    pub(super) fn status(&self, user: UserId) -> Option<&str> {
        if let Some(shown) = self.shown.get(&user) {
            return Some(&*shown.status).filter(|status| *status != "offline");
        }
        if user == self.world.bot() {
            return self.is_online(user).then_some("online");
        }
        match mix(user.0) % 4 {
            0 => Some("online"),
            1 => Some("idle"),
            _ => None,
        }
    }
}

fn voice_server(guild: GuildId, user: UserId) -> std::sync::Arc<Dispatch> {
    let token = &hash_text(guild.0 ^ user.0)[..16];
    let data =
        json!({ "guild_id": guild, "token": token, "endpoint": "voice.simulator.invalid:443" });
    Dispatch::new("VOICE_SERVER_UPDATE", &data)
}

/// An id as clients write it: a decimal string, or a number.
pub(super) fn read_id(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// How many members GUILD_SYNC lists.
const SYNC_MEMBERS_MAX: usize = 1_000;

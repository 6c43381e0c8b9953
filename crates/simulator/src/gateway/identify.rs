//! IDENTIFY and RESUME.
//!
//! Source: Discord, "Gateway Events: Identify" and "Resume".

use guildgate_model::{ShardId, UserId};
use serde_json::{Value, json};

use super::{
    CloseCode, ConnectionId, Discord,
    budget::{Admission, TokenState},
    connection::{Compression, Entry, Phase},
    intents,
    session::{Account, Job, Link, Session},
};
use crate::{
    config::MainUrlResume,
    event::Dispatch,
    world::{PRIVILEGED, view},
};

/// What an IDENTIFY asked for, once it is known to be allowed.
struct Wish {
    account: Account,
    user: UserId,
    shard: ShardId,
    intents: u64,
    large_threshold: u64,
}

impl Discord {
    pub(super) fn identify(&mut self, id: ConnectionId, d: &Value) {
        let wish = match self.read_identify(d) {
            Ok(wish) => wish,
            Err(code) => return self.close(id, code),
        };
        if wish.account == Account::Bot {
            match self
                .budget
                .admit(self.now.mono, wish.shard.id, &self.settings)
            {
                Admission::Admitted => {}
                Admission::TooSoon => return self.invalid_session(id, false),
                Admission::Overrun => return self.kill_all(),
            }
        }
        self.counters.identifies += 1;
        let payload = d["compress"] == json!(true);
        if let Some(connection) = self.connections.get_mut(&id)
            && payload
            && connection.compression == Compression::None
        {
            connection.compression = Compression::Payload;
        }
        self.start_session(id, &wish, d);
    }

    fn read_identify(&self, d: &Value) -> Result<Wish, CloseCode> {
        let (account, user) = self.account(d).ok_or(CloseCode::AUTHENTICATION_FAILED)?;
        let shard = match &d["shard"] {
            Value::Null => ShardId { id: 0, count: 1 },
            asked => {
                read_shard(asked, self.settings.shards_multiple).ok_or(CloseCode::INVALID_SHARD)?
            }
        };
        let guilds = self
            .world
            .guilds()
            .filter(|guild| shard.serves(guild.id))
            .count();
        if guilds > self.settings.guilds_per_shard_max {
            return Err(CloseCode::SHARDING_REQUIRED);
        }
        let asked = match (&d["intents"], account) {
            // Users' clients do not know intents; they get everything.
            (Value::Null, Account::User) => intents::ALL,
            (asked, _) => asked.as_u64().ok_or(CloseCode::INVALID_INTENTS)?,
        };
        if asked & !intents::ALL != 0 {
            return Err(CloseCode::INVALID_INTENTS);
        }
        let allowed = self.world.application().privileged_intents;
        if account == Account::Bot && asked & PRIVILEGED & !allowed != 0 {
            return Err(CloseCode::DISALLOWED_INTENTS);
        }
        let large_threshold = d["large_threshold"].as_u64().unwrap_or(50).clamp(50, 250);
        Ok(Wish {
            account,
            user,
            shard,
            intents: asked,
            large_threshold,
        })
    }

    /// Whose token `d` carries, if it is good.
    fn account(&self, d: &Value) -> Option<(Account, UserId)> {
        let token = d["token"].as_str()?;
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        if token == self.token.expose() {
            return (self.budget.token() == TokenState::Good)
                .then_some((Account::Bot, self.world.bot()));
        }
        let user = self
            .user
            .as_ref()
            .filter(|user| user.token.expose() == token)?;
        Some((Account::User, user.user))
    }

    fn start_session(&mut self, id: ConnectionId, wish: &Wish, d: &Value) {
        let key = self.new_session_id();
        let mut session = Session::new(wish.account, wish.user, wish.shard, wish.intents, id);
        session.large_threshold = wish.large_threshold;
        let member = |guild: &&crate::world::Guild| {
            wish.shard.serves(guild.id) && guild.members.contains(wish.user)
        };
        let guilds: Vec<_> = self
            .world
            .guilds()
            .filter(member)
            .map(|guild| guild.id)
            .collect();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.phase = Phase::Live(key.clone());
        let user = self.world.user(wish.user);
        let listed: Vec<Value> = guilds
            .iter()
            .map(|id| json!({ "id": id, "unavailable": true }))
            .collect();
        let mut shown = view::value(&view::user(&user));
        shown["verified"] = json!(true);
        shown["mfa_enabled"] = json!(true);
        shown["email"] = Value::Null;
        shown["flags"] = json!(0);
        let application = self.world.application();
        let ready = json!({
            "v": 10, "user": shown, "guilds": listed, "session_id": key,
            "session_type": "normal",
            "resume_gateway_url": format!("{}/resume", connection.base_url),
            "shard": [wish.shard.id, wish.shard.count],
            "application": {
                "id": view::Id(application.id),
                "flags": view::flags(application.privileged_intents),
            },
            "private_channels": [], "relationships": [], "presences": [], "guild_join_requests": [],
            "user_settings": {}, "geo_ordered_rtc_regions": [], "auth": {}, "_trace": ["[\"simulator\"]"],
        });
        if self.playback.is_some() {
            self.sessions.insert(key.clone(), session);
            return self.start_playback(&key, &ready);
        }
        if wish.intents & intents::GUILDS != 0 {
            session.pending = guilds.iter().copied().collect();
            session.jobs = guilds.into_iter().map(Job::Backfill).collect();
        }
        session.push(Dispatch::new("READY", &ready), &self.settings);
        self.counters.dispatches += 1;
        self.sessions.insert(key, session);
        self.wake(id);
        match &d["presence"] {
            Value::Null => self.presence_changed(wish.user, "online"),
            presence => self.set_presence(wish.user, presence),
        }
    }

    pub(super) fn resume(&mut self, id: ConnectionId, d: &Value) {
        let Some((_, user)) = self.account(d) else {
            return self.close(id, CloseCode::AUTHENTICATION_FAILED);
        };
        let (Some(key), Some(seq)) = (d["session_id"].as_str(), read_seq(&d["seq"])) else {
            return self.close(id, CloseCode::DECODE_ERROR);
        };
        let Some(session) = self
            .sessions
            .get_mut(key)
            .filter(|session| session.user == user)
        else {
            return self.refuse_resume(id);
        };
        if seq > session.last {
            return self.close(id, CloseCode::INVALID_SEQ);
        }
        if seq < session.forgotten() {
            let key = Box::<str>::from(key);
            self.forget(&key);
            return self.refuse_resume(id);
        }
        let old = super::state::connection_of(session);
        if let Some(old) = old {
            self.close(old, CloseCode::UNKNOWN_ERROR);
        }
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.sent = seq;
        session.link = Link::Up(id);
        session.push(
            Dispatch::new("RESUMED", &json!({ "_trace": ["[\"simulator\"]"] })),
            &self.settings,
        );
        session.resumed_at = session.last;
        self.counters.resumes += 1;
        self.counters.dispatches += 1;
        let early = match self.settings.main_url_resume {
            MainUrlResume::Kept => None,
            MainUrlResume::ReconnectedAfter(time) => Some(self.now.mono + time),
        };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Live(key.into());
            connection.reconnect_at = early.filter(|_| connection.entry == Entry::Main);
        }
        self.wake(id);
    }

    fn refuse_resume(&mut self, id: ConnectionId) {
        self.counters.resumes_refused += 1;
        self.invalid_session(id, false);
    }

    /// Op 9. The socket stays and may IDENTIFY, or RESUME again where it may be `resumable`.
    pub(super) fn invalid_session(&mut self, id: ConnectionId, resumable: bool) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let session = connection.session().map(Box::<str>::from);
        connection.phase = Phase::Waiting;
        connection.reconnect_at = None;
        connection.say(9, &json!(resumable));
        if let Some(key) = session {
            if resumable {
                self.unlink(&key);
            } else {
                self.forget(&key);
            }
        }
        self.wake(id);
    }

    /// The allowance is overrun: every session of the bot's dies, and its token is reset.
    fn kill_all(&mut self) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.close(id, CloseCode::AUTHENTICATION_FAILED);
        }
        let keys: Vec<Box<str>> = self.sessions.keys().cloned().collect();
        for key in keys {
            self.forget(&key);
        }
    }
}

fn read_shard(asked: &Value, multiple: u32) -> Option<ShardId> {
    let [id, count] = asked.as_array()?.as_slice() else {
        return None;
    };
    let (id, count) = (
        u32::try_from(id.as_u64()?).ok()?,
        u32::try_from(count.as_u64()?).ok()?,
    );
    let fits = id < count && (multiple <= 1 || count.is_multiple_of(multiple));
    fits.then_some(ShardId { id, count })
}

/// A sequence number; null stands for none yet.
fn read_seq(seq: &Value) -> Option<u64> {
    match seq {
        Value::Null => Some(0),
        seq => seq.as_u64(),
    }
}

//! A hub with a clock that is moved by hand, and clients that believe what they are told.

use std::{collections::BTreeMap, time::Duration};

use guildgate_model::{
    GuildData, GuildId, MemberData, Mono, Now, Permissions, Role, RoleId, ShardId, UnixMs,
    UpstreamEvent, UserId, WantedMark,
};
use guildgate_wire::EventFrame;
use serde_json::Value;

use super::super::{Arrival, Audience, Config, Entry, Hub, Input, Output, Query, Rights};
use crate::{
    ClientId,
    form_session::{Ask, SessionKey, Ticket},
};

pub(super) const SHARD: ShardId = ShardId { id: 0, count: 1 };
pub(super) const GUILD: GuildId = GuildId(1);
pub(super) const OTHER: GuildId = GuildId(2);
pub(super) const OWNER: UserId = UserId(100);
pub(super) const ANN: UserId = UserId(101);
pub(super) const BOB: UserId = UserId(102);
/// The everyone role of [`GUILD`] allows this.
pub(super) const VIEW: Permissions = Permissions::VIEW_CHANNEL;

/// What one client knows, as a page that merges what it is sent.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) user_id: Option<UserId>,
    pub(super) on: Option<GuildId>,
    /// Whether a CONNECT_GUILD is open.
    pub(super) waits: bool,
    pub(super) guild: Value,
    pub(super) user: Value,
    /// The code of the last refusal.
    pub(super) refused: Option<&'static str>,
    /// Every event since it was last looked at: its name, its `d`, and when.
    pub(super) events: Vec<(String, Value, Now)>,
}

impl Screen {
    /// What the user may do, as the page shows it.
    pub(super) fn permissions(&self) -> Permissions {
        match &self.user["permissions"] {
            Value::String(text) => text.parse().expect("permissions are decimal"),
            _ => Permissions::NONE,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.guild["member_count"].as_u64().expect("a count")
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.events.iter().map(|(name, ..)| name.as_str()).collect()
    }

    fn hear(&mut self, event: &EventFrame, now: Now) {
        let mut text = Vec::new();
        event.write_to(None, &mut text);
        let frame: Value = serde_json::from_slice(&text).expect("a frame is JSON");
        let name = frame["ev"].as_str().expect("a name").to_owned();
        let data = &frame["d"];
        if name.starts_with("APPLICATION_") {
            self.events.push((name, data.clone(), now));
            return;
        }
        assert_eq!(
            data["guild_id"],
            self.on
                .map_or(Value::Null, |guild| guild.to_string().into()),
            "{name} of a guild that the client is not on"
        );
        match name.as_str() {
            "GUILD_MEMBER_COUNT_CHANGE" => {
                self.guild["member_count"] = data["member_count"].clone();
                self.guild["count"] = data["member_count"].clone();
            }
            "GUILD_UPDATE" => self.guild = data["guild"].clone(),
            "GUILD_RESYNC" => {
                self.guild = data["guild"].clone();
                self.user = data["user"].clone();
                self.assert_own(&data["user"]);
            }
            "GUILD_PRIVILEGE_UPDATE" => {
                self.assert_own(data);
                let after_resync = self.names().last() == Some(&"GUILD_RESYNC");
                let known = data["permissions"] == self.permissions().to_string();
                assert!(!known || after_resync, "told what was known");
                self.user = data.clone();
            }
            "GUILD_UNAVAILABLE" => {
                if data["left"] == true {
                    self.on = None;
                }
            }
            other => panic!("unexpected {other}"),
        }
        self.events.push((name, data.clone(), now));
    }

    fn assert_own(&self, user: &Value) {
        if let Value::String(id) = &user["id"] {
            assert_eq!(id.parse().ok(), self.user_id, "somebody else's rights");
        }
    }
}

pub(super) struct Rig {
    pub(super) hub: Hub,
    held_since: Option<Mono>,
    pub(super) now: Now,
    pub(super) screens: BTreeMap<ClientId, Screen>,
    /// Requests for members, unanswered.
    pub(super) asked: Vec<(GuildId, Vec<UserId>)>,
    /// Requests for all members of a guild, unanswered.
    pub(super) asked_for_all: Vec<GuildId>,
    pub(super) fetches: Vec<GuildId>,
    pub(super) arrivals: Vec<(GuildId, Arrival)>,
    /// Answers to commands of application sessions: `data`, or the code.
    pub(super) answers: Vec<(ClientId, Result<Value, &'static str>)>,
    /// What application sessions want to know.
    pub(super) session_asks: Vec<(SessionKey, Ticket, Ask)>,
    /// What was asked about somebody's rights.
    pub(super) rights: Vec<(Query, Result<Rights, &'static str>)>,
    /// How many events were encoded and sent to a whole guild.
    pub(super) broadcasts: usize,
}

impl Rig {
    pub(super) fn new(config: Config) -> Rig {
        Rig {
            hub: Hub::new(config),
            held_since: None,
            now: Now {
                mono: Default::default(),
                wall: UnixMs(1_800_000_000_000),
            },
            screens: BTreeMap::new(),
            asked: Vec::new(),
            asked_for_all: Vec::new(),
            fetches: Vec::new(),
            arrivals: Vec::new(),
            answers: Vec::new(),
            session_asks: Vec::new(),
            rights: Vec::new(),
            broadcasts: 0,
        }
    }

    /// How long the last thing that was told to a guild had been held back.
    pub(super) fn held_for(&self) -> Option<Duration> {
        self.held_since.map(|since| self.now.mono.since(since))
    }

    /// A hub whose one shard is up with [`GUILD`] and [`OTHER`], both [`sample`]s.
    pub(super) fn up() -> Rig {
        Rig::up_with(Config::default())
    }

    pub(super) fn up_with(config: Config) -> Rig {
        let mut rig = Rig::new(config);
        rig.ready(&[GUILD, OTHER]);
        for guild in [GUILD, OTHER] {
            rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(guild))));
        }
        rig
    }

    pub(super) fn ready(&mut self, guilds: &[GuildId]) {
        self.tell(UpstreamEvent::SessionStarted {
            bot: UserId(1),
            guilds: guilds.to_vec(),
        });
    }

    pub(super) fn tell(&mut self, event: UpstreamEvent) {
        self.tell_marked(event, WantedMark::ALL);
    }

    /// [`Rig::tell`] of an event that was decoded at `mark`.
    pub(super) fn tell_marked(&mut self, event: UpstreamEvent, mark: WantedMark) {
        let shard = SHARD;
        self.put(Input::Upstream { shard, event, mark });
    }

    /// [`Rig::tell`] of a GUILD_UPDATE of [`GUILD`].
    pub(super) fn update(&mut self, change: impl FnOnce(&mut GuildData)) {
        let mut data = GuildData::new(GUILD);
        change(&mut data);
        self.tell(UpstreamEvent::GuildChanged(Box::new(data)));
    }

    pub(super) fn put(&mut self, input: Input) {
        let mut out = Vec::new();
        self.hub.handle(self.now, input, &mut out);
        for output in out {
            self.perform(output);
        }
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        while let Some(due) = self.hub.deadline().filter(|&due| due <= end.mono) {
            self.now = self.now.after(due.since(self.now.mono));
            self.put(Input::Deadline);
            assert!(
                self.hub.deadline().is_none_or(|next| next > due),
                "a deadline that is not met"
            );
        }
        self.now = end;
    }

    pub(super) fn connect(&mut self, client: ClientId, guild: GuildId, user: Option<UserId>) {
        let screen = self.screens.entry(client).or_default();
        screen.user_id = user;
        screen.refused = None;
        screen.waits = true;
        self.put(Input::Connect {
            client,
            guild,
            user,
        });
    }

    /// Connects `client`, whose user is a member with `roles`.
    pub(super) fn connect_member(&mut self, client: ClientId, user: UserId, roles: &[u64]) {
        self.connect(client, GUILD, Some(user));
        self.pass(20);
        self.answer(GUILD, vec![member(user, roles)], vec![]);
    }

    pub(super) fn answer(
        &mut self,
        guild: GuildId,
        members: Vec<MemberData>,
        not_found: Vec<UserId>,
    ) {
        self.asked.clear();
        self.tell(UpstreamEvent::Members {
            guild,
            members,
            not_found,
        });
    }

    pub(super) fn screen(&self, client: ClientId) -> &Screen {
        &self.screens[&client]
    }

    /// The names of the events that `client` has heard since it was last asked.
    pub(super) fn heard(&mut self, client: ClientId) -> Vec<String> {
        let screen = self.screens.get_mut(&client).expect("a client");
        screen.events.drain(..).map(|(name, ..)| name).collect()
    }

    fn perform(&mut self, output: Output) {
        let now = self.now;
        match output {
            Output::Connected {
                client,
                guild,
                entry,
                guild_json,
                user,
            } => {
                let screen = self.screens.get_mut(&client).expect("a client");
                assert!(screen.waits, "answered twice");
                screen.waits = false;
                let was_there = screen.on == Some(guild);
                assert_eq!(entry == Entry::Again, was_there, "it knows where it is");
                screen.on = Some(guild);
                screen.guild = serde_json::from_str(guild_json.get()).expect("a guild is JSON");
                screen.user = serde_json::to_value(user).expect("a user is JSON");
                screen.assert_own(&screen.user);
            }
            Output::Refused { client, refusal } => {
                let screen = self.screens.get_mut(&client).expect("a client");
                assert!(screen.waits, "answered twice");
                screen.waits = false;
                screen.refused = Some(refusal.code.name());
            }
            Output::ToClient { client, event } => {
                self.screens
                    .get_mut(&client)
                    .expect("a client")
                    .hear(&event, now);
            }
            Output::ToGuild {
                guild,
                audience,
                event,
                edges,
                held_since,
            } => {
                self.held_since = held_since;
                self.broadcasts += 1;
                let mut mask = 0;
                for (client, screen) in &mut self.screens {
                    if screen.on == Some(guild) {
                        mask |= 1 << client.edge;
                        if audience == Audience::All || screen.user_id.is_none() {
                            screen.hear(&event, now);
                        }
                    }
                }
                assert_eq!(edges, mask, "the shards that somebody is on");
                assert_ne!(mask, 0, "an event for nobody");
            }
            Output::RequestMembers { guild, users } => {
                assert!((1..=100).contains(&users.len()));
                self.asked.push((guild, users));
            }
            Output::RequestEverybody { guild } => self.asked_for_all.push(guild),
            Output::Answer { client, result } => {
                let result = match result {
                    Ok(data) => Ok(serde_json::from_str(data.get()).expect("data is JSON")),
                    Err(refusal) => Err(refusal.code.name()),
                };
                self.answers.push((client, result));
            }
            Output::AskSession { key, ticket, ask } => self.session_asks.push((key, ticket, ask)),
            Output::Rights { query, result } => {
                let result = result.map_err(|refusal| refusal.code.name());
                self.rights.push((query, result));
            }
            Output::FetchInvite { guild, .. } => self.fetches.push(guild),
            Output::Arrived { guild, arrival } => self.arrivals.push((guild, arrival)),
        }
    }
}

pub(super) fn client(slot: u32) -> ClientId {
    ClientId {
        slot,
        generation: 0,
        edge: (slot % 3) as u8,
    }
}

/// A guild of ten: everyone may view, role 20 manages the guild, 30 is an administrator's.
pub(super) fn sample(guild: GuildId) -> GuildData {
    let mut data = GuildData::new(guild);
    data.name = Some("Sample".into());
    data.owner = Some(OWNER);
    data.icon = Some(Some("icon".into()));
    data.member_count = Some(10);
    data.roles = Some(vec![
        role(30, Permissions::ADMINISTRATOR),
        role(guild.0, VIEW),
        role(20, Permissions::MANAGE_GUILD),
    ]);
    data.emojis = Some(vec![]);
    data
}

pub(super) fn role(id: u64, permissions: Permissions) -> Role {
    Role {
        id: RoleId(id),
        permissions,
        position: 0,
    }
}

/// All that Discord says of a member with these roles.
pub(super) fn member(user: UserId, roles: &[u64]) -> MemberData {
    MemberData {
        user,
        tag: Some(format!("user{user}").into()),
        roles: Some(roles.iter().copied().map(RoleId).collect()),
        timed_out_until: Some(None),
        joined_at: None,
    }
}

pub(super) fn joined(user: UserId, joined_at: Option<UnixMs>) -> UpstreamEvent {
    let mut member = member(user, &[]);
    member.joined_at = joined_at;
    UpstreamEvent::MemberJoined {
        guild: GUILD,
        member,
    }
}

pub(super) fn left(user: UserId) -> UpstreamEvent {
    UpstreamEvent::MemberLeft { guild: GUILD, user }
}

pub(super) fn changed(user: UserId, roles: &[u64]) -> UpstreamEvent {
    UpstreamEvent::MemberChanged {
        guild: GUILD,
        member: member(user, roles),
    }
}

//! The client's acceptance suite, by number, under simulated time.

mod commands;
mod endings;
mod heart;
mod opening;
mod resuming;
mod storm;
mod streams;

use std::time::Duration;

use guildgate_model::{GuildId, Now, Secret, UnixMs, UpstreamEvent, UserId};
use serde_json::{Value, json};

use super::*;
use crate::{CloseCode, Opcode, Refusal, Rng};

const MAIN: &str = "wss://gateway.example";
const RESUME: &str = "wss://resume.example";
const TOKEN: &str = "mfa.very-secret-token";

/// One shard, its clock, and all that came out of it since it was last looked at.
struct Sim {
    shard: Shard,
    now: Now,
    out: Vec<Output>,
}

fn config() -> ShardConfig {
    let shard = ShardId { id: 0, count: 1 };
    let mut config = ShardConfig::new(shard, Secret::new(TOKEN), MAIN);
    config.compression = crate::Compression::None;
    config
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl Sim {
    /// A shard that was started, whose chance is always one half.
    fn with(config: ShardConfig) -> Sim {
        let mut sim = Sim::at_rest(config, None);
        sim.input(Input::Start);
        sim
    }

    fn at_rest(config: ShardConfig, session: Option<ShardSession>) -> Sim {
        Sim {
            shard: Shard::new(config, Rng::fixed(128), session),
            now: Now {
                wall: UnixMs(1_800_000_000_000),
                ..Now::default()
            },
            out: Vec::new(),
        }
    }

    fn new() -> Sim {
        Sim::with(config())
    }

    /// Identified, ready at sequence 1, and nothing in `out`.
    fn active() -> Sim {
        Sim::active_with(config())
    }

    fn active_with(config: ShardConfig) -> Sim {
        let mut sim = Sim::with(config);
        sim.identify();
        sim.dispatch(1, "READY", &ready(&[]));
        sim.out.clear();
        sim
    }

    /// From a dial to an IDENTIFY.
    fn identify(&mut self) {
        self.open();
        self.permit();
        let sent = self.take_sent();
        assert_eq!(ops(&sent), [Opcode::Identify], "{sent:?}");
    }

    /// From a dial past HELLO.
    fn open(&mut self) {
        self.input(Input::Opened {
            epoch: self.epoch(),
        });
        self.hello();
    }

    fn hello(&mut self) {
        self.text(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":45000}}"#);
    }

    fn permit(&mut self) {
        self.input(Input::Permit {
            epoch: self.epoch(),
        });
    }

    /// From a dial to RESUMED; answers with the RESUME that was sent.
    fn resume(&mut self, seq: u64) -> Value {
        self.open();
        let sent = self.take_sent();
        assert_eq!(ops(&sent), [Opcode::Resume], "{sent:?}");
        self.dispatch(seq, "RESUMED", &json!({}));
        sent[0].1.clone()
    }

    fn epoch(&self) -> Epoch {
        self.shard.epoch
    }

    fn input(&mut self, input: Input<'_>) {
        self.shard.handle(self.now, input, &mut self.out);
    }

    fn text(&mut self, text: &str) {
        let epoch = self.epoch();
        self.input(Input::Text {
            epoch,
            bytes: text.as_bytes(),
        });
    }

    fn dispatch(&mut self, seq: u64, name: &str, data: &Value) {
        self.text(&json!({"t": name, "s": seq, "op": 0, "d": data}).to_string());
    }

    fn closed(&mut self, code: impl Into<Option<u16>>) {
        let epoch = self.epoch();
        let code = code.into().map(CloseCode);
        self.input(Input::Closed { epoch, code });
    }

    /// Lets time pass, with a tick at each deadline.
    fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.shard.deadline().filter(|&at| at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.tick();
            assert!(
                self.shard
                    .deadline()
                    .is_none_or(|next| next > self.now.mono),
                "a deadline that does not move: {:?}",
                self.shard.state
            );
        }
        self.now = self.now.after(end.mono.since(self.now.mono));
    }

    fn tick(&mut self) {
        self.input(Input::Tick {
            backlog: Backlog::Empty,
        });
    }

    /// Time passes, heartbeats are answered.
    fn live(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.shard.deadline().filter(|&at| at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.tick();
            self.text(r#"{"op":11}"#);
        }
        self.now = self.now.after(end.mono.since(self.now.mono));
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// What was sent, in order, and forgets the rest.
    fn take_sent(&mut self) -> Vec<(Opcode, Value)> {
        self.take()
            .into_iter()
            .filter_map(|output| match output {
                Output::Send { message, .. } => {
                    let frame: Value = serde_json::from_str(&message.text).expect("JSON");
                    assert_eq!(frame["op"], json!(message.op.number()));
                    Some((message.op, frame["d"].clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// The events handed out, in order, and forgets the rest.
    fn take_events(&mut self) -> Vec<UpstreamEvent> {
        self.take()
            .into_iter()
            .filter_map(|output| match output {
                Output::Event { event, .. } => Some(event),
                _ => None,
            })
            .collect()
    }

    fn close_code(&self) -> Option<CloseCode> {
        self.out.iter().find_map(|output| match output {
            Output::Close { code, .. } => Some(*code),
            _ => None,
        })
    }

    fn dialled(&self) -> Option<&str> {
        self.out.iter().find_map(|output| match output {
            Output::Dial { url, .. } => Some(url.as_str()),
            _ => None,
        })
    }

    fn stopped(&self) -> Option<&Stopped> {
        self.out.iter().find_map(|output| match output {
            Output::Stopped(stopped) => Some(stopped),
            _ => None,
        })
    }

    /// Waits for the next dial, at most two minutes; answers with its URL's host part.
    fn next_dial(&mut self) -> String {
        let end = self.now.after(seconds(120)).mono;
        while self.dialled().is_none() {
            let at = self.shard.deadline().filter(|&at| at <= end);
            let at = at.unwrap_or_else(|| panic!("no dial: {:?}", self.shard.state));
            self.now = self.now.after(at.since(self.now.mono));
            self.tick();
        }
        let url = self.dialled().expect("it was waited for").to_owned();
        self.out.clear();
        url.split("/?").next().expect("a first part").to_owned()
    }

    /// We close, the peer agrees.
    fn agree(&mut self) {
        assert!(self.close_code().is_some(), "we close: {:?}", self.out);
        let code = self.close_code().map(|code| code.0);
        self.closed(code);
    }

    fn command(&mut self, command: Command) -> Result<(), CommandError> {
        self.shard.command(self.now, command, &mut self.out)
    }
}

fn ops(sent: &[(Opcode, Value)]) -> Vec<Opcode> {
    sent.iter().map(|(op, _)| *op).collect()
}

fn ready(guilds: &[u64]) -> Value {
    json!({
        "v": 10, "user": {"id": "99"}, "session_id": "session-1", "resume_gateway_url": RESUME,
        "guilds": guilds.iter().map(|id| json!({"id": id.to_string(), "unavailable": true}))
            .collect::<Vec<_>>(),
        "shard": [0, 1], "application": {"id": "98", "flags": 0},
    })
}

fn joined(guild: u64, user: u64) -> Value {
    json!({"guild_id": guild.to_string(), "user": {"id": user.to_string(), "username": "u"}, "roles": []})
}

/// The user of a MemberJoined, which numbers events in tests.
fn user_of(event: &UpstreamEvent) -> Option<u64> {
    match event {
        UpstreamEvent::MemberJoined { member, .. } => Some(member.user.0),
        _ => None,
    }
}

fn presence(name: &str) -> crate::payload::Presence {
    crate::payload::Presence {
        since: None,
        activities: vec![crate::payload::Activity {
            name: name.into(),
            kind: 0,
            state: None,
            url: None,
        }],
        status: crate::payload::Status::Online,
        afk: false,
    }
}

fn guild(id: u64) -> GuildId {
    GuildId(id)
}

fn user(id: u64) -> UserId {
    UserId(id)
}

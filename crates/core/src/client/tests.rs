//! The clients' protocol, rule by rule.

use std::{sync::Arc, time::Duration};

use guildgate_model::{
    Decision, GuildId, Notification, NotificationId, Now, Permissions, Secret, TokenId, UnixMs,
    UserId,
};
use guildgate_wire::{
    CloseCode, ErrorCode, HeartbeatRequire, Limits, Sequence, SessionId, UserView,
};
use serde_json::{Value, json, value::RawValue};

use super::*;

mod application;
mod authentication;
mod commands;
mod ending;
mod heartbeat;
mod property;
mod resume;
mod saved;

const USER: UserId = UserId(1234);
const TOKEN: TokenId = TokenId(1);
const GUILD: GuildId = GuildId(7);
const OTHER: GuildId = GuildId(8);
const SESSION: SessionId = SessionId {
    edge: 0,
    random: [0xab; 15],
};

/// A client, a clock and what it was told to keep to.
struct Rig {
    client: Client,
    now: Now,
    limits: Limits,
}

impl Rig {
    /// A client that has been asked to authenticate.
    fn open() -> Rig {
        Rig::open_with(Limits::default(), u32::MAX)
    }

    fn open_with(limits: Limits, jitter: u32) -> Rig {
        let now = Now::default().after(Duration::from_secs(1000));
        let mut out = Vec::new();
        let client = Client::open(now, jitter, &limits, &mut out);
        assert_eq!(out, [Output::Send(request_auth().into())]);
        Rig {
            client,
            now,
            limits,
        }
    }

    /// A client that is let in without a user.
    fn basic() -> Rig {
        Rig::basic_with(Limits::default())
    }

    fn basic_with(limits: Limits) -> Rig {
        let mut rig = Rig::open_with(limits, u32::MAX);
        rig.json(json!({ "op": 1, "d": { "token": null, "uid": null } }));
        rig.feed(Input::Answer(Answer::Basic));
        rig
    }

    /// A client that is let in as [`USER`].
    fn full() -> Rig {
        Rig::full_with(Limits::default())
    }

    fn full_with(limits: Limits) -> Rig {
        let mut rig = Rig::open_with(limits, u32::MAX);
        rig.authenticate();
        rig.feed(Input::Answer(full(vec![])));
        rig
    }

    fn authenticate(&mut self) {
        self.json(json!({ "op": 1, "d": { "token": "t", "uid": "1234" } }));
    }

    /// On [`GUILD`].
    fn connected(mut self) -> Rig {
        self.connect(GUILD);
        self
    }

    fn connect(&mut self, guild: GuildId) -> Vec<Output> {
        let ask = self.command("CONNECT_GUILD", json!({ "token": "g", "gid": guild }));
        assert!(matches!(ask[..], [Output::Ask(Ask::ConnectGuild { .. })]));
        self.feed(Input::Answer(connected(guild)))
    }

    fn feed(&mut self, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        self.client.handle(self.now, &self.limits, input, &mut out);
        out
    }

    fn text(&mut self, text: &str) -> Vec<Output> {
        self.feed(Input::Text(text))
    }

    fn json(&mut self, frame: Value) -> Vec<Output> {
        self.text(&frame.to_string())
    }

    fn command(&mut self, cmd: &str, data: Value) -> Vec<Output> {
        self.json(json!({ "op": 6, "cmd": cmd, "d": data }))
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Lets time pass up to the deadline, and says so.
    fn at_deadline(&mut self) -> Vec<Output> {
        let due = self.client.deadline().expect("something is due");
        self.pass(due.since(self.now.mono));
        self.feed(Input::Deadline)
    }

    /// Frames that wait in the outbox, all taken for sent.
    fn flush(&mut self) -> Vec<Value> {
        let frames: Vec<_> = self
            .client
            .outbox()
            .unsent()
            .map(|frame| {
                let mut text = Vec::new();
                frame.write_to(&mut text);
                serde_json::from_slice(&text).expect("a frame is JSON")
            })
            .collect();
        let limits = &self.limits;
        self.client.outbox_mut().sent(frames.len(), limits);
        frames
    }
}

/// The one frame sent, whatever else is to be done.
fn sent(outputs: &[Output]) -> Value {
    let mut texts = outputs.iter().filter_map(|output| match output {
        Output::Send(text) => Some(text),
        _ => None,
    });
    let text = texts.next().expect("something is sent");
    assert!(texts.next().is_none(), "one frame is sent: {outputs:?}");
    serde_json::from_str(text).expect("a frame is JSON")
}

fn full(missed: Vec<Notification>) -> Answer {
    Answer::Full {
        user: USER,
        token: TOKEN,
        session: SESSION,
        missed,
    }
}

fn connected(guild: GuildId) -> Answer {
    Answer::Connected {
        guild,
        guild_json: Arc::from(raw(json!({ "id": guild }))),
        user: Some(UserView {
            id: USER,
            tag: "name".into(),
            permissions: Permissions(64),
        }),
    }
}

fn done(data: Value) -> Answer {
    Answer::Done(raw(data))
}

fn refused() -> Answer {
    Answer::Refused(Refusal::new(ErrorCode::Forbidden, "you may not"))
}

fn raw(value: Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(&value).expect("plain JSON")
}

fn notification(id: u64) -> Notification {
    Notification {
        id: NotificationId(id),
        decision: Decision::Accepted,
        guild: GUILD,
        application: None,
        note: None,
        at: UnixMs(5),
    }
}

/// The code and message of a refusal, and that it is one.
fn refusal(outputs: &[Output]) -> (String, String) {
    let frame = sent(outputs);
    assert_eq!(frame["op"], 7);
    let error = &frame["d"]["error"];
    let field = |name: &str| error[name].as_str().expect("an error has it").to_owned();
    (field("code"), field("message"))
}

#[test]
fn a_client_is_small() {
    assert!(size_of::<Client>() <= 160, "{}", size_of::<Client>());
}

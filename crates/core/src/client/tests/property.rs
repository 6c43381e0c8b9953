//! Any inputs in any order: what holds whatever a client, a store and a network do.

use guildgate_wire::{Ends, EventFrame};
use proptest::prelude::*;

use super::*;
use crate::outbox::{Admission, Socket};

#[derive(Debug, Clone)]
enum Step {
    /// A frame that means something.
    Frame(usize),
    /// A command with a nonce of its own.
    Command(usize),
    /// Any text at all.
    Text(String),
    Undecodable,
    Pong,
    Fragment,
    /// The open question is answered, in one of so many ways.
    Answer(usize),
    /// An answer that nobody awaits.
    Stray(usize),
    Pass(u64),
    SocketLost,
    ClosedByClient(Option<u16>),
    Fault(usize),
    Ended(Ends),
    Event(u64),
    Resume(u64),
    Revoked(u64),
    Drain,
}

const FRAMES: &[&str] = &[
    r#"{"op":1,"d":{"token":"t","uid":"1234"}}"#,
    r#"{"op":1,"d":{}}"#,
    r#"{"op":4}"#,
    r#"{"op":4,"d":1}"#,
    r#"{"op":4,"d":18446744073709551615}"#,
    r#"{"op":0}"#,
    r#"{"op":6}"#,
];

const COMMANDS: &[(&str, &str)] = &[
    ("CONNECT_GUILD", r#"{"token":"g","gid":"7"}"#),
    ("CONNECT_GUILD", r#"{"token":"g","gid":"8"}"#),
    ("CONNECT_GUILD", r#"{"token":1,"gid":"8"}"#),
    ("DESCONNECT_GUILD", r#"{"gid":"7"}"#),
    ("NOTIFICATIONS_ACK", r#"{"ids":["1"]}"#),
    ("MAKE_TEA", "null"),
    (
        "APPLICATION_SESSION",
        r#"{"uid":"1234","gid":"7","utokh":"u","uhash":"g"}"#,
    ),
    ("APPLICATION_SESSION_HB_M", "null"),
    ("APPLICATION_SESSION_END", r#"{"gid":"7"}"#),
];

fn step() -> impl Strategy<Value = Step> {
    let guild = prop_oneof![Just(GUILD), Just(OTHER)];
    let ends = prop_oneof![
        Just(Ends::Nothing),
        guild.clone().prop_map(Ends::GuildConnection),
        guild.prop_map(Ends::ApplicationSession),
    ];
    prop_oneof![
        4 => (0..FRAMES.len()).prop_map(Step::Frame),
        80 => (0..COMMANDS.len()).prop_map(Step::Command),
        1 => "\\PC{0,40}".prop_map(Step::Text),
        1 => Just(Step::Undecodable),
        2 => Just(Step::Pong),
        1 => Just(Step::Fragment),
        90 => (0..ANSWERS).prop_map(Step::Answer),
        1 => (0..ANSWERS).prop_map(Step::Stray),
        10 => (0..60_000u64).prop_map(Step::Pass),
        8 => Just(Step::SocketLost),
        1 => prop::option::of(prop_oneof![Just(1000), Just(1001), any::<u16>()])
            .prop_map(Step::ClosedByClient),
        1 => (0..CloseCode::ALL.len()).prop_map(Step::Fault),
        6 => ends.prop_map(Step::Ended),
        20 => (0..100u64).prop_map(Step::Event),
        20 => (0..8u64).prop_map(Step::Resume),
        1 => (0..4u64).prop_map(Step::Revoked),
        1 => Just(Step::Drain),
    ]
}

const ANSWERS: usize = 8;

fn answer(kind: usize) -> Answer {
    match kind {
        0 | 1 => full(vec![notification(1)]),
        2 => Answer::Basic,
        3 => Answer::Failed,
        4 => connected(GUILD),
        5 => connected(OTHER),
        6 => refused(),
        _ => done(json!({})),
    }
}

/// A driver that keeps to the contract, and looks at all that it is told to do.
struct World {
    rig: Rig,
    /// Whether the client has a socket, as the driver sees it.
    socket: bool,
    ended: bool,
    asking: bool,
    /// Nonces of commands on this socket that are not answered yet.
    unanswered: Vec<u64>,
    /// Whether the hub believes that there is a socket.
    attached: bool,
    subscribed: Option<GuildId>,
    nonces: u64,
}

impl World {
    fn new() -> World {
        World {
            rig: Rig::open(),
            socket: true,
            ended: false,
            asking: false,
            unanswered: Vec::new(),
            attached: true,
            subscribed: None,
            nonces: 0,
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        let outputs = self.rig.feed(input);
        for output in outputs {
            self.perform(output);
        }
        assert_eq!(self.rig.client.guild(), self.subscribed);
        if self.rig.client.accepts_text() {
            assert!(self.socket && !self.asking && !self.ended);
        }
        assert_eq!(self.rig.client.deadline().is_none(), self.ended);
    }

    fn perform(&mut self, output: Output) {
        assert!(!self.ended, "{output:?} comes after the end");
        match output {
            Output::Send(text) => {
                assert!(self.socket, "{text} is sent to no socket");
                let frame: Value = serde_json::from_str(&text).expect("a frame is JSON");
                if frame["op"] == 7 {
                    let nonce = frame["nonce"].as_str().map(str::to_owned);
                    let expected = self.unanswered.remove(0);
                    assert_eq!(nonce, Some(expected.to_string()), "answers are in order");
                }
            }
            Output::Flush => {
                assert!(self.socket);
                let frames = self.rig.flush();
                assert_eq!(frames[0]["op"], 2);
            }
            Output::Heartbeat | Output::Ping => assert!(self.socket),
            Output::Close(_) => {
                assert!(self.socket, "only a socket is closed");
                self.lose();
            }
            Output::Ask(Ask::Delivered { .. }) => {}
            Output::Ask(_) => {
                assert!(!self.asking, "one question at a time");
                self.asking = true;
            }
            Output::Subscribe(guild) => {
                assert_eq!(self.subscribed.replace(guild), None, "one guild at a time");
            }
            Output::Unsubscribe(guild) => {
                // A guild joined for nobody is left without ever having been subscribed to.
                if self.subscribed == Some(guild) {
                    self.subscribed = None;
                }
            }
            Output::Attached(attached) => {
                assert_ne!(self.attached, attached);
                assert_eq!(attached, self.socket);
                self.attached = attached;
            }
            Output::Drop => {
                assert_eq!(self.subscribed, None, "no guild is left behind");
                self.ended = true;
            }
        }
    }

    fn lose(&mut self) {
        self.socket = false;
        self.unanswered.clear();
    }

    fn text(&mut self, text: &str) {
        if self.rig.client.accepts_text() {
            self.feed(Input::Text(text));
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Frame(index) => self.text(FRAMES[index]),
            Step::Command(index) if self.rig.client.accepts_text() => {
                let (cmd, data) = COMMANDS[index];
                self.nonces += 1;
                let nonce = self.nonces;
                self.unanswered.push(nonce);
                self.text(&format!(
                    r#"{{"op":6,"cmd":"{cmd}","d":{data},"nonce":"{nonce}"}}"#
                ));
            }
            Step::Text(text) => self.text(&text),
            Step::Undecodable => self.feed(Input::Undecodable),
            Step::Pong => self.feed(Input::Pong),
            Step::Fragment => self.feed(Input::Fragment),
            Step::Answer(kind) if self.asking => {
                self.asking = false;
                self.feed(Input::Answer(answer(kind)));
                if self.socket && self.rig.client.accepts_text() {
                    assert!(self.unanswered.is_empty(), "every command has its answer");
                }
            }
            Step::Stray(kind) if !self.asking => self.feed(Input::Answer(answer(kind))),
            Step::Pass(ms) => {
                self.rig.pass(Duration::from_millis(ms));
                self.feed(Input::Deadline);
            }
            Step::SocketLost => {
                self.lose();
                self.feed(Input::SocketLost);
            }
            Step::ClosedByClient(code) => {
                self.lose();
                self.feed(Input::ClosedByClient(code));
            }
            Step::Fault(index) => self.feed(Input::Fault(CloseCode::ALL[index])),
            Step::Ended(ends) => self.feed(Input::Ended(ends)),
            Step::Event(members) => self.event(members),
            Step::Resume(seen) => self.resume(seen),
            Step::Revoked(token) => self.feed(Input::Revoked(TokenId(token))),
            Step::Drain => self.feed(Input::Drain),
            Step::Command(_) | Step::Answer(_) | Step::Stray(_) => {}
        }
    }

    fn event(&mut self, members: u64) {
        if self.ended || self.subscribed.is_none() {
            return;
        }
        let limits = self.rig.limits.clone();
        let event = EventFrame::count(GUILD, members);
        let outbox = self.rig.client.outbox_mut();
        match outbox.admit(&event, Socket::Free, &limits) {
            Admission::Write(_) => assert!(self.socket),
            Admission::Kept => assert!(!self.socket),
            other => panic!("a free socket and an empty outbox: {other:?}"),
        }
    }

    fn resume(&mut self, seen: u64) {
        if !self.rig.client.resumes(USER, Sequence(seen)) {
            return;
        }
        self.unanswered.clear();
        self.socket = true;
        self.feed(Input::Resume {
            seen: Sequence(seen),
            token: TOKEN,
            missed: vec![notification(1)],
        });
        assert!(!self.ended);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn one_answer_a_command_in_order_and_nothing_after_a_close(
        start in 0..4usize,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut world = World::new();
        // Most are let in first: what follows would be lost on clients that never are.
        if start > 0 {
            world.step(Step::Frame(0));
            world.step(Step::Answer(start));
        }
        for step in steps {
            world.step(step);
        }
    }

    #[test]
    fn no_text_makes_a_client_panic(texts in prop::collection::vec("\\PC*", 0..4)) {
        for mut rig in [Rig::open(), Rig::basic(), Rig::full()] {
            for text in &texts {
                rig.text(text);
            }
        }
    }
}

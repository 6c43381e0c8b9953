//! A shard and a Discord that does its worst, by seed.
//!
//! The server here keeps a session's events and replays them; links are cut, closed and
//! silenced, frames are spoilt, timers come late. What must hold is checked all along:
//! every event at least once and in order (but for members whom nobody wants), no IDENTIFY beyond the permits, never more than 120
//! payloads in a minute, never two sockets, and no stall.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use guildgate_model::{Wanted, WantedUsers};

use super::*;
use crate::{IDENTIFY_SPACING, IdentifyQueue, Permit, SEND_PAYLOADS_MAX, SessionStartLimit};

const SEEDS_A_TEST: u64 = 500;
const STEPS: u64 = 60;
const HEARTBEAT: u64 = 45;
/// More than happen in one storm. Each is of a user of its own, and every third a change that
/// passes only if they are wanted, as every second of those is.
const EVENTS_MAX: u64 = STEPS * 4;

/// Split, so that a parallel runner shares them out.
fn storms(part: u64) {
    let wanted = Arc::<WantedUsers>::default();
    let _kept: Vec<Wanted> = (0..EVENTS_MAX)
        .step_by(6)
        .map(|user| wanted.want(UserId(user)))
        .collect();
    for seed in part * SEEDS_A_TEST..(part + 1) * SEEDS_A_TEST {
        Storm::new(seed, &wanted).run();
    }
}

#[test]
fn storm_seeds_0_to_499() {
    storms(0);
}

#[test]
fn storm_seeds_500_to_999() {
    storms(1);
}

#[test]
fn storm_seeds_1000_to_1499() {
    storms(2);
}

#[test]
fn storm_seeds_1500_to_1999() {
    storms(3);
}

/// Whether the server still misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Storm,
    Calm,
}

/// Discord, as the storm plays it.
#[derive(Default)]
struct Server {
    /// The number of the session, and what was sent in it: index 0 is sequence 1.
    session: u64,
    log: Vec<u64>,
    /// The socket, once it is open.
    socket: Option<Socket>,
    next_event: u64,
}

struct Socket {
    epoch: Epoch,
    identified: bool,
    silent: bool,
    sent_by_client: Vec<Mono>,
}

struct Storm {
    seed: u64,
    sim: Sim,
    server: Server,
    queue: IdentifyQueue,
    chance: Rng,
    /// Sockets that the client believes in.
    live: BTreeMap<Epoch, ()>,
    identified_at: Vec<Mono>,
    /// What was handed on, per session.
    delivered: BTreeMap<u64, Vec<u64>>,
    current: u64,
    inbox: VecDeque<String>,
    weather: Weather,
    wanted: Arc<WantedUsers>,
}

impl Storm {
    fn new(seed: u64, wanted: &Arc<WantedUsers>) -> Storm {
        let mut config = config();
        config.wanted = Some(Arc::clone(wanted));
        let sim = Sim {
            shard: Shard::new(config, Rng::new(seed), None),
            now: Now::default(),
            out: Vec::new(),
        };
        let limit = SessionStartLimit::default();
        Storm {
            seed,
            queue: IdentifyQueue::new(sim.now.mono, limit),
            sim,
            server: Server::default(),
            chance: Rng::new(!seed),
            live: BTreeMap::new(),
            identified_at: Vec::new(),
            delivered: BTreeMap::new(),
            current: 0,
            inbox: VecDeque::new(),
            weather: Weather::Storm,
            wanted: Arc::clone(wanted),
        }
    }

    fn run(mut self) {
        self.input(Input::Start);
        for _ in 0..STEPS {
            let millis = self.chance.below(20_000);
            self.pass(Duration::from_millis(millis));
            self.misbehave();
        }
        self.weather = Weather::Calm;
        self.close(None);
        // The shard must come to rest, active.
        for _ in 0..40 {
            self.pass(seconds(10));
        }
        let state = &self.sim.shard.state;
        assert!(
            matches!(state, State::Active { .. }),
            "seed {}: stalled in {state:?}",
            self.seed
        );
        self.check_deliveries();
        self.check_identifies();
    }

    /// Whether a fault that comes once in so many times comes now.
    fn one_in(&mut self, bound: u64) -> bool {
        self.weather == Weather::Storm && self.chance.below(bound) == 0
    }

    /// One bad thing, perhaps, and some events.
    fn misbehave(&mut self) {
        match self.chance.below(14) {
            0 => self.close(None),
            1 => {
                let codes = [1000, 1001, 4000, 4001, 4003, 4007, 4008, 4009, 4999];
                let index = usize::try_from(self.chance.below(9)).expect("an index");
                self.close(Some(codes[index]));
            }
            2 => self.say(r#"{"op":7,"d":null}"#.to_owned()),
            3 => self.say(r#"{"op":9,"d":true}"#.to_owned()),
            4 => {
                self.server.session += 1;
                self.server.log.clear();
                self.say(r#"{"op":9,"d":false}"#.to_owned());
            }
            5 => {
                if let Some(socket) = &mut self.server.socket {
                    socket.silent = true;
                }
            }
            6 => self.say(r#"{"t":"GUILD_MEMBER_ADD","s":5,"op":0,"d":{"#.to_owned()),
            7 => self.say("\u{0}noise".to_owned()),
            8 => self.say(r#"{"op":1}"#.to_owned()),
            9 => {
                for number in 0..self.chance.below(150) {
                    let voice = crate::payload::VoiceState {
                        guild_id: guild(number),
                        channel_id: None,
                        self_mute: false,
                        self_deaf: false,
                    };
                    // A full queue is a fair answer to a flood.
                    let _ = self.sim.command(Command::VoiceState(voice));
                }
                self.perform();
            }
            10 => {
                let old = Epoch(self.sim.epoch().0.saturating_sub(1));
                self.input(Input::Closed {
                    epoch: old,
                    code: None,
                });
            }
            _ => {}
        }
        for _ in 0..self.chance.below(4) {
            self.happen();
        }
    }

    /// An event: kept in the session's log, and sent if somebody listens.
    fn happen(&mut self) {
        self.server.next_event += 1;
        let event = self.server.next_event;
        self.server.log.push(event);
        let seq = self.server.log.len();
        let listens = self
            .server
            .socket
            .as_ref()
            .is_some_and(|socket| socket.identified);
        if listens {
            self.say(event_text(seq, event));
        }
    }

    fn say(&mut self, text: String) {
        if self.server.socket.is_some() {
            self.inbox.push_back(text);
        }
    }

    fn close(&mut self, code: Option<u16>) {
        if let Some(socket) = self.server.socket.take() {
            self.deliver();
            self.live.remove(&socket.epoch);
            if matches!(code, Some(1000 | 1001 | 4003 | 4007 | 4009)) {
                self.server.session += 1;
                self.server.log.clear();
            }
            let code = code.map(CloseCode);
            self.input(Input::Closed {
                epoch: socket.epoch,
                code,
            });
        }
    }

    /// Time passes; ticks may come late.
    fn pass(&mut self, time: Duration) {
        let end = self.sim.now.mono + time;
        loop {
            self.deliver();
            let permit_at = self.queue.deadline();
            let next = [self.sim.shard.deadline(), permit_at]
                .into_iter()
                .flatten()
                .min();
            let Some(at) = next.filter(|&at| at <= end) else {
                break;
            };
            let late = if self.one_in(5) {
                self.chance.below(3_000)
            } else {
                0
            };
            let step = at.since(self.sim.now.mono) + Duration::from_millis(late);
            self.sim.now = self.sim.now.after(step);
            for permit in self.queue.grant(self.sim.now.mono) {
                self.input(Input::Permit {
                    epoch: permit.epoch,
                });
            }
            self.deliver();
            self.input(Input::Tick {
                backlog: Backlog::Empty,
            });
        }
        self.sim.now = self.sim.now.after(end.since(self.sim.now.mono));
    }

    fn deliver(&mut self) {
        while let Some(text) = self.inbox.pop_front() {
            let Some(epoch) = self.server.socket.as_ref().map(|socket| socket.epoch) else {
                self.inbox.clear();
                return;
            };
            self.input(Input::Text {
                epoch,
                bytes: text.as_bytes(),
            });
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.sim.input(input);
        self.perform();
    }

    fn perform(&mut self) {
        let mut outputs: VecDeque<Output> = self.sim.take().into();
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Dial { epoch, .. } => {
                    assert!(self.live.is_empty(), "seed {}: two sockets", self.seed);
                    self.live.insert(epoch, ());
                    self.dialled(epoch);
                }
                Output::Send { epoch, message } => self.hear(epoch, &message),
                Output::Close { epoch, code } => {
                    // A peer that agrees, or one that says nothing.
                    if self
                        .server
                        .socket
                        .as_ref()
                        .is_some_and(|socket| socket.epoch == epoch)
                    {
                        self.server.socket = None;
                        self.inbox.clear();
                        if matches!(code.0, 1000 | 1001) {
                            self.server.log.clear();
                        }
                    }
                    if !self.one_in(4) {
                        self.live.remove(&epoch);
                        self.sim.input(Input::Closed {
                            epoch,
                            code: Some(code),
                        });
                    }
                }
                Output::Drop { epoch } => {
                    self.live.remove(&epoch);
                    self.server.socket = None;
                    self.inbox.clear();
                }
                Output::AskPermit { epoch } => self.queue.request(self.permit(epoch)),
                Output::ReleasePermit { epoch } => self.queue.release(self.permit(epoch)),
                Output::Event { seq, event } => self.took(seq, &event),
                Output::Stopped(stopped) => panic!("seed {}: {stopped:?}", self.seed),
                Output::AskPrivileges { .. } | Output::Members(_) | Output::Note(_) => {}
            }
            outputs.extend(self.sim.take());
        }
    }

    fn permit(&self, epoch: Epoch) -> Permit {
        Permit {
            shard: self.sim.shard.id(),
            epoch,
        }
    }

    fn dialled(&mut self, epoch: Epoch) {
        let fault = match self.weather {
            Weather::Storm => self.chance.below(8),
            Weather::Calm => 7,
        };
        match fault {
            0 => {
                self.live.remove(&epoch);
                self.sim.input(Input::DialFailed { epoch });
            }
            // It hangs.
            1 => {}
            _ => {
                let sent_by_client = Vec::new();
                self.server.socket = Some(Socket {
                    epoch,
                    identified: false,
                    silent: false,
                    sent_by_client,
                });
                self.sim.input(Input::Opened { epoch });
                if !self.one_in(10) {
                    self.say(format!(
                        r#"{{"op":10,"d":{{"heartbeat_interval":{}}}}}"#,
                        HEARTBEAT * 1000
                    ));
                }
            }
        }
    }

    /// The server hears a payload.
    fn hear(&mut self, epoch: Epoch, message: &Message) {
        let now = self.sim.now.mono;
        let mute = self.one_in(12);
        let Some(socket) = self
            .server
            .socket
            .as_mut()
            .filter(|socket| socket.epoch == epoch)
        else {
            return;
        };
        socket.sent_by_client.push(now);
        let within = socket
            .sent_by_client
            .iter()
            .filter(|at| now.since(**at) <= seconds(60))
            .count();
        assert!(
            within <= SEND_PAYLOADS_MAX,
            "seed {}: {within} payloads in a minute",
            self.seed
        );
        let frame: Value = serde_json::from_str(&message.text).expect("JSON");
        match message.op {
            Opcode::Heartbeat if !socket.silent => self.say(r#"{"op":11}"#.to_owned()),
            Opcode::Identify => {
                self.identified_at.push(now);
                self.server.session += 1;
                self.server.log = vec![0];
                if !mute {
                    socket.identified = true;
                    let id = format!("session-{}", self.server.session);
                    self.say(json!({"t": "READY", "s": 1, "op": 0, "d": {"session_id": id, "resume_gateway_url": RESUME, "user": {"id": "1"}, "guilds": []}}).to_string());
                }
            }
            Opcode::Resume if !mute => {
                let wanted = format!("session-{}", self.server.session);
                let seq =
                    usize::try_from(frame["d"]["seq"].as_u64().expect("a number")).expect("small");
                if frame["d"]["session_id"] != json!(wanted)
                    || seq > self.server.log.len()
                    || self.server.log.is_empty()
                {
                    self.say(r#"{"op":9,"d":false}"#.to_owned());
                    return;
                }
                socket.identified = true;
                // Some servers replay one event too many.
                let from = seq.saturating_sub(usize::from(mute));
                let replay: Vec<String> = self
                    .server
                    .log
                    .iter()
                    .enumerate()
                    .skip(from.max(1))
                    .map(|(index, event)| event_text(index + 1, *event))
                    .collect();
                for text in replay {
                    self.say(text);
                }
                self.server.log.push(0);
                let resumed = self.server.log.len();
                self.say(json!({"t": "RESUMED", "s": resumed, "op": 0, "d": {}}).to_string());
            }
            _ => {}
        }
    }

    /// The rest of the gateway takes an event.
    fn took(&mut self, seq: Option<u64>, event: &UpstreamEvent) {
        match event {
            UpstreamEvent::SessionStarted { .. } => {
                self.current = self.server.session;
                self.delivered.insert(self.current, Vec::new());
            }
            UpstreamEvent::MemberJoined { member, .. }
            | UpstreamEvent::MemberChanged { member, .. } => {
                self.delivered
                    .entry(self.current)
                    .or_default()
                    .push(member.user.0);
            }
            _ => {}
        }
        if let Some(seq) = seq {
            self.sim.input(Input::Handled { seq });
        }
    }

    fn check_deliveries(&mut self) {
        for (session, events) in &self.delivered {
            assert!(
                events.windows(2).all(|pair| pair[0] < pair[1]),
                "seed {}: session {session} out of order: {events:?}",
                self.seed
            );
        }
        let expected: Vec<u64> = self
            .server
            .log
            .iter()
            .copied()
            .filter(|&event| event != 0)
            .filter(|&event| !is_change(event) || self.wanted.contains(UserId(event)))
            .collect();
        assert_eq!(
            self.delivered.get(&self.server.session),
            Some(&expected),
            "seed {}: the last session lost an event",
            self.seed
        );
    }

    fn check_identifies(&self) {
        for pair in self.identified_at.windows(2) {
            assert!(
                pair[1].since(pair[0]) >= IDENTIFY_SPACING,
                "seed {}: {pair:?}",
                self.seed
            );
        }
        let used = 1000 - usize::try_from(self.queue.remaining()).expect("small");
        assert!(
            self.identified_at.len() <= used,
            "seed {}: beyond the permits",
            self.seed
        );
    }
}

fn event_text(seq: usize, event: u64) -> String {
    if event == 0 {
        return json!({"t": "TYPING_START", "s": seq, "op": 0, "d": {}}).to_string();
    }
    let name = if is_change(event) {
        "GUILD_MEMBER_UPDATE"
    } else {
        "GUILD_MEMBER_ADD"
    };
    json!({"t": name, "s": seq, "op": 0, "d": joined(1, event)}).to_string()
}

fn is_change(event: u64) -> bool {
    event.is_multiple_of(3)
}

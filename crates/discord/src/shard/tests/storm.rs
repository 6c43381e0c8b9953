//! A shard and a Discord that does its worst, by seed.
//!
//! The server here keeps a session's events and replays them; links are cut, closed and
//! silenced, frames are spoilt, timers come late. What must hold is checked all along:
//! every event at least once and in order (but for members whom nobody wants), no IDENTIFY beyond
//! the permits, never more than 120 payloads in a minute, never two sockets, no request for
//! members that nothing becomes of, and no stall.

mod server;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use guildgate_model::{Wanted, WantedUsers};

use self::server::{Logged, Said, Server};
use super::*;
use crate::{
    AfterStall, Compression, IDENTIFY_SPACING, IdentifyQueue, MembersOutcome, Permit,
    SessionStartLimit, payload::RequestMembers,
};

const STEPS: u64 = 60;
/// More than happen in one storm. Each is of a user of its own, and every third a change that
/// passes only if they are wanted, as every second of those is.
const EVENTS_MAX: u64 = STEPS * 8;
/// Users who are asked for begin here, far from those of events.
const SOUGHT: u64 = 1_000_000;

fn storms(seeds: std::ops::Range<u64>, compression: Compression) {
    let wanted = Arc::<WantedUsers>::default();
    let _kept: Vec<Wanted> = (0..EVENTS_MAX)
        .step_by(6)
        .map(|user| wanted.want(UserId(user)))
        .collect();
    for seed in seeds {
        Storm::new(seed, compression, &wanted).run();
    }
}

// Split, so that a parallel runner shares them out.

#[test]
fn storm_seeds_0_to_499() {
    storms(0..500, Compression::None);
}

#[test]
fn storm_seeds_500_to_999() {
    storms(500..1_000, Compression::None);
}

#[test]
fn storm_seeds_1000_to_1499() {
    storms(1_000..1_500, Compression::None);
}

#[test]
fn storm_seeds_1500_to_1999() {
    storms(1_500..2_000, Compression::None);
}

#[test]
fn storm_seeds_2000_to_2199_under_zlib() {
    storms(2_000..2_200, Compression::ZlibStream);
}

#[test]
fn storm_seeds_2200_to_2399_under_zstd() {
    storms(2_200..2_400, Compression::ZstdStream);
}

/// Whether the server still misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Storm,
    Calm,
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
    inbox: VecDeque<Said>,
    weather: Weather,
    wanted: Arc<WantedUsers>,
    /// Users whom a request was taken for, and those of them that something became of.
    sought: BTreeSet<UserId>,
    settled: BTreeSet<UserId>,
    /// Whom each request that went out asked for, by its nonce.
    requests: BTreeMap<Box<str>, Vec<UserId>>,
}

impl Storm {
    fn new(seed: u64, compression: Compression, wanted: &Arc<WantedUsers>) -> Storm {
        let mut config = config();
        config.compression = compression;
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
            server: Server::new(compression),
            chance: Rng::new(!seed),
            live: BTreeMap::new(),
            identified_at: Vec::new(),
            delivered: BTreeMap::new(),
            current: 0,
            inbox: VecDeque::new(),
            weather: Weather::Storm,
            wanted: Arc::clone(wanted),
            sought: BTreeSet::new(),
            settled: BTreeSet::new(),
            requests: BTreeMap::new(),
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
        self.check_members();
    }

    /// Whether a fault that comes once in so many times comes now.
    fn one_in(&mut self, bound: u64) -> bool {
        self.weather == Weather::Storm && self.chance.below(bound) == 0
    }

    /// One bad thing, perhaps, and some events.
    fn misbehave(&mut self) {
        match self.chance.below(17) {
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
            11 => self.spoil(),
            12 => {
                let count = self.chance.below(40);
                self.seek(count);
            }
            13 => {
                let everybody = RequestMembers::everyone(guild(self.chance.below(3)));
                let taken = self.sim.command(Command::RequestMembers(everybody));
                assert!(taken.is_ok(), "seed {}: {taken:?}", self.seed);
                self.perform();
            }
            _ => {}
        }
        for _ in 0..self.chance.below(4) {
            self.happen();
        }
    }

    /// Wants so many members whom nobody asked for before.
    fn seek(&mut self, count: u64) {
        let first = SOUGHT + self.sought.len() as u64;
        let users: Vec<UserId> = (first..first + count).map(UserId).collect();
        self.sought.extend(&users);
        let guild = guild(self.chance.below(3));
        let taken = self.sim.command(Command::WantMembers { guild, users });
        assert!(taken.is_ok(), "seed {}: {taken:?}", self.seed);
        self.perform();
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
                Output::Send { epoch, message } => {
                    self.hear(epoch, &message);
                }
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
                Output::Members(outcome) => self.settle(&outcome),
                Output::AskPrivileges { .. } | Output::Note(_) => {}
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
            UpstreamEvent::Members {
                members, not_found, ..
            } => {
                self.settled
                    .extend(members.iter().map(|member| member.user));
                self.settled.extend(not_found);
                let chunk = not_found.iter().find_map(|user| server::chunk_of(*user));
                let delivered = self.delivered.entry(self.current).or_default();
                delivered.push(chunk.expect("the server marks every chunk"));
            }
            _ => {}
        }
        if let Some(seq) = seq {
            self.sim.input(Input::Handled { seq });
        }
    }

    /// Whom a request is given up for is told; nobody waits for them any longer.
    fn settle(&mut self, outcome: &MembersOutcome) {
        if let MembersOutcome::Partial {
            nonce,
            then: AfterStall::GivenUp,
            ..
        } = outcome
        {
            let given_up = self.requests.get(nonce).expect("it was sent");
            self.settled.extend(given_up);
        }
    }

    fn check_members(&self) {
        let waiting: Vec<_> = self.sought.difference(&self.settled).collect();
        assert!(
            waiting.is_empty(),
            "seed {}: nothing became of {waiting:?}",
            self.seed
        );
        let requests = &self.sim.shard.outbox.requests;
        assert_eq!(
            (requests.next_at(), requests.deadline()),
            (None, None),
            "seed {}: a request still waits",
            self.seed
        );
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
            .filter_map(|logged| match logged {
                Logged::Nothing => None,
                Logged::Chunk { event, .. } => Some(*event),
                Logged::Member(event) => {
                    let passes = !server::is_change(*event) || self.wanted.contains(UserId(*event));
                    passes.then_some(*event)
                }
            })
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

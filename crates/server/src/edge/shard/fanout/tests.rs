//! Seats and passes, on a shard that is turned by hand.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, PoisonError},
};

use guildgate_core::client::{Answer, Client, Input};
use guildgate_model::{GuildId, TokenId, UserId};
use guildgate_wire::{CloseCode, EventFrame, EventName, Lane, SessionId};
use proptest::prelude::*;

use super::{
    super::{Parts, Shard, open, place::Socket},
    SLICE,
};
use crate::{
    clock::Clock,
    edge::{EdgeConfig, EdgeStats, Edges, FromEdge, MemorySink, Peer, transport::Transport},
};

const GUILD: GuildId = GuildId(77);

/// A shard without a thread, and what it would have said to the node.
struct Rig {
    shard: Shard,
    _heard: tokio::sync::mpsc::UnboundedReceiver<FromEdge>,
    clients: u64,
    events: u64,
}

/// Somebody on the shard.
struct Member {
    slot: u32,
    sink: Arc<MemorySink>,
    /// What was said on the guild while it was there.
    said: Vec<u64>,
    /// How much of that was said before it last came.
    before: usize,
    seated: bool,
}

impl Rig {
    fn new() -> Rig {
        let (out, heard) = tokio::sync::mpsc::unbounded_channel();
        let (poll, _, mail) = open().expect("a poll");
        let shard = Shard::new(Parts {
            number: 0,
            config: EdgeConfig::default(),
            poll,
            mail,
            stats: Arc::new(EdgeStats::default()),
            edges: Edges {
                shards: Arc::new([]),
                next: Arc::default(),
            },
            out,
            clock: Clock::start(),
        });
        Rig {
            shard,
            _heard: heard,
            clients: 0,
            events: 0,
        }
    }

    /// Every other client is a full session.
    fn arrive(&mut self) -> Member {
        self.clients += 1;
        let sink = Arc::new(MemorySink::default());
        let socket = Socket::new(
            Transport::Memory(Arc::clone(&sink)),
            Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        );
        let shard = &mut self.shard;
        let limits = &shard.parts.config.limits;
        let client = Client::open(shard.now, 0, limits, &mut Vec::new());
        let slot = shard.settle_in(client, socket).expect("nothing drains");
        let (hello, answer) = match self.clients % 2 {
            0 => (
                r#"{"op":1,"d":{"token":null,"uid":null}}"#.to_owned(),
                Answer::Basic,
            ),
            _ => {
                let user = self.clients;
                let mut random = [0; 15];
                random[..8].copy_from_slice(&user.to_be_bytes());
                let answer = Answer::Full {
                    user: UserId(user),
                    token: TokenId(user),
                    session: SessionId { edge: 0, random },
                    missed: Vec::new(),
                };
                (
                    format!(r#"{{"op":1,"d":{{"token":"t","uid":"{user}"}}}}"#),
                    answer,
                )
            }
        };
        shard.step(slot, Input::Text(&hello));
        shard.answer_here(slot, answer);
        let mut member = Member {
            slot,
            sink,
            said: Vec::new(),
            before: 0,
            seated: false,
        };
        self.join(&mut member);
        member
    }

    fn join(&mut self, member: &mut Member) {
        self.shard.take_seat(member.slot, GUILD);
        member.before = member.said.len();
        member.seated = true;
    }

    fn broadcast(&mut self, members: &mut [Member]) {
        self.events += 1;
        let data = serde_json::json!({ "number": self.events });
        let event = EventFrame::new(EventName::ApplicationSubmitted, Lane::Certain, &data);
        let audience = guildgate_core::hub::Audience::All;
        self.shard.broadcast(GUILD, audience, event, None);
        for member in members.iter_mut().filter(|member| member.seated) {
            member.said.push(self.events);
        }
    }

    /// Turns until there is nothing left to carry or write.
    fn finish(&mut self) {
        while !self.shard.sweeping.is_empty() || !self.shard.dirty.is_empty() {
            self.shard.sweep(SLICE);
            self.shard.settle();
            self.shard.flush_dirty();
            self.shard.settle();
        }
    }

    fn block(&mut self, slot: u32, blocked: bool) {
        let place = self.shard.places.at(slot).expect("it is there");
        place.socket.as_mut().expect("it has one").blocked = blocked;
        self.shard.soil(slot);
    }
}

impl Member {
    /// The numbers of the events that were written to it, in order.
    fn heard(&self) -> Vec<u64> {
        let heard = self
            .sink
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut rest = &heard[..];
        let mut numbers = Vec::new();
        while let [_, short, ..] = *rest {
            let (head, len) = match short {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                short => (2, usize::from(short)),
            };
            let text = String::from_utf8_lossy(&rest[head..head + len]).into_owned();
            rest = &rest[head + len..];
            if let Some((_, number)) = text.split_once("\"number\":") {
                let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
                numbers.push(digits.parse().expect("a number"));
            }
        }
        numbers
    }

    /// Each once and in order what was said while it was there; all that was said since it
    /// last came, if it stayed.
    fn check(&self) {
        let heard = self.heard();
        let mut said = self.said.iter();
        for number in &heard {
            assert!(
                said.any(|other| other == number),
                "{heard:?} of {:?}",
                self.said
            );
        }
        if self.seated {
            let since = &self.said[self.before..];
            assert!(heard.ends_with(since), "{heard:?} of {:?}", self.said);
        }
    }
}

#[test]
fn many_leave_while_an_event_is_on_its_way() {
    let mut rig = Rig::new();
    let mut members: Vec<Member> = (0..SLICE + 44).map(|_| rig.arrive()).collect();
    rig.finish();
    rig.broadcast(&mut members);
    rig.shard.sweep(SLICE);
    for member in members.drain(..100) {
        rig.shard.forget(member.slot);
    }
    rig.broadcast(&mut members);
    rig.shard.sweep(SLICE);
    rig.finish();
    for member in &members {
        assert_eq!(member.heard(), [1, 2]);
    }
}

#[test]
fn a_socket_that_takes_nothing_from_heartbeat_to_heartbeat_is_too_slow() {
    let mut rig = Rig::new();
    let mut members = [rig.arrive(), rig.arrive(), rig.arrive()];
    rig.finish();
    let [stuck, behind, _idle] = members.each_ref().map(|member| member.slot);
    for slot in [stuck, behind] {
        rig.block(slot, true);
    }
    let slow = |rig: &Rig| rig.shard.parts.stats.closed(CloseCode::SlowConsumer);
    for _ in 0..3 {
        rig.broadcast(&mut members);
        rig.finish();
        for member in &members {
            rig.shard.owe_ping(member.slot);
        }
        // It takes a little, late.
        rig.block(behind, false);
        rig.finish();
        rig.block(behind, true);
        if rig
            .shard
            .places
            .at(stuck)
            .is_none_or(|place| place.socket.is_none())
        {
            break;
        }
    }
    assert_eq!(slow(&rig), 1);
    assert!(
        rig.shard
            .places
            .at(behind)
            .is_some_and(|place| place.socket.is_some())
    );
}

/// Something that happens to a guild; numbers pick a member.
#[derive(Debug, Clone)]
enum Happening {
    Arrive,
    Join(usize),
    Leave(usize),
    Vanish(usize),
    Broadcast,
    Slice(usize),
    Block(usize, bool),
    Flush,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Happening::Arrive),
        1 => any::<usize>().prop_map(Happening::Join),
        2 => any::<usize>().prop_map(Happening::Leave),
        2 => any::<usize>().prop_map(Happening::Vanish),
        3 => Just(Happening::Broadcast),
        3 => (1usize..6).prop_map(Happening::Slice),
        2 => any::<(usize, bool)>().prop_map(|(which, blocked)| Happening::Block(which, blocked)),
        1 => Just(Happening::Flush),
    ]
}

proptest! {
    #[test]
    fn each_is_told_each_event_once_and_in_order(
        happenings in prop::collection::vec(happening(), 1..120)
    ) {
        let mut rig = Rig::new();
        let mut members: Vec<Member> = (0..8).map(|_| rig.arrive()).collect();
        for happening in happenings {
            let count = members.len().max(1);
            match happening {
                Happening::Arrive => members.push(rig.arrive()),
                Happening::Broadcast => rig.broadcast(&mut members),
                Happening::Slice(sockets) => rig.shard.sweep(sockets),
                Happening::Flush => rig.shard.flush_dirty(),
                Happening::Join(which) => {
                    if let Some(member) = members.get_mut(which % count) {
                        rig.join(member);
                    }
                }
                Happening::Leave(which) => {
                    if let Some(member) = members.get_mut(which % count) {
                        rig.shard.leave_seat(member.slot, GUILD);
                        member.seated = false;
                    }
                }
                Happening::Vanish(which) => {
                    if !members.is_empty() {
                        let mut member = members.swap_remove(which % count);
                        rig.shard.forget(member.slot);
                        member.seated = false;
                        member.check();
                    }
                }
                Happening::Block(which, blocked) => {
                    if let Some(member) = members.get(which % count) {
                        rig.block(member.slot, blocked);
                    }
                }
            }
            rig.shard.settle();
        }
        for member in &members {
            rig.block(member.slot, false);
        }
        rig.finish();
        for member in &members {
            member.check();
        }
    }
}

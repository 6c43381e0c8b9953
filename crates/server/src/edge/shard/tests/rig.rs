//! A shard that is turned by hand, and members who write down what they hear.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, PoisonError},
};

use guildgate_core::client::{Answer, Client, Input};
use guildgate_model::{GuildId, TokenId, UserId};
use guildgate_wire::{EventFrame, EventName, Lane, SessionId};

use super::super::{Parts, Shard, fanout::SLICE, open, place::Socket};
use crate::{
    clock::Clock,
    edge::{EdgeConfig, EdgeStats, Edges, FromEdge, MemorySink, Peer, transport::Transport},
};

pub(in crate::edge::shard) const GUILD: GuildId = GuildId(77);

/// A shard without a thread, and what it would have said to the node.
pub(in crate::edge::shard) struct Rig {
    pub(in crate::edge::shard) shard: Shard,
    _heard: tokio::sync::mpsc::UnboundedReceiver<FromEdge>,
    clients: u64,
    events: u64,
}

/// Somebody on the shard.
pub(in crate::edge::shard) struct Member {
    pub(in crate::edge::shard) slot: u32,
    sink: Arc<MemorySink>,
    /// What was said on the guild while it was there.
    said: Vec<u64>,
    /// How much of that was said before it last came.
    before: usize,
    pub(in crate::edge::shard) seated: bool,
}

impl Rig {
    pub(in crate::edge::shard) fn new() -> Rig {
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

    /// A client that has not authenticated.
    pub(in crate::edge::shard) fn dial(&mut self) -> Member {
        let sink = Arc::new(MemorySink::default());
        let socket = Socket::new(
            Transport::Memory(Arc::clone(&sink)),
            Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        );
        let shard = &mut self.shard;
        let limits = &shard.parts.config.limits;
        let client = Client::open(shard.now, 0, limits, &mut Vec::new());
        let slot = shard.settle_in(client, socket).expect("nothing drains");
        Member {
            slot,
            sink,
            said: Vec::new(),
            before: 0,
            seated: false,
        }
    }

    /// A client on the guild; every other is a full session, the first one the first.
    pub(in crate::edge::shard) fn arrive(&mut self) -> Member {
        self.clients += 1;
        let mut member = self.dial();
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
        self.shard.step(member.slot, Input::Text(&hello));
        self.shard.answer_here(member.slot, answer);
        self.join(&mut member);
        member
    }

    pub(in crate::edge::shard) fn join(&mut self, member: &mut Member) {
        self.shard.take_seat(member.slot, GUILD);
        member.before = member.said.len();
        member.seated = true;
    }

    pub(in crate::edge::shard) fn broadcast(&mut self, members: &mut [Member]) {
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
    pub(in crate::edge::shard) fn finish(&mut self) {
        while !self.shard.sweeping.is_empty() || !self.shard.dirty.is_empty() {
            self.shard.sweep(SLICE);
            self.shard.settle();
            self.shard.flush_dirty();
            self.shard.settle();
        }
    }

    pub(in crate::edge::shard) fn block(&mut self, slot: u32, blocked: bool) {
        let place = self.shard.places.at(slot).expect("it is there");
        place.socket.as_mut().expect("it has one").blocked = blocked;
        self.shard.soil(slot);
    }
}

impl Member {
    /// The numbers of the events that were written to it, in order.
    pub(in crate::edge::shard) fn heard(&self) -> Vec<u64> {
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
    pub(in crate::edge::shard) fn check(&self) {
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

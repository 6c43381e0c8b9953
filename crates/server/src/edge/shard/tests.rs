//! A shard when its clients, or it itself, fail.

pub(super) mod rig;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    num::NonZeroU8,
    time::Duration,
};

use guildgate_core::client::Input;
use guildgate_model::{GuildId, TokenId, UserId};
use guildgate_wire::{CloseCode, EventFrame};

use crate::{
    clock::Clock,
    edge::{EdgeConfig, Edges, Handover, Peer, ToEdge},
};
use rig::{Member, Rig};

/// A message at which a client's machine fails, as no real one is known to do.
const FATAL: &str = "fail";

/// A token at whose revocation it fails.
const FATAL_TOKEN: TokenId = TokenId(u64::MAX);

pub(super) fn fail_if_told(input: &Input<'_>) {
    if let Input::Text(FATAL) | Input::Revoked(FATAL_TOKEN) = input {
        panic!("a machine fails");
    }
}

/// A user whose events the shard itself fails at.
const FATAL_USER: UserId = UserId(u64::MAX);

pub(super) fn end_if_told(message: &ToEdge) {
    if let ToEdge::User(FATAL_USER, _) = message {
        panic!("a shard fails");
    }
}

/// Ends a shard's thread by a panic.
pub(crate) fn fail_shard(edges: &Edges, number: u8) {
    edges.send(
        number,
        ToEdge::User(FATAL_USER, EventFrame::count(GuildId(1), 1)),
    );
}

struct Client(TcpStream);

impl Client {
    fn connect(listener: &TcpListener, edges: &Edges) -> Client {
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).expect("loopback");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        let (accepted, _) = listener.accept().expect("loopback");
        let peer = Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST));
        edges.handover(Handover::plain(accepted, peer, Vec::new()).expect("a socket"));
        let mut client = Client(stream);
        let expected = guildgate_wire::request_auth().as_bytes();
        assert_eq!(client.hear(2 + expected.len())[2..], *expected);
        client
    }

    fn say(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).expect("loopback");
    }

    fn hear(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).expect("the server speaks");
        bytes
    }
}

#[test]
fn a_turn_reads_so_many_sockets_and_the_next_the_others() {
    let mut rig = Rig::new();
    for _ in 0..super::READS_MAX + 40 {
        let member = rig.dial();
        rig.shard.want_read(member.slot);
    }
    rig.shard.read_sockets();
    assert_eq!(rig.shard.readable.len(), 40);
    rig.shard.read_sockets();
    assert_eq!(rig.shard.readable.len(), 0);
}

#[test]
fn a_turn_feeds_so_many_deadlines_and_the_next_the_others() {
    let mut rig = Rig::new();
    let members: Vec<_> = (0..super::DEADLINES_MAX + 40).map(|_| rig.dial()).collect();
    rig.shard.now.mono = rig.shard.now.mono + Duration::from_secs(3600);
    rig.shard.expire();
    assert_eq!(rig.shard.due.len(), 40);
    assert_eq!(rig.shard.pause(), Some(Duration::ZERO));
    rig.shard.expire();
    assert_eq!(rig.shard.due.len(), 0);
    let open = |member: &&rig::Member| rig.shard.places.at(member.slot).is_some();
    assert_eq!(members.iter().filter(open).count(), 0);
}

#[test]
fn what_a_resume_has_no_room_for_is_counted() {
    let mut rig = Rig::new();
    rig.shard.parts.config.limits.resume_events_max = 2;
    let mut session = [rig.arrive()];
    for _ in 0..5 {
        rig.broadcast(&mut session);
        rig.finish();
    }
    let stats = &rig.shard.parts.stats;
    assert_eq!((stats.kept.load(), stats.outgrown.load()), (2, 3));
}

#[test]
fn a_machine_that_fails_takes_nobody_with_it() {
    let (out, _heard) = tokio::sync::mpsc::unbounded_channel();
    let config = EdgeConfig::default();
    let (edges, threads) = Edges::start(&config, &out, Clock::start()).expect("threads");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut unlucky = Client::connect(&listener, &edges);
    let mut other = Client::connect(&listener, &edges);
    unlucky.say(0x81, FATAL.as_bytes());
    let close = unlucky.hear(4);
    assert_eq!(close[0], 0x88);
    assert_eq!(close[2..], 4000u16.to_be_bytes());
    other.say(0x89, b"alive?");
    assert_eq!(other.hear(8), b"\x8a\x06alive?");
    let (stats, _) = edges.stats().next().expect("one shard");
    assert_eq!(stats.panics.load(), 1);
    assert_eq!(stats.clients.load(), 1);
    drop((unlucky, other));
    edges.drain(Duration::ZERO);
    edges.finish();
    threads.join();
}

#[tokio::test]
async fn a_shard_that_ends_is_heard_of_and_the_others_go_on() {
    let (out, _heard) = tokio::sync::mpsc::unbounded_channel();
    let config = EdgeConfig {
        shards: NonZeroU8::new(2).expect("not 0"),
        ..EdgeConfig::default()
    };
    let (edges, mut threads) = Edges::start(&config, &out, Clock::start()).expect("threads");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut lucky = Client::connect(&listener, &edges);
    let mut other = Client::connect(&listener, &edges);
    fail_shard(&edges, 1);
    assert_eq!(threads.ended().await, 1);
    let mut end = [0];
    assert_eq!(
        other.0.read(&mut end).unwrap_or(0),
        0,
        "its socket is closed"
    );
    lucky.say(0x89, b"alive?");
    assert_eq!(lucky.hear(8), b"\x8a\x06alive?");
    drop(lucky);
    edges.drain(Duration::ZERO);
    edges.finish();
    assert_eq!(threads.ended().await, 0);
    threads.join();
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

#[test]
fn a_revocation_is_told_to_those_it_may_concern_and_runs_nobody_elses_machine() {
    let mut rig = Rig::new();
    let members: Vec<Member> = (0..10).map(|_| rig.arrive()).collect();
    let stranger = rig.dial().slot;
    rig.shard.revoke(FATAL_TOKEN);
    assert_eq!(rig.shard.parts.stats.panics.load(), 1);
    assert!(rig.shard.places.at(stranger).is_none());
    // The first member's, who is a session.
    rig.shard.revoke(TokenId(1));
    assert!(rig.shard.places.at(members[0].slot).is_none());
    assert_eq!(rig.shard.places.len(), 9);
}

#[test]
fn what_waits_and_what_is_dropped_is_counted() {
    let mut rig = Rig::new();
    // A session, and a basic client.
    let mut members = [rig.arrive(), rig.arrive()];
    rig.finish();
    for member in &members {
        rig.block(member.slot, true);
    }
    for _ in 0..3 {
        rig.broadcast(&mut members);
    }
    rig.finish();
    let figures = |rig: &Rig| {
        let stats = &rig.shard.parts.stats;
        [&stats.waiting, &stats.kept, &stats.dropped].map(|figure| figure.load())
    };
    assert_eq!(figures(&rig), [6, 0, 0]);
    rig.block(members[0].slot, false);
    rig.finish();
    assert_eq!(
        figures(&rig),
        [3, 3, 0],
        "a session's are kept once they are written"
    );
    rig.shard.lose_socket(members[1].slot);
    assert_eq!(figures(&rig), [0, 3, 3]);
    rig.shard.lose_socket(members[0].slot);
    assert_eq!(figures(&rig), [0, 3, 3], "a session outlives its socket");
    rig.shard.forget(members[0].slot);
    assert_eq!(figures(&rig), [0, 0, 3]);
}

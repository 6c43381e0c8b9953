//! One event to many, and to those who do not read.

use std::net::TcpStream;

use guildgate_model::GuildId;
use guildgate_server::edge::FromEdge;
use guildgate_wire::{CloseCode, EventFrame, Limits};
use socket2::{Domain, Socket, Type};

use crate::support::{Client, GUILD, Said, World, certain, limits};

/// A client whose kernel takes little, so that it is soon full.
fn narrow(world: &World) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    socket.connect(&world.address().into()).expect("loopback");
    world.accept(TcpStream::from(socket))
}

#[test]
fn everybody_gets_everything_in_order_over_many_slices() {
    let mut world = World::new(2, limits());
    let mut clients: Vec<Client> = (0..700)
        .map(|number| {
            let mut client = world.connect();
            if number % 3 == 0 {
                world.let_in(&mut client, 1000 + number);
            } else {
                world.let_in_basic(&mut client);
            }
            world.join(&mut client);
            client
        })
        .collect();
    for number in 1..=40 {
        world.broadcast(&certain(number, 0));
    }
    for (index, client) in clients.iter_mut().enumerate() {
        for number in 1..=40u64 {
            let frame = client.expect_op(5);
            assert_eq!(frame["d"]["number"], number);
            if index % 3 == 0 {
                assert_eq!(frame["s"], number);
            } else {
                assert_eq!(frame.get("s"), None);
            }
        }
    }
    world.end();
}

#[test]
fn members_who_leave_in_the_middle_of_a_pass_cost_nobody_an_event() {
    let mut world = World::new(1, limits());
    let mut clients: Vec<Client> = (0..600)
        .map(|_| {
            let mut client = world.connect();
            world.let_in_basic(&mut client);
            world.join(&mut client);
            client
        })
        .collect();
    for number in 1..=50 {
        world.broadcast(&certain(number, 0));
        drop(clients.swap_remove((number as usize * 7) % clients.len()));
    }
    for client in &mut clients {
        for number in 1..=50u64 {
            assert_eq!(client.expect_op(5)["d"]["number"], number);
        }
    }
    world.end();
}

#[test]
fn who_does_not_read_is_closed_and_slows_nobody() {
    let limits = Limits {
        queue_frames_max: 8,
        ..limits()
    };
    let mut world = World::with(1, limits, std::time::Duration::from_secs(10));
    let mut slow = narrow(&world);
    let slow_id = world.let_in_basic(&mut slow);
    world.join(&mut slow);
    let mut quick = world.connect();
    world.let_in_basic(&mut quick);
    world.join(&mut quick);

    let mut sent = 0;
    loop {
        sent += 1;
        world.broadcast(&certain(sent, 100_000));
        assert_eq!(
            quick.expect_op(5)["d"]["number"],
            sent,
            "nothing is missing"
        );
        let (stats, _) = world.edges.stats().next().expect("one shard");
        if stats.closed(CloseCode::SlowConsumer) == 1 {
            break;
        }
        assert!(sent < 1_000, "a socket cannot take so much");
    }
    world.hear_until(|said| matches!(said, FromEdge::Gone(gone) if *gone == slow_id).then_some(()));
    quick.expect_alive();
    // It hears why, if it reads again in time.
    slow.expect_close(4010);
    drop(slow);
    world.end();
}

#[test]
fn who_reads_late_finds_out_why_it_was_closed() {
    let mut world = World::new(1, limits());
    let mut slow = world.connect();
    world.let_in_basic(&mut slow);
    world.join(&mut slow);
    let (bytes, sent) = until_slow(&world, 250);
    // What two kernels keep, and the queue; of those the client's own is the largest.
    assert!(
        bytes < 800_000,
        "{bytes} bytes were taken for somebody who does not read"
    );
    // Its socket has long been let go.
    let (stats, _) = world.edges.stats().next().expect("one shard");
    while stats.sockets.load() > 0 {
        std::thread::yield_now();
    }
    hears_the_beginning_and_why(&mut slow, sent);
    world.end();
}

/// Broadcasts events of about `len` bytes until somebody is closed for being slow; how many
/// bytes and events that took.
pub fn until_slow(world: &World, len: usize) -> (usize, u64) {
    let (mut bytes, mut sent) = (0, 0);
    let (stats, _) = world.edges.stats().next().expect("one shard");
    while stats.closed(CloseCode::SlowConsumer) == 0 {
        sent += 1;
        let event = certain(sent, len);
        bytes += event.len_max();
        world.broadcast(&event);
        // Once it is closed, nobody is on the guild to broadcast to.
        while stats.broadcasts.load() < sent && stats.closed(CloseCode::SlowConsumer) == 0 {
            std::thread::yield_now();
        }
        assert!(bytes < 1 << 24, "a socket cannot take so much");
    }
    (bytes, sent)
}

/// Events without a hole from the first on, but not all that were sent; then 4010.
pub fn hears_the_beginning_and_why(slow: &mut Client, sent: u64) {
    let mut heard = 0;
    loop {
        match slow.hear() {
            Said::Text(text) => {
                heard += 1;
                let frame: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(frame["d"]["number"], heard);
            }
            said => {
                assert_eq!(said, Said::Close(4010));
                break;
            }
        }
    }
    assert!(heard < sent, "the rest was not for it any more");
    assert_eq!(slow.hear(), Said::End);
}

#[test]
fn a_slow_session_can_be_resumed_without_a_hole() {
    let limits = Limits {
        queue_frames_max: 8,
        resume_bytes_max: 64 << 20,
        ..limits()
    };
    let mut world = World::new(1, limits);
    let mut slow = narrow(&world);
    let (_, session) = world.let_in(&mut slow, 3);
    world.join(&mut slow);
    let mut sent = 0;
    loop {
        sent += 1;
        world.broadcast(&certain(sent, 100_000));
        let (stats, _) = world.edges.stats().next().expect("one shard");
        while stats.broadcasts.load() < sent && stats.closed(CloseCode::SlowConsumer) == 0 {
            std::thread::yield_now();
        }
        if stats.closed(CloseCode::SlowConsumer) == 1 {
            break;
        }
        assert!(sent < 200, "a socket cannot take so much");
    }
    world.hear_until(|said| {
        matches!(
            said,
            FromEdge::Attached {
                attached: false,
                ..
            }
        )
        .then_some(())
    });
    drop(slow);
    let mut back = world.connect();
    back.expect_op(0);
    back.send(&format!(
        r#"{{"op":1,"d":{{"token":"gggu_x","uid":"3","resume":{{"session_id":"{session}","seq":0}}}}}}"#
    ));
    let (id, _) = world.question();
    world.answer(id, crate::support::full(3));
    assert_eq!(back.expect_op(2)["d"]["resumed"], true);
    for number in 1..=sent {
        let frame = back.expect_op(5);
        assert_eq!(frame["s"], number);
        assert_eq!(frame["d"]["number"], number);
    }
    world.end();
}

#[test]
fn counts_that_wait_give_way_to_newer_ones_and_the_last_one_comes() {
    let mut world = World::new(1, limits());
    let mut slow = narrow(&world);
    world.let_in_basic(&mut slow);
    world.join(&mut slow);
    // Fill the socket with what may not be dropped, then count.
    let mut sent = 0;
    loop {
        sent += 1;
        world.broadcast(&certain(sent, 20_000));
        let (stats, _) = world.edges.stats().next().expect("one shard");
        while stats.broadcasts.load() < sent && stats.closed(CloseCode::SlowConsumer) == 0 {
            std::thread::yield_now();
        }
        if stats.blocked.load() > 0 {
            break;
        }
        assert!(sent < 1_000, "a socket cannot take so much");
    }
    for count in 1..=1_000 {
        world.broadcast(&EventFrame::count(GUILD, count));
    }
    world.broadcast(&EventFrame::count(GuildId(78), 5));
    let mut counts = 0;
    loop {
        let frame = slow.expect_op(5);
        if frame["ev"] == "GUILD_MEMBER_COUNT_CHANGE" {
            counts += 1;
            if frame["d"]["guild_id"] == "77" && frame["d"]["member_count"] == 1_000 {
                break;
            }
        }
    }
    assert!(counts < 1_000, "{counts} counts came");
    assert!(
        world
            .edges
            .stats()
            .next()
            .expect("one shard")
            .0
            .conflated
            .load()
            > 0
    );
    world.end();
}

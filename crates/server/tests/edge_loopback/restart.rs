//! Sessions that outlive the process.

use std::time::Duration;

use guildgate_core::client::{Answer, SavedSession};
use guildgate_server::edge::{FromEdge, ToEdge};

use crate::{
    resume::come_back,
    support::{Client, GUILD, World, certain, limits},
};

/// Ends a world as a node does that goes away: `said` is told when the sockets are gone already.
fn end(mut world: World, said: impl FnOnce(&World)) -> Vec<SavedSession> {
    let mut closed = world.edges.drain(Duration::ZERO);
    assert_eq!(world.wait(closed.recv()), None, "all sockets are gone");
    said(&world);
    let mut saved = world.edges.finish();
    let mut sessions = Vec::new();
    while let Some(shard) = world.wait(saved.recv()) {
        sessions.extend(shard);
    }
    world.threads.take().expect("they run").join();
    sessions
}

#[test]
fn a_session_goes_on_in_the_next_process_and_hears_what_was_said_meanwhile() {
    let mut world = World::new(2, limits());
    let mut client = world.connect();
    let (_, session) = world.let_in(&mut client, 5);
    world.join(&mut client);
    let mut basic = world.connect();
    world.let_in_basic(&mut basic);
    world.broadcast(&certain(1, 0));
    assert_eq!(client.expect_op(5)["s"], 1);
    let saved = end(world, |world| {
        world.broadcast(&certain(2, 0));
        world.broadcast(&certain(3, 0));
    });
    client.expect_close(1001);
    basic.expect_close(1001);
    assert_eq!(saved.len(), 1, "who has no session has nothing to be kept");

    let mut world = World::new(2, limits());
    world.edges.restore(saved);
    let (home, guild, user) = world.hear_until(|said| match said {
        FromEdge::Restored {
            client,
            guild,
            user,
        } => Some((*client, *guild, *user)),
        _ => None,
    });
    assert_eq!((guild, user.0), (GUILD, 5), "the hub is told, not asked");
    let (stats, _) = world.edges.stats().next().expect("two shards");
    assert_eq!((stats.clients.load(), stats.detached.load()), (1, 1));
    world.broadcast(&certain(4, 0));
    let mut other = passer_by(&mut world);
    let mut client = world.connect();
    come_back(&mut world, &mut client, 5, &session, 1);
    let frame = client.expect_op(2);
    assert_eq!(frame["d"]["resumed"], true);
    assert_eq!(frame["d"]["session_id"], session.as_str());
    for sequence in 2..=4 {
        let frame = client.expect_op(5);
        assert_eq!(frame["s"], sequence);
        assert_eq!(frame["d"]["number"], sequence);
    }
    let back = world.hear_until(|said| match said {
        FromEdge::Attached { client, attached } => Some((*client, *attached)),
        _ => None,
    });
    assert_eq!(back, (home, true));
    world.broadcast(&certain(5, 0));
    assert_eq!(client.expect_op(5)["s"], 5, "it is on its guild");
    other.expect_alive();
    world.end();
}

/// So that the next connection comes to the other shard.
fn passer_by(world: &mut World) -> Client {
    let mut client = world.connect();
    client.expect_op(0);
    client
}

#[test]
fn a_restored_session_is_nobodys_without_its_users_token_and_ends_with_its_own() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    let (_, session) = world.let_in(&mut client, 5);
    let saved = end(world, |_| {});
    client.expect_close(1001);

    let mut world = World::new(1, limits());
    world.edges.restore(saved.clone());
    let mut thief = world.connect();
    come_back(&mut world, &mut thief, 6, &session, 0);
    assert_eq!(thief.expect_op(2)["d"]["resumed"], false);
    let Answer::Full { token, .. } = crate::support::full(5) else {
        panic!("a full answer is one");
    };
    world.edges.send(0, ToEdge::Revoked(token));
    world.hear_until(|said| matches!(said, FromEdge::Gone(_)).then_some(()));
    let mut client = world.connect();
    come_back(&mut world, &mut client, 5, &session, 0);
    assert_eq!(client.expect_op(2)["d"]["resumed"], false);
    world.end();

    // Its shard is no more.
    let world = World::new(1, limits());
    let mut elsewhere = saved;
    for session in &mut elsewhere {
        let mut value = serde_json::to_value(&*session).expect("plain JSON");
        value["edge"] = 7.into();
        *session = serde_json::from_value(value).expect("a session");
    }
    world.edges.restore(elsewhere);
    let clients: u64 = world
        .edges
        .stats()
        .map(|(stats, _)| stats.clients.load())
        .sum();
    assert_eq!(clients, 0);
    world.end();
}

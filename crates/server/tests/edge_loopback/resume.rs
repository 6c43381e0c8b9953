//! Sessions that outlive their sockets.

use std::time::Duration;

use guildgate_core::client::{Answer, Ask};
use guildgate_server::edge::FromEdge;
use guildgate_wire::Limits;

use crate::support::{Client, World, certain, full, limits};

/// Authenticates on a new connection with a wish to resume.
pub fn come_back(world: &mut World, client: &mut Client, user: u64, session: &str, seen: u64) {
    client.expect_op(0);
    client.send(&format!(
        r#"{{"op":1,"d":{{"token":"gggu_x","uid":"{user}","resume":{{"session_id":"{session}","seq":{seen}}}}}}}"#
    ));
    let (id, ask) = world.question();
    assert!(
        matches!(
            ask,
            Ask::Authenticate {
                resume: Some(_),
                ..
            }
        ),
        "{ask:?}"
    );
    let mut answer = full(user);
    if let Answer::Full { session, .. } = &mut answer {
        session.random[14] = 0xff;
    }
    world.answer(id, answer);
}

fn attached(world: &mut World) -> bool {
    world.hear_until(|said| match said {
        FromEdge::Attached { attached, .. } => Some(*attached),
        _ => None,
    })
}

/// A session on shard 0 with one event seen, whose socket is then lost; resumed through a
/// socket that came to shard `through`.
fn resumes_through(through: u8) {
    let mut world = World::new(2, limits());
    let mut client = world.connect();
    let (_, session) = world.let_in(&mut client, 5);
    let home = world.join(&mut client);
    assert_eq!(home.edge, 0);
    world.broadcast(&certain(1, 0));
    assert_eq!(client.expect_op(5)["s"], 1);
    drop(client);
    assert!(!attached(&mut world));
    world.broadcast(&certain(2, 0));
    world.broadcast(&certain(3, 0));

    let mut passer_by = world.connect();
    passer_by.expect_op(0);
    let mut client = if through == 1 {
        passer_by_swap(&mut world)
    } else {
        world.connect()
    };
    come_back(&mut world, &mut client, 5, &session, 1);
    let frame = client.expect_op(2);
    assert_eq!(frame["d"]["resumed"], true);
    assert_eq!(frame["d"]["session_id"], session.as_str());
    for sequence in 2..=3 {
        let frame = client.expect_op(5);
        assert_eq!(frame["s"], sequence);
        assert_eq!(frame["d"]["number"], sequence);
    }
    assert!(attached(&mut world));
    world.broadcast(&certain(4, 0));
    assert_eq!(client.expect_op(5)["s"], 4, "the guild connection goes on");
    client.expect_alive();
    world.end();
}

/// One more connection, so that the next one comes to the other shard.
fn passer_by_swap(world: &mut World) -> Client {
    drop(world.connect());
    world.connect()
}

#[test]
fn a_session_goes_on_through_a_socket_on_its_own_shard() {
    resumes_through(0);
}

#[test]
fn a_session_goes_on_through_a_socket_that_came_to_another_shard() {
    resumes_through(1);
}

#[test]
fn a_session_that_is_not_to_be_had_is_started_anew_and_says_so() {
    let mut world = World::new(2, limits());
    let mut client = world.connect();
    let (_, session) = world.let_in(&mut client, 5);
    drop(client);
    assert!(!attached(&mut world));
    let (one, other) = session.split_at(2);
    assert_eq!(one, "00");
    let tries = [
        (
            "ff00000000000000000000000000ffff".to_owned(),
            5,
            "no such shard",
        ),
        (format!("01{other}"), 5, "no such session there"),
        ("not a session".to_owned(), 5, "no session's name"),
        (session.clone(), 6, "somebody else's"),
    ];
    for (name, user, why) in tries {
        let mut client = world.connect();
        come_back(&mut world, &mut client, user, &name, 0);
        let frame = client.expect_op(2);
        assert_eq!(frame["d"]["resumed"], false, "{why}");
        client.expect_alive();
        client.send_frame(0x88, &1000u16.to_be_bytes());
    }
    world.end();
}

#[test]
fn a_sequence_from_the_future_does_not_resume() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    let (_, session) = world.let_in(&mut client, 5);
    drop(client);
    let mut client = world.connect();
    come_back(&mut world, &mut client, 5, &session, 99);
    assert_eq!(client.expect_op(2)["d"]["resumed"], false);
    world.end();
}

#[test]
fn the_socket_before_is_closed_without_an_invitation_to_come_back() {
    let mut world = World::new(2, limits());
    let mut old = world.connect();
    let (_, session) = world.let_in(&mut old, 5);
    let mut new = world.connect();
    come_back(&mut world, &mut new, 5, &session, 0);
    assert_eq!(new.expect_op(2)["d"]["resumed"], true);
    old.expect_close(4005);
    new.expect_alive();
    world.end();
}

#[test]
fn a_session_is_over_after_its_window_and_after_a_close_of_its_client() {
    let mut world = World::new(
        1,
        Limits {
            resume_window: Duration::from_millis(100),
            ..limits()
        },
    );
    let mut client = world.connect();
    let (id, session) = world.let_in(&mut client, 5);
    drop(client);
    world.hear_until(|said| matches!(said, FromEdge::Gone(gone) if *gone == id).then_some(()));
    let mut client = world.connect();
    come_back(&mut world, &mut client, 5, &session, 0);
    assert_eq!(client.expect_op(2)["d"]["resumed"], false);
    client.send_frame(0x88, &1000u16.to_be_bytes());
    world.hear_until(|said| matches!(said, FromEdge::Gone(_)).then_some(()));
    let (stats, _) = world.edges.stats().next().expect("one shard");
    assert_eq!(stats.detached.load(), 0);
    assert_eq!(stats.clients.load(), 0);
    world.end();
}

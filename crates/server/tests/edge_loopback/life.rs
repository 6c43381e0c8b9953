//! How connections live and end.

use std::time::Duration;

use guildgate_core::client::{Answer, Ask, Refusal};
use guildgate_model::TokenId;
use guildgate_server::edge::{FromEdge, ToEdge};
use guildgate_wire::{CloseCode, ErrorCode, Limits};

use crate::support::{GUILD, Said, World, certain, limits, raw, to_guild};

#[test]
fn a_basic_client_comes_connects_hears_and_goes() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    let id = world.let_in_basic(&mut client);
    assert_eq!(world.join(&mut client), id);
    world.broadcast(&certain(1, 0));
    assert_eq!(client.expect_op(5)["d"]["number"], 1);

    client.send(&format!(
        r#"{{"op":6,"cmd":"DESCONNECT_GUILD","d":{{"gid":"{GUILD}"}},"nonce":"n"}}"#
    ));
    let answer = client.expect_op(7);
    assert_eq!(answer["d"]["data"]["success"], true);
    let left = world.hear();
    assert!(
        matches!(left, FromEdge::Left { client, guild } if client == id && guild == GUILD),
        "{left:?}"
    );

    client.send_frame(0x88, &1000u16.to_be_bytes());
    assert_eq!(client.hear(), Said::Close(1000), "answered in kind");
    assert_eq!(client.hear(), Said::End);
    let gone = world.hear();
    assert!(
        matches!(gone, FromEdge::Gone(gone) if gone == id),
        "{gone:?}"
    );
    world.end();
}

#[test]
fn what_was_said_before_a_subscription_is_not_for_it_and_what_comes_after_is() {
    let mut world = World::new(1, limits());
    let mut first = world.connect();
    world.let_in_basic(&mut first);
    world.join(&mut first);
    let mut second = world.connect();
    let id = world.let_in_basic(&mut second);
    second.send(&format!(
        r#"{{"op":6,"cmd":"CONNECT_GUILD","d":{{"gid":"{GUILD}","token":"gggg_x"}}}}"#
    ));
    world.question();
    // All in one turn of the shard, as the hub would send them.
    world.edges.push(0, to_guild(&certain(1, 0)));
    world.edges.push(
        0,
        ToEdge::Hub {
            output: guildgate_core::hub::Output::Connected {
                client: id,
                guild: GUILD,
                entry: guildgate_core::hub::Entry::New,
                guild_json: raw("{}"),
                user: None,
            },
            received: None,
        },
    );
    world.edges.push(0, to_guild(&certain(2, 0)));
    world.edges.push(
        0,
        ToEdge::Hub {
            output: guildgate_core::hub::Output::ToClient {
                client: id,
                event: certain(3, 0),
            },
            received: None,
        },
    );
    world.edges.ring(0);
    second.expect_op(7);
    assert_eq!(second.expect_op(5)["d"]["number"], 2);
    assert_eq!(second.expect_op(5)["d"]["number"], 3);
    assert_eq!(first.expect_op(5)["d"]["number"], 1);
    assert_eq!(first.expect_op(5)["d"]["number"], 2);
    world.end();
}

#[test]
fn commands_wait_for_the_answer_before_theirs_and_are_all_answered_in_order() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    world.let_in(&mut client, 5);
    let mut bytes = Vec::new();
    for nonce in 0..20 {
        let text = format!(
            r#"{{"op":6,"cmd":"NOTIFICATIONS_ACK","d":{{"ids":["{nonce}"]}},"nonce":"{nonce}"}}"#
        );
        bytes.extend(crate::support::frame(0x81, text.as_bytes()));
    }
    client.send_bytes(&bytes);
    for nonce in 0..20 {
        let (id, ask) = world.question();
        let Ask::Acknowledge { ids, .. } = ask else {
            panic!("{ask:?}");
        };
        assert_eq!(ids[0].0, nonce, "one question at a time, in order");
        let refusal = Refusal::new(ErrorCode::Unavailable, "not now");
        world.answer(id, Answer::Refused(refusal));
        assert_eq!(client.expect_op(7)["nonce"], nonce.to_string());
    }
    world.end();
}

#[test]
fn an_answer_for_somebody_who_has_gone_reaches_nobody_else() {
    let mut world = World::new(1, limits());
    let mut first = world.connect();
    first.expect_op(0);
    first.send(r#"{"op":1,"d":{"token":null,"uid":null}}"#);
    let (gone, _) = world.question();
    world
        .edges
        .send(0, ToEdge::Answer(gone, Answer::NotAuthentic));
    first.expect_close(4004);
    let mut second = world.connect();
    second.expect_op(0);
    world.answer(gone, Answer::Basic);
    let id = {
        second.send(r#"{"op":1,"d":{"token":null,"uid":null}}"#);
        world.question().0
    };
    assert_eq!(id.slot, gone.slot, "the place is let again");
    assert_ne!(id, gone);
    world.answer(id, Answer::Basic);
    second.expect_op(2);
    world.end();
}

#[test]
fn a_client_that_does_not_authenticate_is_closed() {
    let mut world = World::new(
        1,
        Limits {
            authenticate_within: Duration::from_millis(100),
            ..limits()
        },
    );
    let mut client = world.connect();
    client.expect_op(0);
    client.expect_close(4009);
    world.hear_until(|said| matches!(said, FromEdge::Gone(_)).then_some(()));
    world.end();
}

#[test]
fn a_client_without_a_sign_of_life_is_asked_and_then_closed() {
    let mut world = World::new(
        1,
        Limits {
            heartbeat_interval: Duration::from_secs(2),
            ..limits()
        },
    );
    let mut client = world.connect();
    world.let_in_basic(&mut client);
    assert_eq!(client.hear(), Said::Ping(Vec::new()));
    assert_eq!(client.expect_op(3)["d"], serde_json::Value::Null);
    client.send(r#"{"op":4,"d":null}"#);
    assert_eq!(client.hear(), Said::Ping(Vec::new()), "it goes on");
    client.expect_close(4009);
    world.end();
}

#[test]
fn too_many_frames_close_the_connection_and_no_other() {
    let mut world = World::new(1, limits());
    let mut other = world.connect();
    world.let_in_basic(&mut other);
    let mut client = world.connect();
    world.let_in_basic(&mut client);
    for _ in 0..51 {
        client.send(r#"{"op":4,"d":null}"#);
    }
    client.expect_close(4008);
    let mut pinging = world.connect();
    world.let_in_basic(&mut pinging);
    for _ in 0..51 {
        pinging.send_frame(0x89, &[0; 125]);
    }
    pinging.expect_close(4008);
    other.expect_alive();
    let (stats, _) = world.edges.stats().next().expect("one shard");
    assert_eq!(stats.closed(CloseCode::RateLimited), 2);
    world.end();
}

#[test]
fn a_revoked_token_closes_whoever_came_with_it() {
    let mut world = World::new(2, limits());
    let mut first = world.connect();
    world.let_in(&mut first, 1);
    let mut second = world.connect();
    world.let_in(&mut second, 2);
    world.edges.send_all(|| ToEdge::Revoked(TokenId(1)));
    first.expect_close(4004);
    second.expect_alive();
    world.end();
}

#[test]
fn an_event_to_a_user_reaches_all_their_connections_and_nobody_else() {
    let mut world = World::new(2, limits());
    let mut clients: Vec<_> = [9, 9, 8]
        .into_iter()
        .map(|user| {
            let mut client = world.connect();
            // Two sessions of one user need two names.
            client.expect_op(0);
            client.send(r#"{"op":1,"d":{"token":"gggu_x","uid":"9"}}"#);
            let (id, _) = world.question();
            let mut answer = crate::support::full(user);
            if let Answer::Full { session, .. } = &mut answer {
                session.random[14] = id.edge + 1;
            }
            world.answer(id, answer);
            client.expect_op(2);
            client
        })
        .collect();
    let event = certain(4, 0);
    world
        .edges
        .send_all(|| ToEdge::User(guildgate_model::UserId(9), event.clone()));
    for client in &mut clients[..2] {
        assert_eq!(client.expect_op(5)["d"]["number"], 4);
    }
    clients[2].send_frame(0x89, b"x");
    assert_eq!(
        clients[2].hear(),
        Said::Pong(b"x".to_vec()),
        "no event came before"
    );
    world.end();
}

#[test]
fn a_drain_closes_everyone_and_ends_the_threads() {
    let mut world = World::new(2, limits());
    let mut clients: Vec<_> = (0..6)
        .map(|_| {
            let mut client = world.connect();
            world.let_in_basic(&mut client);
            client
        })
        .collect();
    world.edges.drain(Duration::from_millis(300));
    world.edges.finish();
    for client in &mut clients {
        client.expect_close(1001);
    }
    world.threads.take().expect("they run").join();
}

#[test]
fn a_client_that_hangs_up_without_a_word_is_gone() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    let id = world.let_in_basic(&mut client);
    drop(client);
    world.hear_until(|said| matches!(said, FromEdge::Gone(gone) if *gone == id).then_some(()));
    let (stats, _) = world.edges.stats().next().expect("one shard");
    assert_eq!(stats.clients.load(), 0);
    assert_eq!(stats.authenticated.load(), 0);
    world.end();
}

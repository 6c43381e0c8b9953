//! Wire protocol, "Commands", those of guilds and notifications.

use guildgate_wire::{Ends, EventFrame};

use super::*;

fn with_nonce(cmd: &str, data: Value, nonce: &str) -> Value {
    json!({ "op": 6, "cmd": cmd, "d": data, "nonce": nonce })
}

#[test]
fn connect_guild_asks_and_then_subscribes_and_answers() {
    for (mut rig, user) in [(Rig::basic(), None), (Rig::full(), Some(USER))] {
        let data = json!({ "token": "g", "gid": "7" });
        let outputs = rig.json(with_nonce("CONNECT_GUILD", data, "n"));
        let ask = Ask::ConnectGuild {
            token: Secret::new("g"),
            guild: GUILD,
            user,
        };
        assert_eq!(outputs, [Output::Ask(ask)]);
        let outputs = rig.feed(Input::Answer(connected(GUILD)));
        let answer = r#"{"op":7,"t":null,"d":{"for":"CONNECT_GUILD","data":{"guild":{"id":"7"},"user":{"id":"1234","tag":"name","permissions":"64"}},"nonce":"n"},"nonce":"n"}"#;
        assert_eq!(
            outputs,
            [Output::Subscribe(GUILD), Output::Send(answer.into())]
        );
        assert_eq!(rig.client.guild(), Some(GUILD));
    }
}

#[test]
fn a_second_guild_replaces_the_first() {
    let mut rig = Rig::basic().connected();
    let outputs = rig.connect(OTHER);
    assert_eq!(
        outputs[..2],
        [Output::Unsubscribe(GUILD), Output::Subscribe(OTHER)]
    );
    assert_eq!(rig.client.guild(), Some(OTHER));
}

#[test]
fn the_same_guild_again_is_neither_left_nor_joined() {
    let mut rig = Rig::basic().connected();
    let outputs = rig.connect(GUILD);
    assert!(matches!(outputs[..], [Output::Send(_)]), "{outputs:?}");
    assert_eq!(rig.client.guild(), Some(GUILD));
}

#[test]
fn a_refused_guild_leaves_the_first_as_it_is() {
    let mut rig = Rig::basic().connected();
    rig.command("CONNECT_GUILD", json!({ "token": "g", "gid": "8" }));
    let outputs = rig.feed(Input::Answer(refused()));
    let expected = ("forbidden".to_owned(), "you may not".to_owned());
    assert_eq!(refusal(&outputs), expected);
    assert_eq!(outputs.len(), 1);
    assert_eq!(rig.client.guild(), Some(GUILD));
}

#[test]
fn desconnect_guild_in_either_spelling_leaves_the_guild() {
    for cmd in ["DESCONNECT_GUILD", "DISCONNECT_GUILD"] {
        let mut rig = Rig::basic().connected();
        let outputs = rig.command(cmd, json!({ "gid": "7" }));
        assert_eq!(outputs[0], Output::Unsubscribe(GUILD));
        let expected =
            json!({ "op": 7, "t": null, "d": { "for": cmd, "data": { "success": true } } });
        assert_eq!(sent(&outputs), expected);
        assert_eq!(rig.client.guild(), None);
    }
}

#[test]
fn a_guild_that_is_not_connected_cannot_be_left() {
    for mut rig in [Rig::basic(), Rig::basic().connected()] {
        let before = rig.client.guild();
        let outputs = rig.command("DESCONNECT_GUILD", json!({ "gid": "8" }));
        let (code, message) = refusal(&outputs);
        assert_eq!(code, "not_connected");
        assert!(message.contains("guild 8"), "{message}");
        assert_eq!(outputs.len(), 1);
        assert_eq!(rig.client.guild(), before);
    }
}

#[test]
fn an_unknown_command_is_refused_and_keeps_the_connection() {
    let mut rig = Rig::basic();
    let outputs = rig.json(with_nonce("MAKE_TEA", json!(null), "n"));
    assert_eq!(refusal(&outputs).0, "unknown_command");
    let frame = sent(&outputs);
    assert_eq!(frame["d"]["for"], "MAKE_TEA");
    assert_eq!(frame["nonce"], "n");
    assert!(rig.client.accepts_text());
}

#[test]
fn an_unknown_commands_name_is_said_back_in_part_if_it_is_long() {
    let mut rig = Rig::basic();
    let outputs = rig.command(&"é".repeat(1000), json!(null));
    assert_eq!(sent(&outputs)["d"]["for"], "é".repeat(32));
}

#[test]
fn a_bad_field_is_refused_by_its_name_and_keeps_the_connection() {
    let cases = [
        ("CONNECT_GUILD", json!({ "token": "g", "gid": 7 }), "gid"),
        ("CONNECT_GUILD", json!({ "gid": "7" }), "token"),
        ("DESCONNECT_GUILD", json!([]), "gid"),
        ("NOTIFICATIONS_ACK", json!({ "ids": "1" }), "ids"),
        ("APPLICATION_SESSION_PATCH", json!({ "gid": "7" }), "base"),
    ];
    for (cmd, data, field) in cases {
        let mut rig = Rig::full();
        let outputs = rig.command(cmd, data);
        let (code, message) = refusal(&outputs);
        assert_eq!(code, "bad_request");
        assert!(
            message.contains(cmd) && message.contains(&format!("{field}: expected")),
            "{message}"
        );
        assert!(rig.client.accepts_text());
    }
}

#[test]
fn notifications_are_acknowledged_by_users_alone() {
    let data = json!({ "ids": ["1", "2"] });
    let mut rig = Rig::full();
    let ask = Ask::Acknowledge {
        user: USER,
        ids: vec![NotificationId(1), NotificationId(2)],
    };
    assert_eq!(
        rig.command("NOTIFICATIONS_ACK", data.clone()),
        [Output::Ask(ask)]
    );
    let outputs = rig.feed(Input::Answer(done(json!(null))));
    assert_eq!(sent(&outputs)["d"]["data"], json!({ "success": true }));
    let outputs = Rig::basic().command("NOTIFICATIONS_ACK", data);
    assert_eq!(refusal(&outputs).0, "not_authenticated");
}

#[test]
fn every_answer_to_a_command_makes_exactly_one_opcode_7() {
    let commands = [
        ("CONNECT_GUILD", json!({ "token": "g", "gid": "7" })),
        ("NOTIFICATIONS_ACK", json!({ "ids": [] })),
        (
            "APPLICATION_SESSION",
            json!({ "uid": "1234", "gid": "7", "utokh": "u", "uhash": "g" }),
        ),
        ("APPLICATION_SESSION_END", json!({ "gid": "7" })),
        ("APPLICATION_SESSION_HB_M", json!(null)),
    ];
    let answers: [fn() -> Answer; 7] = [
        || Answer::Basic,
        || full(vec![notification(1)]),
        || Answer::NotAuthentic,
        || Answer::Failed,
        || connected(GUILD),
        || done(json!({ "some": "data" })),
        refused,
    ];
    for (cmd, data) in commands {
        for answer in answers {
            let mut rig = Rig::full();
            rig.json(with_nonce(cmd, data.clone(), "n"));
            assert!(!rig.client.accepts_text());
            let outputs = rig.feed(Input::Answer(answer()));
            let frame = sent(&outputs);
            assert_eq!(frame["op"], 7);
            assert_eq!(frame["d"]["for"], cmd);
            assert_eq!(frame["nonce"], "n");
            let kinds = ["data", "error"].map(|kind| frame["d"].get(kind).is_some());
            assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{frame}");
            assert!(rig.client.accepts_text(), "the next command may come");
            assert_eq!(rig.client.user(), Some(USER));
            assert_eq!(rig.feed(Input::Answer(answer_again())), []);
        }
    }
}

fn answer_again() -> Answer {
    done(json!({ "some": "data" }))
}

#[test]
fn an_outage_behind_the_gateway_is_told_as_unavailable() {
    let mut rig = Rig::basic();
    rig.command("CONNECT_GUILD", json!({ "token": "g", "gid": "7" }));
    let outputs = rig.feed(Input::Answer(Answer::Failed));
    let (code, message) = refusal(&outputs);
    assert_eq!(code, "unavailable");
    assert!(message.contains("try again"), "{message}");
}

#[test]
fn a_refusals_details_stand_beside_its_code() {
    let mut rig = Rig::full();
    rig.command("APPLICATION_SESSION_HB_M", json!(null));
    let details = json!({ "apv": 7 }).as_object().cloned();
    let refusal = Refusal {
        details: details.map(Box::new),
        ..Refusal::new(ErrorCode::Conflict, "changed")
    };
    let outputs = rig.feed(Input::Answer(Answer::Refused(refusal)));
    let expected = json!({ "code": "conflict", "message": "changed", "apv": 7 });
    assert_eq!(sent(&outputs)["d"]["error"], expected);
}

#[test]
fn a_guild_that_was_joined_for_nobody_is_left_again() {
    let mut rig = Rig::basic();
    assert_eq!(
        rig.feed(Input::Answer(connected(GUILD))),
        [Output::Unsubscribe(GUILD)]
    );
    assert_eq!(rig.client.guild(), None);
    let mut rig = Rig::basic().connected();
    assert_eq!(rig.feed(Input::Answer(connected(GUILD))), []);
}

#[test]
fn a_guild_that_the_bot_was_removed_from_is_left() {
    let mut rig = Rig::basic().connected();
    let left = |guild| EventFrame::guild_unavailable(guild, true).ends();
    assert_eq!(rig.feed(Input::Ended(left(OTHER))), []);
    let outage = EventFrame::guild_unavailable(GUILD, false).ends();
    assert_eq!(outage, Ends::Nothing);
    assert_eq!(rig.feed(Input::Ended(outage)), []);
    assert_eq!(rig.client.guild(), Some(GUILD));
    assert_eq!(
        rig.feed(Input::Ended(left(GUILD))),
        [Output::Unsubscribe(GUILD)]
    );
    let outputs = rig.command("DESCONNECT_GUILD", json!({ "gid": "7" }));
    assert_eq!(refusal(&outputs).0, "not_connected");
    let outputs = rig.connect(GUILD);
    assert_eq!(outputs[0], Output::Subscribe(GUILD), "it may connect again");
}

#[test]
fn more_than_50_frames_in_5_s_close_with_4008() {
    let inputs: [fn() -> Input<'static>; 4] = [
        || Input::Text(r#"{"op":4}"#),
        || Input::Text(r#"{"op":6,"cmd":"MAKE_TEA"}"#),
        || Input::Pong,
        || Input::Fragment,
    ];
    for input in inputs {
        let mut rig = Rig::basic();
        rig.pass(Duration::from_secs(5));
        for _ in 0..50 {
            let outputs = rig.feed(input());
            assert!(!matches!(outputs[..], [Output::Close(_), ..]));
        }
        assert_eq!(
            rig.feed(input()),
            [Output::Close(CloseCode::RateLimited), Output::Drop]
        );
    }
}

#[test]
fn frames_before_authentication_are_counted_too() {
    let mut rig = Rig::open();
    for _ in 0..50 {
        assert_eq!(rig.feed(Input::Pong), []);
    }
    assert_eq!(
        rig.feed(Input::Pong)[0],
        Output::Close(CloseCode::RateLimited)
    );
}

#[test]
fn a_client_held_up_by_a_slow_answer_is_not_closed_for_what_it_sent_meanwhile() {
    let mut rig = Rig::basic();
    rig.pass(Duration::from_secs(5));
    rig.command("CONNECT_GUILD", json!({ "token": "g", "gid": "7" }));
    rig.pass(Duration::from_secs(10));
    rig.feed(Input::Answer(refused()));
    // Ten a second for the ten seconds, read at once now.
    for _ in 0..100 {
        assert_eq!(rig.feed(Input::Fragment), []);
    }
}

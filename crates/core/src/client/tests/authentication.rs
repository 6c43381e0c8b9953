//! Wire protocol, "Authentication".

use guildgate_wire::ResumeFrom;

use super::*;

#[test]
fn each_form_of_opcode_1_is_asked_about_as_it_is() {
    let resume = ResumeFrom {
        session: Some(SESSION),
        sequence: Sequence(4),
    };
    let named = SESSION.to_string();
    let cases = [
        (json!({ "token": null, "uid": null }), None, None, None),
        (json!({}), None, None, None),
        (json!({ "token": "g", "uid": null }), Some("g"), None, None),
        (
            json!({ "token": "t", "uid": "1234" }),
            Some("t"),
            Some(USER),
            None,
        ),
        (
            json!({ "token": null, "uid": "1234" }),
            None,
            Some(USER),
            None,
        ),
        (
            json!({ "token": "t", "uid": "1234", "resume": { "session_id": named, "seq": 4 } }),
            Some("t"),
            Some(USER),
            Some(resume),
        ),
    ];
    for (data, token, user, resume) in cases {
        let mut rig = Rig::open();
        let expected = Ask::Authenticate {
            token: token.map(Secret::new),
            user,
            resume,
        };
        let outputs = rig.json(json!({ "op": 1, "d": data }));
        assert_eq!(outputs, [Output::Ask(expected)]);
        assert!(
            !rig.client.accepts_text(),
            "nothing is read until the answer"
        );
    }
}

#[test]
fn a_basic_client_has_no_session() {
    let mut rig = Rig::open();
    rig.json(json!({ "op": 1, "d": {} }));
    let outputs = rig.feed(Input::Answer(Answer::Basic));
    let expected = r#"{"op":2,"t":null,"d":{"missed_notifications":[],"session_id":null,"heartbeat_interval":45000,"resumed":false}}"#;
    assert_eq!(outputs, [Output::Send(expected.into())]);
    assert!(rig.client.accepts_text());
    assert_eq!(rig.client.user(), None);
    assert_eq!(rig.client.session_id(), None);
    assert!(!rig.client.resumes(USER, Sequence(0)));
}

#[test]
fn a_full_client_has_a_session_and_is_told_what_it_missed() {
    let mut rig = Rig::open();
    rig.authenticate();
    let outputs = rig.feed(Input::Answer(full(vec![notification(5)])));
    let data = &sent(&outputs)["d"];
    assert_eq!(data["session_id"], SESSION.to_string());
    assert_eq!(data["resumed"], false);
    assert_eq!(data["missed_notifications"][0]["id"], "5");
    assert_eq!(rig.client.user(), Some(USER));
    assert_eq!(rig.client.token(), Some(TOKEN));
    assert_eq!(rig.client.session_id(), Some(SESSION));
    assert!(rig.client.resumes(USER, Sequence(0)));
}

#[test]
fn an_answer_that_lets_nobody_in_closes() {
    let cases = [
        (Answer::NotAuthentic, CloseCode::AuthenticationFailed),
        (Answer::Failed, CloseCode::Unknown),
        (refused(), CloseCode::Unknown),
        (done(json!({})), CloseCode::Unknown),
        (connected(GUILD), CloseCode::Unknown),
    ];
    for (answer, code) in cases {
        let mut rig = Rig::open();
        rig.authenticate();
        let outputs = rig.feed(Input::Answer(answer));
        assert_eq!(outputs, [Output::Close(code), Output::Drop]);
        assert_eq!(rig.client.deadline(), None);
    }
}

#[test]
fn a_second_authentication_closes_with_4005_and_ends_the_session() {
    for mut rig in [Rig::basic(), Rig::full()] {
        let outputs = rig.json(json!({ "op": 1, "d": {} }));
        let expected = [Output::Close(CloseCode::AlreadyAuthenticated), Output::Drop];
        assert_eq!(outputs, expected);
    }
}

#[test]
fn a_command_before_authentication_closes_with_4003() {
    for cmd in ["CONNECT_GUILD", "APPLICATION_SESSION", "MAKE_TEA"] {
        for op in [6, 7] {
            let mut rig = Rig::open();
            let outputs = rig.json(json!({ "op": op, "cmd": cmd }));
            let expected = [Output::Close(CloseCode::NotAuthenticated), Output::Drop];
            assert_eq!(outputs, expected);
        }
    }
}

#[test]
fn a_heartbeat_reply_before_authentication_is_harmless() {
    let mut rig = Rig::open();
    assert_eq!(rig.json(json!({ "op": 4, "d": 9 })), []);
    rig.authenticate();
    assert_eq!(rig.client.outbox().depths(), (0, 0));
}

#[test]
fn whoever_has_not_authenticated_within_20_s_is_closed_with_4009() {
    let asked = {
        let mut rig = Rig::open();
        rig.authenticate();
        rig
    };
    for mut rig in [Rig::open(), asked] {
        rig.pass(Duration::from_millis(19_999));
        assert_eq!(rig.feed(Input::Deadline), []);
        rig.pass(Duration::from_millis(1));
        assert_eq!(
            rig.feed(Input::Deadline),
            [Output::Close(CloseCode::TimedOut), Output::Drop]
        );
    }
}

#[test]
fn frames_do_not_put_off_the_time_to_authenticate() {
    let mut rig = Rig::open();
    rig.pass(Duration::from_secs(19));
    assert_eq!(rig.feed(Input::Pong), []);
    assert_eq!(rig.json(json!({ "op": 4 })), []);
    let outputs = rig.at_deadline();
    assert_eq!(outputs[0], Output::Close(CloseCode::TimedOut));
    assert_eq!(
        rig.now.mono.since_start(),
        Duration::from_secs(1000 + 20),
        "20 s from the upgrade"
    );
}

#[test]
fn a_token_revoked_while_it_is_asked_about_lets_nobody_in() {
    let mut rig = Rig::open();
    rig.authenticate();
    assert_eq!(rig.feed(Input::Revoked(TOKEN)), []);
    let outputs = rig.feed(Input::Answer(full(vec![notification(1)])));
    let expected = [Output::Close(CloseCode::AuthenticationFailed), Output::Drop];
    assert_eq!(outputs, expected);
}

#[test]
fn another_token_revoked_meanwhile_changes_nothing() {
    let mut rig = Rig::open();
    rig.authenticate();
    rig.feed(Input::Revoked(TokenId(99)));
    rig.feed(Input::Answer(full(vec![])));
    assert_eq!(rig.client.user(), Some(USER));
}

#[test]
fn more_revocations_than_can_be_remembered_close_with_4000() {
    let mut rig = Rig::open();
    rig.authenticate();
    let outputs: Vec<_> = (0..257)
        .flat_map(|id| rig.feed(Input::Revoked(TokenId(id))))
        .collect();
    assert_eq!(outputs, [Output::Close(CloseCode::Unknown), Output::Drop]);
}

#[test]
fn text_fed_while_an_answer_is_awaited_closes_with_4000() {
    let mut rig = Rig::open();
    rig.authenticate();
    assert_eq!(
        rig.json(json!({ "op": 4 })),
        [Output::Close(CloseCode::Unknown), Output::Drop]
    );
}

#[test]
fn what_cannot_be_decoded_closes_with_its_code() {
    let cases = [
        ("{", CloseCode::NotDecodable),
        (r#"{"op":"1"}"#, CloseCode::NotDecodable),
        (r#"{"op":99}"#, CloseCode::UnknownOpcode),
        (r#"{"op":2}"#, CloseCode::UnknownOpcode),
    ];
    for (text, code) in cases {
        for mut rig in [Rig::open(), Rig::basic(), Rig::full()] {
            let outputs = rig.text(text);
            assert_eq!(outputs, [Output::Close(code), Output::Drop], "{text}");
        }
    }
    for mut rig in [Rig::open(), Rig::basic(), Rig::full()] {
        let outputs = rig.feed(Input::Undecodable);
        let expected = [Output::Close(CloseCode::NotDecodable), Output::Drop];
        assert_eq!(outputs, expected);
    }
}

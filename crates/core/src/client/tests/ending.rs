//! Wire protocol, "Close codes" and "Resume": what ends, and what is kept.

use super::*;

#[test]
fn a_close_that_invites_a_reconnect_keeps_the_session_and_any_other_ends_it() {
    for code in CloseCode::ALL {
        let mut rig = Rig::full().connected();
        let outputs = rig.feed(Input::Fault(code));
        let kept = [Output::Close(code), Output::Attached(false)];
        let ended = [
            Output::Close(code),
            Output::Unsubscribe(GUILD),
            Output::Drop,
        ];
        if code.invites_reconnect() {
            assert_eq!(outputs, kept);
            assert!(rig.client.is_detached());
        } else {
            assert_eq!(outputs, ended);
            assert!(!rig.client.resumes(USER, Sequence(0)));
        }
    }
}

#[test]
fn a_basic_connection_ends_with_its_socket_however_that_ends() {
    let ends: [fn() -> Input<'static>; 4] = [
        || Input::SocketLost,
        || Input::ClosedByClient(None),
        || Input::ClosedByClient(Some(1000)),
        || Input::ClosedByClient(Some(1001)),
    ];
    for end in ends {
        let mut rig = Rig::basic().connected();
        assert_eq!(rig.feed(end()), [Output::Unsubscribe(GUILD), Output::Drop]);
        assert_eq!(Rig::open().feed(end()), [Output::Drop]);
    }
}

#[test]
fn a_client_that_closes_with_1000_is_done_and_any_other_may_come_back() {
    let mut rig = Rig::full().connected();
    assert_eq!(
        rig.feed(Input::ClosedByClient(Some(1000))),
        [Output::Unsubscribe(GUILD), Output::Drop]
    );
    for code in [None, Some(1001), Some(4000), Some(3000)] {
        let mut rig = Rig::full().connected();
        assert_eq!(
            rig.feed(Input::ClosedByClient(code)),
            [Output::Attached(false)],
            "{code:?}"
        );
    }
}

#[test]
fn a_session_outlives_its_socket_by_120_s() {
    let mut rig = Rig::full().connected();
    assert_eq!(rig.feed(Input::SocketLost), [Output::Attached(false)]);
    rig.pass(Duration::from_millis(119_999));
    assert_eq!(rig.feed(Input::Deadline), []);
    assert!(rig.client.resumes(USER, Sequence(0)));
    rig.pass(Duration::from_millis(1));
    assert_eq!(
        rig.feed(Input::Deadline),
        [Output::Unsubscribe(GUILD), Output::Drop]
    );
    assert!(!rig.client.resumes(USER, Sequence(0)));
}

#[test]
fn a_revoked_token_closes_its_connection_with_4004_and_ends_the_session() {
    let mut rig = Rig::full().connected();
    assert_eq!(rig.feed(Input::Revoked(TokenId(99))), []);
    assert_eq!(
        rig.feed(Input::Revoked(TOKEN)),
        [
            Output::Close(CloseCode::AuthenticationFailed),
            Output::Unsubscribe(GUILD),
            Output::Drop
        ]
    );
}

#[test]
fn a_revoked_token_ends_a_session_that_waits_for_a_resume() {
    let mut rig = Rig::full();
    rig.feed(Input::SocketLost);
    assert_eq!(rig.feed(Input::Revoked(TOKEN)), [Output::Drop]);
}

#[test]
fn no_revocation_concerns_a_basic_connection() {
    assert_eq!(Rig::basic().feed(Input::Revoked(TOKEN)), []);
    assert_eq!(Rig::open().feed(Input::Revoked(TOKEN)), []);
}

#[test]
fn a_drain_closes_everybody_with_1001_and_leaves_sessions_to_the_next_process() {
    let close = || Output::Close(CloseCode::GoingAway);
    for mut rig in [Rig::open(), Rig::basic()] {
        assert_eq!(rig.feed(Input::Drain), [close(), Output::Drop]);
        assert_eq!(rig.client.save(), None);
    }
    let mut rig = Rig::full().connected();
    assert_eq!(rig.client.save(), None, "it has a socket");
    assert_eq!(rig.feed(Input::Drain), [close(), Output::Attached(false)]);
    assert_eq!(rig.client.guild(), Some(GUILD));
    assert!(rig.client.save().is_some());
    let mut rig = Rig::full();
    rig.feed(Input::SocketLost);
    assert_eq!(rig.feed(Input::Drain), []);
    assert!(rig.client.save().is_some());
}

#[test]
fn a_drain_ends_whoever_edits_an_application() {
    let close = Output::Close(CloseCode::GoingAway);
    let mut rig = Rig::full();
    rig.client.enter_application_session(GUILD);
    assert_eq!(rig.feed(Input::Drain), [close, Output::Drop]);
    let mut rig = Rig::full();
    rig.client.enter_application_session(GUILD);
    rig.feed(Input::SocketLost);
    assert_eq!(rig.feed(Input::Drain), [Output::Drop]);
}

/// Every input that a driver may still feed when a client is gone.
fn late_inputs() -> Vec<Input<'static>> {
    vec![
        Input::Text(r#"{"op":6,"cmd":"MAKE_TEA"}"#),
        Input::Undecodable,
        Input::Pong,
        Input::Fragment,
        Input::Answer(connected(OTHER)),
        Input::Answer(done(json!({}))),
        Input::Deadline,
        Input::SocketLost,
        Input::ClosedByClient(Some(1000)),
        Input::Fault(CloseCode::SlowConsumer),
        Input::Revoked(TokenId(99)),
        Input::Drain,
        Input::Ended(Ends::GuildConnection(GUILD)),
        Input::Resume {
            seen: Sequence(0),
            token: TOKEN,
            missed: vec![],
        },
    ]
}

#[test]
fn nothing_comes_after_the_end() {
    for mut rig in [
        Rig::open(),
        Rig::basic().connected(),
        Rig::full().connected(),
    ] {
        rig.feed(Input::Fault(CloseCode::NotDecodable));
        for input in late_inputs() {
            let shown = format!("{input:?}");
            assert_eq!(rig.feed(input), [], "{shown}");
        }
        assert_eq!(rig.client.deadline(), None);
        assert!(!rig.client.accepts_text());
    }
}

#[test]
fn nothing_is_said_to_a_client_without_a_socket() {
    for input in late_inputs() {
        let mut rig = Rig::full().connected();
        rig.feed(Input::SocketLost);
        let shown = format!("{input:?}");
        if let Input::Resume { .. } = input {
            continue;
        }
        let said = rig.feed(input).into_iter().any(|output| {
            matches!(
                output,
                Output::Send(_) | Output::Close(_) | Output::Heartbeat | Output::Ping
            )
        });
        assert!(!said, "{shown}");
    }
}

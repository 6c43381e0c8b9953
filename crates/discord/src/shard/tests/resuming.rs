//! Losing a connection and going on: 17 to 27, 34, 52, 61, 63.

use super::*;

#[test]
fn e17_op_7_closes_and_resumes_where_ready_said() {
    let mut sim = Sim::active();
    sim.text(r#"{"op":7,"d":null}"#);
    assert_eq!(sim.close_code(), Some(KEEP));
    sim.agree();
    assert_eq!(sim.next_dial(), RESUME);
    let resume = sim.resume(1);
    assert_eq!(
        resume,
        json!({"token": TOKEN, "session_id": "session-1", "seq": 1})
    );
}

#[test]
fn e17_the_source_texts_op_7_begins_a_new_session() {
    let mut config = config();
    config.on_reconnect = OnReconnect::Identify;
    let mut sim = Sim::active_with(config);
    sim.text(r#"{"op":7,"d":null}"#);
    sim.agree();
    assert_eq!(sim.next_dial(), MAIN);
    sim.identify();
}

#[test]
fn e18_op_7_before_hello_or_ready_dials_again_and_identifies() {
    let mut sim = Sim::new();
    sim.input(Input::Opened { epoch: sim.epoch() });
    sim.text(r#"{"op":7,"d":null}"#);
    sim.agree();
    sim.out.clear();
    assert_eq!(sim.next_dial(), MAIN);
    sim.identify();
    sim.text(r#"{"op":7,"d":null}"#);
    sim.agree();
    assert_eq!(sim.next_dial(), MAIN);
    sim.identify();
}

#[test]
fn e19_op_9_true_waits_and_resumes() {
    let mut sim = Sim::active();
    sim.text(r#"{"op":9,"d":true}"#);
    assert_eq!(sim.close_code(), Some(KEEP), "1000 would end the session");
    sim.agree();
    let before = sim.now.mono;
    assert_eq!(sim.next_dial(), RESUME);
    let waited = sim.now.mono.since(before);
    assert!((1..=5).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(sim.resume(1)["session_id"], "session-1");
}

#[test]
fn e20_op_9_false_after_resume_identifies_through_the_queue() {
    let mut sim = Sim::active();
    sim.closed(4000);
    sim.next_dial();
    sim.open();
    sim.out.clear();
    sim.text(r#"{"op":9,"d":false}"#);
    sim.agree();
    let before = sim.now.mono;
    assert_eq!(sim.next_dial(), MAIN);
    let waited = sim.now.mono.since(before);
    assert!((1..=5).contains(&waited.as_secs()), "{waited:?}");
    sim.identify();
}

#[test]
fn e21_op_9_false_after_identify_is_never_answered_at_once() {
    let mut sim = Sim::new();
    sim.identify();
    sim.text(r#"{"op":9,"d":false}"#);
    sim.agree();
    let before = sim.now.mono;
    assert_eq!(sim.next_dial(), MAIN);
    assert!(sim.now.mono.since(before) >= seconds(1));
    sim.open();
    assert_eq!(sim.take_sent(), [], "back in the queue");
}

#[test]
fn e22_op_9_false_while_active_begins_a_new_session() {
    let mut sim = Sim::active();
    sim.text(r#"{"op":9,"d":false}"#);
    sim.agree();
    assert_eq!(
        sim.take_events(),
        [UpstreamEvent::LinkLost],
        "and not in silence"
    );
    assert_eq!(sim.next_dial(), MAIN);
    sim.identify();
}

#[test]
fn e23_a_replay_is_handed_on_once_in_order_and_then_the_shard_is_active() {
    let mut sim = Sim::active();
    sim.dispatch(2, "GUILD_MEMBER_ADD", &joined(5, 2));
    sim.closed(None);
    sim.next_dial();
    sim.open();
    sim.out.clear();
    // The server replays one too many, which is no reason to hand it on twice.
    for seq in 2..=12 {
        sim.dispatch(seq, "GUILD_MEMBER_ADD", &joined(5, seq));
        assert!(matches!(sim.shard.state, State::Resuming { .. }));
    }
    sim.dispatch(13, "RESUMED", &json!({}));
    assert!(matches!(sim.shard.state, State::Active { .. }));
    let events = sim.take_events();
    let users: Vec<u64> = events.iter().filter_map(user_of).collect();
    assert_eq!(users, (3..=12).collect::<Vec<_>>());
    assert_eq!(events.last(), Some(&UpstreamEvent::SessionResumed));
}

#[test]
fn e25_without_resumed_the_ladder_goes_on() {
    let mut sim = Sim::active();
    sim.closed(4000);
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(sim.next_dial());
        sim.open();
        assert_eq!(ops(&sim.take_sent()), [Opcode::Resume]);
        sim.live(seconds(60));
        sim.agree();
        sim.out
            .retain(|output| matches!(output, Output::Dial { .. }));
    }
    hosts.push(sim.next_dial());
    assert_eq!(hosts, [RESUME, MAIN, MAIN, MAIN]);
    sim.identify();
}

#[test]
fn e25_a_long_replay_is_no_silence() {
    let mut sim = Sim::active();
    sim.closed(4000);
    sim.next_dial();
    sim.open();
    for step in 0..10 {
        sim.live(seconds(50));
        sim.dispatch(2 + step, "GUILD_MEMBER_ADD", &joined(5, step));
    }
    assert_eq!(sim.close_code(), None);
}

#[test]
fn e26_where_the_resume_host_refuses_the_main_one_resumes() {
    let mut sim = Sim::active();
    sim.closed(None);
    assert_eq!(sim.next_dial(), RESUME);
    sim.input(Input::DialFailed { epoch: sim.epoch() });
    assert_eq!(sim.next_dial(), MAIN);
    assert_eq!(sim.resume(1)["session_id"], "session-1");
    sim.live(seconds(61));
    sim.closed(None);
    assert_eq!(sim.next_dial(), RESUME, "a success clears its name");
}

#[test]
fn e27_the_third_failure_to_resume_begins_a_new_session() {
    let mut sim = Sim::active();
    sim.closed(None);
    for expected in [RESUME, MAIN, MAIN] {
        assert_eq!(sim.next_dial(), expected);
        sim.input(Input::DialFailed { epoch: sim.epoch() });
    }
    assert!(sim.take().contains(&Output::Note(Note::SessionDropped)));
    assert_eq!(sim.next_dial(), MAIN);
    sim.identify();
}

#[test]
fn e34_a_suspended_session_is_resumed_by_another_process() {
    let mut sim = Sim::active();
    sim.input(Input::Handled { seq: 1 });
    sim.dispatch(2, "TYPING_START", &json!({}));
    sim.out.clear();
    sim.input(Input::Suspend);
    let code = sim.close_code().expect("closed");
    assert!(code != CloseCode::NORMAL && code != CloseCode::GOING_AWAY);
    sim.agree();
    let Some(Stopped::Suspended(Some(session))) = sim.stopped().cloned() else {
        panic!("a session: {:?}", sim.out);
    };
    let text = serde_json::to_string(&session).expect("plain data");
    let session: ShardSession = serde_json::from_str(&text).expect("its own text");
    let mut next = Sim::at_rest(config(), Some(session));
    next.input(Input::Start);
    assert_eq!(next.next_dial(), RESUME);
    assert_eq!(next.resume(3)["seq"], 2);
    assert_eq!(next.take_events(), [UpstreamEvent::SessionResumed]);
}

#[test]
fn e34_a_session_of_another_shard_or_with_other_intents_is_not_resumed() {
    let mut sim = Sim::active();
    sim.input(Input::Handled { seq: 1 });
    let session = sim.shard.export().expect("a session");
    let mut foreign = session.clone();
    foreign.shard.count = 2;
    let mut other = session;
    other.intents = crate::Intents::GUILDS;
    for session in [foreign, other] {
        let mut next = Sim::at_rest(config(), Some(session));
        next.input(Input::Start);
        assert_eq!(next.next_dial(), MAIN);
        next.identify();
    }
}

#[test]
fn e34_a_session_without_refused_intents_is_begun_anew_to_see_them_refused_or_granted() {
    let mut config = config();
    config.privileged = PrivilegedRefused::GoOnWithout;
    let mut sim = Sim::active_with(config.clone());
    sim.input(Input::Handled { seq: 1 });
    let mut degraded = sim.shard.export().expect("a session");
    degraded.intents = config.intents.without(crate::Intents::PRIVILEGED);
    let mut next = Sim::at_rest(config.clone(), Some(degraded));
    next.input(Input::Start);
    assert_eq!(next.next_dial(), MAIN);
    next.open();
    next.permit();
    let sent = next.take_sent();
    assert_eq!(sent[0].1["intents"], json!(config.intents.0), "asked again");
}

#[test]
fn e52_what_belongs_to_an_earlier_connection_is_ignored() {
    let mut sim = Sim::active();
    let old = sim.epoch();
    sim.closed(None);
    sim.next_dial();
    sim.resume(1);
    sim.out.clear();
    sim.input(Input::Closed {
        epoch: old,
        code: Some(CloseCode(4004)),
    });
    sim.input(Input::DialFailed { epoch: old });
    sim.input(Input::Opened { epoch: old });
    sim.input(Input::Permit { epoch: old });
    sim.input(Input::Text {
        epoch: old,
        bytes: br#"{"op":7}"#,
    });
    sim.input(Input::Binary {
        epoch: old,
        bytes: b"junk",
    });
    assert_eq!(sim.take(), []);
}

#[test]
fn e61_a_new_session_says_which_guilds_it_knows() {
    let mut sim = Sim::new();
    sim.identify();
    sim.dispatch(1, "READY", &ready(&[5, 6]));
    sim.text(r#"{"op":9,"d":false}"#);
    sim.out
        .retain(|output| matches!(output, Output::Close { .. }));
    sim.agree();
    sim.next_dial();
    sim.identify();
    sim.dispatch(1, "READY", &ready(&[6]));
    assert_eq!(
        sim.take_events(),
        [UpstreamEvent::SessionStarted {
            bot: user(99),
            guilds: vec![guild(6)]
        }]
    );
}

#[test]
fn e63_what_was_not_handled_is_replayed_to_the_next_process() {
    let mut sim = Sim::active();
    sim.input(Input::Handled { seq: 1 });
    for seq in 2..=5 {
        sim.dispatch(seq, "GUILD_MEMBER_ADD", &joined(5, seq));
    }
    sim.input(Input::Handled { seq: 3 });
    let session = sim
        .shard
        .export()
        .expect("what a crash would leave in the store");
    let mut next = Sim::at_rest(config(), Some(session));
    next.input(Input::Start);
    next.open();
    let sent = next.take_sent();
    let seq = sent[0].1["seq"].as_u64().expect("a number");
    assert_eq!(seq, 3);
    // The server replays what it has after that, whatever the process before had received.
    for seq in seq + 1..=5 {
        next.dispatch(seq, "GUILD_MEMBER_ADD", &joined(5, seq));
    }
    assert_eq!(
        next.shard.export().map(|kept| kept.seq),
        Some(3),
        "nothing is safe yet"
    );
    next.dispatch(6, "RESUMED", &json!({}));
    let users: Vec<u64> = next.take_events().iter().filter_map(user_of).collect();
    assert_eq!(users, [4, 5]);
    // This process crashes, too, between the two.
    next.input(Input::Handled { seq: 4 });
    assert_eq!(next.shard.export().map(|kept| kept.seq), Some(4));
    next.input(Input::Handled { seq: 6 });
    assert_eq!(next.shard.export().map(|kept| kept.seq), Some(6));
}

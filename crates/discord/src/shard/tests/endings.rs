//! Close codes and endings: 28 to 33, 44, 45, 60.

use super::*;
use crate::Intents;

enum Expect {
    Resume,
    Identify,
    Fatal(Refusal),
}

fn check(code: Option<u16>, expected: &Expect) {
    let mut sim = Sim::active();
    sim.closed(code);
    match expected {
        Expect::Resume => {
            assert_eq!(sim.next_dial(), RESUME, "{code:?}");
            assert_eq!(sim.resume(1)["seq"], 1);
        }
        Expect::Identify => {
            assert_eq!(sim.next_dial(), MAIN, "{code:?}");
            sim.identify();
        }
        Expect::Fatal(refusal) => {
            assert_eq!(sim.stopped(), Some(&Stopped::Refused(*refusal)), "{code:?}");
            assert_eq!(sim.shard.deadline(), None);
            sim.out.clear();
            sim.wait(seconds(3600));
            sim.input(Input::Start);
            assert_eq!(sim.take(), [], "and nothing more");
            assert!(matches!(
                sim.command(Command::VoicePing),
                Err(CommandError::Stopped)
            ));
        }
    }
}

#[test]
fn e28_codes_that_keep_the_session() {
    for code in [
        Some(4000),
        Some(4001),
        Some(4002),
        Some(4005),
        Some(4008),
        Some(1006),
        None,
    ] {
        check(code, &Expect::Resume);
    }
}

#[test]
fn e28_4008_backs_off() {
    let mut sim = Sim::active();
    sim.closed(4008);
    let before = sim.now.mono;
    sim.next_dial();
    assert!(sim.now.mono.since(before) >= seconds(5));
}

#[test]
fn e29_codes_that_end_the_session() {
    for code in [4003, 4006, 4007, 4009] {
        check(Some(code), &Expect::Identify);
    }
    let mut config = config();
    config.after_timeout = AfterTimeout::Resume;
    let mut sim = Sim::active_with(config);
    sim.closed(4009);
    assert_eq!(sim.next_dial(), RESUME, "what other clients do");
}

#[test]
fn e30_codes_that_only_a_person_can_answer() {
    for (code, refusal) in [
        (4004, Refusal::Token),
        (4010, Refusal::Shard),
        (4011, Refusal::ShardingRequired),
        (4012, Refusal::ApiVersion),
        (4013, Refusal::InvalidIntents),
        (4014, Refusal::DisallowedIntents),
    ] {
        check(Some(code), &Expect::Fatal(refusal));
    }
}

/// A shard that asks for all privileged intents, refused once, and told what is granted.
fn refused_with(granted: Option<Intents>) -> Sim {
    let mut config = config();
    config.privileged = PrivilegedRefused::GoOnWithout;
    config.intents = Intents::GATEWAY | Intents::PRIVILEGED;
    let mut sim = Sim::with(config);
    sim.identify();
    sim.closed(4014);
    let epoch = sim.epoch();
    assert!(sim.out.contains(&Output::AskPrivileges { epoch }));
    sim.input(Input::Privileges { epoch, granted });
    sim
}

/// What the next IDENTIFY asks for.
fn intents_of(sim: &mut Sim) -> Value {
    sim.next_dial();
    sim.open();
    sim.permit();
    sim.take_sent()[0].1["intents"].clone()
}

#[test]
fn e30_without_what_is_not_granted_the_session_goes_on_if_it_may() {
    let content = Intents::MESSAGE_CONTENT;
    let all = Intents::PRIVILEGED;
    for (granted, dropped) in [
        (Some(all.without(content)), content),
        (Some(Intents::NONE), all),
        (Some(all), all),
        (None, all),
    ] {
        let mut sim = refused_with(granted);
        let note = Output::Note(Note::IntentsDropped(dropped));
        assert!(sim.out.contains(&note), "{granted:?}");
        let expected = (Intents::GATEWAY | all).without(dropped);
        assert_eq!(intents_of(&mut sim), json!(expected.0), "{granted:?}");
    }
}

#[test]
fn e30_a_second_refusal_leaves_out_the_rest_and_a_third_is_final() {
    let granted = Intents::PRIVILEGED.without(Intents::MESSAGE_CONTENT);
    let mut sim = refused_with(Some(granted));
    sim.next_dial();
    sim.identify();
    sim.closed(4014);
    sim.out.clear();
    // Nobody says what is granted.
    let expected = Intents::GATEWAY.without(Intents::GUILD_MEMBERS);
    assert_eq!(intents_of(&mut sim), json!(expected.0));
    sim.closed(4014);
    assert_eq!(
        sim.stopped(),
        Some(&Stopped::Refused(Refusal::DisallowedIntents))
    );
}

#[test]
fn e30_what_is_granted_is_heard_once_and_shutdown_does_not_wait_for_it() {
    let mut sim = refused_with(None);
    let epoch = sim.epoch();
    sim.out.clear();
    let granted = Some(Intents::NONE);
    sim.input(Input::Privileges { epoch, granted });
    assert_eq!(sim.take(), []);
    sim.next_dial();
    sim.identify();
    let mut config = config();
    config.privileged = PrivilegedRefused::GoOnWithout;
    let mut sim = Sim::with(config);
    sim.identify();
    sim.closed(4014);
    sim.input(Input::Shutdown);
    assert_eq!(sim.stopped(), Some(&Stopped::Shutdown));
}

#[test]
fn e31_an_unknown_code_keeps_the_session() {
    check(Some(4999), &Expect::Resume);
    check(Some(1), &Expect::Resume);
}

#[test]
fn e32_a_remote_1000_gets_one_try_to_resume() {
    for code in [1000, 1001] {
        check(Some(code), &Expect::Resume);
        let mut sim = Sim::active();
        sim.closed(code);
        assert_eq!(sim.next_dial(), RESUME);
        sim.input(Input::DialFailed { epoch: sim.epoch() });
        assert_eq!(sim.next_dial(), MAIN);
        sim.identify();
    }
}

#[test]
fn e33_shutdown_closes_with_1000_and_stays_down() {
    let mut sim = Sim::active();
    sim.input(Input::Shutdown);
    assert_eq!(sim.close_code(), Some(CloseCode::NORMAL));
    sim.agree();
    assert_eq!(sim.stopped(), Some(&Stopped::Shutdown));
    sim.wait(seconds(3600));
    assert_eq!(sim.dialled(), None);
    assert_eq!(sim.shard.export(), None);
}

#[test]
fn e33_shutdown_works_from_every_state() {
    let stages: [fn(&mut Sim); 6] = [
        |_| {},
        |sim| sim.input(Input::Start),
        |sim| {
            sim.input(Input::Start);
            sim.input(Input::Opened { epoch: sim.epoch() });
        },
        |sim| {
            sim.input(Input::Start);
            sim.open();
        },
        |sim| {
            sim.input(Input::Start);
            sim.input(Input::DialFailed { epoch: sim.epoch() });
        },
        |sim| {
            sim.input(Input::Start);
            sim.open();
            sim.text(r#"{"op":7}"#);
        },
    ];
    for (index, stage) in stages.iter().enumerate() {
        let mut sim = Sim::at_rest(config(), None);
        stage(&mut sim);
        sim.out.clear();
        sim.input(Input::Shutdown);
        // A peer that never answers a close.
        sim.wait(seconds(10));
        assert_eq!(sim.stopped(), Some(&Stopped::Shutdown), "stage {index}");
        assert_eq!(sim.dialled(), None, "stage {index}");
    }
}

#[test]
fn e44_what_is_unknown_is_tolerated_and_counted() {
    let mut sim = Sim::active();
    for text in [
        r#"{"op":77,"d":{"a":1}}"#,
        r#"{"op":4000,"d":null}"#,
        r#"{"t":"BRAND_NEW","s":2,"op":0,"d":[1,{"x":null}],"extra":true}"#,
        r#"{"t":"GUILD_SYNC","s":3,"op":0,"d":{"id":"1","members":[],"presences":[]}}"#,
        r#"{"t":"GUILD_ROLE_DELETE","s":4,"op":0,"d":{"guild_id":"1"}}"#,
        r#"{"op":2,"d":{}}"#,
    ] {
        sim.text(text);
    }
    assert_eq!(sim.close_code(), None);
    assert_eq!(sim.take_events(), []);
    sim.text(r#"{"op":1}"#);
    assert_eq!(sim.take_sent(), [(Opcode::Heartbeat, json!(4))]);
}

#[test]
fn e45_what_is_no_json_ends_the_connection_and_keeps_the_session() {
    for text in [
        "",
        "not json",
        "{",
        "[]",
        r#"{"op":0,"t":"GUILD_CREATE","s":9,"d":{"id":}}"#,
        "\u{0}",
    ] {
        let mut sim = Sim::active();
        sim.text(text);
        assert_eq!(sim.close_code(), Some(KEEP), "{text}");
        sim.agree();
        assert_eq!(sim.next_dial(), RESUME);
        assert_eq!(
            sim.resume(1)["seq"],
            1,
            "what could not be read will come again"
        );
    }
}

#[test]
fn e60_the_token_is_in_no_debug_text() {
    let mut sim = Sim::new();
    sim.open();
    sim.permit();
    sim.dispatch(1, "READY", &ready(&[]));
    sim.input(Input::Handled { seq: 1 });
    let session = sim.shard.export().expect("a session");
    sim.closed(None);
    sim.open();
    let text = format!("{:?} {:?} {session:?}", sim.out, sim.shard);
    assert!(
        text.contains("IDENTIFY") && text.contains("RESUME"),
        "{text}"
    );
    assert!(!text.contains(TOKEN), "{text}");
    assert!(!format!("{session:?}").contains("session-1"));
}

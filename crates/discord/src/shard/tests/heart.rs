//! Heartbeats: 2 to 7, and 35's share.

use super::*;

fn beats(sim: &mut Sim) -> Vec<Value> {
    sim.take_sent()
        .into_iter()
        .filter(|(op, _)| *op == Opcode::Heartbeat)
        .map(|(_, d)| d)
        .collect()
}

#[test]
fn e02_the_first_beat_is_jittered_and_the_others_regular() {
    let mut sim = Sim::new();
    sim.open();
    sim.out.clear();
    sim.wait(Duration::from_millis(22_499));
    assert_eq!(beats(&mut sim).len(), 0);
    sim.wait(Duration::from_millis(1));
    assert_eq!(beats(&mut sim).len(), 1);
    for _ in 0..3 {
        sim.text(r#"{"op":11}"#);
        sim.wait(Duration::from_millis(44_999));
        assert_eq!(beats(&mut sim).len(), 0);
        sim.wait(Duration::from_millis(1));
        assert_eq!(beats(&mut sim).len(), 1);
    }
}

#[test]
fn e03_before_any_event_the_beat_says_null() {
    let mut sim = Sim::new();
    sim.open();
    sim.out.clear();
    sim.wait(seconds(23));
    assert_eq!(beats(&mut sim), [Value::Null]);
}

#[test]
fn e04_the_beat_says_the_last_sequence_that_was_one() {
    let mut sim = Sim::active();
    sim.dispatch(42, "TYPING_START", &json!({}));
    sim.text(r#"{"t":"SOMETHING","s":null,"op":0,"d":{}}"#);
    sim.out.clear();
    sim.wait(seconds(23));
    assert_eq!(beats(&mut sim), [json!(42)]);
}

#[test]
fn e05_a_beat_that_is_asked_for_comes_at_once_and_changes_nothing() {
    let mut sim = Sim::active();
    sim.wait(seconds(10));
    sim.out.clear();
    sim.text(r#"{"op":1,"d":null}"#);
    assert_eq!(beats(&mut sim), [json!(1)]);
    sim.wait(Duration::from_millis(12_499));
    assert_eq!(beats(&mut sim).len(), 0);
    sim.wait(Duration::from_millis(1));
    assert_eq!(beats(&mut sim).len(), 1);
}

#[test]
fn e06_an_unanswered_beat_ends_the_connection_and_the_session_goes_on() {
    let mut sim = Sim::active();
    sim.wait(seconds(23));
    assert_eq!(sim.close_code(), None);
    sim.wait(seconds(45));
    let code = sim.close_code().expect("closed");
    assert!(code != CloseCode::NORMAL && code != CloseCode::GOING_AWAY);
    sim.agree();
    assert_eq!(sim.next_dial(), RESUME);
    assert_eq!(sim.resume(1)["session_id"], "session-1");
}

#[test]
fn e06_what_was_not_read_yet_is_no_silence() {
    let mut sim = Sim::active();
    sim.wait(seconds(23));
    sim.out.clear();
    sim.now = sim.now.after(seconds(46));
    sim.input(Input::Tick {
        backlog: Backlog::Pending,
    });
    assert_eq!(sim.close_code(), None, "the reader was stalled");
    let at = sim.shard.deadline().expect("it comes back");
    assert!(at > sim.now.mono, "without spinning");
    sim.dispatch(2, "TYPING_START", &json!({}));
    assert_eq!(sim.close_code(), None);
    sim.text(r#"{"op":11}"#);
    assert_eq!(
        beats(&mut sim).len(),
        1,
        "and the beat that was due follows"
    );
}

#[test]
fn e06_a_reader_that_is_never_done_still_finds_the_dead() {
    let mut sim = Sim::active();
    sim.wait(seconds(23));
    let mut waited = 0;
    while sim.close_code().is_none() {
        sim.now = sim.now.after(seconds(1));
        waited += 1;
        assert!(waited < 100, "never judged");
        sim.dispatch(1 + waited, "TYPING_START", &json!({}));
    }
    assert!(waited >= 45);
}

#[test]
fn e07_answers_that_nobody_asked_for_are_ignored() {
    let mut sim = Sim::active();
    for _ in 0..3 {
        sim.text(r#"{"op":11,"d":null}"#);
    }
    assert_eq!(sim.take(), []);
}

#[test]
fn a_server_that_asks_for_beats_without_end_is_not_obeyed_past_the_limit() {
    let mut sim = Sim::active();
    for _ in 0..1000 {
        sim.text(r#"{"op":1}"#);
    }
    let sent = beats(&mut sim).len();
    assert!((100..=119).contains(&sent), "{sent}");
}

#[test]
fn an_absurd_interval_is_survived() {
    for interval in ["0", "1", "-5", "1e300", "\"x\"", "null"] {
        let mut sim = Sim::new();
        sim.input(Input::Opened { epoch: sim.epoch() });
        sim.text(&format!(
            r#"{{"op":10,"d":{{"heartbeat_interval":{interval}}}}}"#
        ));
        sim.out.clear();
        sim.live(seconds(30));
        assert!(beats(&mut sim).len() <= 120, "{interval}");
    }
}

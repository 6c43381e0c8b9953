//! Wire protocol, "Heartbeat".

use guildgate_wire::EventFrame;

use super::*;
use crate::outbox::Socket;

const INTERVAL: Duration = Duration::from_secs(45);
const REPLY: &str = r#"{"op":4,"t":null,"d":null}"#;

fn dead() -> [Output; 2] {
    [Output::Close(CloseCode::TimedOut), Output::Drop]
}

#[test]
fn the_first_heartbeat_is_jittered_over_the_interval() {
    let cases = [
        (0, Duration::ZERO),
        (1 << 31, INTERVAL / 2),
        (u32::MAX, INTERVAL - Duration::from_micros(1)),
    ];
    for (jitter, expected) in cases {
        let mut rig = Rig::open_with(Limits::default(), jitter);
        rig.json(json!({ "op": 1, "d": {} }));
        rig.pass(Duration::from_secs(3));
        rig.feed(Input::Answer(Answer::Basic));
        let due = rig.client.deadline().expect("a heartbeat is due");
        assert_eq!(due.since(rig.now.mono), expected);
    }
}

#[test]
fn heartbeats_go_on_at_the_interval_for_a_client_that_answers() {
    let mut rig = Rig::full();
    for _ in 0..10 {
        assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
        let due = rig.client.deadline().expect("the next is due");
        assert_eq!(due.since(rig.now.mono), INTERVAL);
        assert_eq!(rig.text(REPLY), []);
    }
}

#[test]
fn a_client_without_a_sign_of_life_by_the_next_heartbeat_is_closed_with_4009() {
    let mut rig = Rig::basic();
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    assert_eq!(rig.at_deadline(), dead());
}

#[test]
fn silence_before_the_first_heartbeat_is_no_fault() {
    let mut rig = Rig::basic();
    rig.pass(INTERVAL);
    assert_eq!(rig.feed(Input::Deadline), [Output::Heartbeat]);
}

#[test]
fn what_the_server_sends_is_no_sign_of_life() {
    let mut rig = Rig::full();
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    for members in 0..100 {
        let event = EventFrame::count(GUILD, members);
        let limits = rig.limits.clone();
        rig.client.outbox_mut().admit(&event, Socket::Free, &limits);
        rig.feed(Input::Ended(event.ends()));
    }
    assert_eq!(rig.at_deadline()[0], Output::Close(CloseCode::TimedOut));
}

#[test]
fn any_frame_is_a_sign_of_life_by_default() {
    let command = json!({ "op": 6, "cmd": "MAKE_TEA" }).to_string();
    let signs: [fn(&str) -> Input<'_>; 4] = [
        |_| Input::Text(REPLY),
        |command| Input::Text(command),
        |_| Input::Pong,
        |_| Input::Fragment,
    ];
    for sign in signs {
        let mut rig = Rig::basic();
        assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
        rig.feed(sign(&command));
        assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    }
}

#[test]
fn opcode_4_alone_is_a_sign_of_life_where_a_reply_is_required() {
    let strict = || Limits {
        heartbeat_require: HeartbeatRequire::Reply,
        ..Limits::default()
    };
    let command = json!({ "op": 6, "cmd": "MAKE_TEA" }).to_string();
    for other in [Input::Pong, Input::Fragment, Input::Text(&command)] {
        let mut rig = Rig::basic_with(strict());
        assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
        rig.feed(other);
        assert_eq!(rig.at_deadline(), dead());
    }
    let mut rig = Rig::basic_with(strict());
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    rig.text(REPLY);
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
}

#[test]
fn silence_while_an_answer_is_awaited_is_the_servers_own() {
    let mut rig = Rig::basic();
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    rig.command("CONNECT_GUILD", json!({ "token": "g", "gid": "7" }));
    for _ in 0..3 {
        assert_eq!(rig.at_deadline(), [Output::Heartbeat], "nothing was read");
    }
    rig.feed(Input::Answer(refused()));
    assert_eq!(rig.at_deadline(), dead(), "now it could have been heard");
}

#[test]
fn a_deadline_that_has_not_come_is_harmless() {
    let mut rig = Rig::basic();
    let due = rig.client.deadline();
    assert_eq!(rig.feed(Input::Deadline), []);
    assert_eq!(rig.client.deadline(), due);
}

#[test]
fn a_session_that_timed_out_may_come_back() {
    let mut rig = Rig::full();
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    assert_eq!(
        rig.at_deadline(),
        [Output::Close(CloseCode::TimedOut), Output::Attached(false)]
    );
    assert!(rig.client.resumes(USER, Sequence(0)));
}

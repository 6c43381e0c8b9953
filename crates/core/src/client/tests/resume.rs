//! Wire protocol, "Resume" and "Notifications".

use guildgate_wire::EventFrame;

use super::*;
use crate::outbox::{Admission, Socket};

impl Rig {
    fn event(&mut self, event: &Arc<EventFrame>) -> Admission {
        let limits = self.limits.clone();
        self.client.outbox_mut().admit(event, Socket::Free, &limits)
    }

    fn resume(&mut self, seen: u64, missed: Vec<Notification>) -> Vec<Output> {
        self.feed(Input::Resume {
            seen: Sequence(seen),
            token: TokenId(2),
            missed,
        })
    }
}

fn privilege(permissions: u64) -> Arc<EventFrame> {
    EventFrame::privilege(GUILD, USER, "name", Permissions(permissions))
}

#[test]
fn a_resumed_client_gets_opcode_2_and_then_all_that_it_missed_in_order() {
    let mut rig = Rig::full().connected();
    rig.event(&privilege(1));
    rig.event(&privilege(2));
    rig.feed(Input::SocketLost);
    assert_eq!(rig.event(&privilege(3)), Admission::Kept);
    rig.event(&EventFrame::count(GUILD, 10));
    rig.event(&EventFrame::count(GUILD, 11));
    assert!(rig.client.resumes(USER, Sequence(1)));
    let outputs = rig.resume(1, vec![]);
    assert_eq!(outputs, [Output::Attached(true), Output::Flush]);
    let frames = rig.flush();
    assert_eq!(frames[0]["op"], 2);
    assert_eq!(frames[0]["d"]["resumed"], true);
    assert_eq!(frames[0]["d"]["session_id"], SESSION.to_string());
    let numbers: Vec<_> = frames[1..].iter().map(|frame| frame["s"].clone()).collect();
    assert_eq!(numbers, [2, 3, 5], "the replaced count never comes");
    assert_eq!(
        rig.event(&privilege(4)),
        Admission::Write(Some(Sequence(6))),
        "and the new ones follow"
    );
}

#[test]
fn a_resumed_session_is_still_on_its_guild_and_in_its_application_session() {
    let mut rig = Rig::full().connected();
    rig.command(
        "APPLICATION_SESSION",
        json!({ "uid": "1234", "gid": "7", "utokh": "u", "uhash": "g" }),
    );
    rig.feed(Input::Answer(done(json!({}))));
    rig.feed(Input::SocketLost);
    rig.resume(0, vec![]);
    assert_eq!(rig.client.guild(), Some(GUILD));
    assert!(rig.client.in_application_session());
    assert!(rig.client.accepts_text());
}

#[test]
fn a_session_whose_old_socket_was_not_missed_yet_is_taken_over() {
    let mut rig = Rig::full();
    rig.event(&privilege(1));
    let outputs = rig.resume(0, vec![]);
    assert_eq!(outputs, [Output::Flush], "the hub knows of no break");
    assert_eq!(rig.flush().len(), 2);
}

#[test]
fn a_session_is_resumed_by_its_user_alone_and_never_with_a_hole() {
    let mut rig = Rig::full_with(Limits {
        resume_events_max: 2,
        ..Limits::default()
    });
    for permissions in 1..=4 {
        rig.event(&privilege(permissions));
    }
    rig.feed(Input::SocketLost);
    assert!(!rig.client.resumes(UserId(99), Sequence(2)));
    for (seen, possible) in [(0, false), (1, false), (2, true), (4, true), (5, false)] {
        assert_eq!(rig.client.resumes(USER, Sequence(seen)), possible, "{seen}");
    }
}

#[test]
fn a_resume_that_is_not_possible_ends_the_session_rather_than_hide_a_hole() {
    let mut rig = Rig::full();
    rig.feed(Input::SocketLost);
    assert_eq!(
        rig.resume(7, vec![]),
        [Output::Close(CloseCode::Unknown), Output::Drop]
    );
}

#[test]
fn an_acknowledged_event_is_not_kept() {
    let mut rig = Rig::full();
    rig.event(&privilege(1));
    rig.event(&privilege(2));
    rig.json(json!({ "op": 4, "d": 1 }));
    assert_eq!(rig.client.outbox().depths(), (0, 1));
    assert!(!rig.client.resumes(USER, Sequence(0)));
    assert!(rig.client.resumes(USER, Sequence(1)));
}

#[test]
fn the_resumed_session_goes_by_the_token_it_was_resumed_with() {
    let mut rig = Rig::full();
    rig.feed(Input::SocketLost);
    rig.resume(0, vec![]);
    assert_eq!(rig.client.token(), Some(TokenId(2)));
    assert_eq!(rig.feed(Input::Revoked(TOKEN)), []);
    assert_eq!(
        rig.feed(Input::Revoked(TokenId(2)))[0],
        Output::Close(CloseCode::AuthenticationFailed)
    );
}

#[test]
fn a_resumed_client_has_a_heartbeat_again() {
    let mut rig = Rig::full();
    assert_eq!(rig.at_deadline(), [Output::Heartbeat]);
    rig.feed(Input::SocketLost);
    rig.pass(Duration::from_secs(60));
    rig.resume(0, vec![]);
    assert_eq!(
        rig.at_deadline(),
        [Output::Heartbeat],
        "a new socket owes nothing"
    );
    assert_eq!(rig.at_deadline()[0], Output::Close(CloseCode::TimedOut));
}

#[test]
fn a_resumed_client_begins_with_its_whole_frame_budget() {
    let mut rig = Rig::full();
    for _ in 0..45 {
        rig.feed(Input::Fragment);
    }
    rig.feed(Input::SocketLost);
    rig.resume(0, vec![]);
    for _ in 0..50 {
        assert_eq!(rig.feed(Input::Fragment), []);
    }
}

#[test]
fn an_answer_to_a_command_of_a_lost_socket_takes_effect_and_is_told_to_nobody() {
    for resumed in [false, true] {
        let mut rig = Rig::full();
        rig.command("CONNECT_GUILD", json!({ "token": "g", "gid": "7" }));
        rig.feed(Input::SocketLost);
        if resumed {
            rig.resume(0, vec![]);
            assert!(!rig.client.accepts_text(), "the old question is still open");
        }
        let outputs = rig.feed(Input::Answer(connected(GUILD)));
        assert_eq!(outputs, [Output::Subscribe(GUILD)]);
        assert_eq!(rig.client.guild(), Some(GUILD));
        assert_eq!(rig.client.accepts_text(), resumed);
    }
}

#[test]
fn a_connection_that_authenticates_says_what_it_wants_to_resume() {
    let mut rig = Rig::open();
    assert_eq!(rig.client.resume_wanted(TOKEN), None);
    rig.json(json!({
        "op": 1,
        "d": { "token": "t", "uid": "1234",
               "resume": { "session_id": SESSION.to_string(), "seq": 3 } },
    }));
    let wanted = ResumeFrom {
        session: Some(SESSION),
        sequence: Sequence(3),
    };
    assert_eq!(rig.client.resume_wanted(TOKEN), Some(wanted));
    rig.feed(Input::Revoked(TOKEN));
    assert_eq!(
        rig.client.resume_wanted(TOKEN),
        None,
        "not with a revoked token"
    );
    assert_eq!(rig.client.resume_wanted(TokenId(2)), Some(wanted));
}

#[test]
fn a_resume_that_finds_no_session_starts_anew() {
    let mut rig = Rig::open();
    rig.json(json!({
        "op": 1,
        "d": { "token": "t", "uid": "1234", "resume": { "session_id": "gone", "seq": 3 } },
    }));
    let outputs = rig.feed(Input::Answer(full(vec![])));
    assert_eq!(sent(&outputs)["d"]["resumed"], false);
    assert_eq!(
        rig.event(&privilege(1)),
        Admission::Write(Some(Sequence(1)))
    );
}

#[test]
fn told_notifications_are_delivered_once_a_pong_or_opcode_4_proves_it() {
    let proofs: [fn() -> Input<'static>; 2] = [|| Input::Pong, || Input::Text(r#"{"op":4}"#)];
    for proof in proofs {
        let mut rig = Rig::open();
        rig.authenticate();
        let outputs = rig.feed(Input::Answer(full(vec![notification(5), notification(6)])));
        assert_eq!(outputs[1..], [Output::Ping]);
        let unproved = rig.command("MAKE_TEA", json!(null));
        assert_eq!(
            refusal(&unproved).0,
            "unknown_command",
            "it may have been sent before opcode 2 arrived"
        );
        assert_eq!(unproved.len(), 1);
        let delivered = Ask::Delivered {
            user: USER,
            ids: vec![NotificationId(5), NotificationId(6)],
        };
        assert_eq!(rig.feed(proof()), [Output::Ask(delivered)]);
        assert!(rig.client.accepts_text(), "no answer is awaited");
        assert_eq!(rig.feed(proof()), [], "once is enough");
    }
}

/// The ids that opcode 2 tells, and those that events after it tell.
fn told(frames: &[Value]) -> (Vec<String>, Vec<String>) {
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let missed = frames[0]["d"]["missed_notifications"].as_array();
    let missed = missed.expect("opcode 2 comes first").iter().map(id);
    (
        missed.collect(),
        frames[1..].iter().map(|event| id(&event["d"])).collect(),
    )
}

#[test]
fn what_follows_a_resume_as_an_event_is_not_told_in_opcode_2_as_well() {
    let mut rig = Rig::full();
    rig.event(&EventFrame::reviewed(&notification(5)));
    rig.event(&EventFrame::reviewed(&notification(6)));
    rig.feed(Input::SocketLost);
    rig.event(&EventFrame::reviewed(&notification(7)));
    rig.resume(1, (4..=7).map(notification).collect());
    let (missed, events) = told(&rig.flush());
    assert_eq!(
        missed,
        ["4", "5"],
        "what was seen as an event is unacknowledged"
    );
    assert_eq!(events, ["6", "7"]);
}

#[test]
fn what_was_acknowledged_is_not_told_again_by_a_resume() {
    for answered in [false, true] {
        let mut rig = Rig::full();
        rig.event(&EventFrame::reviewed(&notification(5)));
        rig.event(&EventFrame::reviewed(&notification(6)));
        rig.command("NOTIFICATIONS_ACK", json!({ "ids": ["5"] }));
        if answered {
            rig.feed(Input::Answer(done(json!({}))));
        }
        rig.feed(Input::SocketLost);
        assert!(rig.client.resumes(USER, Sequence(0)));
        // The inbox was read before the acknowledgement reached it.
        rig.resume(0, vec![notification(5), notification(6)]);
        let (missed, events) = told(&rig.flush());
        assert_eq!(
            (missed, events),
            (vec![], vec!["6".to_owned()]),
            "{answered}"
        );
    }
}

#[test]
fn what_another_client_of_the_user_acknowledged_is_not_told_by_a_resume() {
    let mut rig = Rig::full();
    rig.event(&EventFrame::reviewed(&notification(5)));
    rig.feed(Input::SocketLost);
    assert_eq!(rig.feed(Input::Acknowledged(&[NotificationId(5)])), []);
    rig.resume(0, vec![]);
    assert_eq!(told(&rig.flush()), (vec![], vec![]));
}

#[test]
fn an_acknowledgement_that_was_refused_leaves_the_notification_to_be_told() {
    let mut rig = Rig::full();
    rig.event(&EventFrame::reviewed(&notification(5)));
    rig.command("NOTIFICATIONS_ACK", json!({ "ids": ["5"] }));
    rig.feed(Input::Answer(refused()));
    rig.feed(Input::SocketLost);
    rig.resume(0, vec![notification(5)]);
    assert_eq!(told(&rig.flush()).0, ["5"]);
}

#[test]
fn an_event_tells_nothing_that_opcode_2_has_told() {
    let mut rig = Rig::open();
    rig.authenticate();
    rig.feed(Input::Answer(full(vec![notification(5)])));
    let (known, new) = (notification(5), notification(6));
    assert!(rig.client.was_told(&EventFrame::reviewed(&known)));
    assert!(!rig.client.was_told(&EventFrame::reviewed(&new)));
    assert!(!rig.client.was_told(&privilege(5)));
    rig.command("NOTIFICATIONS_ACK", json!({ "ids": ["5"] }));
    rig.feed(Input::Answer(done(json!({}))));
    assert!(
        rig.client.was_told(&EventFrame::reviewed(&known)),
        "the event may come after the acknowledgement"
    );
}

#[test]
fn nothing_told_is_nothing_delivered() {
    let mut rig = Rig::full();
    assert_eq!(rig.feed(Input::Pong), []);
}

#[test]
fn what_a_lost_socket_was_told_is_told_again() {
    let mut rig = Rig::open();
    rig.authenticate();
    rig.feed(Input::Answer(full(vec![notification(5)])));
    rig.feed(Input::SocketLost);
    let outputs = rig.resume(0, vec![notification(5), notification(6)]);
    assert_eq!(
        outputs,
        [Output::Attached(true), Output::Flush, Output::Ping]
    );
    let frames = rig.flush();
    let missed = &frames[0]["d"]["missed_notifications"];
    assert_eq!(missed.as_array().map(Vec::len), Some(2));
    let delivered = Ask::Delivered {
        user: USER,
        ids: vec![NotificationId(5), NotificationId(6)],
    };
    assert_eq!(rig.feed(Input::Pong), [Output::Ask(delivered)]);
}

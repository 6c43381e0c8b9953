//! Sessions across a restart of the node.

use guildgate_wire::{EventFrame, EventName, Lane};

use super::*;
use crate::outbox::{Admission, Socket};

fn certain(number: u64) -> Arc<EventFrame> {
    let data = json!({ "number": number });
    EventFrame::new(EventName::ApplicationSubmitted, Lane::Certain, &data)
}

impl Rig {
    fn hear(&mut self, event: &Arc<EventFrame>) -> Admission {
        let limits = &self.limits;
        self.client.outbox_mut().admit(event, Socket::Free, limits)
    }

    /// The same client in the next process, whose clock begins anew.
    fn restarted(&self) -> Rig {
        let saved = self.client.save().expect("it waits for a socket");
        let bytes = serde_json::to_vec(&saved).expect("plain JSON");
        let saved: SavedSession = serde_json::from_slice(&bytes).expect("its own JSON");
        assert_eq!(saved.edge(), SESSION.edge);
        let now = Now::default().after(Duration::from_secs(1));
        Rig {
            client: Client::restore(now, 0, &self.limits, saved),
            now,
            limits: self.limits.clone(),
        }
    }

    fn go_on(&mut self, seen: u64) -> Vec<Value> {
        assert!(self.client.resumes(USER, Sequence(seen)));
        let said = self.feed(Input::Resume {
            seen: Sequence(seen),
            token: TokenId(2),
            missed: vec![],
        });
        assert_eq!(said, [Output::Attached(true), Output::Flush]);
        self.flush()
    }
}

#[test]
fn a_session_goes_on_in_the_next_process_without_a_hole() {
    let mut rig = Rig::full().connected();
    for number in 1..=3 {
        rig.hear(&certain(number));
    }
    rig.feed(Input::Drain);
    rig.hear(&EventFrame::count(GUILD, 7));
    rig.hear(&certain(5));
    let mut rig = rig.restarted();
    assert!(rig.client.is_detached());
    assert_eq!(rig.client.guild(), Some(GUILD));
    assert_eq!(rig.client.session_id(), Some(SESSION));
    assert_eq!(rig.client.token(), Some(TOKEN));
    assert_eq!(rig.hear(&certain(6)), Admission::Kept);
    let frames = rig.go_on(2);
    assert_eq!(frames[0]["d"]["resumed"], true);
    let heard: Vec<_> = frames[1..]
        .iter()
        .map(|frame| (frame["s"].as_u64(), frame["d"]["number"].as_u64()))
        .collect();
    let expected = [(3, 3), (5, 5), (6, 6)].map(|(s, number)| (Some(s), Some(number)));
    assert_eq!(heard, expected, "the count, 4, is told anew by others");
    assert_eq!(rig.client.token(), Some(TokenId(2)));
}

#[test]
fn what_was_pushed_out_before_the_restart_stays_out_of_reach() {
    let mut rig = Rig::full_with(Limits {
        resume_events_max: 2,
        ..Limits::default()
    });
    for number in 1..=5 {
        rig.hear(&certain(number));
    }
    rig.feed(Input::Drain);
    let mut rig = rig.restarted();
    assert!(!rig.client.resumes(USER, Sequence(2)));
    assert!(!rig.client.resumes(USER, Sequence(6)));
    assert!(!rig.client.resumes(UserId(1), Sequence(3)));
    assert_eq!(rig.go_on(3).len(), 3);
}

#[test]
fn a_client_that_missed_no_more_than_a_count_resumes() {
    let mut rig = Rig::full().connected();
    rig.hear(&certain(1));
    rig.hear(&EventFrame::count(GUILD, 7));
    rig.feed(Input::Drain);
    let mut rig = rig.restarted();
    rig.hear(&certain(3));
    let frames = rig.go_on(1);
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[1]["s"], 3);
}

#[test]
fn a_restored_session_waits_a_whole_window_and_then_is_over() {
    let mut rig = Rig::full().connected();
    rig.feed(Input::Drain);
    let mut rig = rig.restarted();
    let waits = rig.client.deadline().expect("it waits").since(rig.now.mono);
    assert_eq!(waits, rig.limits.resume_window);
    assert_eq!(
        rig.at_deadline(),
        [Output::Unsubscribe(GUILD), Output::Drop]
    );
}

#[test]
fn a_session_that_an_earlier_version_left_goes_on() {
    let earlier = json!({
        "edge": 3, "random": [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
        "user": "1234", "token": "1", "guild": "7",
        "notices": {"unproved": ["4"], "named": ["4", "5"], "acknowledged": ["5"]},
        "outbox": {"floor": 1, "last": 4, "events": [
            [2, "{\"op\":5,\"t\":\"X\",\"ev\":\"X\",\"d\":{\"number\":2}", null],
            [4, "{\"op\":5,\"t\":\"X\",\"ev\":\"X\",\"d\":{\"number\":4}", "6"],
        ]},
    });
    let saved: SavedSession = serde_json::from_value(earlier.clone()).expect("it is read");
    assert_eq!(serde_json::to_value(&saved).expect("JSON"), earlier);
    assert_eq!((saved.edge(), saved.token()), (3, TOKEN));
    let (now, limits) = (Now::default(), Limits::default());
    let mut rig = Rig {
        client: Client::restore(now, 0, &limits, saved),
        now,
        limits,
    };
    assert_eq!(rig.client.guild(), Some(GUILD));
    assert_eq!(rig.hear(&certain(5)), Admission::Kept);
    let frames = rig.go_on(1);
    assert_eq!(frames[0]["d"]["resumed"], true);
    let heard: Vec<_> = frames[1..]
        .iter()
        .map(|frame| (frame["s"].as_u64(), frame["d"]["number"].as_u64()))
        .collect();
    let expected = [(2, 2), (4, 4), (5, 5)].map(|(s, number)| (Some(s), Some(number)));
    assert_eq!(heard, expected);
}

#[test]
fn a_session_in_the_middle_of_something_is_not_kept() {
    let mut rig = Rig::full();
    rig.command("CONNECT_GUILD", json!({ "token": "g", "gid": GUILD }));
    rig.feed(Input::Drain);
    assert_eq!(rig.client.save(), None);
    let mut rig = Rig::full();
    rig.client.enter_application_session(GUILD);
    rig.feed(Input::SocketLost);
    assert_eq!(rig.client.save(), None);
}

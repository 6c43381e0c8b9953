//! The outbox's rules, one by one, and against a naive model.

use guildgate_model::{Decision, GuildId, Notification, UnixMs};
use guildgate_wire::{EventName, Lane};
use proptest::prelude::*;

use super::*;

mod model;

const GUILD: GuildId = GuildId(1);
const OTHER: GuildId = GuildId(2);

fn certain(number: u64) -> Arc<EventFrame> {
    EventFrame::new(EventName::ApplicationSubmitted, Lane::Certain, &number)
}

fn count(guild: GuildId, members: u64) -> Arc<EventFrame> {
    EventFrame::count(guild, members)
}

fn snapshot(guild: GuildId, number: u64) -> Arc<EventFrame> {
    EventFrame::new(EventName::GuildUpdate, Lane::Snapshot(guild), &number)
}

fn resync(guild: GuildId, number: u64) -> Arc<EventFrame> {
    EventFrame::new(EventName::GuildResync, Lane::Resync(guild), &number)
}

fn reviewed(id: u64) -> Arc<EventFrame> {
    EventFrame::reviewed(&Notification {
        id: NotificationId(id),
        decision: Decision::Accepted,
        guild: GUILD,
        application: None,
        note: None,
        at: UnixMs(5),
    })
}

/// A session's outbox with a socket.
fn session() -> Outbox {
    let mut outbox = Outbox::new();
    outbox.number();
    outbox
}

fn texts(outbox: &Outbox) -> Vec<String> {
    outbox.unsent().map(text).collect()
}

fn text(frame: Unsent<'_>) -> String {
    let mut text = Vec::new();
    frame.write_to(&mut text);
    assert!(text.len() <= frame.len_max());
    String::from_utf8(text).expect("a frame is UTF-8")
}

fn text_of(event: &EventFrame, sequence: Option<u64>) -> String {
    text(Unsent::Event(event, sequence.map(Sequence)))
}

fn limits() -> Limits {
    Limits::default()
}

/// Resumes and takes all that waits; opcode 2 is "first".
fn replayed(outbox: &mut Outbox, seen: u64) -> Vec<String> {
    outbox.resume(Sequence(seen), "first".into(), &limits());
    let texts = texts(outbox);
    outbox.sent(texts.len(), &limits());
    assert_eq!(texts[0], "first");
    texts[1..].to_vec()
}

#[test]
fn what_a_session_keeps_is_small() {
    // Every session has one after its first event; what rarely waits stands behind a pointer.
    assert!(size_of::<Queues>() <= 96, "{}", size_of::<Queues>());
}

#[test]
fn an_outbox_is_small_and_a_basic_one_owns_nothing_while_its_socket_takes_all() {
    assert!(size_of::<Outbox>() <= 24);
    let mut outbox = Outbox::new();
    for number in 0..100 {
        let admission = outbox.admit(&certain(number), Socket::Free, &limits());
        assert_eq!(admission, Admission::Write(None));
        assert!(outbox.queues.is_none());
    }
}

#[test]
fn a_basic_outbox_gives_its_memory_back_once_all_is_sent() {
    let mut outbox = Outbox::new();
    let event = certain(1);
    assert_eq!(
        outbox.admit(&event, Socket::Busy, &limits()),
        Admission::Waits
    );
    assert_eq!(
        outbox.admit(&event, Socket::Free, &limits()),
        Admission::Waits,
        "what waits goes first, however free the socket is"
    );
    outbox.sent(1, &limits());
    assert!(outbox.has_unsent());
    outbox.sent(1, &limits());
    assert!(outbox.queues.is_none());
}

#[test]
fn events_of_a_session_are_numbered_from_one() {
    let mut outbox = session();
    for number in 1..=3 {
        let admission = outbox.admit(&certain(number), Socket::Free, &limits());
        assert_eq!(admission, Admission::Write(Some(Sequence(number))));
    }
    assert_eq!(outbox.depths(), (0, 3));
}

#[test]
fn an_event_that_the_socket_refused_waits_with_its_number() {
    let mut outbox = session();
    let events = [certain(1), count(GUILD, 5), certain(3)];
    for event in &events {
        outbox.admit(event, Socket::Free, &limits());
    }
    for (event, number) in events.iter().zip(1..).skip(1) {
        outbox
            .put_back(event, Some(Sequence(number)), &limits())
            .expect("there is room");
    }
    assert_eq!(
        texts(&outbox),
        [text_of(&events[1], Some(2)), text_of(&events[2], Some(3))]
    );
    outbox.sent(2, &limits());
    assert_eq!(outbox.depths(), (0, 3));
    assert_eq!(replayed(&mut outbox, 0).len(), 3);
}

#[test]
fn an_acknowledged_notification_leaves_no_hole_and_gives_its_memory_back() {
    let mut outbox = session();
    outbox.admit(&reviewed(7), Socket::Free, &limits());
    outbox.forget_notifications(&[NotificationId(7)]);
    assert_eq!(outbox.depths(), (0, 0));
    assert!(
        outbox.resumes_from(Sequence(0)),
        "it is not asked for again"
    );
    assert!(replayed(&mut outbox, 0).is_empty());
    outbox.acknowledge(Sequence(1));
    assert!(outbox.queues.is_none());
}

#[test]
fn a_resync_gives_way_to_a_newer_one_and_to_nothing_else() {
    let mut outbox = session();
    for event in [resync(GUILD, 1), snapshot(GUILD, 2), resync(OTHER, 3)] {
        assert_eq!(
            outbox.admit(&event, Socket::Busy, &limits()),
            Admission::Waits
        );
    }
    assert_eq!(
        outbox.admit(&resync(GUILD, 4), Socket::Busy, &limits()),
        Admission::Replaced
    );
    outbox.detach(&limits());
    let numbers: Vec<_> = replayed(&mut outbox, 0)
        .iter()
        .map(|text| text[text.find("\"s\":").expect("a number")..].to_owned())
        .collect();
    assert_eq!(numbers, ["\"s\":2}", "\"s\":3}", "\"s\":4}"]);
}

#[test]
fn an_event_that_a_later_one_of_its_burst_replaced_is_not_put_back() {
    let mut outbox = session();
    let (older, newer) = (count(GUILD, 5), count(GUILD, 6));
    outbox.admit(&older, Socket::Free, &limits());
    outbox.admit(&newer, Socket::Free, &limits());
    for (event, number) in [(&older, 1), (&newer, 2)] {
        outbox
            .put_back(event, Some(Sequence(number)), &limits())
            .expect("there is room");
    }
    assert_eq!(texts(&outbox), [text_of(&newer, Some(2))]);
}

#[test]
fn an_event_pushed_out_of_the_kept_is_put_back_all_the_same() {
    let limits = Limits {
        resume_events_max: 2,
        ..limits()
    };
    let mut outbox = session();
    let events: Vec<_> = (1..=4).map(certain).collect();
    for event in &events {
        outbox.admit(event, Socket::Free, &limits);
    }
    let outgrown = [outbox.take_outgrown(), outbox.take_outgrown()];
    assert_eq!(outgrown, [2, 0], "each is told of once");
    for (event, number) in events.iter().zip(1..) {
        outbox
            .put_back(event, Some(Sequence(number)), &limits)
            .expect("there is room");
    }
    assert_eq!(texts(&outbox).len(), 4, "a living connection has no hole");
}

#[test]
fn a_waiting_count_or_snapshot_gives_way_to_a_newer_one_of_its_guild_only() {
    let mut outbox = Outbox::new();
    let cases = [
        (count(GUILD, 1), Admission::Waits),
        (certain(1), Admission::Waits),
        (count(OTHER, 1), Admission::Waits),
        (snapshot(GUILD, 1), Admission::Waits),
        (count(GUILD, 2), Admission::Replaced),
        (certain(1), Admission::Waits),
        (snapshot(GUILD, 2), Admission::Replaced),
    ];
    for (event, expected) in &cases {
        let admission = outbox.admit(event, Socket::Busy, &limits());
        assert_eq!(admission, *expected, "{event:?}");
    }
    let left = [1, 2, 4, 5, 6].map(|index: usize| text_of(&cases[index].0, None));
    assert_eq!(texts(&outbox), left);
}

#[test]
fn a_kept_count_gives_way_and_its_number_never_comes() {
    let mut outbox = session();
    let newest = count(GUILD, 1000);
    let lasting = certain(7);
    outbox.admit(&lasting, Socket::Free, &limits());
    for members in 0..1000 {
        outbox.admit(&count(GUILD, members), Socket::Free, &limits());
    }
    outbox.admit(&newest, Socket::Free, &limits());
    assert_eq!(outbox.depths(), (0, 2), "a storm keeps one count");
    assert!(outbox.resumes_from(Sequence(0)));
    let expected = [text_of(&lasting, Some(1)), text_of(&newest, Some(1002))];
    assert_eq!(replayed(&mut outbox, 0), expected);
}

#[test]
fn a_kept_count_gives_way_to_one_that_still_waits() {
    let mut outbox = session();
    outbox.admit(&count(GUILD, 1), Socket::Free, &limits());
    outbox.admit(&count(GUILD, 2), Socket::Busy, &limits());
    assert_eq!(outbox.depths(), (1, 0));
    outbox.detach(&limits());
    assert_eq!(
        replayed(&mut outbox, 0),
        [text_of(&count(GUILD, 2), Some(2))]
    );
}

#[test]
fn without_a_socket_events_are_kept_and_raw_frames_are_not() {
    let mut outbox = session();
    outbox
        .queue_raw("an answer".into(), &limits())
        .expect("room");
    outbox.admit(&certain(1), Socket::Free, &limits());
    outbox.detach(&limits());
    outbox
        .queue_raw("a late answer".into(), &limits())
        .expect("ignored");
    assert_eq!(
        outbox.admit(&certain(2), Socket::Free, &limits()),
        Admission::Kept
    );
    assert!(!outbox.has_unsent());
    assert_eq!(
        replayed(&mut outbox, 0),
        [text_of(&certain(1), Some(1)), text_of(&certain(2), Some(2))]
    );
}

#[test]
fn an_acknowledgement_trims_what_is_kept_and_forbids_going_back() {
    let mut outbox = session();
    for number in 1..=5 {
        outbox.admit(&certain(number), Socket::Free, &limits());
    }
    outbox.acknowledge(Sequence(3));
    assert_eq!(outbox.depths(), (0, 2));
    for (seen, possible) in [(0, false), (2, false), (3, true), (5, true), (6, false)] {
        assert_eq!(outbox.resumes_from(Sequence(seen)), possible, "{seen}");
    }
    outbox.acknowledge(Sequence(1));
    assert_eq!(outbox.depths(), (0, 2), "an old one changes nothing");
    outbox.acknowledge(Sequence(5));
    assert!(outbox.queues.is_none(), "nothing kept, nothing owned");
    assert!(!outbox.resumes_from(Sequence(4)));
    assert!(outbox.resumes_from(Sequence(5)));
    outbox.admit(&certain(6), Socket::Free, &limits());
    assert!(!outbox.resumes_from(Sequence(4)), "the floor is remembered");
    assert!(outbox.resumes_from(Sequence(5)));
}

#[test]
fn an_acknowledgement_of_what_was_not_written_is_taken_for_the_last_that_was() {
    let mut outbox = session();
    outbox.admit(&certain(1), Socket::Free, &limits());
    outbox.admit(&certain(2), Socket::Busy, &limits());
    outbox.acknowledge(Sequence(u64::MAX));
    assert_eq!(texts(&outbox), [text_of(&certain(2), Some(2))]);
    assert!(outbox.resumes_from(Sequence(1)));
}

#[test]
fn past_the_bound_the_oldest_goes_and_a_resume_from_before_it_is_impossible() {
    let by_number = Limits {
        resume_events_max: 3,
        ..limits()
    };
    let by_size = Limits {
        resume_bytes_max: 3 * certain(1).len_max(),
        ..limits()
    };
    for limits in [by_number, by_size] {
        let mut outbox = session();
        for number in 1..=5 {
            outbox.admit(&certain(number), Socket::Free, &limits);
        }
        assert_eq!(outbox.depths(), (0, 3));
        assert!(!outbox.resumes_from(Sequence(1)));
        assert!(outbox.resumes_from(Sequence(2)));
    }
}

#[test]
fn a_basic_connection_is_never_resumed() {
    assert!(!Outbox::new().resumes_from(Sequence(0)));
}

#[test]
fn certain_frames_past_a_bound_overrun_and_counts_do_not() {
    let limits = Limits {
        queue_frames_max: 2,
        ..limits()
    };
    let mut outbox = Outbox::new();
    assert_eq!(
        outbox.admit(&certain(1), Socket::Busy, &limits),
        Admission::Waits
    );
    assert_eq!(outbox.queue_raw("raw".into(), &limits), Ok(()));
    for guild in 1..100 {
        let event = count(GuildId(guild), 1);
        assert_eq!(
            outbox.admit(&event, Socket::Busy, &limits),
            Admission::Waits
        );
    }
    assert_eq!(
        outbox.admit(&certain(2), Socket::Busy, &limits),
        Admission::Overrun
    );
    assert_eq!(outbox.queue_raw("raw".into(), &limits), Err(Overrun));
}

#[test]
fn bytes_past_their_bound_overrun() {
    let limits = Limits {
        queue_bytes_max: 10,
        ..limits()
    };
    let mut outbox = Outbox::new();
    assert_eq!(outbox.queue_raw("0123456789".into(), &limits), Ok(()));
    assert_eq!(outbox.queue_raw("0".into(), &limits), Err(Overrun));
    outbox.sent(1, &limits);
    assert_eq!(outbox.queue_raw("012345678".into(), &limits), Ok(()));
}

#[test]
fn what_overran_is_kept_for_the_resume_that_the_close_invites() {
    let limits = Limits {
        queue_frames_max: 1,
        ..limits()
    };
    let mut outbox = session();
    outbox.admit(&certain(1), Socket::Busy, &limits);
    assert_eq!(
        outbox.admit(&certain(2), Socket::Busy, &limits),
        Admission::Overrun
    );
    outbox.detach(&limits);
    assert_eq!(replayed(&mut outbox, 0).len(), 2);
}

#[test]
fn what_a_resume_replays_is_not_the_readers_slowness() {
    let limits = Limits {
        queue_frames_max: 2,
        ..limits()
    };
    let mut outbox = session();
    outbox.detach(&limits);
    for number in 1..=10 {
        outbox.admit(&certain(number), Socket::Free, &limits);
    }
    outbox.resume(Sequence(0), "first".into(), &limits);
    for number in 11..=12 {
        assert_eq!(
            outbox.admit(&certain(number), Socket::Busy, &limits),
            Admission::Waits
        );
    }
    assert_eq!(
        outbox.admit(&certain(13), Socket::Busy, &limits),
        Admission::Overrun
    );
    let all = outbox.unsent().count();
    outbox.sent(all, &limits);
    for _ in 0..2 {
        assert_eq!(outbox.queue_raw("raw".into(), &limits), Ok(()));
    }
    assert_eq!(outbox.queue_raw("raw".into(), &limits), Err(Overrun));
}

#[test]
fn a_socket_taken_over_while_the_old_one_was_blocked_loses_nothing() {
    let mut outbox = session();
    outbox.admit(&certain(1), Socket::Free, &limits());
    outbox
        .queue_raw("an answer".into(), &limits())
        .expect("room");
    outbox.admit(&certain(2), Socket::Free, &limits());
    assert_eq!(replayed(&mut outbox, 1), [text_of(&certain(2), Some(2))]);
}

#[test]
fn a_takeover_while_frames_wait_pushes_nothing_out() {
    let limits = Limits {
        resume_events_max: 1,
        ..limits()
    };
    let mut outbox = session();
    for number in 1..=2 {
        outbox.admit(&certain(number), Socket::Free, &limits);
    }
    for number in 3..=5 {
        outbox.admit(&certain(number), Socket::Busy, &limits);
    }
    assert!(outbox.resumes_from(Sequence(1)));
    outbox.resume(Sequence(1), "first".into(), &limits);
    let expected = (2..=5).map(|number| text_of(&certain(number), Some(number)));
    assert_eq!(texts(&outbox)[1..], expected.collect::<Vec<_>>());
}

#[test]
fn a_burst_leaves_an_outbox_as_its_events_one_by_one_do() {
    let limits = limits();
    let events = [
        count(GUILD, 1),
        certain(2),
        count(OTHER, 3),
        snapshot(GUILD, 4),
        count(GUILD, 5),
        resync(GUILD, 6),
        snapshot(GUILD, 7),
        certain(8),
        count(GUILD, 9),
    ];
    let (mut together, mut single) = (session(), session());
    for outbox in [&mut together, &mut single] {
        outbox.admit(&count(GUILD, 0), Socket::Free, &limits);
        outbox.admit(&certain(0), Socket::Free, &limits);
    }
    for event in &events {
        single.admit(event, Socket::Free, &limits);
    }
    let burst = events.into_iter().collect();
    let first = together.admit_burst(&burst, &limits);
    assert_eq!(first, Some(Sequence(3)));
    assert_eq!(together.depths(), single.depths());
    for outbox in [&mut together, &mut single] {
        outbox.detach(&limits);
        outbox.resume(Sequence(0), "opcode 2".into(), &limits);
    }
    assert_eq!(texts(&together), texts(&single));
    assert_eq!(texts(&together).len(), 8);
}

#[test]
fn a_burst_is_not_taken_where_it_could_not_be_written() {
    let burst = [certain(1)].into_iter().collect();
    assert_eq!(Outbox::new().admit_burst(&burst, &limits()), None);
    let mut detached = session();
    detached.detach(&limits());
    assert_eq!(detached.admit_burst(&burst, &limits()), None);
    let mut behind = session();
    behind.admit(&certain(0), Socket::Busy, &limits());
    assert_eq!(behind.admit_burst(&burst, &limits()), None);
    assert_eq!(behind.depths(), (1, 0));
}

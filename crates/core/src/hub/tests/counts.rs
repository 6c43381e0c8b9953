//! How many members a guild has, and how often that is told.

use std::time::Duration;

use guildgate_model::{GuildData, UpstreamEvent, UserId};
use proptest::prelude::*;

use super::rig::{ANN, BOB, GUILD, Rig, client, joined, left, sample};
use crate::hub::{Input, MemberEvents};

fn rig_with_client() -> Rig {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, None);
    rig
}

fn counts(rig: &mut Rig) -> Vec<u64> {
    let screen = rig.screens.get_mut(&client(0)).expect("a client");
    let events = screen.events.drain(..);
    let counts = events.filter(|(name, ..)| name == "GUILD_MEMBER_COUNT_CHANGE");
    counts
        .map(|(_, data, _)| data["member_count"].as_u64().expect("a count"))
        .collect()
}

#[test]
fn the_first_change_is_told_at_once_and_the_others_once_an_interval() {
    let mut rig = rig_with_client();
    for user in 200..210 {
        rig.tell(joined(UserId(user), None));
        rig.pass(1);
    }
    assert_eq!(counts(&mut rig), [11]);
    rig.pass(239);
    assert!(counts(&mut rig).is_empty());
    rig.pass(1);
    assert_eq!(counts(&mut rig), [20]);
    assert_eq!(
        rig.hub.conflated(),
        8,
        "the first was told, and so was the last"
    );
    assert_eq!(rig.held_for(), Some(Duration::from_millis(249)));
    rig.pass(10_000);
    assert!(counts(&mut rig).is_empty(), "nothing new");
    rig.tell(left(UserId(200)));
    assert_eq!(counts(&mut rig), [19]);
    assert_eq!(rig.held_for(), None);
}

#[test]
fn a_count_that_came_back_is_not_told_again() {
    let mut rig = rig_with_client();
    rig.tell(joined(ANN, None));
    rig.tell(left(ANN));
    rig.tell(joined(BOB, None));
    rig.pass(1_000);
    assert_eq!(counts(&mut rig), [11]);
}

#[test]
fn a_count_that_came_back_is_told_if_somebody_saw_another() {
    let mut rig = rig_with_client();
    rig.tell(joined(ANN, None));
    rig.tell(joined(BOB, None));
    rig.connect(client(1), GUILD, None);
    assert_eq!(rig.screen(client(1)).count(), 12);
    rig.tell(left(BOB));
    rig.pass(1_000);
    assert_eq!(rig.screen(client(1)).count(), 11);
    assert_eq!(rig.screen(client(0)).count(), 11);
}

#[test]
fn what_counts_as_a_join_and_what_does_not() {
    let mut rig = rig_with_client();
    let wall = rig.now.wall;
    let check = |rig: &mut Rig, event, expected: u64, why: &str| {
        rig.tell(event);
        rig.pass(250);
        assert_eq!(rig.screen(client(0)).count(), expected, "{why}");
    };
    let long_ago = Some(guildgate_model::UnixMs(wall.0 - 3_600_000));
    check(&mut rig, joined(ANN, long_ago), 10, "was in the count");
    check(
        &mut rig,
        joined(BOB, Some(wall + Duration::from_secs(1))),
        11,
        "new",
    );
    check(
        &mut rig,
        joined(BOB, Some(wall + Duration::from_secs(1))),
        11,
        "repeated",
    );
    check(&mut rig, left(BOB), 10, "left");
    check(&mut rig, joined(BOB, None), 11, "came back");
    check(&mut rig, left(UserId(999)), 10, "nobody knew them");
    rig.connect_member(client(1), ANN, &[]);
    check(
        &mut rig,
        joined(ANN, None),
        10,
        "connected, so known as a member",
    );
}

#[test]
fn a_guild_update_leaves_the_count() {
    let mut rig = rig_with_client();
    rig.update(|data| {
        data.name = Some("Renamed".into());
        data.member_count = Some(0);
    });
    rig.update(|data| data.name = Some("Again".into()));
    rig.pass(2_000);
    assert_eq!(rig.screen(client(0)).count(), 10);
    assert_eq!(rig.screen(client(0)).guild["name"], "Again");
}

#[test]
fn a_guild_create_without_a_count_leaves_what_was_known() {
    let mut rig = rig_with_client();
    let mut data = sample(GUILD);
    data.member_count = None;
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(data)));
    assert_eq!(rig.screen(client(0)).count(), 10);
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(GuildData::new(
        GUILD,
    ))));
    assert_eq!(rig.screen(client(0)).guild["name"], "Sample");
}

#[test]
fn a_polled_count_is_taken_only_while_member_events_are_withheld() {
    let mut rig = rig_with_client();
    let poll = Input::PolledCount {
        guild: GUILD,
        member_count: 77,
    };
    rig.put(poll);
    assert_eq!(rig.screen(client(0)).count(), 10);
    rig.put(Input::MemberEvents(MemberEvents::Withheld));
    assert_eq!(rig.screen(client(0)).guild["freshness"], "approximate");
    rig.put(Input::PolledCount {
        guild: GUILD,
        member_count: 77,
    });
    assert_eq!(rig.screen(client(0)).count(), 77);
}

#[test]
fn no_count_goes_below_zero() {
    let mut rig = rig_with_client();
    for user in 0..12 {
        rig.tell(left(UserId(user)));
    }
    rig.pass(1_000);
    assert_eq!(rig.screen(client(0)).count(), 0);
}

proptest! {
    /// Whatever comes, whenever: a client ends on the true count, and hears of it no more
    /// often than once an interval.
    #[test]
    fn counts_end_true_and_are_spaced(
        steps in prop::collection::vec((any::<bool>(), 0_u64..200), 1..80),
    ) {
        let mut rig = rig_with_client();
        let (mut truth, mut next) = (10_u64, 1000);
        for (joins, ms) in steps {
            if joins {
                next += 1;
                truth += 1;
                rig.tell(joined(UserId(next), None));
            } else {
                truth = truth.saturating_sub(1);
                rig.tell(left(UserId(7)));
            }
            rig.pass(ms);
        }
        rig.pass(250);
        let screen = rig.screen(client(0));
        prop_assert_eq!(screen.count(), truth);
        let times: Vec<_> = screen.events.iter().map(|(_, _, now)| now.mono).collect();
        for pair in times.windows(2) {
            prop_assert!(pair[1].since(pair[0]) >= Duration::from_millis(250));
        }
    }
}

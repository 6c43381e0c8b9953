//! Connecting and leaving.

use std::sync::Arc;

use guildgate_model::{Permissions, UpstreamEvent, UserId, WantedUsers};

use super::rig::{ANN, BOB, GUILD, OTHER, OWNER, Rig, VIEW, client, joined, left, member, sample};
use crate::hub::{Config, Hub, Input, Query};

#[test]
fn a_basic_client_is_answered_at_once_with_the_guild_and_no_user() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, None);
    let screen = rig.screen(client(0));
    assert_eq!(screen.on, Some(GUILD));
    assert_eq!(screen.guild["name"], "Sample");
    assert_eq!(screen.count(), 10);
    assert!(screen.user.is_null());
    assert!(rig.asked.is_empty());
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn a_guild_the_bot_is_not_in_is_unknown_and_one_on_its_way_unavailable() {
    let mut rig = Rig::new(Config::default());
    let refused = |rig: &mut Rig, guild| {
        rig.connect(client(0), guild, None);
        rig.screen(client(0)).refused
    };
    assert_eq!(
        refused(&mut rig, GUILD),
        Some("unavailable"),
        "no READY yet"
    );
    rig.ready(&[GUILD]);
    assert_eq!(
        refused(&mut rig, GUILD),
        Some("unavailable"),
        "not shown yet"
    );
    assert_eq!(refused(&mut rig, OTHER), Some("unknown_guild"));
    rig.tell(UpstreamEvent::GuildUnavailable(GUILD));
    assert_eq!(refused(&mut rig, GUILD), Some("unavailable"), "an outage");
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    assert_eq!(refused(&mut rig, GUILD), None);
}

#[test]
fn full_clients_wait_for_one_request_for_all_their_members() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, Some(ANN));
    rig.connect(client(1), GUILD, Some(BOB));
    rig.connect(client(2), GUILD, Some(ANN));
    rig.pass(19);
    assert!(rig.asked.is_empty());
    rig.pass(1);
    assert_eq!(rig.asked, [(GUILD, vec![ANN, BOB])]);
    assert_eq!(rig.screen(client(0)).on, None);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![BOB]);
    for slot in [0, 2] {
        let screen = rig.screen(client(slot));
        assert_eq!(screen.permissions(), VIEW | Permissions::MANAGE_GUILD);
        assert_eq!(screen.user["tag"], "user101");
    }
    assert!(rig.screen(client(1)).user.is_null(), "not a member");
    assert_eq!(rig.screen(client(1)).on, Some(GUILD));
    assert!(rig.screens.values().all(|screen| screen.events.is_empty()));
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn a_member_who_is_here_already_is_not_asked_for() {
    let mut rig = Rig::up();
    rig.connect_member(client(0), ANN, &[20]);
    rig.connect(client(1), GUILD, Some(ANN));
    assert_eq!(rig.screen(client(1)).user, rig.screen(client(0)).user);
    assert!(rig.asked.is_empty());
}

#[test]
fn nothing_is_kept_of_a_user_who_left_their_last_guild_connection() {
    let mut rig = Rig::up();
    let empty = rig.hub.heap_bytes(GUILD);
    for slot in [0, 1] {
        rig.connect_member(client(slot), ANN, &[20]);
    }
    rig.put(Input::Disconnect {
        client: client(0),
        guild: GUILD,
    });
    assert!(rig.hub.permissions_of(GUILD, ANN).is_some());
    rig.put(Input::Gone(client(1)));
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None);
    assert_eq!(rig.hub.heap_bytes(GUILD), empty);
    rig.screens.clear();
    rig.connect(client(2), GUILD, Some(ANN));
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
}

#[test]
fn a_user_is_wanted_before_discord_is_asked_and_no_longer_once_they_are_forgotten() {
    let wanted = Arc::<WantedUsers>::default();
    let mut rig = Rig::up_with(Config {
        wanted: Arc::clone(&wanted),
        ..Config::default()
    });
    assert!(!wanted.contains(ANN));
    rig.connect(client(0), GUILD, Some(ANN));
    assert!(rig.asked.is_empty() && wanted.contains(ANN));
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
    rig.connect(client(1), OTHER, Some(ANN));
    rig.put(Input::Gone(client(0)));
    assert!(wanted.contains(ANN), "they wait for the other guild");
    rig.pass(20);
    rig.answer(OTHER, vec![member(ANN, &[])], vec![]);
    rig.put(Input::RightsWanted {
        query: Query(1),
        guild: GUILD,
        user: BOB,
    });
    assert!(wanted.contains(BOB));
    rig.pass(20);
    rig.answer(GUILD, vec![], vec![BOB]);
    assert!(!wanted.contains(BOB), "answered, and forgotten");
    rig.tell(UpstreamEvent::GuildLeft(OTHER));
    assert!(
        !wanted.contains(ANN),
        "so is who was on a guild that is gone"
    );
}

/// The answer was on its way while nobody wanted the user, and a change was dropped behind it.
#[test]
fn what_was_decoded_before_a_user_was_wanted_is_not_believed() {
    let wanted = Arc::<WantedUsers>::default();
    let mut rig = Rig::up_with(Config {
        wanted: Arc::clone(&wanted),
        ..Config::default()
    });
    let early = wanted.mark();
    rig.connect(client(0), GUILD, Some(ANN));
    rig.connect(client(1), GUILD, Some(BOB));
    let members = |members, not_found| UpstreamEvent::Members {
        guild: GUILD,
        members,
        not_found,
    };
    rig.tell_marked(members(vec![member(ANN, &[20])], vec![BOB]), early);
    rig.tell_marked(left(ANN), early);
    rig.tell_marked(joined(ANN, None), early);
    assert_eq!(rig.screen(client(0)).on, None);
    assert_eq!(rig.screen(client(1)).on, None);
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN, BOB])], "Discord is asked");
    rig.tell_marked(members(vec![member(ANN, &[])], vec![BOB]), wanted.mark());
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    assert_eq!(rig.screen(client(1)).on, Some(GUILD));
    assert_eq!(rig.screen(client(0)).count(), 10, "one left, one joined");
}

#[test]
fn a_connection_replaces_the_one_before_once_it_is_let_in() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, Some(OWNER));
    rig.pass(20);
    rig.answer(GUILD, vec![member(OWNER, &[])], vec![]);
    rig.connect(client(0), OTHER, Some(OWNER));
    rig.tell(joined(BOB, None));
    assert_eq!(
        rig.heard(client(0)),
        ["GUILD_MEMBER_COUNT_CHANGE"],
        "still there"
    );
    rig.pass(20);
    rig.answer(OTHER, vec![], vec![OWNER]);
    assert_eq!(rig.screen(client(0)).on, Some(OTHER));
    rig.tell(left(BOB));
    assert_eq!(rig.broadcasts, 1, "nobody is on the first guild");
    // The edge's word that the first guild was left comes late.
    rig.put(Input::Disconnect {
        client: client(0),
        guild: GUILD,
    });
    rig.tell(UpstreamEvent::LinkLost);
    assert_eq!(rig.heard(client(0)), ["GUILD_UPDATE"]);
}

#[test]
fn a_refused_connection_leaves_the_one_before() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, None);
    rig.connect(client(0), guildgate_model::GuildId(77), None);
    assert_eq!(rig.screen(client(0)).refused, Some("unknown_guild"));
    rig.tell(joined(BOB, None));
    assert_eq!(rig.heard(client(0)), ["GUILD_MEMBER_COUNT_CHANGE"]);
}

#[test]
fn a_client_whose_member_discord_does_not_send_is_refused_in_the_end() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, Some(ANN));
    rig.pass(89_999);
    assert_eq!(rig.screen(client(0)).refused, None);
    rig.pass(1);
    assert_eq!(rig.screen(client(0)).refused, Some("unavailable"));
    // The answer comes after all, to nobody.
    rig.answer(GUILD, vec![member(ANN, &[])], vec![]);
    assert_eq!(rig.screen(client(0)).on, None);
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn who_only_asks_for_rights_waits_for_less_than_who_connects() {
    let mut rig = Rig::up();
    let ask = |rig: &mut Rig, query| {
        rig.put(Input::RightsWanted {
            query: Query(query),
            guild: GUILD,
            user: ANN,
        });
    };
    rig.connect(client(0), GUILD, Some(ANN));
    ask(&mut rig, 1);
    rig.pass(5_000);
    ask(&mut rig, 2);
    rig.pass(5_000);
    assert_eq!(rig.rights.pop(), Some((Query(1), Err("unavailable"))));
    rig.pass(4_999);
    assert!(rig.rights.is_empty());
    rig.pass(1);
    assert_eq!(rig.rights.pop(), Some((Query(2), Err("unavailable"))));
    assert_eq!(rig.screen(client(0)).refused, None);
    rig.answer(GUILD, vec![member(ANN, &[])], vec![]);
    assert_eq!(rig.screen(client(0)).on, Some(GUILD));
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn of_a_crowd_those_who_are_no_members_are_let_in_too() {
    let mut rig = Rig::up();
    let clients = 1_000..3_500;
    for slot in clients.clone() {
        rig.connect(client(slot), GUILD, Some(UserId(u64::from(slot))));
    }
    rig.asked.clear();
    rig.pass(500);
    assert_eq!(rig.asked_for_all, [GUILD]);
    assert!(
        rig.asked.is_empty(),
        "those who wait for all are not asked for"
    );
    let members = |users: std::ops::Range<u64>| UpstreamEvent::Members {
        guild: GUILD,
        members: users.map(|user| member(UserId(user), &[])).collect(),
        not_found: vec![],
    };
    rig.tell(members(1_000..1_900));
    rig.pass(2_000);
    rig.tell(members(1_900..3_499));
    let guest = client(3_499);
    assert_eq!(rig.screen(client(3_498)).on, Some(GUILD));
    assert_eq!(rig.screen(guest).on, None);
    rig.pass(3_020);
    assert_eq!(rig.asked, [(GUILD, vec![UserId(3_499)])]);
    rig.answer(GUILD, vec![], vec![UserId(3_499)]);
    assert_eq!(rig.screen(guest).on, Some(GUILD));
    assert!(rig.screens.values().all(|screen| screen.refused.is_none()));
}

#[test]
fn a_client_that_goes_while_it_waits_is_forgotten() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, Some(ANN));
    rig.put(Input::Gone(client(0)));
    assert_eq!(rig.hub.deadline(), None);
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None);
}

#[test]
fn members_are_asked_for_once_the_link_is_back() {
    let mut rig = Rig::up();
    rig.tell(UpstreamEvent::LinkLost);
    rig.connect(client(0), GUILD, Some(ANN));
    rig.pass(1_000);
    assert!(rig.asked.is_empty());
    rig.tell(UpstreamEvent::SessionResumed);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
}

#[test]
fn a_request_that_a_broken_link_swallowed_is_made_again() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, Some(ANN));
    rig.pass(20);
    rig.tell(UpstreamEvent::LinkLost);
    rig.asked.clear();
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
}

#[test]
fn events_of_a_guild_nobody_is_on_are_not_encoded() {
    let mut rig = Rig::up();
    rig.tell(joined(BOB, None));
    rig.update(|data| data.name = Some("Renamed".into()));
    rig.tell(UpstreamEvent::LinkLost);
    assert_eq!(rig.broadcasts, 0);
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn reports_page_through_all_guilds_those_on_their_way_included() {
    let mut rig = Rig::new(Config::default());
    let ids = [5, 1, 9, 7].map(guildgate_model::GuildId);
    rig.ready(&ids);
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(ids[0]))));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(ids[2]))));
    rig.tell(UpstreamEvent::GuildUnavailable(ids[3]));
    rig.connect(client(0), ids[0], None);
    let page = |hub: &mut Hub, after| {
        let reports = hub.guilds(after, 2).into_iter();
        let rows = reports.map(|r| (r.id.0, r.guild_json.is_some(), r.connections));
        rows.collect::<Vec<_>>()
    };
    assert_eq!(page(&mut rig.hub, None), [(1, false, 0), (5, true, 1)]);
    assert_eq!(
        page(&mut rig.hub, Some(ids[0])),
        [(7, false, 0), (9, true, 0)]
    );
    assert!(page(&mut rig.hub, Some(ids[2])).is_empty());
}

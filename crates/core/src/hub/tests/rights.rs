//! Who is told what they may do, and when.

use std::time::Duration;

use guildgate_model::{GuildId, Permissions, RoleId, UpstreamEvent, UserId};
use serde_json::json;

use super::rig::{ANN, BOB, GUILD, OWNER, Rig, VIEW, changed, client, joined, left, member, role};
use crate::hub::{Input, MemberEvents};

const MANAGE: Permissions = Permissions::MANAGE_GUILD;

/// Ann (role 20) on two connections, Bob (no role) on one, and a basic client.
fn crowd() -> Rig {
    let mut rig = Rig::up();
    rig.connect_member(client(0), ANN, &[20]);
    rig.connect_member(client(1), ANN, &[20]);
    rig.connect_member(client(2), BOB, &[]);
    rig.connect(client(3), GUILD, None);
    rig
}

/// `event` leaves Ann with `ann` and Bob with `bob`, told if and only if that changed.
fn check(rig: &mut Rig, event: UpstreamEvent, ann: Permissions, bob: Permissions) {
    let what = format!("{event:?}");
    let before = [0, 1, 2].map(|slot| rig.screen(client(slot)).permissions());
    rig.tell(event);
    for (slot, expected) in [(0, ann), (1, ann), (2, bob)] {
        let screen = rig.screen(client(slot));
        assert_eq!(screen.permissions(), expected, "client {slot} after {what}");
        let told = screen.names().contains(&"GUILD_PRIVILEGE_UPDATE");
        assert_eq!(
            told,
            before[slot as usize] != expected,
            "client {slot} after {what}"
        );
        rig.heard(client(slot));
    }
    assert!(
        !rig.heard(client(3))
            .contains(&"GUILD_PRIVILEGE_UPDATE".to_owned()),
        "a basic client has no rights to hear of"
    );
}

fn role_event(id: u64, permissions: Permissions) -> UpstreamEvent {
    UpstreamEvent::RoleChanged {
        guild: GUILD,
        role: role(id, permissions),
    }
}

fn timed_out(rig: &Rig, user: UserId, ms: i64) -> UpstreamEvent {
    let mut member = member(user, &[20]);
    member.roles = None;
    member.timed_out_until = Some(Some(guildgate_model::UnixMs(rig.now.wall.0 + ms)));
    UpstreamEvent::MemberChanged {
        guild: GUILD,
        member,
    }
}

#[test]
fn every_cause_reaches_the_user_concerned_and_nobody_else() {
    let mut rig = crowd();
    let rig = &mut rig;
    check(rig, changed(ANN, &[]), VIEW, VIEW);
    check(rig, changed(ANN, &[20, 20, 99]), VIEW | MANAGE, VIEW);
    check(rig, changed(ANN, &[20]), VIEW | MANAGE, VIEW);
    check(
        rig,
        role_event(20, Permissions(1 << 40)),
        VIEW | Permissions(1 << 40),
        VIEW,
    );
    check(rig, role_event(20, MANAGE), VIEW | MANAGE, VIEW);
    check(rig, role_event(55, MANAGE), VIEW | MANAGE, VIEW);
    check(
        rig,
        role_event(GUILD.0, Permissions(1)),
        Permissions(1) | MANAGE,
        Permissions(1),
    );
    check(rig, role_event(GUILD.0, VIEW), VIEW | MANAGE, VIEW);
    let removed = UpstreamEvent::RoleRemoved {
        guild: GUILD,
        role: RoleId(20),
    };
    check(rig, removed, VIEW, VIEW);
    check(rig, role_event(20, MANAGE), VIEW, VIEW);
    check(rig, changed(ANN, &[20]), VIEW | MANAGE, VIEW);
    let mut owned = guildgate_model::GuildData::new(GUILD);
    owned.owner = Some(BOB);
    let owned = UpstreamEvent::GuildChanged(Box::new(owned));
    check(rig, owned, VIEW | MANAGE, Permissions::ALL);
    let mut owned = guildgate_model::GuildData::new(GUILD);
    owned.owner = Some(OWNER);
    let owned = UpstreamEvent::GuildChanged(Box::new(owned));
    check(rig, owned, VIEW | MANAGE, VIEW);
    check(rig, left(ANN), Permissions::NONE, VIEW);
    check(rig, joined(ANN, None), VIEW, VIEW);
    check(rig, changed(ANN, &[30]), Permissions::ALL, VIEW);
}

#[test]
fn an_update_names_its_user() {
    let mut rig = crowd();
    rig.tell(left(ANN));
    let (_, data, _) = rig.screens[&client(0)].events.last().expect("an event");
    let expected = json!({
        "guild_id": "1", "id": "101", "tag": "user101", "self": true, "permissions": "0",
    });
    assert_eq!(*data, expected);
}

#[test]
fn somebody_who_connected_before_joining_hears_when_they_join() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, Some(ANN));
    rig.pass(20);
    rig.answer(GUILD, vec![], vec![ANN]);
    assert!(rig.screen(client(0)).user.is_null());
    rig.tell(joined(ANN, None));
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    assert_eq!(rig.screen(client(0)).user["tag"], "user101");
}

#[test]
fn a_time_out_takes_rights_and_gives_them_back_by_itself() {
    let mut rig = crowd();
    let event = timed_out(&rig, ANN, 95_000);
    check(&mut rig, event, VIEW, VIEW);
    rig.pass(94_999);
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    rig.pass(1);
    assert_eq!(rig.heard(client(0)), ["GUILD_PRIVILEGE_UPDATE"]);
    assert_eq!(rig.screen(client(0)).permissions(), VIEW | MANAGE);
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn a_time_out_ends_on_time_although_the_wall_clock_was_set() {
    let mut rig = crowd();
    let event = timed_out(&rig, ANN, 3_600_000);
    check(&mut rig, event, VIEW, VIEW);
    rig.now.wall = rig.now.wall + Duration::from_secs(3_600);
    rig.pass(30_000);
    assert_eq!(rig.screen(client(0)).permissions(), VIEW | MANAGE);
}

#[test]
fn a_user_on_two_guilds_hears_of_each_there() {
    let mut rig = crowd();
    let other = GuildId(2);
    rig.connect(client(9), other, Some(ANN));
    rig.pass(20);
    rig.answer(other, vec![member(ANN, &[30])], vec![]);
    check(&mut rig, changed(ANN, &[]), VIEW, VIEW);
    assert_eq!(rig.screen(client(9)).permissions(), Permissions::ALL);
    assert!(rig.heard(client(9)).is_empty());
}

#[test]
fn a_role_list_in_a_guild_update_counts() {
    let mut rig = crowd();
    let mut data = guildgate_model::GuildData::new(GUILD);
    data.roles = Some(vec![
        role(1, VIEW),
        role(20, VIEW),
        role(20, Permissions(1)),
    ]);
    let event = UpstreamEvent::GuildChanged(Box::new(data));
    check(&mut rig, event, VIEW | Permissions(1), VIEW);
}

#[test]
fn ten_thousand_holders_of_a_role_each_hear_once() {
    let mut rig = Rig::up();
    let users = 1_000..11_000;
    for user in users.clone() {
        rig.connect(client(user), GUILD, Some(UserId(u64::from(user))));
    }
    let (mut by_user, mut for_all) = (0, 0);
    while !rig.asked.is_empty() || rig.hub.deadline().is_some() {
        let mut answers = Vec::new();
        for (_, asked) in std::mem::take(&mut rig.asked) {
            by_user += 1;
            answers.push(asked);
        }
        for _ in std::mem::take(&mut rig.asked_for_all) {
            for_all += 1;
            let all: Vec<UserId> = (500..11_000).map(UserId).collect();
            answers.extend(all.chunks(1_000).map(<[UserId]>::to_vec));
        }
        for users in answers {
            let members = users.into_iter().map(|user| member(user, &[20])).collect();
            rig.tell(UpstreamEvent::Members {
                guild: GUILD,
                members,
                not_found: vec![],
            });
        }
        rig.pass(20);
    }
    assert_eq!(for_all, 1, "a crowd is asked for at once");
    assert!(by_user < 30, "{by_user} requests besides");
    let stranger = rig.hub.permissions_of(GUILD, UserId(500));
    assert_eq!(stranger, None, "nothing is kept of those who are not here");
    rig.tell(role_event(20, Permissions(1)));
    for user in users {
        assert_eq!(rig.screen(client(user)).names(), ["GUILD_PRIVILEGE_UPDATE"]);
        assert_eq!(
            rig.screen(client(user)).permissions(),
            VIEW | Permissions(1)
        );
    }
}

#[test]
fn without_member_events_connected_members_are_looked_at_now_and_then() {
    let mut rig = crowd();
    rig.put(Input::MemberEvents(MemberEvents::Withheld));
    rig.pass(60_020);
    assert_eq!(rig.asked, [(GUILD, vec![ANN, BOB])]);
    rig.answer(GUILD, vec![member(ANN, &[]), member(BOB, &[20])], vec![]);
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    assert_eq!(rig.screen(client(2)).permissions(), VIEW | MANAGE);
    rig.put(Input::MemberEvents(MemberEvents::Sent));
    rig.pass(2_000);
    assert_eq!(rig.hub.deadline(), None);
}

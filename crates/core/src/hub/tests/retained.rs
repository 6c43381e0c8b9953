//! Members of connected users across a restart: kept, believed no further than they may be, and
//! forgotten.

use std::sync::Arc;

use guildgate_model::{Grants, Permissions, RoleId, UpstreamEvent, UserId, WantedUsers};

use super::{
    rig::{
        ANN, BOB, GUILD, OTHER, OWNER, Rig, SHARD, VIEW, changed, client, left, member, role,
        sample,
    },
    saved::{restarted, restarted_with, restore_session, two_on_the_guild},
};
use crate::hub::{Config, Input, MemberEvents, Query};

const MANAGE: Permissions = Permissions::MANAGE_GUILD;

/// [`two_on_the_guild`], where [`ANN`] manages it.
fn ann_manages() -> Rig {
    let mut rig = two_on_the_guild();
    rig.tell(changed(ANN, &[20]));
    assert_eq!(rig.screen(client(1)).permissions(), VIEW | MANAGE);
    rig
}

fn resumed(rig: &mut Rig) {
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(2_000);
}

#[test]
fn a_restored_session_has_its_permissions_at_once_and_discord_is_not_asked() {
    let before = ann_manages();
    let mut rig = restarted(&before);
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), Some(VIEW | MANAGE));
    for slot in [1, 2] {
        restore_session(&mut rig, &before, slot);
    }
    rig.connect(client(4), GUILD, Some(ANN));
    assert_eq!(rig.screen(client(4)).permissions(), VIEW | MANAGE);
    resumed(&mut rig);
    assert!(rig.asked.is_empty());
    for slot in [1, 2, 4] {
        let names = rig.screen(client(slot)).names();
        assert!(
            names.iter().all(|&name| name == "GUILD_UPDATE"),
            "{names:?}"
        );
    }
    assert_eq!(rig.screen(client(1)).permissions(), VIEW | MANAGE);
    assert_eq!(rig.screen(client(1)).guild["freshness"], "live");
    rig.tell(changed(ANN, &[]));
    assert_eq!(
        rig.screen(client(1)).permissions(),
        VIEW,
        "and is kept current"
    );
}

#[test]
fn what_is_replayed_is_told_whether_the_session_is_restored_before_or_after() {
    for early in [true, false] {
        let before = ann_manages();
        let mut rig = restarted(&before);
        if early {
            restore_session(&mut rig, &before, 1);
            restore_session(&mut rig, &before, 2);
        }
        rig.tell(changed(ANN, &[]));
        rig.tell(left(BOB));
        if !early {
            restore_session(&mut rig, &before, 1);
            restore_session(&mut rig, &before, 2);
        }
        for (slot, may) in [(1, VIEW), (2, Permissions::NONE)] {
            let told = rig.screen(client(slot)).permissions();
            assert_eq!(told, may, "early: {early}");
        }
        resumed(&mut rig);
        assert_eq!(rig.screen(client(2)).permissions(), Permissions::NONE);
        assert!(rig.asked.is_empty());
    }
}

#[test]
fn nothing_is_gained_before_all_that_was_missed_is_replayed() {
    let mut before = ann_manages();
    before.connect_member(client(5), OWNER, &[]);
    let mut rig = restarted(&before);
    restore_session(&mut rig, &before, 1);
    let role = role(20, MANAGE | Permissions::MANAGE_ROLES);
    rig.tell(UpstreamEvent::RoleChanged { guild: GUILD, role });
    assert_eq!(rig.screen(client(1)).permissions(), VIEW | MANAGE);
    let grants = |rig: &mut Rig| {
        rig.put(Input::RightsWanted {
            query: Query(1),
            guild: GUILD,
            user: OWNER,
        });
        let (_, rights) = rig.rights.pop().expect("an answer at once");
        rights.expect("the owner is known").grants
    };
    assert_eq!(grants(&mut rig), Grants::none(), "no role is given yet");
    rig.tell(UpstreamEvent::SessionResumed);
    let may = rig.screen(client(1)).permissions();
    assert_eq!(may, VIEW | MANAGE | Permissions::MANAGE_ROLES);
    assert_eq!(grants(&mut rig), Grants::Any);
}

#[test]
fn a_new_session_of_discords_makes_it_all_doubtful() {
    let before = ann_manages();
    let mut rig = restarted(&before);
    restore_session(&mut rig, &before, 1);
    rig.ready(&[GUILD, OTHER]);
    rig.tell(UpstreamEvent::SessionResumed);
    let mut data = sample(GUILD);
    data.roles = Some(vec![role(GUILD.0, VIEW), role(20, MANAGE | VIEW)]);
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(data)));
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN, BOB])], "both are asked for");
    rig.heard(client(1));
    rig.answer(GUILD, vec![member(ANN, &[])], vec![BOB]);
    assert_eq!(rig.heard(client(1))[0], "GUILD_RESYNC");
    assert_eq!(rig.screen(client(1)).permissions(), VIEW);
    restore_session(&mut rig, &before, 2);
    assert_eq!(rig.screen(client(2)).permissions(), Permissions::NONE);
}

#[test]
fn without_member_events_a_resume_proves_nothing() {
    let before = ann_manages();
    let mut rig = restarted(&before);
    rig.put(Input::MemberEvents(MemberEvents::Withheld));
    restore_session(&mut rig, &before, 1);
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN, BOB])]);
    rig.answer(GUILD, vec![member(ANN, &[])], vec![BOB]);
    assert_eq!(rig.screen(client(1)).permissions(), VIEW);
}

#[test]
fn who_leaves_while_the_node_drains_is_left_to_the_next_one() {
    let mut before = ann_manages();
    before.put(Input::Drain);
    before.put(Input::Gone(client(1)));
    before.screens.clear();
    before.put(Input::Disconnect {
        client: client(2),
        guild: GUILD,
    });
    before.connect(client(3), GUILD, Some(UserId(7)));
    before.put(Input::Gone(client(3)));
    // What Discord says until the link is down is heard.
    before.tell(changed(BOB, &[20]));
    let mut rig = restarted(&before);
    rig.connect(client(1), GUILD, Some(ANN));
    rig.connect(client(2), GUILD, Some(BOB));
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(20);
    assert!(rig.asked.is_empty());
    assert_eq!(rig.screen(client(1)).permissions(), VIEW | MANAGE);
    assert_eq!(rig.screen(client(2)).permissions(), VIEW | MANAGE);
    assert_eq!(rig.hub.permissions_of(GUILD, UserId(7)), None);
}

#[test]
fn whom_nobody_comes_for_is_forgotten() {
    let before = ann_manages();
    let wanted = Arc::<WantedUsers>::default();
    let config = Config {
        wanted: Arc::clone(&wanted),
        ..Config::default()
    };
    let mut rig = restarted_with(&before, config, before.hub.export(SHARD));
    assert!(wanted.contains(ANN) && wanted.contains(BOB));
    resumed(&mut rig);
    restore_session(&mut rig, &before, 1);
    rig.pass(147_999);
    assert!(wanted.contains(BOB));
    rig.pass(1);
    assert!(wanted.contains(ANN) && !wanted.contains(BOB));
    assert_eq!(rig.hub.permissions_of(GUILD, BOB), None);
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), Some(VIEW | MANAGE));
    rig.put(Input::Gone(client(1)));
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None);
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn two_restarts_in_a_row_leave_what_the_first_one_knew() {
    let before = ann_manages();
    let between = restarted(&before);
    let mut rig = restarted(&between);
    restore_session(&mut rig, &before, 1);
    rig.tell(changed(ANN, &[]));
    resumed(&mut rig);
    assert_eq!(rig.screen(client(1)).permissions(), VIEW);
    assert!(rig.asked.is_empty());
}

#[test]
fn members_go_in_chunks_and_those_in_doubt_are_left_out() {
    let mut before = Rig::up();
    let users: Vec<UserId> = (1_000..3_500).map(UserId).collect();
    for (slot, &user) in users.iter().enumerate() {
        let client = client(u32::try_from(slot).expect("few"));
        before.put(Input::Connect {
            client,
            guild: GUILD,
            user: Some(user),
        });
        before.screens.entry(client).or_default().waits = true;
        before.screens.entry(client).or_default().user_id = Some(user);
    }
    let chunks = before.hub.export(SHARD).len();
    let members = users.iter().map(|&user| member(user, &[20])).collect();
    before.answer(GUILD, members, vec![]);
    assert_eq!(before.hub.export(SHARD).len(), chunks + 3);
    let rig = restarted(&before);
    let known = users
        .iter()
        .filter_map(|&user| rig.hub.permissions_of(GUILD, user));
    assert_eq!(known.filter(|&may| may == VIEW | MANAGE).count(), 2_500);
    // Another session of Discord's began, and of nobody it is known what they are now.
    before.ready(&[GUILD, OTHER]);
    assert_eq!(before.hub.export(SHARD).len(), chunks);
    let stripped = UpstreamEvent::RoleRemoved {
        guild: GUILD,
        role: RoleId(20),
    };
    let mut rig = rig;
    rig.tell(stripped);
    assert_eq!(rig.hub.permissions_of(GUILD, users[7]), Some(VIEW));
}

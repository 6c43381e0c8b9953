//! The acceptance suite of Discord's side, as far as guild state is concerned, by number.

use guildgate_model::{GuildId, Permissions, RoleId, UnixMs, UpstreamEvent};

use super::rig::{
    ANN, BOB, GUILD, OTHER, OWNER, Rig, VIEW, changed, client, joined, left, member, role, sample,
};
use crate::hub::{Arrival, Config, Readiness};

#[test]
fn e53_startup_is_done_when_every_guild_is_in_or_unavailable() {
    let mut rig = Rig::new(Config::default());
    let waiting = |shards_missing, guilds_missing| Readiness::Waiting {
        shards_missing,
        guilds_missing,
    };
    assert_eq!(rig.hub.readiness(rig.now.mono), waiting(1, 0));
    rig.ready(&[GUILD, OTHER]);
    assert_eq!(rig.hub.readiness(rig.now.mono), waiting(0, 2));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    assert_eq!(rig.hub.readiness(rig.now.mono), waiting(0, 1));
    rig.tell(UpstreamEvent::GuildUnavailable(OTHER));
    assert_eq!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
}

#[test]
fn e53_a_guild_that_never_comes_does_not_keep_the_node_out_for_good() {
    let mut rig = Rig::new(Config::default());
    rig.ready(&[GUILD, OTHER]);
    rig.pass(29_000);
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    rig.pass(29_000);
    assert_ne!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
    rig.pass(1_000);
    assert_eq!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
}

#[test]
fn e54_a_guild_create_is_told_apart_by_what_is_known() {
    let mut rig = Rig::new(Config::default());
    rig.ready(&[GUILD, OTHER]);
    rig.tell(UpstreamEvent::GuildUnavailable(OTHER));
    for guild in [GUILD, OTHER, GuildId(3), GUILD] {
        rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(guild))));
    }
    rig.tell(UpstreamEvent::GuildUnavailable(GUILD));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    let expected = [
        (GUILD, Arrival::Backfill),
        (OTHER, Arrival::Recovered),
        (GuildId(3), Arrival::Joined),
        (GUILD, Arrival::Repeated),
        (GUILD, Arrival::Recovered),
    ];
    assert_eq!(rig.arrivals, expected);
}

#[test]
fn e55_a_plain_guild_delete_evicts_and_an_unavailable_one_keeps() {
    let mut rig = Rig::up();
    rig.tell(UpstreamEvent::GuildUnavailable(GUILD));
    rig.tell(UpstreamEvent::GuildLeft(OTHER));
    assert!(rig.hub.guild(OTHER).is_none());
    let kept = rig.hub.guild(GUILD).and_then(|report| report.guild_json);
    assert!(kept.expect("what was known").get().contains("Sample"));
}

#[test]
fn e56_the_count_survives_repeats_strangers_and_updates() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, None);
    rig.tell(joined(ANN, None));
    rig.tell(joined(ANN, None));
    rig.tell(left(BOB));
    rig.update(|data| data.description = Some(Some("x".into())));
    rig.tell(left(BOB));
    rig.pass(2_000);
    assert_eq!(rig.screen(client(0)).count(), 9);
}

#[test]
fn e57_permission_vectors() {
    let admin = &[30][..];
    let until = |rig: &Rig, ms: i64| Some(Some(UnixMs(rig.now.wall.0 + ms)));
    let manage = VIEW | Permissions::MANAGE_GUILD;
    for (user, roles, ms, expected) in [
        (OWNER, &[][..], 0, Permissions::ALL),
        (OWNER, &[], 60_000, Permissions::ALL),
        (ANN, admin, 0, Permissions::ALL),
        (ANN, admin, 60_000, Permissions::ALL),
        (ANN, &[20], 0, manage),
        (ANN, &[20], 60_000, VIEW),
        (ANN, &[20, 777], 0, manage),
        (ANN, &[777], 0, VIEW),
    ] {
        let mut rig = Rig::up();
        let mut data = member(user, roles);
        data.timed_out_until = until(&rig, ms);
        rig.connect(client(0), GUILD, Some(user));
        rig.pass(20);
        rig.answer(GUILD, vec![data], vec![]);
        let got = rig.screen(client(0)).permissions();
        assert_eq!(
            got, expected,
            "{user} with {roles:?}, timed out for {ms} ms"
        );
    }
}

#[test]
fn e58_a_time_out_passes_without_an_event() {
    let mut rig = Rig::up();
    let mut data = member(ANN, &[20]);
    data.timed_out_until = Some(Some(UnixMs(rig.now.wall.0 + 60_000)));
    rig.connect(client(0), GUILD, Some(ANN));
    rig.pass(20);
    rig.answer(GUILD, vec![data], vec![]);
    rig.pass(60_000);
    assert_eq!(rig.heard(client(0)), ["GUILD_PRIVILEGE_UPDATE"]);
    let expected = VIEW | Permissions::MANAGE_GUILD;
    assert_eq!(rig.screen(client(0)).permissions(), expected);
}

#[test]
fn e59_roles_and_owners_are_reckoned_anew() {
    let mut rig = Rig::up();
    rig.connect_member(client(0), ANN, &[20]);
    rig.tell(UpstreamEvent::RoleChanged {
        guild: GUILD,
        role: role(20, Permissions::ADMINISTRATOR),
    });
    assert_eq!(rig.screen(client(0)).permissions(), Permissions::ALL);
    rig.tell(UpstreamEvent::RoleRemoved {
        guild: GUILD,
        role: RoleId(20),
    });
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    rig.update(|data| data.owner = Some(ANN));
    assert_eq!(rig.screen(client(0)).permissions(), Permissions::ALL);
    rig.update(|data| data.owner = Some(BOB));
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    rig.tell(changed(ANN, &[30]));
    assert_eq!(rig.screen(client(0)).permissions(), Permissions::ALL);
}

#[test]
fn e61_a_guild_that_a_new_session_does_not_list_was_left() {
    let mut rig = Rig::up();
    rig.connect(client(0), GUILD, None);
    rig.connect(client(1), OTHER, None);
    rig.tell(UpstreamEvent::LinkLost);
    rig.ready(&[OTHER]);
    let (name, data, _) = rig.screen(client(0)).events.last().expect("an event");
    assert_eq!(
        (name.as_str(), &data["left"]),
        ("GUILD_UNAVAILABLE", &true.into())
    );
    assert!(rig.hub.guild(GUILD).is_none());
    assert_eq!(rig.screen(client(1)).on, Some(OTHER));
}

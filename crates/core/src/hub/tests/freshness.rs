//! Links that break, sessions that are lost, outages, and guilds that are left.

use std::time::Duration;

use guildgate_model::{Permissions, UpstreamEvent, WantedMark};
use serde_json::Value;

use super::rig::{ANN, BOB, GUILD, OTHER, Rig, VIEW, client, joined, member, sample};
use crate::hub::{Arrival, Config, Readiness};

/// Ann (role 20) and a basic client on the guild.
fn crowd() -> Rig {
    let mut rig = Rig::up();
    rig.connect_member(client(0), ANN, &[20]);
    rig.connect(client(1), GUILD, None);
    rig.arrivals.clear();
    rig
}

fn freshness(rig: &Rig) -> [&Value; 2] {
    [0, 1].map(|slot| &rig.screen(client(slot)).guild["freshness"])
}

#[test]
fn a_lost_link_makes_guilds_stale_and_a_resume_makes_them_live() {
    let mut rig = crowd();
    let lost_at = rig.now.wall;
    rig.tell(UpstreamEvent::LinkLost);
    assert_eq!(freshness(&rig), ["stale", "stale"]);
    assert_eq!(rig.screen(client(0)).guild["stale_since"], lost_at.0);
    rig.pass(5_000);
    rig.tell(UpstreamEvent::LinkLost);
    rig.tell(joined(BOB, None));
    rig.tell(UpstreamEvent::SessionResumed);
    assert_eq!(freshness(&rig), ["live", "live"]);
    assert_eq!(rig.screen(client(0)).guild.get("stale_since"), None);
    for slot in [0, 1] {
        let expected = ["GUILD_UPDATE", "GUILD_MEMBER_COUNT_CHANGE", "GUILD_UPDATE"];
        assert_eq!(rig.heard(client(slot)), expected, "and no resync");
    }
}

#[test]
fn a_link_that_is_back_within_a_moment_makes_nothing_stale() {
    let mut rig = Rig::up_with(Config {
        stale_after: Duration::from_secs(5),
        ..Config::default()
    });
    rig.connect(client(0), GUILD, None);
    rig.tell(UpstreamEvent::LinkLost);
    rig.pass(4_999);
    rig.connect(client(1), GUILD, None);
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(10_000);
    for slot in [0, 1] {
        assert!(rig.heard(client(slot)).is_empty(), "nothing happened");
        assert_eq!(rig.screen(client(slot)).guild["freshness"], "live");
    }
    let lost_at = rig.now.wall;
    rig.tell(UpstreamEvent::LinkLost);
    rig.pass(5_000);
    assert_eq!(freshness(&rig), ["stale", "stale"]);
    assert_eq!(rig.screen(client(0)).guild["stale_since"], lost_at.0);
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(1_000);
    assert_eq!(freshness(&rig), ["live", "live"]);
}

#[test]
fn snapshots_are_spaced_and_end_true() {
    let mut rig = crowd();
    for name in ["a", "b", "c"] {
        rig.update(|data| data.name = Some(name.into()));
        rig.pass(10);
    }
    rig.update(|data| data.name = Some("c".into()));
    assert_eq!(rig.heard(client(1)), ["GUILD_UPDATE"]);
    assert_eq!(rig.screen(client(1)).guild["name"], "a");
    rig.pass(1_000);
    assert_eq!(rig.heard(client(1)), ["GUILD_UPDATE"]);
    assert_eq!(rig.screen(client(1)).guild["name"], "c");
    rig.update(|data| data.name = Some("c".into()));
    rig.pass(5_000);
    assert!(rig.heard(client(1)).is_empty(), "nothing changed");
}

#[test]
fn every_shown_field_is_told_and_others_are_not() {
    type Change = fn(&mut guildgate_model::GuildData);
    let changes: &[(&str, Change)] = &[
        ("name", |data| data.name = Some("x".into())),
        ("owner_id", |data| data.owner = Some(BOB)),
        ("icon", |data| data.icon = Some(None)),
        ("banner", |data| data.banner = Some(Some("x".into()))),
        ("description", |data| {
            data.description = Some(Some("x".into()))
        }),
        ("vanity_url_code", |data| {
            data.vanity = Some(Some("x".into()))
        }),
        ("premium_tier", |data| data.premium_tier = Some(3)),
        ("verification_level", |data| {
            data.verification_level = Some(3)
        }),
        ("mfa_level", |data| data.mfa_level = Some(1)),
        ("nsfw", |data| data.nsfw = Some(true)),
    ];
    for (field, change) in changes {
        let mut rig = crowd();
        let before = rig.screen(client(1)).guild.clone();
        rig.update(change);
        assert_eq!(rig.heard(client(1)), ["GUILD_UPDATE"], "{field}");
        assert_ne!(rig.screen(client(1)).guild[*field], before[*field]);
        rig.pass(2_000);
        rig.update(change);
        assert!(rig.heard(client(1)).is_empty(), "{field} said again");
    }
    let mut rig = crowd();
    rig.update(|data| data.roles = sample(GUILD).roles);
    assert!(rig.heard(client(1)).is_empty(), "roles are not shown");
}

#[test]
fn emojis_that_change_are_told() {
    let mut rig = crowd();
    rig.tell(UpstreamEvent::EmojisChanged {
        guild: GUILD,
        emojis: vec![guildgate_model::Emoji {
            id: guildgate_model::EmojiId(5),
            name: "wave".into(),
            animated: true,
        }],
    });
    let expected = serde_json::json!([{"id": "5", "name": "wave", "animated": true}]);
    assert_eq!(rig.screen(client(1)).guild["emojis"], expected);
}

#[test]
fn a_new_session_resyncs_everybody_and_a_user_once_their_member_is_known() {
    let mut rig = crowd();
    rig.tell(UpstreamEvent::LinkLost);
    rig.pass(60_000);
    rig.ready(&[GUILD, OTHER]);
    let mut data = sample(GUILD);
    data.member_count = Some(42);
    data.name = Some("After".into());
    for slot in [0, 1] {
        rig.heard(client(slot));
    }
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(data)));
    assert_eq!(rig.arrivals, [(GUILD, Arrival::Recovered)]);
    let expected = ["GUILD_MEMBER_COUNT_CHANGE", "GUILD_RESYNC"];
    assert_eq!(rig.heard(client(1)), expected);
    assert_eq!(rig.heard(client(0)), expected[..1]);
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
    rig.answer(GUILD, vec![member(ANN, &[])], vec![]);
    // The second is for clients that know no GUILD_RESYNC.
    let expected = ["GUILD_RESYNC", "GUILD_PRIVILEGE_UPDATE"];
    assert_eq!(rig.heard(client(0)), expected);
    assert_eq!(rig.screen(client(0)).permissions(), VIEW);
    let screen = rig.screen(client(0));
    assert_eq!(screen.guild, rig.screen(client(1)).guild);
    assert_eq!(screen.guild["name"], "After");
    assert_eq!(screen.guild["freshness"], "live");
    assert_eq!(screen.count(), 42);
}

#[test]
fn until_a_member_is_verified_nothing_is_gained() {
    let mut rig = crowd();
    rig.tell(UpstreamEvent::LinkLost);
    rig.ready(&[GUILD, OTHER]);
    let mut data = sample(GUILD);
    for role in data.roles.iter_mut().flatten() {
        role.permissions = match role.id.0 {
            20 => Permissions::ADMINISTRATOR,
            _ => Permissions::NONE,
        };
    }
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(data)));
    let before = VIEW | Permissions::MANAGE_GUILD;
    assert_eq!(
        rig.screen(client(0)).permissions(),
        before,
        "nor lost, by these roles"
    );
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
    assert_eq!(rig.screen(client(0)).permissions(), Permissions::ALL);
}

#[test]
fn an_unanswered_look_at_members_is_repeated() {
    let mut rig = crowd();
    rig.ready(&[GUILD, OTHER]);
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    rig.pass(20);
    rig.asked.clear();
    rig.pass(10_000);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
    rig.heard(client(0));
    rig.answer(GUILD, vec![], vec![ANN]);
    let expected = ["GUILD_RESYNC", "GUILD_PRIVILEGE_UPDATE"];
    assert_eq!(rig.heard(client(0)), expected);
    assert_eq!(rig.screen(client(0)).permissions(), Permissions::NONE);
}

#[test]
fn an_outage_is_told_and_its_end_resyncs() {
    let mut rig = crowd();
    rig.tell(UpstreamEvent::GuildUnavailable(GUILD));
    rig.tell(UpstreamEvent::GuildUnavailable(GUILD));
    assert_eq!(rig.heard(client(1)), ["GUILD_UNAVAILABLE", "GUILD_UPDATE"]);
    assert_eq!(freshness(&rig), ["stale", "stale"]);
    assert_eq!(rig.screen(client(1)).on, Some(GUILD));
    rig.tell(UpstreamEvent::LinkLost);
    rig.tell(UpstreamEvent::SessionResumed);
    assert_eq!(
        freshness(&rig),
        ["stale", "stale"],
        "a resume ends no outage"
    );
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    assert_eq!(rig.heard(client(1)), ["GUILD_RESYNC"]);
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
    assert_eq!(freshness(&rig), ["live", "live"]);
}

#[test]
fn a_guild_that_is_left_ends_its_connections_and_refuses_who_waits() {
    let mut rig = crowd();
    rig.connect(client(2), GUILD, Some(BOB));
    rig.tell(UpstreamEvent::GuildLeft(GUILD));
    for slot in [0, 1] {
        let (name, data, _) = rig.screen(client(slot)).events.last().expect("an event");
        assert_eq!(
            (name.as_str(), &data["left"]),
            ("GUILD_UNAVAILABLE", &true.into())
        );
    }
    assert_eq!(rig.screen(client(2)).refused, Some("unknown_guild"));
    assert_eq!(rig.hub.deadline(), None);
    rig.connect(client(1), GUILD, None);
    assert_eq!(rig.screen(client(1)).refused, Some("unknown_guild"));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    assert_eq!(rig.arrivals.last(), Some(&(GUILD, Arrival::Joined)));
    let broadcasts = rig.broadcasts;
    rig.tell(joined(BOB, None));
    assert_eq!(rig.broadcasts, broadcasts, "nobody came back by themselves");
}

#[test]
fn a_shard_speaks_only_for_its_own_guilds() {
    use crate::hub::Input;
    use guildgate_model::{GuildData, GuildId, ShardId, UserId};
    let mut rig = Rig::new(Config::default());
    let shards = [0, 1].map(|id| ShardId { id, count: 2 });
    let guilds = [GuildId(0), GuildId(1 << 22)];
    for (shard, guild) in shards.into_iter().zip(guilds) {
        let up = UpstreamEvent::SessionStarted {
            bot: UserId(1),
            guilds: vec![guild],
        };
        let missing = Readiness::Waiting {
            shards_missing: 1,
            guilds_missing: 0,
        };
        if shard.id == 1 {
            assert_eq!(rig.hub.readiness(rig.now.mono), missing);
        }
        for event in [
            up,
            UpstreamEvent::GuildAvailable(Box::new(GuildData::new(guild))),
        ] {
            rig.put(Input::Upstream {
                shard,
                event,
                mark: WantedMark::ALL,
            });
        }
    }
    assert_eq!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
    rig.connect(client(0), guilds[0], None);
    rig.connect(client(1), guilds[1], None);
    rig.put(Input::Upstream {
        shard: shards[0],
        event: UpstreamEvent::LinkLost,
        mark: WantedMark::ALL,
    });
    assert_eq!(freshness(&rig), ["stale", "live"]);
}

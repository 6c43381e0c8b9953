//! Guild state across a restart.

use guildgate_model::{Emoji, EmojiId, Permissions, UpstreamEvent};

use super::rig::{ANN, BOB, GUILD, OTHER, Rig, SHARD, VIEW, client, joined, member, sample};
use crate::hub::{Arrival, Config, Input, Readiness};

/// A rig whose hub took over what the hub of `before` knew.
pub(super) fn restarted(before: &Rig) -> Rig {
    restarted_with(before, Config::default(), before.hub.export(SHARD))
}

/// A rig whose hub took over `chunks`.
pub(super) fn restarted_with(before: &Rig, config: Config, chunks: Vec<Vec<u8>>) -> Rig {
    let mut rig = Rig::new(config);
    rig.now = before.now;
    rig.hub
        .import(rig.now, before.now.wall, &chunks, &mut Vec::new())
        .expect("an export");
    rig
}

/// What an earlier version, which left no members, would have exported.
fn without_members(chunks: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let strip = |chunk: Vec<u8>| {
        let mut chunk: serde_json::Value = serde_json::from_slice(&chunk).expect("JSON");
        chunk.as_object_mut().expect("an object").remove("members");
        serde_json::to_vec(&chunk).expect("JSON")
    };
    chunks.into_iter().map(strip).collect()
}

#[test]
fn a_resumed_restart_goes_on_where_it_was() {
    let mut before = Rig::up();
    before.update(|data| {
        data.emojis = Some(vec![Emoji {
            id: EmojiId(3),
            name: "wave".into(),
            animated: true,
        }]);
    });
    before.tell(joined(ANN, None));
    before.connect(client(0), GUILD, None);
    let mut rig = restarted(&before);
    let waiting = Readiness::Waiting {
        shards_missing: 1,
        guilds_missing: 0,
    };
    assert_eq!(rig.hub.readiness(rig.now.mono), waiting);
    rig.connect(client(0), GUILD, None);
    assert_eq!(rig.screen(client(0)).guild["freshness"], "stale");
    rig.tell(joined(super::rig::BOB, None));
    rig.tell(UpstreamEvent::SessionResumed);
    assert_eq!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
    rig.pass(1_000);
    let mut expected = before.screen(client(0)).guild.clone();
    expected["count"] = 12.into();
    expected["member_count"] = 12.into();
    assert_eq!(rig.screen(client(0)).guild, expected);
    rig.connect(client(1), GUILD, Some(ANN));
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[])], vec![]);
    assert_eq!(rig.screen(client(1)).permissions(), VIEW, "roles survived");
}

#[test]
fn a_restart_that_could_not_resume_resyncs_and_drops_what_was_left() {
    let mut rig = restarted(&Rig::up());
    rig.connect(client(0), GUILD, None);
    rig.connect(client(1), OTHER, None);
    rig.ready(&[GUILD]);
    assert_eq!(rig.heard(client(1)), ["GUILD_UNAVAILABLE"]);
    let mut data = sample(GUILD);
    data.name = Some("After".into());
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(data)));
    assert_eq!(rig.heard(client(0)), ["GUILD_RESYNC"]);
    assert_eq!(rig.screen(client(0)).guild["name"], "After");
    assert_eq!(rig.screen(client(0)).guild["freshness"], "live");
}

#[test]
fn guilds_that_were_never_shown_are_not_forgotten() {
    let mut before = Rig::up();
    let [dark, awaited] = [7, 8].map(guildgate_model::GuildId);
    before.ready(&[GUILD, OTHER, dark, awaited]);
    before.tell(UpstreamEvent::GuildUnavailable(dark));
    let mut rig = restarted(&before);
    let refused = |rig: &mut Rig, guild| {
        rig.connect(client(0), guild, None);
        rig.screen(client(0)).refused
    };
    for guild in [dark, awaited] {
        assert_eq!(refused(&mut rig, guild), Some("unavailable"), "{guild}");
    }
    assert_eq!(rig.hub.guilds(None, 10).len(), 4);
    let mut rig = restarted(&rig);
    rig.tell(UpstreamEvent::SessionResumed);
    let waiting = Readiness::Waiting {
        shards_missing: 0,
        guilds_missing: 1,
    };
    assert_eq!(rig.hub.readiness(rig.now.mono), waiting);
    assert_eq!(refused(&mut rig, dark), Some("unavailable"));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(awaited))));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(dark))));
    let expected = [(awaited, Arrival::Backfill), (dark, Arrival::Recovered)];
    assert_eq!(rig.arrivals, expected);
    assert_eq!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
    let mut rig = restarted(&before);
    rig.ready(&[GUILD]);
    assert_eq!(refused(&mut rig, dark), Some("unknown_guild"));
}

#[test]
fn what_is_replayed_before_a_resume_is_as_old_as_the_last_process() {
    let awaited = guildgate_model::GuildId(8);
    let mut before = Rig::up();
    before.ready(&[GUILD, OTHER, awaited]);
    let mut rig = restarted(&before);
    let left_at = rig.now.wall;
    // The next process starts two minutes later; guilds and joins of meanwhile are replayed.
    rig.now = rig.now.after(std::time::Duration::from_mins(2));
    for guild in [GUILD, awaited] {
        rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(guild))));
        let mut join = joined(
            super::rig::BOB,
            Some(left_at + std::time::Duration::from_secs(5)),
        );
        if let UpstreamEvent::MemberJoined { guild: at, .. } = &mut join {
            *at = guild;
        }
        rig.tell(join);
    }
    assert_eq!(rig.arrivals[1], (awaited, Arrival::Backfill));
    rig.tell(UpstreamEvent::SessionResumed);
    assert_eq!(rig.hub.readiness(rig.now.mono), Readiness::Ready);
    rig.pass(1_000);
    for (slot, guild) in [(0, GUILD), (1, awaited)] {
        rig.connect(client(slot), guild, None);
        let said = sample(guild).member_count.expect("said");
        let shown = &rig.screen(client(slot)).guild;
        assert_eq!(shown["member_count"], said + 1, "{guild}");
    }
    // Once it goes on, what is said is said now.
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    rig.tell(joined(
        ANN,
        Some(left_at + std::time::Duration::from_secs(6)),
    ));
    rig.pass(5_000);
    let said = sample(GUILD).member_count.expect("said");
    assert_eq!(rig.screen(client(0)).guild["member_count"], said);
}

#[test]
fn guilds_beyond_one_chunk_all_come_back() {
    let mut before = Rig::up();
    for id in 10..300 {
        let guild = guildgate_model::GuildId(id);
        before.tell(UpstreamEvent::GuildAvailable(Box::new(sample(guild))));
    }
    assert!(before.hub.export(SHARD).len() > 1);
    assert_eq!(restarted(&before).hub.guild_count(), 292);
}

/// A chunk as versions wrote it that kept neither members nor joiners, nor since when the link
/// was down.
const EARLIER: &str = r#"{
    "guilds": [{
        "id": "1", "name": "Earlier", "owner": "100", "icon": "icon", "banner": null,
        "description": null, "vanity": null, "premium_tier": 2, "verification_level": 1,
        "mfa_level": 0, "nsfw": false, "member_count": 10, "counted_at": 1700000000000,
        "outage_since": null,
        "roles": [["1", "1024", 0], ["20", "32", 7], ["30", "8", 9]],
        "emojis": [["3", "wave", true]]
    }],
    "unshown": {"awaited": ["5"], "dark": ["6"]}
}"#;

#[test]
fn what_an_earlier_version_left_is_taken_over_whole() {
    let mut before = Rig::new(Config::default());
    before.now = Rig::up().now;
    let mut rig = restarted_with(&before, Config::default(), vec![EARLIER.into()]);
    let again: Vec<serde_json::Value> = rig
        .hub
        .export(SHARD)
        .iter()
        .map(|chunk| serde_json::from_slice(chunk).expect("JSON"))
        .collect();
    let mut earlier: serde_json::Value = serde_json::from_str(EARLIER).expect("JSON");
    let unshown = earlier["unshown"].take();
    assert_eq!(again[0]["unshown"], unshown);
    let mut guild = again[1]["guilds"][0].clone();
    let joiners = guild.as_object_mut().expect("a guild").remove("joiners");
    assert_eq!(joiners, Some(serde_json::json!([])));
    assert_eq!(guild, earlier["guilds"][0], "with the roles' positions");
    rig.tell(UpstreamEvent::SessionResumed);
    rig.connect(client(0), GUILD, Some(ANN));
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
    let screen = rig.screen(client(0));
    assert_eq!(screen.guild["freshness"], "live");
    assert_eq!(screen.permissions(), VIEW | Permissions::MANAGE_GUILD);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let mut rig = Rig::up();
    for bad in ["", "{}", "[]", r#"{"guilds":[{}],"unshown":{}}"#, "\u{0}"] {
        let chunks = [bad.as_bytes().to_vec()];
        let result = rig
            .hub
            .import(rig.now, rig.now.wall, &chunks, &mut Vec::new());
        assert!(result.is_err(), "{bad:?}");
    }
    assert_eq!(rig.hub.guild_count(), 2);
}

/// The client of `before` is a session that the next process restores: it believes what it was
/// told last.
pub(super) fn restore_session(rig: &mut Rig, before: &Rig, slot: u32) {
    let client = client(slot);
    let was = before.screen(client);
    let screen = rig.screens.entry(client).or_default();
    screen.user_id = was.user_id;
    screen.on = was.on;
    screen.guild = was.guild.clone();
    screen.user = was.user.clone();
    rig.put(Input::Restored {
        client,
        guild: GUILD,
        user: was.user_id.expect("a session has a user"),
    });
}

/// [`ANN`] and [`BOB`] on [`GUILD`], told what they may do.
pub(super) fn two_on_the_guild() -> Rig {
    let mut rig = Rig::up();
    rig.connect(client(1), GUILD, Some(ANN));
    rig.connect(client(2), GUILD, Some(BOB));
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[]), member(BOB, &[])], vec![]);
    assert_eq!(rig.screen(client(1)).permissions(), VIEW);
    rig
}

#[test]
fn a_session_that_is_restored_is_on_its_guild_and_is_never_refused() {
    let before = two_on_the_guild();
    let mut rig = restarted(&before);
    restore_session(&mut rig, &before, 1);
    restore_session(&mut rig, &before, 2);
    rig.tell(joined(super::rig::OWNER, None));
    rig.tell(UpstreamEvent::SessionResumed);
    // However long Discord takes.
    for _ in 0..120 {
        rig.pass(1_000);
    }
    for slot in [1, 2] {
        let screen = rig.screen(client(slot));
        assert_eq!(screen.refused, None);
        assert_eq!(screen.guild["freshness"], "live");
        assert_eq!(screen.count(), before.screen(client(slot)).count() + 1);
    }
    rig.put(Input::Gone(client(2)));
    rig.screens.entry(client(2)).or_default().on = None;
    rig.update(|data| data.name = Some("After".into()));
    rig.pass(1_000);
    assert_eq!(rig.screen(client(1)).guild["name"], "After");
    assert_eq!(rig.hub.guild(GUILD).expect("it is known").connections, 1);
}

#[test]
fn without_members_a_restored_session_is_told_once_discord_has_said_what_its_user_is() {
    let before = two_on_the_guild();
    let chunks = without_members(before.hub.export(SHARD));
    let mut rig = restarted_with(&before, Config::default(), chunks);
    restore_session(&mut rig, &before, 1);
    restore_session(&mut rig, &before, 2);
    rig.tell(UpstreamEvent::SessionResumed);
    rig.pass(100);
    let gone = vec![ANN];
    rig.answer(GUILD, vec![member(BOB, &[])], gone);
    assert_eq!(rig.screen(client(1)).permissions(), Permissions::NONE);
    assert!(rig.screen(client(1)).names().contains(&"GUILD_RESYNC"));
    assert_eq!(rig.screen(client(2)).permissions(), VIEW);
}

#[test]
fn a_restored_session_of_a_guild_that_is_gone_is_told_so() {
    let before = two_on_the_guild();
    let mut rig = Rig::new(Config::default());
    rig.now = before.now;
    restore_session(&mut rig, &before, 1);
    assert_eq!(rig.heard(client(1)), ["GUILD_UNAVAILABLE"]);
    assert_eq!(rig.screen(client(1)).on, None);
}

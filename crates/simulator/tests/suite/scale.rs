//! Large worlds, as far as a test may go; `examples/scale.rs` goes further.

use std::{collections::BTreeSet, time::Duration};

use guildgate_simulator::{Burst, BurstKind, Generated, Settings, World, demo_ids};
use serde_json::json;

use crate::{
    client::{ALL, Raw, UNPRIVILEGED},
    start, start_with,
};

#[tokio::test]
async fn three_hundred_large_guilds_arrive() {
    let size = Generated {
        guilds: 300,
        ..Generated::default()
    };
    let simulator = start_with(World::generated(&size), Settings::default()).await;
    let (mut raw, ready) = Raw::ready(&simulator, UNPRIVILEGED).await;
    assert_eq!(ready["guilds"].as_array().map(Vec::len), Some(300));
    for _ in 0..300 {
        let guild = raw.event("GUILD_CREATE").await;
        assert_eq!(guild["member_count"], 1_001);
    }
}

#[tokio::test]
async fn a_guild_of_a_million_is_served_without_listing_it() {
    let size = Generated {
        guilds: 1,
        members: 1_000_000,
        roles: 5,
        emojis: 2,
        channels: 3,
        seed: 1,
    };
    let simulator = start_with(World::generated(&size), Settings::default()).await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let guild = raw.event("GUILD_CREATE").await;
    assert_eq!(guild["member_count"], 1_000_001);
    assert_eq!(guild["members"].as_array().map(Vec::len), Some(1));
    let last = Generated::user_id(0, 999_999);
    raw.send(
        8,
        json!({ "guild_id": Generated::guild_id(0), "user_ids": [last] }),
    )
    .await;
    let chunk = raw.event("GUILD_MEMBERS_CHUNK").await;
    assert_eq!(chunk["members"][0]["user"]["id"], last.to_string());
}

#[tokio::test]
async fn as_many_guilds_as_a_shard_may_have_arrive_each_once() {
    const GUILDS: u32 = 2_500;
    let size = Generated {
        guilds: GUILDS,
        members: 20,
        roles: 3,
        emojis: 1,
        channels: 2,
        seed: 1,
    };
    let simulator = start_with(World::generated(&size), Settings::default()).await;
    let (mut raw, ready) = Raw::ready(&simulator, UNPRIVILEGED).await;
    let id_of = |guild: &serde_json::Value| guild["id"].as_str().expect("an id").to_owned();
    let listed = ready["guilds"].as_array().expect("a list");
    let listed: BTreeSet<String> = listed.iter().map(id_of).collect();
    assert_eq!(listed.len(), GUILDS as usize);
    let mut came = BTreeSet::new();
    for seq in 2..2 + u64::from(GUILDS) {
        let event = raw.op(0).await;
        assert_eq!(
            (&event["t"], &event["s"]),
            (&json!("GUILD_CREATE"), &json!(seq))
        );
        came.insert(id_of(&event["d"]));
    }
    assert_eq!(came, listed);
}

#[tokio::test]
async fn a_storm_of_members_is_delivered_whole_and_in_order() {
    const EACH: u32 = 4_000;
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let handle = simulator.handle();
    raw.all_until_marker(&simulator).await;
    let mut came = Vec::new();
    for kind in [BurstKind::Joins, BurstKind::Leaves] {
        let burst = Burst {
            guild: demo_ids::REST,
            kind,
            count: EACH,
            per_second: 5_000,
        };
        handle.start_burst(burst);
        handle.advance(Duration::from_secs(1));
        came.extend(raw.all_until_marker(&simulator).await);
    }
    assert_eq!(came.len(), 2 * EACH as usize);
    let first = came[0]["s"].as_u64().expect("a number");
    let user = |index: usize| came[index]["d"]["user"]["id"].as_str().expect("an id");
    for (index, event) in came.iter().enumerate() {
        // The marker behind the joins has a number too.
        let (name, markers) = match index < EACH as usize {
            true => ("GUILD_MEMBER_ADD", 0),
            false => ("GUILD_MEMBER_REMOVE", 1),
        };
        let expected = first + index as u64 + markers;
        assert_eq!(event["s"], expected, "none is missing");
        assert_eq!(event["t"], name);
        // The last to come is the first to go.
        assert_eq!(user(index), user(came.len() - 1 - index));
    }
    let joined: BTreeSet<&str> = (0..EACH as usize).map(user).collect();
    assert_eq!(joined.len(), EACH as usize, "nobody twice");
}

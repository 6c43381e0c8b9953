//! Large worlds, as far as a test may go; `examples/scale.rs` goes further.

use guildgate_simulator::{Generated, Settings, World};
use serde_json::json;

use crate::{
    client::{ALL, Raw, UNPRIVILEGED},
    start_with,
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

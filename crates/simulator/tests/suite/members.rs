//! Op 8: 23 and 32 to 35.

use std::{collections::BTreeSet, time::Duration};

use guildgate_model::UserId;
use guildgate_simulator::{Generated, Settings, World, demo_ids};
use serde_json::{Value, json};

use crate::{
    client::{ALL, Raw, UNPRIVILEGED, names},
    start, start_with,
};

#[tokio::test]
async fn s23_op_8_without_query_or_ids_is_closed_with_4001() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.send(8, json!({ "guild_id": demo_ids::REST, "limit": 0 }))
        .await;
    assert_eq!(raw.closed().await, Some(4001));
}

#[tokio::test]
async fn s32_all_members_come_in_chunks_of_a_thousand() {
    let size = Generated {
        guilds: 1,
        members: 2_500,
        roles: 3,
        emojis: 1,
        channels: 2,
        seed: 7,
    };
    let simulator = start_with(World::generated(&size), Settings::default()).await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let guild = Generated::guild_id(0);
    raw.send(
        8,
        json!({ "guild_id": guild, "query": "", "limit": 0, "nonce": "n1" }),
    )
    .await;
    let mut seen = BTreeSet::new();
    for index in 0..3 {
        let chunk = raw.event("GUILD_MEMBERS_CHUNK").await;
        assert_eq!(chunk["guild_id"], guild.to_string());
        assert_eq!(
            (&chunk["chunk_index"], &chunk["chunk_count"]),
            (&json!(index), &json!(3))
        );
        assert_eq!(chunk["nonce"], "n1");
        let members = chunk["members"].as_array().expect("members");
        assert!(members.len() <= 1_000);
        seen.extend(
            members
                .iter()
                .map(|member| member["user"]["id"].as_str().expect("an id").to_owned()),
        );
    }
    assert_eq!(seen.len(), 2_501, "everybody once, and the bot");
}

#[tokio::test]
async fn s33_no_match_is_one_empty_chunk() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.send(
        8,
        json!({ "guild_id": demo_ids::REST, "query": "zzzz", "limit": 10 }),
    )
    .await;
    let chunk = raw.event("GUILD_MEMBERS_CHUNK").await;
    assert_eq!(chunk["members"], json!([]));
    assert_eq!(
        (&chunk["chunk_index"], &chunk["chunk_count"]),
        (&json!(0), &json!(1))
    );
}

#[tokio::test]
async fn s33_a_query_finds_names_that_begin_so() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, UNPRIVILEGED).await;
    raw.send(
        8,
        json!({ "guild_id": demo_ids::REST, "query": "MI", "limit": 100 }),
    )
    .await;
    let chunk = raw.event("GUILD_MEMBERS_CHUNK").await;
    let found: Vec<&str> = chunk["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|member| member["user"]["username"].as_str())
        .collect();
    assert_eq!(found, ["mia", "milo"]);
}

#[tokio::test]
async fn s34_the_second_full_request_in_30_s_is_rate_limited() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let all =
        |guild, nonce: &str| json!({ "guild_id": guild, "query": "", "limit": 0, "nonce": nonce });
    raw.send(8, all(demo_ids::REST, "first")).await;
    raw.event("GUILD_MEMBERS_CHUNK").await;
    simulator.handle().advance(Duration::from_secs(10));
    raw.send(8, all(demo_ids::REST, "second")).await;
    let limited = raw.event("RATE_LIMITED").await;
    assert_eq!(limited["opcode"], 8);
    assert_eq!(limited["retry_after"].as_f64().map(f64::round), Some(20.0));
    assert_eq!(
        limited["meta"],
        json!({ "guild_id": demo_ids::REST, "nonce": "second" })
    );
    raw.send(8, all(demo_ids::OWLS, "other")).await;
    assert_eq!(raw.event("GUILD_MEMBERS_CHUNK").await["nonce"], "other");
    simulator.handle().advance(Duration::from_secs(20));
    raw.send(8, all(demo_ids::REST, "third")).await;
    assert_eq!(raw.event("GUILD_MEMBERS_CHUNK").await["nonce"], "third");
}

#[tokio::test]
async fn s35_unknown_ids_are_not_found_and_a_long_nonce_is_dropped() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, UNPRIVILEGED).await;
    let ask = |nonce: String| {
        json!({
            "guild_id": demo_ids::REST, "user_ids": [demo_ids::ADA, UserId(5)],
            "presences": true, "nonce": nonce,
        })
    };
    raw.send(8, ask("x".repeat(32))).await;
    let chunk = raw.event("GUILD_MEMBERS_CHUNK").await;
    assert_eq!(chunk["members"][0]["user"]["id"], demo_ids::ADA.to_string());
    assert_eq!(chunk["not_found"], json!(["5"]));
    assert_eq!(chunk["nonce"], "x".repeat(32));
    assert_eq!(
        chunk["presences"],
        Value::Null,
        "presences need their intent"
    );
    raw.send(8, ask("x".repeat(33))).await;
    assert_eq!(raw.event("GUILD_MEMBERS_CHUNK").await["nonce"], Value::Null);
}

#[tokio::test]
async fn a_full_request_without_the_intent_gets_no_answer() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, UNPRIVILEGED).await;
    raw.all_until_marker(&simulator).await;
    raw.send(
        8,
        json!({ "guild_id": demo_ids::REST, "query": "", "limit": 0 }),
    )
    .await;
    raw.send(31, json!({ "guild_ids": [demo_ids::REST] })).await;
    assert_eq!(
        names(&raw.all_until("SOUNDBOARD_SOUNDS").await),
        Vec::<&str>::new()
    );
}

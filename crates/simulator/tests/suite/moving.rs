//! A world that moves by itself, a storm, and the calls that set them off.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use guildgate_simulator::{
    Clock, Motion, RemoteSimulator, Settings, Simulator, SimulatorConfig, World, demo_ids,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    client::{ALL, Came, Raw, identify, names},
    start, start_with,
};

async fn lively(seed: u64) -> Simulator {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = SimulatorConfig {
        clock: Clock::stepped(),
        seed,
        motion: Motion::Lively {
            every: Duration::from_secs(1),
        },
        ..SimulatorConfig::new(listen, World::demo())
    };
    Simulator::start(config).await.expect("a free port")
}

/// What happens in three minutes of a lively demo, seen by a bot.
async fn three_minutes(seed: u64) -> Vec<Value> {
    let simulator = lively(seed).await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        for _ in 0..60 {
            simulator.handle().advance(Duration::from_millis(500));
        }
        raw.send(1, Value::Null).await;
        seen.extend(raw.all_until_marker(&simulator).await);
    }
    seen
}

#[tokio::test]
async fn a_lively_world_moves_and_leaves_the_documented_accounts_alone() {
    let seen = three_minutes(1).await;
    let kinds: BTreeSet<&str> = names(&seen).into_iter().collect();
    let expected = [
        "GUILD_MEMBER_ADD",
        "GUILD_MEMBER_REMOVE",
        "GUILD_MEMBER_UPDATE",
    ];
    assert_eq!(kinds, expected.into_iter().collect());
    assert!(seen.len() > 100, "{} events in three minutes", seen.len());
    let movers: BTreeSet<&str> = seen
        .iter()
        .filter_map(|event| event["d"]["user"]["id"].as_str())
        .collect();
    assert!(
        movers.contains(demo_ids::ROBIN.to_string().as_str()),
        "robin's role comes and goes"
    );
    for still in [
        demo_ids::OLGA,
        demo_ids::MIA,
        demo_ids::MAX,
        demo_ids::ADA,
        demo_ids::BEN,
        demo_ids::IVY,
    ] {
        assert!(
            !movers.contains(still.to_string().as_str()),
            "{still} moved"
        );
    }
}

#[tokio::test]
async fn the_same_seed_moves_alike() {
    let users = |seen: Vec<Value>| -> Vec<Value> {
        seen.into_iter()
            .map(|mut event| event["d"]["user"]["id"].take())
            .collect()
    };
    let (first, second) = (users(three_minutes(7).await), users(three_minutes(7).await));
    assert_eq!(first, second);
    assert_ne!(first, users(three_minutes(8).await));
}

#[tokio::test]
async fn a_storm_strikes_and_sessions_come_through_it() {
    let settings = Settings {
        identify_interval: Duration::ZERO,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let remote = RemoteSimulator::new(&format!("http://{}", simulator.local_addr()));
    let storm = json!({ "every_ms": 1000 });
    remote
        .call(Method::POST, "/simulator/storm", Some(&storm))
        .await
        .expect("it storms");
    for _ in 0..10 {
        let _struck = Raw::ready(&simulator, ALL).await;
        let before = simulator.handle().counters().storm_faults;
        // The longest that a storm of this mean pauses.
        simulator.handle().advance(Duration::from_millis(1_500));
        assert!(simulator.handle().counters().storm_faults > before);
    }
    let calm = json!({ "every_ms": null });
    remote
        .call(Method::POST, "/simulator/storm", Some(&calm))
        .await
        .expect("it is calm");
    let after = simulator.handle().counters().storm_faults;
    simulator.handle().advance(Duration::from_secs(60));
    assert_eq!(simulator.handle().counters().storm_faults, after);
    let mut raw = Raw::hello(&simulator).await;
    raw.send(2, identify(ALL)).await;
    assert!(
        matches!(raw.next().await, Came::Payload(_)),
        "it is as before"
    );
}

#[tokio::test]
async fn a_remote_hand_moves_the_world() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let remote = RemoteSimulator::new(&format!("http://{}/", simulator.local_addr()));
    let member = format!("/simulator/guilds/{}/members/4242", demo_ids::REST);
    remote
        .call(Method::PUT, &member, None)
        .await
        .expect("they join");
    assert_eq!(raw.event("GUILD_MEMBER_ADD").await["user"]["id"], "4242");
    remote
        .call(Method::DELETE, &member, None)
        .await
        .expect("they leave");
    raw.event("GUILD_MEMBER_REMOVE").await;
    let call =
        json!({ "t": "MESSAGE_CREATE", "guild_id": demo_ids::REST, "d": { "content": "hi" } });
    remote
        .call(Method::POST, "/simulator/dispatch", Some(&call))
        .await
        .expect("it is sent");
    assert_eq!(raw.event("MESSAGE_CREATE").await["content"], "hi");
    let clock = json!({ "advance_ms": 60_000 });
    let before = remote
        .call(Method::GET, "/simulator", None)
        .await
        .expect("an overview");
    let after = remote
        .call(Method::POST, "/simulator/clock", Some(&clock))
        .await
        .expect("it moves");
    let passed = after["time_ms"]
        .as_i64()
        .zip(before["time_ms"].as_i64())
        .map(|(a, b)| a - b);
    assert_eq!(passed, Some(60_000));
    assert_eq!(before["sessions"][0]["connected"], true);
    remote
        .call(
            Method::POST,
            "/simulator/motion",
            Some(&json!({ "every_ms": 10 })),
        )
        .await
        .expect("it moves");
    simulator.handle().advance(Duration::from_secs(1));
    raw.op(0).await;
    let refused = remote
        .call(Method::DELETE, "/simulator/guilds/1", None)
        .await;
    assert_eq!(
        refused.expect_err("there is no such guild").to_string(),
        "the simulator refused /simulator/guilds/1: there is no guild 1"
    );
}

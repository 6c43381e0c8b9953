//! Faults on demand: 31 and 41, and what else Discord does to a bot.

use std::time::Duration;

use guildgate_simulator::{
    Availability, Burst, BurstKind, Change, Corruption, Fault, GuildEdit, Settings, Simulator,
    Target, World, demo_ids,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    client::{ALL, Broken, Came, Raw, identify, names},
    http_client, start, start_with, until,
};

async fn fault(simulator: &Simulator, body: Value) -> u64 {
    let answer = http_client::call(simulator, Method::POST, "/simulator/faults", Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["connections"].as_u64().expect("a number")
}

#[tokio::test]
async fn s31_an_unknown_error_is_4000() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    assert_eq!(
        fault(&simulator, json!({ "kind": "close", "code": 4000 })).await,
        1
    );
    assert_eq!(raw.closed().await, Some(4000));
}

#[tokio::test]
async fn s41_op_7_then_a_close() {
    let simulator = start().await;
    let (mut raw, ready) = Raw::ready(&simulator, ALL).await;
    fault(
        &simulator,
        json!({ "kind": "reconnect", "close_after_ms": 3000 }),
    )
    .await;
    assert_eq!(raw.op(7).await["d"], Value::Null);
    simulator.handle().advance(Duration::from_secs(3));
    assert!(raw.closed().await.is_some());
    let mut again = Raw::hello(&simulator).await;
    let resume = json!({ "token": "simulator", "session_id": ready["session_id"], "seq": 1 });
    again.send(6, resume).await;
    again.event("RESUMED").await;
}

#[tokio::test]
async fn s41_op_9_true_keeps_the_session() {
    let simulator = start().await;
    let (mut raw, ready) = Raw::ready(&simulator, ALL).await;
    fault(
        &simulator,
        json!({ "kind": "invalid_session", "resumable": true }),
    )
    .await;
    assert_eq!(raw.op(9).await["d"], true);
    let resume = json!({ "token": "simulator", "session_id": ready["session_id"], "seq": 1 });
    raw.send(6, resume).await;
    raw.event("RESUMED").await;
}

#[tokio::test]
async fn s41_op_9_false_ends_the_session() {
    let simulator = start().await;
    let (mut raw, ready) = Raw::ready(&simulator, ALL).await;
    fault(
        &simulator,
        json!({ "kind": "invalid_session", "resumable": false }),
    )
    .await;
    assert_eq!(raw.op(9).await["d"], false);
    let resume = json!({ "token": "simulator", "session_id": ready["session_id"], "seq": 1 });
    raw.send(6, resume).await;
    assert_eq!(raw.op(9).await["d"], false);
    simulator.handle().advance(Duration::from_secs(5));
    raw.send(2, identify(ALL)).await;
    let new = raw.event("READY").await;
    assert_ne!(new["session_id"], ready["session_id"]);
}

#[tokio::test]
async fn s41_acks_are_lost_until_they_are_sent_again() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    fault(&simulator, json!({ "kind": "lose_acks" })).await;
    raw.send(1, json!(1)).await;
    raw.send(31, json!({ "guild_ids": [demo_ids::REST] })).await;
    let next = raw.payload().await;
    assert_eq!(next["t"], "SOUNDBOARD_SOUNDS", "no answer to the heartbeat");
    fault(&simulator, json!({ "kind": "send_acks" })).await;
    raw.send(1, json!(1)).await;
    assert_eq!(raw.payload().await["op"], 11);
}

#[tokio::test]
async fn s41_a_socket_drops_without_a_close_frame() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    fault(&simulator, json!({ "kind": "drop" })).await;
    assert_eq!(raw.closed().await, None);
}

#[tokio::test]
async fn s41_a_message_is_broken() {
    let simulator = start().await;
    for (corruption, compress, expected) in [
        (Corruption::Json, "", Broken::Json),
        (Corruption::Compression, "", Broken::Json),
        (
            Corruption::Compression,
            "&compress=zlib-stream",
            Broken::Compression,
        ),
        (
            Corruption::Compression,
            "&compress=zstd-stream",
            Broken::Compression,
        ),
        (Corruption::Frame, "", Broken::Frame),
        (Corruption::Frame, "&compress=zstd-stream", Broken::Frame),
    ] {
        let query = format!("v=10&encoding=json{compress}");
        let mut raw = Raw::dial(&simulator, &query).await;
        assert_eq!(raw.payload().await["op"], 10);
        let fault = Fault::Corrupt(corruption);
        assert_eq!(simulator.handle().fault(&Target::All, &fault), 1);
        assert_eq!(
            raw.next().await,
            Came::Broken(expected),
            "{corruption:?} {compress}"
        );
        simulator.handle().fault(&Target::All, &Fault::Drop);
    }
}

#[tokio::test]
async fn s41_a_heartbeat_is_asked_for() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    fault(&simulator, json!({ "kind": "ask_heartbeat" })).await;
    raw.op(1).await;
}

#[tokio::test]
async fn s41_everything_waits_for_the_delay() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    fault(&simulator, json!({ "kind": "delay", "ms": 2000 })).await;
    raw.send(1, Value::Null).await;
    until("the heartbeat", async || {
        simulator.handle().counters().heartbeats == 1
    })
    .await;
    assert_eq!(raw.by_now(&simulator).await, None, "it waits");
    simulator.handle().advance(Duration::from_millis(1_999));
    assert_eq!(raw.by_now(&simulator).await, None, "it waits to the end");
    simulator.handle().advance(Duration::from_millis(1));
    assert_eq!(raw.payload().await["op"], 11);
}

#[tokio::test]
async fn s41_a_slow_socket_still_delivers() {
    const TENTH: usize = 2_000;
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    let pace = json!({ "kind": "pace", "bytes_per_second": 10 * TENTH });
    fault(&simulator, pace).await;
    let before = raw.bytes;
    raw.send(2, identify(ALL)).await;
    let (mut tenths, mut came) = (1, Vec::new());
    while came.iter().filter(|name| *name == "GUILD_CREATE").count() < 3 {
        match raw.by_now(&simulator).await {
            Some(Came::Payload(payload)) => came.push(payload["t"].clone()),
            Some(other) => panic!("{other:?}"),
            None => {
                simulator.handle().advance(Duration::from_millis(100));
                tenths += 1;
            }
        }
        let slow = raw.bytes - before <= tenths * TENTH;
        assert!(slow, "{} bytes after {tenths} tenths", raw.bytes - before);
    }
    assert_eq!(came[0], "READY");
    assert!(tenths > 3, "more than a few portions: {tenths}");

    fault(
        &simulator,
        json!({ "kind": "pace", "bytes_per_second": null }),
    )
    .await;
    simulator.handle().advance(Duration::from_millis(100));
    let again = raw.all_until_marker(&simulator).await;
    assert_eq!(names(&again), Vec::<&str>::new(), "as fast as it goes");
}

#[tokio::test]
async fn s41_forgotten_sessions_cannot_be_resumed() {
    let simulator = start().await;
    let (mut raw, ready) = Raw::ready(&simulator, ALL).await;
    fault(&simulator, json!({ "kind": "forget_sessions" })).await;
    assert_eq!(raw.closed().await, None);
    let mut again = Raw::hello(&simulator).await;
    let resume = json!({ "token": "simulator", "session_id": ready["session_id"], "seq": 1 });
    again.send(6, resume).await;
    assert_eq!(again.payload().await["op"], 9);
}

#[tokio::test]
async fn s41_a_fault_can_be_meant_for_one_shard() {
    let settings = Settings {
        max_concurrency: 2,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let mut shards = Vec::new();
    for id in [0, 1] {
        let mut raw = Raw::hello(&simulator).await;
        let mut wish = identify(ALL);
        wish["shard"] = json!([id, 2]);
        raw.send(2, wish).await;
        raw.event("READY").await;
        shards.push(raw);
    }
    let met = fault(
        &simulator,
        json!({ "kind": "close", "code": 4009, "target": { "shard": 1 } }),
    )
    .await;
    assert_eq!(met, 1);
    assert_eq!(shards[1].closed().await, Some(4009));
    shards[0].send(1, Value::Null).await;
    shards[0].op(11).await;
}

#[tokio::test]
async fn an_outage_is_a_guild_delete_and_its_end_a_guild_create() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let outage = format!("/simulator/guilds/{}/outage", demo_ids::REST);
    http_client::call(&simulator, Method::POST, &outage, None).await;
    let gone = raw.event("GUILD_DELETE").await;
    assert_eq!(gone, json!({ "id": demo_ids::REST, "unavailable": true }));
    let edit = GuildEdit {
        name: Some("Renamed in the dark".into()),
        ..GuildEdit::default()
    };
    let change = Change::EditGuild {
        guild: demo_ids::REST,
        edit: Box::new(edit),
    };
    simulator
        .handle()
        .change(change)
        .expect("the guild is there");
    http_client::call(&simulator, Method::DELETE, &outage, None).await;
    let back = raw.all_until_marker(&simulator).await;
    assert_eq!(
        names(&back),
        ["GUILD_CREATE"],
        "what happened in the dark is part of it"
    );
    assert_eq!(back[0]["d"]["name"], "Renamed in the dark");
}

#[tokio::test]
async fn a_guild_that_is_down_at_the_start_is_said_to_be() {
    let simulator = start().await;
    let down = Change::SetAvailability {
        guild: demo_ids::REST,
        availability: Availability::Down,
    };
    simulator.handle().change(down).expect("the guild is there");
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let first = raw.op(0).await;
    assert_eq!(first["t"], "GUILD_DELETE");
    assert_eq!(
        first["d"],
        json!({ "id": demo_ids::REST, "unavailable": true })
    );
}

#[tokio::test]
async fn the_bot_is_removed_from_a_guild_and_invited_to_another() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let path = format!("/simulator/guilds/{}", demo_ids::OWLS);
    http_client::call(&simulator, Method::DELETE, &path, None).await;
    assert_eq!(
        raw.event("GUILD_DELETE").await,
        json!({ "id": demo_ids::OWLS })
    );
    let body = json!({ "name": "New place", "owner": demo_ids::MIA });
    let made = http_client::call(&simulator, Method::POST, "/simulator/guilds", Some(body)).await;
    let create = raw.event("GUILD_CREATE").await;
    assert_eq!(create["id"], made.body["id"]);
    assert_eq!(create["member_count"], 2, "its owner and the bot");
}

#[tokio::test]
async fn a_burst_carries_its_stamps() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let handle = simulator.handle();
    let count = |handle: &guildgate_simulator::SimulatorHandle| {
        handle.read(|world| {
            world
                .guild(demo_ids::REST)
                .map_or(0, |guild| guild.members.count())
        })
    };
    let before = count(&handle);
    let burst = Burst {
        guild: demo_ids::REST,
        kind: BurstKind::Joins,
        count: 100,
        per_second: 1_000,
    };
    let number = handle.start_burst(burst);
    handle.advance(Duration::from_millis(100));
    for _ in 0..100 {
        let add = raw.event("GUILD_MEMBER_ADD").await;
        let nick = add["nick"].as_str().expect("a nick");
        assert!(
            nick.strip_prefix("stamp:")
                .is_some_and(|stamp| stamp.parse::<i64>().is_ok()),
            "{nick}"
        );
    }
    let report = handle.burst(number).expect("it was started");
    assert_eq!(report.emitted, 100);
    assert_eq!(
        report.emissions.back().map(|last| last.member_count),
        Some(before + 100)
    );
    let burst = Burst {
        guild: demo_ids::REST,
        kind: BurstKind::Leaves,
        count: 100,
        per_second: 1_000,
    };
    handle.start_burst(burst);
    handle.advance(Duration::from_millis(100));
    assert_eq!(count(&handle), before);
}

#[tokio::test]
async fn bad_admin_calls_say_what_is_wrong() {
    let simulator = start().await;
    for (path, body) in [
        ("/simulator/faults", json!({ "kind": "earthquake" })),
        ("/simulator/dispatch", json!({ "t": "NOT\"JSON", "d": {} })),
        ("/simulator/bursts", json!({ "guild": "1" })),
    ] {
        let answer = http_client::call(&simulator, Method::POST, path, Some(body)).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body["error"].is_string(), "{path}: {}", answer.body);
    }
}

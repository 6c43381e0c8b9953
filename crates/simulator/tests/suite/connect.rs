//! Dialling, heartbeats, limits, compression: 1 to 6, 19 to 22, 42, 43.

use std::time::Duration;

use guildgate_simulator::{Liveness, Settings, World};
use serde_json::{Value, json};

use crate::{
    client::{ALL, Raw, identify},
    http_client, start, start_with,
};

#[tokio::test]
async fn s01_hello_comes_first() {
    let simulator = start().await;
    let mut raw = Raw::dial(&simulator, "v=10&encoding=json").await;
    let hello = raw.payload().await;
    assert_eq!(hello["op"], 10);
    assert_eq!(hello["d"]["heartbeat_interval"], 41_250);
    assert_eq!((&hello["s"], &hello["t"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn s02_an_unsupported_version_is_closed_with_4012() {
    let simulator = start().await;
    for query in ["v=8", "v=11", "v=ten", "encoding=json"] {
        let mut raw = Raw::dial(&simulator, query).await;
        assert_eq!(raw.closed().await, Some(4012), "{query}");
    }
}

#[tokio::test]
async fn s03_a_bad_encoding_or_compression_is_closed_with_4002() {
    let simulator = start().await;
    for query in ["v=10&encoding=etf", "v=10&encoding=json&compress=brotli"] {
        let mut raw = Raw::dial(&simulator, query).await;
        assert_eq!(raw.closed().await, Some(4002), "{query}");
    }
}

#[tokio::test]
async fn s04_a_heartbeat_is_answered_even_before_identify() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    raw.send(1, Value::Null).await;
    let ack = raw.payload().await;
    assert_eq!(ack["op"], 11);
}

#[tokio::test]
async fn s05_without_heartbeats_it_is_closed_with_4009_and_can_resume() {
    let simulator = start().await;
    let (mut raw, ready) = Raw::ready(&simulator, ALL).await;
    simulator.handle().advance(Duration::from_secs(62));
    assert_eq!(raw.closed().await, Some(4009));
    let mut again = Raw::hello(&simulator).await;
    let resume = json!({ "token": "simulator", "session_id": ready["session_id"], "seq": 1 });
    again.send(6, resume).await;
    again.event("RESUMED").await;
}

#[tokio::test]
async fn s05_the_code_can_be_set_and_the_rule_switched_off() {
    let liveness = Liveness::Required {
        grace: Duration::from_secs(1),
        code: 4000,
    };
    let simulator = start_with(
        World::demo(),
        Settings {
            liveness,
            ..Settings::default()
        },
    )
    .await;
    let mut raw = Raw::hello(&simulator).await;
    simulator.handle().advance(Duration::from_secs(43));
    assert_eq!(raw.closed().await, Some(4000));

    let settings = Settings {
        liveness: Liveness::Ignored,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let mut raw = Raw::hello(&simulator).await;
    simulator.handle().advance(Duration::from_secs(3_600));
    raw.send(1, Value::Null).await;
    assert_eq!(raw.payload().await["op"], 11);
}

#[tokio::test]
async fn s06_a_command_before_identify_is_closed_with_4003() {
    let simulator = start().await;
    for op in [3, 4, 8, 31, 43] {
        let mut raw = Raw::hello(&simulator).await;
        raw.send(op, json!({})).await;
        assert_eq!(raw.closed().await, Some(4003), "op {op}");
    }
}

#[tokio::test]
async fn s19_the_121st_payload_in_a_minute_is_closed_with_4008() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    for _ in 0..120 {
        raw.send(1, Value::Null).await;
        raw.op(11).await;
    }
    simulator.handle().advance(Duration::from_secs(59));
    raw.send(1, Value::Null).await;
    assert_eq!(raw.closed().await, Some(4008));

    let mut raw = Raw::hello(&simulator).await;
    for _ in 0..120 {
        raw.send(1, Value::Null).await;
        raw.op(11).await;
    }
    simulator.handle().advance(Duration::from_secs(60));
    raw.send(1, Value::Null).await;
    assert_eq!(raw.op(11).await["op"], 11, "the window has passed");
}

#[tokio::test]
async fn s20_a_payload_over_4096_bytes_is_closed_with_4002() {
    let simulator = start().await;
    let padded = |length: usize| {
        let bare = json!({ "op": 1, "d": null, "pad": "" }).to_string().len();
        json!({ "op": 1, "d": null, "pad": "x".repeat(length - bare) }).to_string()
    };
    let mut raw = Raw::hello(&simulator).await;
    raw.send_text(padded(4_096)).await;
    assert_eq!(raw.payload().await["op"], 11);
    raw.send_text(padded(4_097)).await;
    assert_eq!(raw.closed().await, Some(4002));
}

#[tokio::test]
async fn s21_invalid_json_is_closed_with_4002() {
    let simulator = start().await;
    for text in [
        "",
        "{",
        "[]",
        "null",
        "\"op\"",
        "{\"op\":\"1\"}",
        "{\"d\":null}",
        "{\"op\":-1}",
    ] {
        let mut raw = Raw::hello(&simulator).await;
        raw.send_text(text.to_owned()).await;
        assert_eq!(raw.closed().await, Some(4002), "{text:?}");
    }
}

#[tokio::test]
async fn s22_an_unknown_opcode_is_closed_with_4001() {
    let simulator = start().await;
    for op in [0, 7, 9, 10, 11, 13, 99, 255] {
        let (mut raw, _) = ready_at_once(&simulator).await;
        raw.send(op, Value::Null).await;
        assert_eq!(raw.closed().await, Some(4001), "op {op}");
    }
}

/// READY without waiting for the identify bucket.
async fn ready_at_once(simulator: &guildgate_simulator::Simulator) -> (Raw, Value) {
    simulator.handle().advance(Duration::from_secs(5));
    Raw::ready(simulator, ALL).await
}

#[tokio::test]
async fn s42_zlib_messages_end_with_a_flush_and_may_be_split() {
    for split in [None, Some(100)] {
        let settings = Settings {
            zlib_split: split,
            ..Settings::default()
        };
        let simulator = start_with(World::demo(), settings).await;
        let mut raw = Raw::dial(&simulator, "v=10&encoding=json&compress=zlib-stream").await;
        assert_eq!(raw.payload().await["op"], 10);
        // Transport compression wins over what IDENTIFY asks for.
        let mut wish = identify(ALL);
        wish["compress"] = json!(true);
        raw.send(2, wish).await;
        raw.event("READY").await;
        for _ in 0..3 {
            raw.event("GUILD_CREATE").await;
        }
        let ends = |message: &Vec<u8>| message.ends_with(&[0, 0, 0xFF, 0xFF]);
        match split {
            None => assert!(raw.binary.iter().all(ends)),
            Some(size) => {
                assert!(raw.binary.iter().all(|message| message.len() <= size));
                assert!(!raw.binary.iter().all(ends), "some are parts of a message");
            }
        }
    }
}

#[tokio::test]
async fn s42_zstd_stream_is_one_context() {
    let simulator = start().await;
    let mut raw = Raw::dial(&simulator, "v=10&encoding=json&compress=zstd-stream").await;
    assert_eq!(raw.payload().await["op"], 10);
    raw.send(2, identify(ALL)).await;
    for _ in 0..3 {
        raw.event("GUILD_CREATE").await;
    }
    assert!(
        raw.binary.len() >= 5,
        "HELLO, READY and three guilds came compressed"
    );
}

#[tokio::test]
async fn s42_payload_compression_is_for_large_payloads_alone() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    let mut wish = identify(ALL);
    wish["compress"] = json!(true);
    raw.send(2, wish).await;
    for _ in 0..3 {
        raw.event("GUILD_CREATE").await;
    }
    let compressed = raw.binary.len();
    assert!(compressed >= 3, "the guilds came compressed");
    raw.send(1, Value::Null).await;
    raw.op(11).await;
    assert_eq!(raw.binary.len(), compressed, "the answer did not");
}

#[tokio::test]
async fn s43_s_rises_by_dispatch_and_is_null_elsewhere() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    raw.send(2, identify(ALL)).await;
    let mut last = 0;
    for _ in 0..4 {
        let payload = raw.op(0).await;
        let s = payload["s"].as_u64().expect("a number");
        assert!(s > last, "{s} after {last}");
        last = s;
    }
    raw.send(1, json!(last)).await;
    let ack = raw.op(11).await;
    assert_eq!(
        (&ack["s"], &ack["t"], &ack["d"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn s44_the_allowance_falls_with_identifies_and_not_with_resumes() {
    let simulator = start().await;
    let remaining = async || {
        let shown = http_client::get(&simulator, "/gateway/bot").await;
        shown["session_start_limit"]["remaining"]
            .as_u64()
            .expect("a number")
    };
    assert_eq!(remaining().await, 1_000);
    let (raw, ready) = Raw::ready(&simulator, ALL).await;
    assert_eq!(remaining().await, 999);
    raw.close(None).await;
    let mut again = Raw::hello(&simulator).await;
    let resume = json!({ "token": "simulator", "session_id": ready["session_id"], "seq": 1 });
    again.send(6, resume).await;
    again.event("RESUMED").await;
    assert_eq!(remaining().await, 999);
}

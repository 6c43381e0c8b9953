use guildgate_model::Secret;
use serde_json::{Value, json};

use super::*;
use crate::{
    clock::Clock,
    config::Liveness,
    demo_ids,
    gateway::{Entry, Outgoing},
};

fn discord() -> Discord {
    let config = SimulatorConfig {
        clock: Clock::stepped(),
        user: Some(UserAccount {
            token: Secret::new("mia-token"),
            user: demo_ids::MIA,
        }),
        settings: Settings {
            liveness: Liveness::Ignored,
            identify_interval: Duration::ZERO,
            ..Settings::default()
        },
        ..SimulatorConfig::new(([127, 0, 0, 1], 0).into(), World::demo())
    };
    Discord::new(config)
}

fn open(discord: &mut Discord) -> ConnectionId {
    let text = |text: &str| Some(text.to_owned());
    discord.open(Opening {
        entry: Entry::Main,
        version: text("10"),
        encoding: text("json"),
        compress: None,
        base_url: "ws://simulator".to_owned(),
    })
}

/// Takes all that waits; whether the connection was ended.
fn drain(discord: &mut Discord, id: ConnectionId) -> bool {
    let mut ended = false;
    loop {
        let batch = discord.pull(id);
        if batch.is_empty() {
            return ended;
        }
        ended |= batch.iter().any(|out| matches!(out, Outgoing::End(_)));
    }
}

fn identify(token: &str) -> Value {
    json!({ "op": 2, "d": { "token": token, "intents": 0, "properties": {} } })
}

/// What a hostile client puts where anything else is expected.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("1"),
        json!("\u{0}\u{10FFFF}"),
        json!([]),
        json!([[[[]]]]),
        json!(["1", 1, null]),
        json!({}),
        json!({ "d": { "d": {} } }),
    ]
}

#[test]
fn no_value_in_any_field_of_any_opcode_does_harm() {
    let fields = [
        "token",
        "intents",
        "shard",
        "properties",
        "compress",
        "large_threshold",
        "presence",
        "session_id",
        "seq",
        "guild_id",
        "guild_ids",
        "channel_id",
        "query",
        "limit",
        "user_ids",
        "nonce",
        "presences",
        "fields",
        "status",
        "activities",
        "self_mute",
    ];
    let mut discord = discord();
    for token in ["simulator", "mia-token"] {
        for op in (0..=13).chain([31, 43, 50]) {
            for field in fields {
                for odd in odd_values() {
                    let id = open(&mut discord);
                    if !matches!(op, 2 | 6) {
                        discord.frame(id, identify(token).to_string().as_bytes());
                    }
                    let mut d = json!({
                        "token": token, "intents": 1, "guild_id": demo_ids::REST, "query": "a",
                        "limit": 1, "channel_id": null, "guild_ids": [], "fields": [],
                        "session_id": "x", "seq": 1,
                    });
                    d[field] = odd;
                    discord.frame(id, json!({ "op": op, "d": d }).to_string().as_bytes());
                    drain(&mut discord, id);
                    discord.gone(id, Some(1000));
                    discord.budget.restore();
                }
                // Those that were closed could be resumed until now.
                discord.now = discord.now.after(discord.settings.resume_window);
                discord.tick();
                assert!(
                    discord.sessions.is_empty(),
                    "every session has gone with its client"
                );
            }
        }
    }
    assert!(
        discord.sessions.is_empty(),
        "every session has gone with its client"
    );
}

#[test]
fn broken_bytes_end_one_connection_and_no_other() {
    let mut discord = discord();
    let bystander = open(&mut discord);
    discord.frame(bystander, identify("simulator").to_string().as_bytes());
    drain(&mut discord, bystander);
    let whole = identify("simulator").to_string();
    let mut broken: Vec<Vec<u8>> = (0..whole.len())
        .map(|length| whole.as_bytes()[..length].to_vec())
        .collect();
    broken.push(vec![b'['; 4_096]);
    broken.push(vec![0xFF; 64]);
    broken.push(vec![b'{'; 1_024 * 1_024]);
    for bytes in broken {
        let id = open(&mut discord);
        discord.frame(id, &bytes);
        assert!(
            drain(&mut discord, id),
            "{} bytes did not end it",
            bytes.len()
        );
        discord.gone(id, None);
    }
    discord.frame(bystander, br#"{"op":1,"d":null}"#);
    assert!(!drain(&mut discord, bystander));
    assert_eq!(discord.counters.heartbeats, 1);
}

use guildgate_model::{GuildId, Secret, UserId};
use serde_json::json;

use super::*;
use crate::{Intents, Opcode};

fn check(payload: &ClientPayload, expected: &serde_json::Value) {
    let text = payload.encode().expect("small enough");
    let seen: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(&seen, expected);
    assert_eq!(
        &ClientPayload::decode(&text).expect("its own text"),
        payload,
        "{text}"
    );
}

#[test]
fn every_client_payload_is_written_as_documented_and_read_back() {
    let guild_id = GuildId(7);
    check(
        &ClientPayload::Heartbeat(None),
        &json!({"op": 1, "d": null}),
    );
    check(
        &ClientPayload::Heartbeat(Some(42)),
        &json!({"op": 1, "d": 42}),
    );
    check(
        &ClientPayload::Identify(Box::new(Identify {
            token: Secret::new("t"),
            properties: Properties {
                os: "linux".into(),
                browser: "g".into(),
                device: "g".into(),
            },
            compress: None,
            large_threshold: Some(50),
            shard: Some([0, 1]),
            presence: None,
            intents: Intents::GUILDS,
        })),
        &json!({"op": 2, "d": {
            "token": "t", "properties": {"os": "linux", "browser": "g", "device": "g"},
            "large_threshold": 50, "shard": [0, 1], "intents": 1,
        }}),
    );
    check(
        &ClientPayload::Presence(Presence {
            since: None,
            activities: vec![Activity {
                name: "forms".into(),
                kind: 3,
                state: None,
                url: None,
            }],
            status: Status::Dnd,
            afk: false,
        }),
        &json!({"op": 3, "d": {
            "since": null, "activities": [{"name": "forms", "type": 3}], "status": "dnd", "afk": false,
        }}),
    );
    check(
        &ClientPayload::VoiceState(VoiceState {
            guild_id,
            channel_id: None,
            self_mute: true,
            self_deaf: false,
        }),
        &json!({"op": 4, "d": {
            "guild_id": "7", "channel_id": null, "self_mute": true, "self_deaf": false,
        }}),
    );
    check(&ClientPayload::VoicePing, &json!({"op": 5, "d": null}));
    check(
        &ClientPayload::Resume(Resume {
            token: Secret::new("t"),
            session_id: "s".into(),
            seq: 9,
        }),
        &json!({"op": 6, "d": {"token": "t", "session_id": "s", "seq": 9}}),
    );
    check(
        &ClientPayload::RequestMembers(RequestMembers::everyone(guild_id)),
        &json!({"op": 8, "d": {"guild_id": "7", "query": "", "limit": 0}}),
    );
    check(
        &ClientPayload::RequestMembers(RequestMembers::users(guild_id, vec![UserId(1)])),
        &json!({"op": 8, "d": {"guild_id": "7", "user_ids": ["1"]}}),
    );
    check(
        &ClientPayload::GuildSync(vec![guild_id]),
        &json!({"op": 12, "d": ["7"]}),
    );
    check(
        &ClientPayload::RequestSoundboardSounds(RequestSoundboardSounds {
            guild_ids: vec![guild_id],
        }),
        &json!({"op": 31, "d": {"guild_ids": ["7"]}}),
    );
    check(
        &ClientPayload::RequestChannelInfo(RequestChannelInfo {
            guild_id,
            fields: vec![ChannelInfoField::Status, ChannelInfoField::VoiceStartTime],
        }),
        &json!({"op": 43, "d": {"guild_id": "7", "fields": ["status", "voice_start_time"]}}),
    );
}

#[test]
fn what_clients_may_not_send_is_told_apart() {
    let refusal = |text: &str| ClientPayload::decode(text).expect_err("refused");
    assert!(matches!(refusal("{"), ClientDecodeError::NotAPayload(_)));
    assert!(matches!(
        refusal(r#"{"op":10,"d":{}}"#),
        ClientDecodeError::WrongOpcode(Opcode::Hello)
    ));
    assert!(matches!(
        refusal(r#"{"op":99}"#),
        ClientDecodeError::WrongOpcode(Opcode::Unknown(99))
    ));
    assert!(matches!(
        refusal(r#"{"op":6,"d":{"token":1}}"#),
        ClientDecodeError::WrongData {
            op: Opcode::Resume,
            ..
        }
    ));
}

#[test]
fn e37_a_payload_of_4097_bytes_is_a_local_error() {
    let named = |length: usize| {
        ClientPayload::Presence(Presence {
            since: None,
            activities: vec![Activity {
                name: "x".repeat(length).into(),
                kind: 0,
                state: None,
                url: None,
            }],
            status: Status::Online,
            afk: false,
        })
    };
    let overhead = named(0).encode().expect("small").len();
    let largest = named(PAYLOAD_BYTES_MAX - overhead);
    assert_eq!(largest.encode().expect("just fits").len(), 4096);
    assert!(matches!(
        named(PAYLOAD_BYTES_MAX - overhead + 1).encode(),
        Err(EncodeError::TooLarge {
            op: Opcode::Presence,
            bytes: 4097
        })
    ));
}

#[test]
fn what_discord_sends_has_its_four_keys() {
    let data = serde_json::value::to_raw_value(&json!({"id": "1"})).expect("JSON");
    let cases = [
        (
            ServerPayload::Dispatch {
                seq: 3,
                name: "X".into(),
                data,
            },
            r#"{"t":"X","s":3,"op":0,"d":{"id":"1"}}"#,
        ),
        (
            ServerPayload::Heartbeat,
            r#"{"t":null,"s":null,"op":1,"d":null}"#,
        ),
        (
            ServerPayload::Reconnect,
            r#"{"t":null,"s":null,"op":7,"d":null}"#,
        ),
        (
            ServerPayload::InvalidateSession { resumable: true },
            r#"{"t":null,"s":null,"op":9,"d":true}"#,
        ),
        (
            ServerPayload::Hello(Hello {
                heartbeat_interval: 45_000,
            }),
            r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":45000}}"#,
        ),
        (
            ServerPayload::HeartbeatAck,
            r#"{"t":null,"s":null,"op":11,"d":null}"#,
        ),
    ];
    for (payload, expected) in cases {
        assert_eq!(payload.encode(), expected);
    }
}

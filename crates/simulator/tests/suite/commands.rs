//! What a session sends besides op 8: 36 to 40.

use guildgate_model::Secret;
use guildgate_simulator::{Clock, Simulator, SimulatorConfig, UserAccount, World, demo_ids};
use serde_json::{Value, json};

use crate::{
    client::{ALL, Raw, names},
    start,
};

/// A simulator that takes mia's own account too.
async fn start_with_user() -> Simulator {
    let user = UserAccount {
        token: Secret::new("mia-token"),
        user: demo_ids::MIA,
    };
    let config = SimulatorConfig {
        clock: Clock::stepped(),
        user: Some(user),
        ..SimulatorConfig::new(([127, 0, 0, 1], 0).into(), World::demo())
    };
    Simulator::start(config).await.expect("a free port")
}

async fn log_in_as_mia(simulator: &Simulator) -> Raw {
    let mut raw = Raw::hello(simulator).await;
    raw.send(2, json!({ "token": "mia-token", "properties": {} }))
        .await;
    let ready = raw.event("READY").await;
    assert_eq!(ready["user"]["id"], demo_ids::MIA.to_string());
    raw
}

#[tokio::test]
async fn s36_op_4_enters_and_leaves_voice() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let voice = |channel: Value| {
        json!({
            "guild_id": demo_ids::REST, "channel_id": channel, "self_mute": true, "self_deaf": false,
        })
    };
    raw.send(4, voice(json!(demo_ids::VOICE.to_string()))).await;
    let state = raw.event("VOICE_STATE_UPDATE").await;
    assert_eq!(state["channel_id"], demo_ids::VOICE.to_string());
    assert_eq!(state["user_id"], demo_ids::BOT.to_string());
    assert_eq!(
        (&state["self_mute"], &state["self_deaf"]),
        (&json!(true), &json!(false))
    );
    let server = raw.event("VOICE_SERVER_UPDATE").await;
    assert_eq!(server["guild_id"], demo_ids::REST.to_string());
    assert!(server["token"].is_string() && server["endpoint"].is_string());
    raw.send(4, voice(Value::Null)).await;
    let state = raw.event("VOICE_STATE_UPDATE").await;
    assert_eq!(state["channel_id"], Value::Null);
    assert_eq!(
        names(&raw.all_until_marker(&simulator).await),
        Vec::<&str>::new()
    );
}

#[tokio::test]
async fn s37_op_3_is_seen_by_those_with_guild_presences() {
    let simulator = start_with_user().await;
    let (mut bot, _) = Raw::ready(&simulator, 1).await;
    let mut mia = log_in_as_mia(&simulator).await;
    let activity = json!({ "name": "crabs", "type": 3 });
    bot.send(
        3,
        json!({ "since": null, "activities": [activity], "status": "dnd", "afk": false }),
    )
    .await;
    loop {
        let presence = mia.event("PRESENCE_UPDATE").await;
        if presence["user"]["id"] == demo_ids::BOT.to_string() && presence["status"] == "dnd" {
            assert_eq!(presence["activities"][0]["name"], "crabs");
            break;
        }
    }
    let unseen = bot.all_until_marker(&simulator).await;
    assert!(
        !names(&unseen).contains(&"PRESENCE_UPDATE"),
        "its own session lacks the intent"
    );
}

#[tokio::test]
async fn s37_what_op_3_said_is_in_later_guilds_and_chunks_of_that_user_alone() {
    let simulator = start_with_user().await;
    let (mut bot, _) = Raw::ready(&simulator, 1).await;
    let activity = json!({ "name": "crabs", "type": 3 });
    let shown = json!({ "since": null, "activities": [activity], "status": "dnd", "afk": false });
    bot.send(3, shown).await;
    bot.all_until_marker(&simulator).await;
    let mut mia = log_in_as_mia(&simulator).await;
    let away = json!({ "since": null, "activities": [], "status": "idle", "afk": true });
    mia.send(3, away).await;
    mia.all_until_marker(&simulator).await;
    let ids = json!([demo_ids::BOT.to_string(), demo_ids::MIA.to_string()]);
    mia.send(
        8,
        json!({ "guild_id": demo_ids::REST, "user_ids": ids, "presences": true }),
    )
    .await;
    let chunk = mia.event("GUILD_MEMBERS_CHUNK").await;
    let of = |user: String| {
        let presences = chunk["presences"].as_array().expect("presences");
        let presence = presences.iter().find(|one| one["user"]["id"] == user);
        presence.expect("not offline").clone()
    };
    let bots = of(demo_ids::BOT.to_string());
    assert_eq!(bots["status"], "dnd");
    assert_eq!(bots["activities"][0]["name"], "crabs");
    let mias = of(demo_ids::MIA.to_string());
    assert_eq!(
        (&mias["status"], &mias["activities"]),
        (&json!("idle"), &json!([]))
    );
}

#[tokio::test]
async fn s38_op_31_and_op_43_are_answered() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    let ids = json!({ "guild_ids": [demo_ids::REST, demo_ids::OWLS, "1"] });
    raw.send(31, ids).await;
    for id in [demo_ids::REST, demo_ids::OWLS] {
        let sounds = raw.event("SOUNDBOARD_SOUNDS").await;
        assert_eq!(sounds, json!({ "guild_id": id, "soundboard_sounds": [] }));
    }
    raw.send(
        43,
        json!({ "guild_id": demo_ids::REST, "fields": ["status"] }),
    )
    .await;
    let info = raw.event("CHANNEL_INFO").await;
    assert_eq!(info["guild_id"], demo_ids::REST.to_string());
    let channels = info["channels"].as_array().expect("channels");
    assert_eq!(
        channels[0],
        json!({ "id": demo_ids::VOICE.to_string(), "status": null })
    );
}

#[tokio::test]
async fn s39_op_5_names_the_voice_servers_again_for_users_and_closes_bots() {
    let simulator = start_with_user().await;
    let mut mia = log_in_as_mia(&simulator).await;
    let voice = json!({
        "guild_id": demo_ids::REST, "channel_id": demo_ids::VOICE.to_string(),
        "self_mute": false, "self_deaf": false,
    });
    mia.send(4, voice).await;
    mia.event("VOICE_SERVER_UPDATE").await;
    mia.send(5, Value::Null).await;
    let server = mia.event("VOICE_SERVER_UPDATE").await;
    assert_eq!(server["guild_id"], demo_ids::REST.to_string());

    let (mut bot, _) = Raw::ready(&simulator, ALL).await;
    bot.send(5, Value::Null).await;
    assert_eq!(bot.closed().await, Some(4001));
}

#[tokio::test]
async fn s40_op_12_lists_members_and_presences_for_users_and_closes_bots() {
    let simulator = start_with_user().await;
    let mut mia = log_in_as_mia(&simulator).await;
    mia.send(
        12,
        json!([demo_ids::REST, demo_ids::OWLS, demo_ids::FOUNDRY]),
    )
    .await;
    // Mia is in no more than two of the three.
    for id in [demo_ids::REST, demo_ids::FOUNDRY] {
        let sync = mia.event("GUILD_SYNC").await;
        assert_eq!(sync["id"], id.to_string());
        let members = sync["members"].as_array().expect("members");
        assert!(
            members
                .iter()
                .any(|member| member["user"]["id"] == demo_ids::MIA.to_string())
        );
        assert!(sync["presences"].is_array());
    }
    let rest = mia.all_until_marker(&simulator).await;
    assert!(!names(&rest).contains(&"GUILD_SYNC"));

    let (mut bot, _) = Raw::ready(&simulator, ALL).await;
    bot.send(12, json!([demo_ids::REST])).await;
    assert_eq!(bot.closed().await, Some(4001));
}

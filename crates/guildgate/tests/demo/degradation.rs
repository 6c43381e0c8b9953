//! What Discord's settings for the bot withhold, and what the gateway's own show.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use guildgate_model::{GuildId, Secret};
use guildgate_simulator::{
    Change, Generated, Simulator, SimulatorConfig, UserAccount, World, demo_ids,
};
use serde_json::{Value, json};
use tokio_websockets::{ClientBuilder, Message};

use crate::{
    gateway::{Folder, PATIENCE, until},
    http,
    process::{ADMIN_KEY, Process},
};

const SIZE: Generated = Generated {
    guilds: 20,
    members: 5,
    roles: 2,
    emojis: 1,
    channels: 1,
    seed: 1,
};

async fn simulate(world: World) -> Simulator {
    let mut config = SimulatorConfig {
        user: Some(UserAccount {
            token: Secret::new("mia's"),
            user: demo_ids::MIA,
        }),
        ..SimulatorConfig::new(([127, 0, 0, 1], 0).into(), world)
    };
    config.settings.identify_interval = Duration::ZERO;
    Simulator::start(config).await.expect("a free port")
}

async fn shown(gateway: &Process, guild: GuildId) -> (u64, String) {
    let key = format!("Bearer {ADMIN_KEY}");
    let headers = [("Authorization", key.as_str())];
    let path = format!("/api/v1/guilds/{guild}");
    let shown = http::request(gateway.address, "GET", &path, &headers, None).await;
    let shown = shown.json();
    let count = shown["count"].as_u64().expect("a number");
    let freshness = shown["freshness"].as_str().expect("a word");
    (count, freshness.to_owned())
}

/// A member leaves, whether Discord says so or not.
fn leave(simulator: &Simulator, guild: u32, number: u32) {
    let change = Change::Leave {
        guild: Generated::guild_id(guild),
        user: Generated::user_id(guild, number),
    };
    simulator.handle().change(change).expect("a member");
}

#[tokio::test]
async fn without_the_members_intent_counts_are_polled_until_it_is_switched_on() {
    let data = Folder::new();
    let mut world = World::generated(&SIZE);
    world.set_privileged_intents(0);
    let simulator = simulate(world).await;
    let gateway = Process::serve_at(&data, &simulator.api_url(), |command| command).await;
    // The last one to be polled, so that this comes before.
    let index = SIZE.guilds - 1;
    let last = Generated::guild_id(index);
    let (before, freshness) = shown(&gateway, last).await;
    assert_eq!(freshness, "approximate");
    leave(&simulator, index, 4);
    until("a polled count", async || {
        shown(&gateway, last).await == (before - 1, "approximate".to_owned())
    })
    .await;
    let errors = gateway.logged("ERROR");
    let [message] = &errors[..] else {
        panic!("one message: {errors:?}");
    };
    let text = message["message"].as_str().expect("text");
    assert!(
        text.contains("Privileged Gateway Intents") && text.contains("then restart"),
        "{text}"
    );
    assert_eq!(message["intents"], "GUILD_MEMBERS");
    assert_eq!(message["switch_on"], "Server Members Intent");
    gateway.terminate().await;
    simulator.stop().await;

    let simulator = simulate(World::generated(&SIZE)).await;
    let gateway = Process::serve_at(&data, &simulator.api_url(), |command| command).await;
    assert_eq!(shown(&gateway, last).await, (before, "live".to_owned()));
    leave(&simulator, index, 4);
    until("a count that was told", async || {
        shown(&gateway, last).await == (before - 1, "live".to_owned())
    })
    .await;
    assert_eq!(gateway.logged("ERROR"), Vec::<Value>::new());
}

#[tokio::test]
async fn the_bot_is_shown_as_the_configuration_says() {
    let data = Folder::new();
    let simulator = simulate(World::demo()).await;
    let url = format!("ws://{}/?v=10&encoding=json", simulator.local_addr());
    let uri = url.parse().expect("a URI");
    let dialled = ClientBuilder::from_uri(uri).connect().await;
    let (mut mia, _) = dialled.expect("an upgrade");
    let identify = json!({"op": 2, "d": {"token": "mia's", "properties": {}}});
    let identify = Message::text(identify.to_string());
    mia.send(identify).await.expect("sent");
    let mut told = async |name: &str| loop {
        let next = tokio::time::timeout(PATIENCE, mia.next()).await;
        let message = next.expect("in time").expect("open").expect("sound");
        let Some(text) = message.as_text() else {
            continue;
        };
        let event: Value = serde_json::from_str(text).expect("JSON");
        if event["t"] == name {
            return event["d"].clone();
        }
    };
    told("READY").await;
    let _gateway = Process::serve_at(&data, &simulator.api_url(), |command| {
        command
            .env("GUILDGATE_DISCORD__PRESENCE__STATUS", "dnd")
            .env("GUILDGATE_DISCORD__PRESENCE__ACTIVITY", "the door")
    })
    .await;
    let presence = told("PRESENCE_UPDATE").await;
    assert_eq!(presence["user"]["id"], demo_ids::BOT.to_string());
    assert_eq!(presence["status"], "dnd");
    assert_eq!(presence["activities"][0]["name"], "the door");
}

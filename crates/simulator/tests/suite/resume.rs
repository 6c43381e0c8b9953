//! RESUME: 24 to 30.

use std::time::Duration;

use guildgate_simulator::{Change, GuildEdit, MainUrlResume, Settings, Simulator, World, demo_ids};
use serde_json::{Value, json};

use crate::{
    client::{ALL, Came, Raw, identify, names},
    start, start_with, until,
};

fn resume(ready: &Value, seq: u64) -> Value {
    json!({ "token": "simulator", "session_id": ready["session_id"], "seq": seq })
}

fn rename(simulator: &Simulator, name: &str) {
    let edit = GuildEdit {
        name: Some(name.into()),
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
}

/// A session that has received READY and its three guilds: its last number is 4.
async fn settled(simulator: &Simulator) -> (Raw, Value) {
    let (mut raw, ready) = Raw::ready(simulator, ALL).await;
    for _ in 0..3 {
        raw.event("GUILD_CREATE").await;
    }
    (raw, ready)
}

/// Dials the URL that READY named, and takes the HELLO.
async fn dial_resume(ready: &Value) -> Raw {
    let url = ready["resume_gateway_url"].as_str().expect("a URL");
    let mut raw = Raw::dial_url(&format!("{url}/?v=10&encoding=json")).await;
    assert_eq!(raw.payload().await["op"], 10);
    raw
}

#[tokio::test]
async fn s24_a_resume_replays_then_says_resumed_then_goes_on() {
    let simulator = start().await;
    let (raw, ready) = settled(&simulator).await;
    raw.close(None).await;
    for name in ["one", "two", "three"] {
        rename(&simulator, name);
    }
    let mut again = dial_resume(&ready).await;
    again.send(6, resume(&ready, 5)).await;
    // From here on it is heard live; before, it would be replayed.
    until("the resume", async || {
        simulator.handle().counters().resumes == 1
    })
    .await;
    rename(&simulator, "four");
    let mut got = Vec::new();
    while got.len() < 4 {
        got.push(again.op(0).await);
    }
    let said: Vec<(&str, u64)> = got
        .iter()
        .map(|event| {
            let name = event["d"]["name"].as_str();
            (
                name.or(event["t"].as_str()).expect("a name"),
                event["s"].as_u64().expect("a number"),
            )
        })
        .collect();
    // 5 was received before.
    let expected = [("two", 6), ("three", 7), ("RESUMED", 8), ("four", 9)];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn s24_an_old_resumed_is_not_said_twice() {
    let simulator = start().await;
    let (raw, ready) = settled(&simulator).await;
    raw.close(None).await;
    for _ in 0..2 {
        let mut again = dial_resume(&ready).await;
        again.send(6, resume(&ready, 4)).await;
        let got = again.all_until("RESUMED").await;
        assert!(!names(&got).contains(&"RESUMED"));
        again.close(None).await;
    }
}

#[tokio::test]
async fn s25_an_unknown_or_expired_session_gets_op_9_false_and_may_identify() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    raw.send(
        6,
        json!({ "token": "simulator", "session_id": "nobody's", "seq": 1 }),
    )
    .await;
    let refusal = raw.payload().await;
    assert_eq!((&refusal["op"], &refusal["d"]), (&json!(9), &json!(false)));
    raw.send(2, identify(ALL)).await;
    let ready = raw.event("READY").await;

    raw.close(None).await;
    wait_until_disconnected(&simulator).await;
    simulator.handle().advance(Duration::from_secs(180));
    let mut late = Raw::hello(&simulator).await;
    late.send(6, resume(&ready, 1)).await;
    assert_eq!(late.payload().await["op"], 9);
}

/// Waits until the simulator has noticed that every socket is gone.
async fn wait_until_disconnected(simulator: &Simulator) {
    until("the end of every socket", async || {
        let shown = crate::http_client::get(simulator, "/simulator").await;
        let sessions = shown["sessions"].as_array().expect("a list");
        sessions.iter().all(|session| session["connected"] == false)
    })
    .await;
}

#[tokio::test]
async fn s26_a_number_that_was_never_sent_is_closed_with_4007() {
    let simulator = start().await;
    let (raw, ready) = settled(&simulator).await;
    raw.close(None).await;
    let mut again = dial_resume(&ready).await;
    again.send(6, resume(&ready, 1_000)).await;
    assert_eq!(again.closed().await, Some(4007));
}

#[tokio::test]
async fn s27_a_client_that_closed_with_1000_or_1001_cannot_resume_and_is_offline() {
    let simulator = start().await;
    let (mut watcher, _) = Raw::ready(&simulator, ALL).await;
    for code in [1000, 1001] {
        simulator.handle().advance(Duration::from_secs(5));
        let (raw, ready) = settled(&simulator).await;
        raw.close(Some(code)).await;
        let mut again = dial_resume(&ready).await;
        again.send(6, resume(&ready, 4)).await;
        assert_eq!(again.payload().await["op"], 9, "after {code}");
    }
    watcher
        .send(
            3,
            json!({ "since": null, "activities": [], "status": "idle", "afk": false }),
        )
        .await;
    let presence = loop {
        let presence = watcher.event("PRESENCE_UPDATE").await;
        if presence["status"] == "idle" {
            break presence;
        }
    };
    assert_eq!(presence["user"]["id"], demo_ids::BOT.to_string());
}

#[tokio::test]
async fn s27_the_last_session_to_go_takes_the_bot_offline() {
    let config = guildgate_simulator::SimulatorConfig {
        clock: guildgate_simulator::Clock::stepped(),
        user: Some(guildgate_simulator::UserAccount {
            token: guildgate_model::Secret::new("mia-token"),
            user: demo_ids::MIA,
        }),
        ..guildgate_simulator::SimulatorConfig::new(([127, 0, 0, 1], 0).into(), World::demo())
    };
    let simulator = Simulator::start(config).await.expect("a free port");
    let mut mia = Raw::hello(&simulator).await;
    mia.send(2, json!({ "token": "mia-token", "properties": {} }))
        .await;
    for _ in 0..2 {
        mia.event("GUILD_CREATE").await;
    }
    let (bot, _) = settled(&simulator).await;
    bot.close(Some(1000)).await;
    loop {
        let presence = mia.event("PRESENCE_UPDATE").await;
        if presence["user"]["id"] == demo_ids::BOT.to_string() && presence["status"] == "offline" {
            return;
        }
    }
}

#[tokio::test]
async fn s28_what_is_no_longer_kept_cannot_be_resumed() {
    let settings = Settings {
        replay_events_max: 5,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let (raw, ready) = settled(&simulator).await;
    raw.close(None).await;
    wait_until_disconnected(&simulator).await;
    for number in 0..6 {
        rename(&simulator, &format!("name {number}"));
    }
    let mut again = dial_resume(&ready).await;
    again.send(6, resume(&ready, 4)).await;
    let refusal = again.payload().await;
    assert_eq!((&refusal["op"], &refusal["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn s29_a_resume_at_the_main_url_works_and_is_soon_asked_to_reconnect() {
    let after = MainUrlResume::ReconnectedAfter(Duration::from_secs(60));
    let settings = Settings {
        main_url_resume: after,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let (raw, ready) = settled(&simulator).await;
    raw.close(None).await;
    let mut again = Raw::hello(&simulator).await;
    again.send(6, resume(&ready, 4)).await;
    again.event("RESUMED").await;
    again.send(1, Value::Null).await;
    again.op(11).await;
    simulator.handle().advance(Duration::from_secs(60));
    assert_eq!(again.op(7).await["op"], 7);

    let mut proper = dial_resume(&ready).await;
    proper.send(6, resume(&ready, 4)).await;
    proper.event("RESUMED").await;
    simulator.handle().advance(Duration::from_secs(60));
    rename(&simulator, "after a minute");
    loop {
        let payload = proper.payload().await;
        assert_ne!(
            payload["op"], 7,
            "the URL that READY named is not asked to reconnect"
        );
        if payload["t"] == "GUILD_UPDATE" {
            return;
        }
    }
}

#[tokio::test]
async fn s30_a_resume_while_the_old_socket_lives_closes_the_old_one() {
    let simulator = start().await;
    let (mut old, ready) = settled(&simulator).await;
    let mut new = dial_resume(&ready).await;
    new.send(6, resume(&ready, 4)).await;
    new.event("RESUMED").await;
    assert!(old.closed().await.is_some());
    rename(&simulator, "for the new one");
    assert_eq!(new.event("GUILD_UPDATE").await["name"], "for the new one");
}

#[tokio::test]
async fn guilds_that_were_still_to_come_come_after_a_resume() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    raw.send(2, identify(ALL)).await;
    let ready = raw.event("READY").await;
    raw.close(None).await;
    let mut again = dial_resume(&ready).await;
    again.send(6, resume(&ready, 1)).await;
    let mut guilds = 0;
    while guilds < 3 {
        match again.next().await {
            Came::Payload(payload) if payload["t"] == "GUILD_CREATE" => guilds += 1,
            Came::Payload(_) => {}
            came @ (Came::End(_) | Came::Broken(_)) => panic!("no payload: {came:?}"),
        }
    }
}

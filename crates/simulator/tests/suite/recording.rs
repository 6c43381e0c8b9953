//! A gateway that is written down, and played again.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use guildgate_model::Secret;
use guildgate_simulator::{
    Change, Clock, GuildEdit, Playback, RecordOptions, Recorder, Recording, Redaction, Redactor,
    Simulator, SimulatorConfig, Speed, demo_ids, record,
};
use tokio::sync::Notify;

use crate::{
    PATIENCE,
    client::{ALL, Raw},
    start, until,
};

/// A writer whose bytes can be read meanwhile.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panicked").clone()).expect("JSON lines")
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panicked")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Records a live session: its start, and two changes of name.
async fn recorded(redaction: Redaction) -> Recording {
    let simulator = start().await;
    let handle = simulator.handle();
    let options = RecordOptions {
        api_url: simulator.api_url(),
        token: Secret::new("simulator"),
        intents: ALL,
        shard: (0, 1),
    };
    let kept = Kept::default();
    let recorder = Recorder::new(Box::new(kept.clone()), Redactor::new(redaction, 99));
    let recorder = recorder.expect("memory takes it");
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let recording =
        tokio::spawn(async move { record(&options, recorder, stopped.notified()).await });
    until("three guilds", async || {
        kept.text().matches("GUILD_CREATE").count() >= 3
    })
    .await;
    for name in ["First", "Second"] {
        let edit = GuildEdit {
            name: Some(name.into()),
            ..GuildEdit::default()
        };
        let change = Change::EditGuild {
            guild: demo_ids::REST,
            edit: Box::new(edit),
        };
        handle.change(change).expect("the guild is there");
    }
    until("the last change", async || kept.text().contains("Second")).await;
    stop.notify_one();
    let summary = tokio::time::timeout(PATIENCE, recording)
        .await
        .expect("it stops when it is told to")
        .expect("nothing panics")
        .expect("it was recorded");
    assert_eq!(summary.closed, None, "it ended because it was told to");
    assert!(summary.frames >= 7, "{summary:?}");
    Recording::read(kept.text().as_bytes()).expect("its own format")
}

async fn play(recording: &Recording, speed: Speed) -> Simulator {
    let playback = Playback::new(recording, speed);
    let config = SimulatorConfig {
        clock: Clock::stepped(),
        playback: Some(playback.clone()),
        ..SimulatorConfig::new(([127, 0, 0, 1], 0).into(), playback.world())
    };
    Simulator::start(config).await.expect("a free port")
}

#[tokio::test]
async fn what_was_recorded_is_played_at_any_speed() {
    let mut recording = recorded(Redaction::Secrets).await;
    let text: String = recording
        .frames
        .iter()
        .map(|frame| frame.frame.get())
        .collect();
    assert!(
        !text.contains("\"token\":\"simulator\""),
        "no token is written"
    );
    // As if the changes had come after ten seconds.
    for frame in &mut recording.frames {
        let late = frame.frame.get().contains("GUILD_UPDATE");
        frame.t_ms = if late { 10_000 } else { 0 };
    }
    let simulator = play(&recording, Speed::Times(2.0)).await;
    let (mut raw, ready) = Raw::ready(&simulator, ALL).await;
    assert_eq!(ready["user"]["id"], demo_ids::BOT.to_string());
    let own_url = format!("ws://{}/resume", simulator.local_addr());
    assert_eq!(ready["resume_gateway_url"], own_url);
    for _ in 0..3 {
        raw.event("GUILD_CREATE").await;
    }
    simulator.handle().advance(Duration::from_millis(4_999));
    simulator
        .handle()
        .dispatch("SIMULATOR_MARKER", None, &serde_json::json!({}));
    let early = raw.all_until("SIMULATOR_MARKER").await;
    assert!(
        early.iter().all(|event| event["t"] != "GUILD_UPDATE"),
        "not before its time"
    );
    simulator.handle().advance(Duration::from_millis(1));
    assert_eq!(raw.event("GUILD_UPDATE").await["name"], "First");
    let last = raw.dispatch("GUILD_UPDATE").await;
    assert_eq!(last["d"]["name"], "Second");
    assert!(last["s"].is_u64());
}

#[tokio::test]
async fn a_recording_without_people_still_plays() {
    let recording = recorded(Redaction::Users).await;
    let text: String = recording
        .frames
        .iter()
        .map(|frame| frame.frame.get())
        .collect();
    for told in ["\"mia\"", "\"Mia\"", &demo_ids::MIA.to_string()] {
        assert!(!text.contains(told), "{told} is told");
    }
    let simulator = play(&recording, Speed::AsTaken).await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let guild = raw.event("GUILD_CREATE").await;
    assert_eq!(guild["name"], "Rustaceans' Rest");
    assert_eq!(guild["member_count"], 43);
    raw.event("GUILD_UPDATE").await;
    assert_eq!(raw.event("GUILD_UPDATE").await["name"], "Second");
}

#[tokio::test]
async fn a_refused_token_is_said_in_words() {
    let simulator = start().await;
    let options = RecordOptions {
        api_url: simulator.api_url(),
        token: Secret::new("wrong"),
        intents: 1,
        shard: (0, 1),
    };
    let recorder = Recorder::new(Box::new(io::sink()), Redactor::new(Redaction::Secrets, 1));
    let recorder = recorder.expect("nothing refuses it");
    let error = record(&options, recorder, std::future::pending())
        .await
        .expect_err("a bad token");
    assert!(error.to_string().contains("401"), "{error}");
    assert!(!format!("{error:?}").contains("wrong"));
}

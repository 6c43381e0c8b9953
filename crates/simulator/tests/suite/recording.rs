//! A gateway that is written down, and played again.

mod losses;

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use guildgate_discord::Refusal;
use guildgate_model::Secret;
use guildgate_simulator::{
    Change, Clock, GuildEdit, Playback, RecordError, RecordOptions, RecordSummary, Recorder,
    Recording, Redaction, Redactor, Simulator, SimulatorConfig, Speed, World, demo_ids, record,
};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};

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

/// A recording that is being made, on the simulator's own clock.
struct Live {
    simulator: Simulator,
    kept: Kept,
    stop: Arc<Notify>,
    task: JoinHandle<Result<RecordSummary, RecordError>>,
}

impl Live {
    /// Begins one, and waits until the three guilds are in it.
    async fn start(redaction: Redaction) -> Live {
        let clock = Clock::stepped();
        let config = SimulatorConfig {
            clock: clock.clone(),
            ..SimulatorConfig::new(([127, 0, 0, 1], 0).into(), World::demo())
        };
        let simulator = Simulator::start(config).await.expect("a free port");
        let options = RecordOptions {
            clock,
            ..options(&simulator, "simulator")
        };
        let kept = Kept::default();
        let recorder = Recorder::new(Box::new(kept.clone()), Redactor::new(redaction, 99));
        let recorder = recorder.expect("memory takes it");
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let task =
            tokio::spawn(async move { record(&options, recorder, stopped.notified()).await });
        let live = Live {
            simulator,
            kept,
            stop,
            task,
        };
        live.until("GUILD_CREATE", 3).await;
        live
    }

    /// Waits until `text` stands in the recording so often.
    async fn until(&self, text: &str, times: usize) {
        until(text, async || {
            self.kept.text().matches(text).count() >= times
        })
        .await;
    }

    fn rename(&self, name: &str) {
        let edit = GuildEdit {
            name: Some(name.into()),
            ..GuildEdit::default()
        };
        let change = Change::EditGuild {
            guild: demo_ids::REST,
            edit: Box::new(edit),
        };
        let made = self.simulator.handle().change(change);
        made.expect("the guild is there");
    }

    async fn end(self) -> (Recording, Result<RecordSummary, RecordError>) {
        self.stop.notify_one();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        let ended = ended.expect("it stops when it is told to");
        let recording = Recording::read(self.kept.text().as_bytes()).expect("its own format");
        (recording, ended.expect("nothing panics"))
    }
}

fn options(simulator: &Simulator, token: &str) -> RecordOptions {
    RecordOptions {
        api_url: simulator.api_url(),
        token: Secret::new(token),
        intents: ALL,
        shard: (0, 1),
        clock: Clock::stepped(),
        seed: 7,
    }
}

/// Records a live session: its start, and two changes of name.
async fn recorded(redaction: Redaction) -> Recording {
    let live = Live::start(redaction).await;
    for name in ["First", "Second"] {
        live.rename(name);
    }
    live.until("Second", 1).await;
    let (recording, ended) = live.end().await;
    let summary = ended.expect("it was recorded");
    assert!(summary.frames >= 7, "{summary:?}");
    assert_eq!((summary.sessions, summary.resumes), (1, 0));
    recording
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
    let options = options(&simulator, "wrong");
    let recorder = Recorder::new(Box::new(io::sink()), Redactor::new(Redaction::Secrets, 1));
    let recorder = recorder.expect("nothing refuses it");
    let error = record(&options, recorder, std::future::pending())
        .await
        .expect_err("a bad token");
    assert!(
        matches!(error, RecordError::Refused(Refusal::Token)),
        "{error:?}"
    );
    assert!(!format!("{error:?} {options:?}").contains("wrong"));
}

#[tokio::test]
async fn a_recording_that_began_anew_is_played_as_one_session() {
    let mut lines = String::from("{\"guildgate_recording\":1}\n");
    for (s, t, d) in [
        (
            1,
            "READY",
            json!({ "guilds": [{ "id": "1" }, { "id": "2" }, { "id": "3" }] }),
        ),
        (2, "GUILD_CREATE", json!({ "id": "1", "name": "First" })),
        (3, "GUILD_CREATE", json!({ "id": "4", "name": "Joined" })),
        (4, "GUILD_DELETE", json!({ "id": "2", "unavailable": true })),
        (5, "GUILD_DELETE", json!({ "id": "3" })),
        (1, "READY", json!({ "guilds": [{ "id": "1" }] })),
        (2, "GUILD_CREATE", json!({ "id": "1", "name": "Again" })),
    ] {
        let frame = json!({ "op": 0, "s": s, "t": t, "d": d });
        let line = json!({ "t_ms": 0, "dir": "in", "frame": frame });
        writeln!(lines, "{line}").expect("text grows");
    }
    let recording = Recording::read(lines.as_bytes()).expect("its own format");
    let simulator = play(&recording, Speed::AsTaken).await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let mut got = Vec::new();
    while got
        .last()
        .is_none_or(|(_, d): &(_, Value)| d["name"] != "Again")
    {
        let event = raw.op(0).await;
        got.push((event["t"].clone(), event["d"].clone()));
    }
    let expected = [
        ("GUILD_CREATE", json!({ "id": "1", "name": "First" })),
        ("GUILD_CREATE", json!({ "id": "4", "name": "Joined" })),
        ("GUILD_DELETE", json!({ "id": "2", "unavailable": true })),
        ("GUILD_DELETE", json!({ "id": "3" })),
        ("GUILD_DELETE", json!({ "id": "2" })),
        ("GUILD_DELETE", json!({ "id": "4" })),
        ("GUILD_CREATE", json!({ "id": "1", "name": "Again" })),
    ];
    assert_eq!(got, expected.map(|(name, d)| (json!(name), d)));
}

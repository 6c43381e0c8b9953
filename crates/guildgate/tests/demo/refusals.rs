//! What Discord refuses for good: one line with the cure, an exit code of its own, no redial.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::{
    gateway::{Folder, PATIENCE, guildgate, until},
    http,
    process::Process,
};

/// A close code, the exit code that it ends the process with, and words of the cure.
const REFUSALS: [(u16, i32, &str); 6] = [
    (4004, 64, "copy it anew from the application's Bot page"),
    (4010, 67, "set discord.shards = \"auto\""),
    (4011, 68, "to a higher number"),
    (4012, 69, "update guildgate"),
    (4013, 66, "take them out"),
    (
        4014,
        65,
        "switch them on under \"Privileged Gateway Intents\"",
    ),
];

/// Lets the simulator close with each code, once `command` has a session, and checks how it ends.
async fn each_is_told(command: impl Fn(&Folder) -> Command) {
    let simulator = Process::simulate().await;
    let count = async |name: &str| {
        let counters = simulator.get("/simulator/counters").await.json();
        counters[name].as_u64().expect("a number")
    };
    let fault = async |body| {
        let path = "/simulator/faults";
        let done = http::request(simulator.address, "POST", path, &[], Some(body)).await;
        assert_eq!(done.status, 200, "{}", done.text);
        done.json()["connections"].clone()
    };
    for (code, exit, cure) in REFUSALS {
        let data = Folder::new();
        fault(json!({ "kind": "restore_budget" })).await;
        let before = (count("dispatches").await, count("connections").await);
        let child = command(&data)
            .env("DISCORD_TOKEN", "simulator")
            .env("GUILDGATE_DISCORD__API_URL", simulator.url("/api/v10"))
            // Any bot may ask for these, so that 4014 leaves nothing to go on without.
            .env("GUILDGATE_DISCORD__INTENTS", "GUILDS")
            .env("GUILDGATE_DRAIN_WINDOW", "100ms")
            .env("GUILDGATE_LOG__LEVEL", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it runs");
        until("a session", async || {
            count("dispatches").await >= before.0 + 4
        })
        .await;
        assert_eq!(fault(json!({ "kind": "close", "code": code })).await, 1);
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = ended.expect("it does not try again").expect("its output");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(exit), "{code}: {said}");
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("guildgate: "))
            .collect();
        assert_eq!(lines.len(), 1, "{code}: {said}");
        assert!(lines[0].contains(cure), "{code}: {said}");
        let dialled = count("connections").await - before.1;
        assert_eq!(dialled, 1, "{code}: no redial");
    }
}

#[tokio::test]
async fn a_gateway_that_discord_refuses_says_what_to_do_and_ends() {
    each_is_told(|data| {
        let mut serve = guildgate();
        serve
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path());
        serve
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_discord_refuses_says_what_to_do_and_ends() {
    each_is_told(|data| {
        let mut record = guildgate();
        record
            .args(["record", "--out"])
            .arg(data.path().join("frames.jsonl"));
        record
    })
    .await;
}

//! The simulator's commands, and those that speak to Discord.

use std::process::{Output, Stdio};

use serde_json::Value;

use crate::{
    client::Client,
    gateway::{Folder, Gateway, PATIENCE, REST, guildgate, until},
    process::{ADMIN_KEY, Process, signal},
};

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = guildgate();
    command.args(arguments).envs(environment.iter().copied());
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    output.expect("in time").expect("the binary runs")
}

#[tokio::test]
async fn a_fault_strikes_and_the_gateway_gets_over_it() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::serve(&data, &simulator).await;
    let address = simulator.address.to_string();
    let strike = async |arguments: &[&str]| {
        let fault = [&["fault"], arguments, &["--simulator", &address]].concat();
        let output = run(&fault, &[]).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), errors)
    };
    assert!(strike(&["drop"]).await.0);
    gateway.until("discord_resumes_total 1").await;
    assert!(strike(&["close", "code=4000"]).await.0);
    gateway.until("discord_resumes_total 2").await;
    assert!(strike(&["drop", "target=shard:0"]).await.0);
    gateway.until("discord_resumes_total 3").await;
    assert!(strike(&["drop", "target=shard:1"]).await.0, "nobody's");
    assert!(strike(&["drop", "target=session:no-such-session"]).await.0);

    let issue = ["issue", "--kind", "gatewayGuild", "--for", REST];
    let token = Gateway::token_command(&data, &issue).await;
    let mut client = Client::dial(gateway.address).await;
    client.authenticate(None, None).await;
    client.connect_guild(&token).await;
    let guild = format!("guild={REST}");
    assert!(strike(&["outage", &guild]).await.0);
    let (gone, _) = client.event("GUILD_UNAVAILABLE").await;
    assert_eq!(gone["left"], false);
    assert!(strike(&["end-outage", &guild]).await.0);
    client.event("GUILD_RESYNC").await;

    for bad in [
        &["no-such"][..],
        &["close"],
        &["close", "4000"],
        &["outage"],
        &["drop", "target=everybody"],
    ] {
        let (done, errors) = strike(bad).await;
        assert!(
            !done && errors.starts_with("guildgate: "),
            "{bad:?}: {errors}"
        );
    }
}

#[tokio::test]
async fn an_operator_has_the_bot_speak() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::serve(&data, &simulator).await;
    let url = gateway.url("");
    let send = async |what: &str, json: &str| {
        let arguments = ["discord", "send", what, json, "--gateway", &url];
        let output = run(&arguments, &[("GUILDGATE_ADMIN_KEY", ADMIN_KEY)]).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), errors)
    };
    let (done, errors) = send("presence", r#"{"status":"idle"}"#).await;
    assert!(done, "{errors}");
    let members = format!(r#"{{"guild_id":"{REST}","query":"m","limit":1}}"#);
    let (done, errors) = send("request-members", &members).await;
    assert!(done, "{errors}");
    gateway
        .until("discord_events_total{event=\"GUILD_MEMBERS_CHUNK\"} 1")
        .await;

    let (done, errors) = send("presence", r#"{"status":"asleep"}"#).await;
    assert!(!done && errors.contains("/status"), "{errors}");
    let (done, errors) = send("presence", "idle").await;
    assert!(!done && errors.contains("single quotes"), "{errors}");
    let neither = format!(r#"{{"guild_id":"{REST}"}}"#);
    let (done, errors) = send("request-members", &neither).await;
    assert!(!done && errors.contains("422"), "{errors}");
}

#[tokio::test]
async fn opcodes_for_user_accounts_are_served_to_one() {
    const MIA: &str = "1001000000000000002";
    let data = Folder::new();
    let account = format!("sesame={MIA}");
    let simulator = Process::simulate_with(&["--user", &account, "--seed", "7"]).await;
    let gateway = Process::serve_with(&data, &simulator, |command| {
        command.env("DISCORD_TOKEN", "sesame")
    })
    .await;
    let counter = async |name: &str| {
        let counters = simulator.get("/simulator/counters").await.text;
        let counters: serde_json::Value = serde_json::from_str(&counters).expect("JSON");
        counters[name].as_u64().expect("a number")
    };
    let before = counter("dispatches").await;
    let url = gateway.url("");
    for (what, json) in [
        ("voice-ping", r#"{"shard":0}"#.to_owned()),
        ("guild-sync", format!(r#"{{"guild_ids":["{REST}"]}}"#)),
    ] {
        let arguments = ["discord", "send", what, &json, "--gateway", &url];
        let output = run(&arguments, &[("GUILDGATE_ADMIN_KEY", ADMIN_KEY)]).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{what}: {errors}");
    }
    let answered = async {
        while counter("dispatches").await == before {
            tokio::task::yield_now().await;
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answered).await;
    answered.expect("GUILD_SYNC is answered");
    assert_eq!(counter("closes").await, 0);
}

#[tokio::test]
async fn what_was_recorded_is_played_again() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let file = data.path().join("frames.zst");
    let file = file.to_str().expect("a plain path");
    let url = simulator.url("/api/v10");
    let environment = [
        ("DISCORD_TOKEN", "simulator"),
        ("GUILDGATE_DISCORD__API_URL", &url),
    ];
    let mut command = guildgate();
    command
        .args(["record", "--out", file, "--redact-users"])
        .envs(environment)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let recorder = command.kill_on_drop(true).spawn().expect("it runs");
    let count = async |name: &str| {
        let counters = simulator.get("/simulator/counters").await.json();
        counters[name].as_u64().expect("a number")
    };
    until("READY and three guilds", async || {
        count("dispatches").await >= 4
    })
    .await;
    // Its answer shows that it has read what came before the question.
    let before = count("heartbeats").await;
    let ask = [
        "fault",
        "ask-heartbeat",
        "--simulator",
        &simulator.address.to_string(),
    ];
    let asked = run(&ask, &[]).await;
    assert!(asked.status.success(), "{asked:?}");
    until("a heartbeat", async || count("heartbeats").await > before).await;
    signal(&recorder, "TERM").await;
    let output = tokio::time::timeout(PATIENCE, recorder.wait_with_output()).await;
    let output = output.expect("in time").expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    simulator.kill().await;

    let replay = Process::simulate_with(&["--replay", file, "--speed", "0"]).await;
    let gateway = Process::serve(&data, &replay).await;
    let key = format!("Bearer {ADMIN_KEY}");
    let headers = [("Authorization", key.as_str())];
    let path = "/api/v1/guilds";
    let guilds = crate::http::request(gateway.address, "GET", path, &headers, None).await;
    let guilds: Value = guilds.json();
    assert_eq!(
        guilds["guilds"].as_array().map(Vec::len),
        Some(3),
        "{guilds}"
    );
    assert_eq!(guilds["guilds"][0]["guild"]["name"], "Rustaceans' Rest");
}

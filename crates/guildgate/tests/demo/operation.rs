//! Running it.

use serde_json::json;

use crate::{
    gateway::{Folder, Gateway, MIA, PATIENCE, REST, guildgate, until},
    http,
    process::signal,
};

#[tokio::test]
async fn the_page_the_demo_and_the_api_are_served() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let get = async |path: &str| http::request(gateway.address, "GET", path, &[], None).await;
    let page = get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        page.head
    );
    for path in page
        .text
        .split('"')
        .filter(|text| text.starts_with("/console/"))
    {
        assert_eq!(get(path).await.status, 200, "{path}");
    }
    assert_eq!(get("/sdk/js/guildgate.js").await.status, 200);
    let demo = get("/demo.json").await.json();
    assert_eq!(demo["guilds"][0]["id"], REST);
    assert!(demo["admin_key"].is_null(), "the page needs no admin key");
    let url = get("/api/gateway").await.json()["url"].clone();
    assert_eq!(url, format!("ws://{}/gateway", gateway.address));
    assert_eq!(get("/readyz").await.status, 200);
    assert_eq!(get("/healthz").await.status, 200);
    assert_eq!(get("/api/v1/guilds").await.status, 401);
    let guilds = gateway.api("GET", "/api/v1/guilds", None).await.json();
    assert_eq!(guilds["guilds"].as_array().map(Vec::len), Some(3));
    let guild = gateway
        .api("GET", &format!("/api/v1/guilds/{REST}"), None)
        .await;
    assert_eq!(guild.json()["name"], "Rustaceans' Rest");
}

#[tokio::test]
async fn an_invite_that_is_set_is_followed() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut client = gateway.connect_as(MIA).await;
    client.settle(gateway.guild_token()).await;
    let path = format!("/api/v1/guilds/{REST}/invite");
    let set = gateway
        .api("PUT", &path, Some(json!({"code": "gone"})))
        .await;
    assert_eq!(set.status, 204, "{}", set.text);
    let (update, _) = client.event("GUILD_UPDATE").await;
    assert_eq!(update["guild"]["current_invite_valid"], false);
    gateway
        .api("PUT", &path, Some(json!({"code": "crabs-welcome"})))
        .await;
    let (update, _) = client.event("GUILD_UPDATE").await;
    assert_eq!(update["guild"]["current_invite_valid"], true);
}

#[tokio::test]
async fn an_invite_that_runs_out_is_told_as_gone() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut client = gateway.connect_as(MIA).await;
    client.settle(gateway.guild_token()).await;
    let path = format!("/api/v1/guilds/{REST}/invite");
    let set = async |code: &str| gateway.api("PUT", &path, Some(json!({"code": code}))).await;
    set("gone").await;
    let (update, _) = client.event("GUILD_UPDATE").await;
    assert_eq!(update["guild"]["current_invite_valid"], false);
    let channel = guildgate_simulator::demo_ids::CHANNEL;
    let invites = format!("/channels/{channel}/invites");
    let brief = json!({"code": "brief", "max_age": 2});
    gateway.discord("POST", &invites, Some(brief)).await;
    set("brief").await;
    let (update, _) = client.event("GUILD_UPDATE").await;
    assert_eq!(update["guild"]["current_invite_valid"], true);
    let (update, _) = client.event("GUILD_UPDATE").await;
    assert_eq!(update["guild"]["current_invite_valid"], false);
}

#[tokio::test]
async fn a_signal_lets_clients_go_and_the_process_ends() {
    let data = Folder::new();
    let mut gateway = Gateway::start(&data).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(gateway.connect_as(MIA).await);
    }
    signal(&gateway.process, "TERM").await;
    for mut client in clients {
        assert_eq!(client.closed().await, 1001);
    }
    let ended = tokio::time::timeout(PATIENCE, gateway.process.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let data = Folder::new();
    let mut gateway =
        Gateway::start_with(&data, |command| command.env("GUILDGATE_DRAIN_WINDOW", "1h")).await;
    let _clients = [gateway.connect_as(MIA).await, gateway.connect_as(MIA).await];
    signal(&gateway.process, "TERM").await;
    until("a drain", async || {
        let ready = http::request(gateway.address, "GET", "/readyz", &[], None);
        ready.await.status != 200
    })
    .await;
    signal(&gateway.process, "TERM").await;
    let ended = tokio::time::timeout(PATIENCE, gateway.process.wait()).await;
    assert_eq!(ended.expect("in time").expect("a status").code(), Some(7));
}

/// A request that never comes to its end must not hold the process.
#[tokio::test]
async fn a_demo_ends_though_a_request_to_its_simulator_does_not() {
    use tokio::io::AsyncWriteExt as _;
    let data = Folder::new();
    let mut gateway = Gateway::start(&data).await;
    let mut half = tokio::net::TcpStream::connect(gateway.simulator)
        .await
        .expect("it listens");
    half.write_all(
        b"POST /simulator/faults HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
          Content-Length: 100\r\n\r\n{",
    )
    .await
    .expect("sent");
    signal(&gateway.process, "TERM").await;
    let ended = tokio::time::timeout(PATIENCE, gateway.process.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
}

#[tokio::test]
async fn a_signal_ends_a_process_that_waits_for_its_database() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let data = Folder::new();
    let lock = std::fs::File::create(data.path().join("guildgate.db.lock")).expect("a file");
    lock.lock().expect("nobody else has it");
    let mut serve = guildgate()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env("DISCORD_TOKEN", "simulator")
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs");
    let mut log = BufReader::new(serve.stderr.take().expect("a pipe")).lines();
    let told = async {
        while let Some(line) = log.next_line().await.expect("text") {
            if line.contains("waiting for the database") {
                return;
            }
        }
        panic!("it ended before it said what it waits for");
    };
    tokio::time::timeout(PATIENCE, told).await.expect("in time");
    signal(&serve, "TERM").await;
    let ended = tokio::time::timeout(PATIENCE, serve.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
}

#[tokio::test]
async fn what_cannot_start_says_why_with_a_code_of_its_own() {
    let run = async |arguments: &[&str], file: Option<&str>| {
        let data = Folder::new();
        let path = data.path().join("guildgate.toml");
        std::fs::write(&path, file.unwrap_or_default()).expect("a file");
        let output = guildgate()
            .args(arguments)
            .arg("--config")
            .arg(&path)
            .current_dir(data.path())
            .output()
            .await
            .expect("the binary runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), errors)
    };
    let (code, errors) = run(&["serve"], Some("lisen = 'x'")).await;
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("did you mean `listen`?"), "{errors}");
    let (code, errors) = run(&["serve"], None).await;
    assert_eq!(code, Some(3), "{errors}");
    assert!(
        errors.contains("DISCORD_TOKEN") && errors.contains("guildgate demo"),
        "{errors}"
    );
    let (code, errors) = run(
        &["serve"],
        Some("database_url = 'sqlite:/dev/null/x.db'\ndiscord.token='t'"),
    )
    .await;
    assert_eq!(code, Some(4), "{errors}");
    let (code, errors) = run(&["token", "revoke", "1"], None).await;
    assert_eq!(code, Some(4), "{errors}");
    assert!(
        errors.contains("there is no database at /") && errors.contains("--data"),
        "{errors}"
    );
    let (code, errors) = run(
        &["token", "revoke", "1"],
        Some("database_url = 'sqlite::memory:'"),
    )
    .await;
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("token list"), "{errors}");
}

#[tokio::test]
async fn the_command_that_the_greeting_shows_issues_a_token_that_works() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let arguments = gateway.issue_command.strip_prefix("guildgate ");
    let output = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{} {}",
            env!("CARGO_BIN_EXE_guildgate"),
            arguments.expect("a command of guildgate's")
        ))
        .current_dir("/")
        .output()
        .await
        .expect("a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let token = String::from_utf8(output.stdout).expect("text");
    let mut client = gateway.connect().await;
    client.authenticate(Some(token.trim()), Some(MIA)).await;
}

#[tokio::test]
async fn a_refused_bot_token_ends_the_process_with_the_cure() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let other = Folder::new();
    let serve = guildgate()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(other.path())
        .env("DISCORD_TOKEN", "wrong-sesame")
        .env(
            "GUILDGATE_DISCORD__API_URL",
            format!("http://{}/api/v10", gateway.simulator),
        )
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, serve).await;
    let output = output.expect("in time").expect("the binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{errors}");
    assert!(
        errors.contains("Discord refuses the bot's token"),
        "{errors}"
    );
    assert!(!errors.contains("sesame"), "{errors}");
}

#[tokio::test]
async fn check_refuses_tls_files_that_serve_would_refuse() {
    let data = Folder::new();
    let output = guildgate()
        .arg("check")
        .env("GUILDGATE_DATA", data.path())
        .env("GUILDGATE_TLS__CERTIFICATE", data.path().join("no.pem"))
        .env("GUILDGATE_TLS__KEY", data.path().join("no.key"))
        .output()
        .await
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("TLS            FAILED: `tls.certificate` is")
            && said.contains("check that it exists"),
        "{said}"
    );
}

#[tokio::test]
async fn check_tells_what_works_and_what_does_not() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let check = async |token: &str| {
        let output = guildgate()
            .arg("check")
            .env("DISCORD_TOKEN", token)
            .env("GUILDGATE_DATA", data.path())
            .env(
                "GUILDGATE_DISCORD__API_URL",
                format!("http://{}/api/v10", gateway.simulator),
            )
            .output()
            .await
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = check("simulator").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("SQLite") && said.contains("takes the bot's token"),
        "{said}"
    );
    let (code, said) = check("wrong-sesame").await;
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("FAILED") && said.contains("copy it anew"),
        "{said}"
    );
    assert!(!said.contains("sesame"), "{said}");
}

#[tokio::test]
async fn the_simulator_logs_as_the_environment_says() {
    let mut child = guildgate()
        .args(["simulate", "--listen", "127.0.0.1:0"])
        .env("GUILDGATE_LOG__FORMAT", "json")
        // Not its business.
        .env("GUILDGATE_DRAIN_WINDOW", "nonsense")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let log = child.stderr.take().expect("a pipe");
    let mut log = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(log));
    let line = tokio::time::timeout(PATIENCE, log.next_line()).await;
    let line = line.expect("it logs").expect("read").expect("a line");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["message"], "the simulator listens", "{line}");
}

#[tokio::test]
async fn a_log_level_that_is_none_is_refused_by_the_simulator_too() {
    let output = guildgate()
        .args(["simulate", "--listen", "127.0.0.1:0"])
        .env("GUILDGATE_LOG__LEVEL", "inof")
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("environment variable GUILDGATE_LOG__LEVEL"),
        "{said}"
    );
}

//! Simulator and gateway as processes of their own.

use std::{net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    gateway::{Folder, PATIENCE, guildgate, until},
    http,
};

/// A process that listens; ends with the test.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// `guildgate simulate`.
    pub async fn simulate() -> Process {
        Process::simulate_with(&[]).await
    }

    pub async fn simulate_with(arguments: &[&str]) -> Process {
        let mut command = guildgate();
        command
            .args(["simulate", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("it runs");
        let stdout = child.stdout.take().expect("a pipe");
        let address = first(stdout, |line| {
            let (_, rest) = line.split_once("http://")?;
            rest.split('/').next()?.parse().ok()
        });
        let address = address.await;
        Process { child, address }
    }

    /// `guildgate serve` for the simulator's bot, once it is ready.
    pub async fn serve(data: &Folder, simulator: &Process) -> Process {
        Process::serve_with(data, simulator, |command| command).await
    }

    pub async fn serve_with(
        data: &Folder,
        simulator: &Process,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Process {
        let process = Process::start_with(data, simulator, change).await;
        until("readiness", async || {
            process.get("/readyz").await.status == 200
        })
        .await;
        process
    }

    /// The same, once it listens.
    pub async fn start_with(
        data: &Folder,
        simulator: &Process,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Process {
        let mut command = guildgate();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env("DISCORD_TOKEN", "simulator")
            .env("GUILDGATE_DISCORD__API_URL", simulator.url("/api/v10"))
            .env("GUILDGATE_ADMIN_KEY", ADMIN_KEY)
            .env("GUILDGATE_DRAIN_WINDOW", "100ms")
            .env("GUILDGATE_DISCORD__USER_OPCODES", "allow")
            .env("GUILDGATE_LOG__FORMAT", "json")
            .stderr(Stdio::piped());
        let mut child = change(&mut command)
            .kill_on_drop(true)
            .spawn()
            .expect("it runs");
        let log = child.stderr.take().expect("a pipe");
        let address = first(log, |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["message"] == "the gateway listens")
                .then(|| line["address"].as_str()?.parse().ok())?
        });
        let address = address.await;
        Process { child, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> http::Reply {
        http::request(self.address, "GET", path, &[], None).await
    }

    /// Whether a line stands in the metrics; named without `guildgate_`.
    pub async fn metric(&self, line: &str) -> bool {
        let line = format!("guildgate_{line}");
        self.get("/metrics")
            .await
            .text
            .lines()
            .any(|found| found == line)
    }

    /// Waits until a line stands in the metrics.
    pub async fn until(&self, line: &str) {
        until(line, async || self.metric(line).await).await;
    }

    /// Asks it to stop, and waits until it has.
    pub async fn terminate(mut self) {
        signal(&self.child, "TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.expect("in time").expect("a status").success());
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }
}

/// Sends a signal by its name.
pub async fn signal(process: &Child, name: &str) {
    let pid = process.id().expect("it runs").to_string();
    let mut kill = Command::new("kill");
    let sent = kill.args(["-s", name, &pid]).status().await;
    assert!(sent.expect("kill runs").success());
}

pub const ADMIN_KEY: &str = "a-key-that-nobody-guesses";

/// What `find` finds in the first line that has it. Reads on behind it, so that the process
/// never waits for its reader.
async fn first<T>(
    output: impl tokio::io::AsyncRead + Unpin + Send + 'static,
    find: impl Fn(&str) -> Option<T>,
) -> T {
    let mut lines = BufReader::new(output).lines();
    let search = async {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("text") {
            if let Some(found) = find(&line) {
                return found;
            }
            said += &line;
        }
        panic!("it ended before it listened: {said}")
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    let found = found.expect("it listens in time");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    found
}

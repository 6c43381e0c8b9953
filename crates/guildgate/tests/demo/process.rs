//! Simulator and gateway as processes of their own.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

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
    said: Said,
}

/// What a process wrote so far, line by line.
type Said = Arc<Mutex<Vec<String>>>;

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
        let said = Said::default();
        let address = first(stdout, said.clone(), |line| {
            let (_, rest) = line.split_once("http://")?;
            rest.split('/').next()?.parse().ok()
        });
        let address = address.await;
        Process {
            child,
            address,
            said,
        }
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
        Process::serve_at(data, &simulator.url("/api/v10"), change).await
    }

    /// The same for the Discord that answers at `api_url`.
    pub async fn serve_at(
        data: &Folder,
        api_url: &str,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Process {
        let process = Process::start_with(data, api_url, change).await;
        until("readiness", async || {
            process.get("/readyz").await.status == 200
        })
        .await;
        process
    }

    /// The same, once it listens.
    pub async fn start_with(
        data: &Folder,
        api_url: &str,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Process {
        let mut command = guildgate();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env("DISCORD_TOKEN", "simulator")
            .env("GUILDGATE_DISCORD__API_URL", api_url)
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
        let said = Said::default();
        let address = first(log, said.clone(), |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["message"] == "the gateway listens")
                .then(|| line["address"].as_str()?.parse().ok())?
        });
        let address = address.await;
        Process {
            child,
            address,
            said,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> http::Reply {
        http::request(self.address, "GET", path, &[], None).await
    }

    /// The lines of its log so far that are this serious, each a JSON object.
    pub fn logged(&self, level: &str) -> Vec<serde_json::Value> {
        let said = self.said.lock().expect("nobody panicked");
        said.iter()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|line| line["level"] == level)
            .collect()
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
    said: Said,
    find: impl Fn(&str) -> Option<T>,
) -> T {
    let mut lines = BufReader::new(output).lines();
    let keep = |said: &Said, line: String| said.lock().expect("nobody panicked").push(line);
    let search = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            let found = find(&line);
            keep(&said, line);
            if let Some(found) = found {
                return found;
            }
        }
        panic!("it ended before it listened: {said:?}")
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    let found = found.expect("it listens in time");
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            keep(&said, line);
        }
    });
    found
}

//! A running `guildgate demo`.

use std::{
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::{client::Client, http};

/// What a failing wait is given up after.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that is waited for, so that those who bring it about have the
/// processor meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// The demo's guild and people, as its world has them.
pub const REST: &str = "1190000000000000000";
pub const MIA: &str = "1001000000000000002";
pub const MAX: &str = "1001000000000000003";
pub const ADA: &str = "1001000000000000004";
pub const BEN: &str = "1001000000000000005";
pub const ROLE_MANAGER: &str = "1190000000000000102";
pub const ROLE_STAFF: &str = "1190000000000000107";
/// Above the managers' own.
pub const ROLE_ADMIN: &str = "1190000000000000101";

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("{what} never came");
    }
}

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let name = format!("guildgate-demo-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The process, where it listens, and the tokens that it offers. Ends with the test.
pub struct Gateway {
    pub process: Child,
    pub address: SocketAddr,
    pub simulator: SocketAddr,
    /// The command by which its greeting says that tokens are issued.
    pub issue_command: String,
    kept: Value,
    _greeting: BufReader<ChildStdout>,
}

/// The binary under test.
pub fn guildgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildgate"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("GUILDGATE_") || ["DISCORD_TOKEN", "DATABASE_URL"].contains(&&*name) {
            command.env_remove(name);
        }
    }
    command
}

impl Gateway {
    /// Starts a demo whose world stands still, and waits until it greets.
    pub async fn start(data: &Folder) -> Gateway {
        Gateway::start_with(data, |command| command).await
    }

    pub async fn start_with(
        data: &Folder,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Gateway {
        let mut command = guildgate();
        command
            .args(["demo", "--still"])
            .args(["--listen", "127.0.0.1:0", "--simulator", "127.0.0.1:0"])
            .arg("--data")
            .arg(data.path())
            .env("GUILDGATE_DRAIN_WINDOW", "200ms")
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = change(&mut command).spawn().expect("the binary runs");
        let stdout = process.stdout.take().expect("a pipe");
        let mut greeting = BufReader::new(stdout);
        let (address, simulator, issue_command) =
            tokio::time::timeout(PATIENCE, read(&mut greeting))
                .await
                .expect("a greeting in time");
        let mut kept = String::new();
        std::fs::File::open(data.path().join("demo.json"))
            .and_then(|mut file| file.read_to_string(&mut kept))
            .expect("the demo keeps its tokens");
        Gateway {
            process,
            address,
            simulator,
            issue_command,
            kept: serde_json::from_str(&kept).expect("JSON"),
            _greeting: greeting,
        }
    }

    pub async fn connect(&self) -> Client {
        Client::dial(self.address).await
    }

    /// A client with full access as somebody of the demo.
    pub async fn connect_as(&self, uid: &str) -> Client {
        let mut client = self.connect().await;
        client
            .authenticate(Some(self.token_of(uid)), Some(uid))
            .await;
        client
    }

    pub fn account(&self, uid: &str) -> &Value {
        let accounts = self.kept["accounts"].as_array().expect("accounts");
        let found = accounts.iter().find(|account| account["uid"] == uid);
        found.expect("somebody of the demo")
    }

    pub fn token_of(&self, uid: &str) -> &str {
        self.account(uid)["token"].as_str().expect("a token")
    }

    pub fn guild_token(&self) -> &str {
        let guilds = self.kept["guilds"].as_array().expect("guilds");
        let found = guilds.iter().find(|guild| guild["id"] == REST);
        found.expect("the guild")["token"]
            .as_str()
            .expect("a token")
    }

    pub fn global_token(&self) -> &str {
        self.kept["global"].as_str().expect("a token")
    }

    /// A request to the API with the admin key.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> http::Reply {
        let key = format!("Bearer {}", self.kept["admin_key"].as_str().expect("a key"));
        http::request(self.address, method, path, &[("Authorization", &key)], body).await
    }

    /// A request to the simulated Discord as its bot.
    pub async fn discord(&self, method: &str, path: &str, body: Option<Value>) -> http::Reply {
        let path = format!("/api/v10{path}");
        let headers = [("Authorization", "Bot simulator")];
        let reply = http::request(self.simulator, method, &path, &headers, body).await;
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.text);
        reply
    }

    /// `guildgate token …` on this gateway's database.
    pub async fn token_command(data: &Folder, arguments: &[&str]) -> String {
        let output = guildgate()
            .arg("token")
            .args(arguments)
            .arg("--data")
            .arg(data.path())
            .output()
            .await
            .expect("the binary runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }

    /// Ends the process as a power cut would.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("it was running");
    }
}

/// Reads where both listen, and how tokens are issued.
async fn read(greeting: &mut BufReader<ChildStdout>) -> (SocketAddr, SocketAddr, String) {
    let mut gateway = None;
    let mut issue_command = String::new();
    loop {
        let mut line = String::new();
        let read = greeting.read_line(&mut line).await.expect("text");
        assert_ne!(read, 0, "it ended before it greeted");
        let address = |text: &str| text.split('/').next().and_then(|text| text.parse().ok());
        if let Some((_, rest)) = line.split_once("Discord: http://") {
            let gateway = gateway.expect("the gateway's address comes first");
            return (gateway, address(rest).expect("an address"), issue_command);
        }
        if let Some((_, rest)) = line.split_once("More tokens: ") {
            issue_command = rest.trim().to_owned();
        }
        if gateway.is_none()
            && let Some((_, rest)) = line.split_once("http://")
        {
            gateway = address(rest);
        }
    }
}

//! Two gateways, one database, one Discord.

use std::ops::Deref;

use guildgate_store::testing::Database;
use serde_json::{Value, json};

use crate::{
    client::Client,
    gateway::{Folder, REST},
    http,
    process::{ADMIN_KEY, Process},
};

/// Both nodes, on a PostgreSQL of their own.
pub struct Pair {
    pub a: Node,
    pub b: Node,
    simulator: Process,
    _database: Database,
}

/// One of them.
pub struct Node {
    process: Process,
    _data: Folder,
}

/// Somebody with full access.
pub struct Person {
    pub uid: String,
    pub token: String,
    pub token_id: String,
    /// The site's session.
    pub user_token: String,
}

impl Pair {
    pub async fn start() -> Pair {
        let database = Database::postgres().await;
        let simulator = Process::simulate().await;
        let a = Node::start(&database, &simulator).await;
        // Discord takes one identify in 5 s; this one is not asked to wait for the second.
        let fault = Some(json!({"kind": "restore_budget"}));
        let path = "/simulator/faults";
        let bot = [("Authorization", "Bot simulator")];
        let again = http::request(simulator.address, "POST", path, &bot, fault).await;
        assert!((200..300).contains(&again.status), "{}", again.text);
        let b = Node::start(&database, &simulator).await;
        Pair {
            a,
            b,
            simulator,
            _database: database,
        }
    }

    /// Issues somebody's tokens.
    pub async fn person(&self, uid: &str) -> Person {
        let issue = async |kind: &str| {
            let wish = json!({"kind": kind, "for": uid});
            let issued = self.a.send("POST", "/tokens", Some(wish)).await;
            let text = |key: &str| issued[key].as_str().expect("a text").to_owned();
            (text("token"), text("id"))
        };
        let (token, token_id) = issue("gatewayUser").await;
        let (user_token, _) = issue("user").await;
        Person {
            uid: uid.to_owned(),
            token,
            token_id,
            user_token,
        }
    }

    /// So many members of the guild.
    pub async fn members(&self, count: usize) -> Vec<String> {
        let path = format!("/api/v10/guilds/{REST}/members?limit={count}");
        let bot = [("Authorization", "Bot simulator")];
        let found = http::request(self.simulator.address, "GET", &path, &bot, None).await;
        let found = found.json();
        let ids: Vec<String> = found
            .as_array()
            .expect("a list")
            .iter()
            .map(|member| member["user"]["id"].as_str().expect("an id").to_owned())
            .collect();
        assert_eq!(ids.len(), count);
        ids
    }
}

impl Node {
    async fn start(database: &Database, simulator: &Process) -> Node {
        let data = Folder::new();
        let process = Process::serve_with(&data, simulator, |command| {
            command
                .env("DATABASE_URL", database.location())
                .env("GUILDGATE_LIMITS__SESSION_FRAMES", "1000000")
        });
        Node {
            process: process.await,
            _data: data,
        }
    }

    pub async fn dial(&self) -> Client {
        Client::dial(self.address).await
    }

    /// A request of the site's back end, and what it is answered.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.ask(method, path, body).await.json()
    }

    pub async fn delete(&self, path: &str) {
        self.ask("DELETE", path, None).await;
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> http::Reply {
        let key = format!("Bearer {ADMIN_KEY}");
        let headers = [("Authorization", key.as_str())];
        let path = format!("/api/v1{path}");
        let reply = http::request(self.address, method, &path, &headers, body).await;
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.text);
        reply
    }
}

impl Deref for Node {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Person {
    /// A client with full access.
    pub async fn connect(&self, node: &Node) -> Client {
        let mut client = node.dial().await;
        client
            .authenticate(Some(&self.token), Some(&self.uid))
            .await;
        client
    }

    /// Starts a session on the form; the client and the answer.
    pub async fn edit(&self, node: &Node) -> (Client, Value) {
        let mut client = self.connect(node).await;
        let start = json!({
            "uid": self.uid, "gid": REST, "target": "form",
            "utokh": self.user_token, "uhash": self.token,
        });
        let answer = client.command("APPLICATION_SESSION", start).await;
        assert!(answer["error"].is_null(), "{answer}");
        (client, answer["data"].clone())
    }
}

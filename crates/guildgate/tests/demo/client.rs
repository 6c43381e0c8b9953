//! A WebSocket client that is not ours.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use crate::gateway::{PATIENCE, REST};

pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The last sequence seen.
    pub seen: u64,
}

impl Client {
    /// Dials, and takes in opcode 0.
    pub async fn dial(address: SocketAddr) -> Client {
        let uri = format!("ws://{address}/gateway").parse().expect("a URI");
        let (socket, _) = ClientBuilder::from_uri(uri)
            .connect()
            .await
            .expect("an upgrade");
        let mut client = Client { socket, seen: 0 };
        let hello = client.frame().await;
        assert_eq!(hello, json!({"op": 0, "t": null, "d": null}));
        client
    }

    pub async fn send(&mut self, frame: Value) {
        let message = Message::text(frame.to_string());
        self.socket.send(message).await.expect("sent");
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        let text = match self.next().await {
            Ok(text) => text,
            Err(code) => panic!("closed with {code}"),
        };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(sequence) = frame["s"].as_u64() {
            self.seen = sequence;
        }
        frame
    }

    async fn next(&mut self) -> Result<String, u16> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = match next.expect("a frame in time") {
                Some(message) => message.expect("a sound frame"),
                None => return Err(1006),
            };
            if let Some((code, _)) = message.as_close() {
                return Err(code.into());
            }
            if let Some(text) = message.as_text() {
                return Ok(text.to_owned());
            }
        }
    }

    /// The code that the gateway closes with; frames before it are passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// Authenticates, and answers opcode 2's `d`.
    pub async fn authenticate(&mut self, token: Option<&str>, uid: Option<&str>) -> Value {
        self.send(json!({"op": 1, "d": {"token": token, "uid": uid}}))
            .await;
        let frame = self.frame().await;
        assert_eq!(frame["op"], 2, "{frame}");
        frame["d"].clone()
    }

    /// Sends a command, and answers its answer's `d`; events before it are passed over.
    pub async fn command(&mut self, cmd: &str, data: Value) -> Value {
        self.send(json!({"op": 6, "cmd": cmd, "nonce": "n", "d": data}))
            .await;
        loop {
            let frame = self.frame().await;
            if frame["op"] == 7 {
                assert_eq!(frame["d"]["for"], cmd);
                assert_eq!(frame["nonce"], "n");
                return frame["d"].clone();
            }
        }
    }

    /// The same under a nonce of its own; none where the line breaks before the answer.
    pub async fn attempt(&mut self, cmd: &str, nonce: &str, data: Value) -> Option<Value> {
        let frame = json!({"op": 6, "cmd": cmd, "nonce": nonce, "d": data});
        let message = Message::text(frame.to_string());
        self.socket.send(message).await.ok()?;
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = next.expect("a frame in time")?.ok()?;
            if let Some((code, _)) = message.as_close() {
                panic!("closed with {code:?}");
            }
            let Some(text) = message.as_text() else {
                continue;
            };
            let frame: Value = serde_json::from_str(text).expect("JSON");
            if frame["op"] == 7 {
                assert_eq!(frame["nonce"], nonce, "answers come in order: {frame}");
                return Some(frame["d"].clone());
            }
        }
    }

    /// Connects to the demo's guild, and answers `data`.
    pub async fn connect_guild(&mut self, token: &str) -> Value {
        let data = self
            .command("CONNECT_GUILD", json!({"gid": REST, "token": token}))
            .await;
        assert!(data["error"].is_null(), "{data}");
        data["data"].clone()
    }

    /// The same, and waits for what the gateway fetches after the guild itself: the invites.
    pub async fn settle(&mut self, token: &str) -> Value {
        let mut shown = self.connect_guild(token).await;
        while shown["guild"]["current_invite_valid"] != true {
            let (update, _) = self.event("GUILD_UPDATE").await;
            shown["guild"] = update["guild"].clone();
        }
        shown
    }

    /// The next event of that name, and the names of those before it.
    pub async fn event(&mut self, name: &str) -> (Value, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let frame = self.frame().await;
            if frame["op"] != 5 {
                continue;
            }
            assert_eq!(
                frame["t"], frame["ev"],
                "an event has its name in both places"
            );
            if frame["t"] == name {
                return (frame["d"].clone(), before);
            }
            before.push(frame["t"].as_str().expect("a name").to_owned());
        }
    }

    /// Cuts the line without a word.
    pub fn cut(self) {
        drop(self);
    }
}

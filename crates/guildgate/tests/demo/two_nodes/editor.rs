//! Somebody who edits the form and follows what others make of it.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::pair::{Node, Person};
use crate::{client::Client, gateway::REST};

pub struct Editor {
    number: usize,
    client: Client,
    document: Value,
    /// The version that `document` is at.
    at: u64,
    /// Patches of later versions, one's own as well: an answer may come before the event of a
    /// version below it.
    ahead: BTreeMap<u64, Value>,
    /// The versions that its own patches made.
    pub taken: Vec<u64>,
}

impl Editor {
    pub async fn open(person: &Person, node: &Node, number: usize) -> Editor {
        let (client, opened) = person.edit(node).await;
        Editor {
            number,
            client,
            document: opened["document"].clone(),
            at: opened["apv"].as_u64().expect("a version"),
            ahead: BTreeMap::new(),
            taken: Vec::new(),
        }
    }

    /// Sends so many patches. Most are of a section that nobody else touches; others may meet.
    pub async fn work(mut self, patches: usize) -> Editor {
        let mut random = StdRng::seed_from_u64(self.number as u64);
        for turn in 0..patches {
            let text = format!("{} at turn {turn}", self.number);
            let patch = match random.random_range(0..8) {
                0 if self.number < 2 => {
                    let new = json!({"title": text, "description": "", "fields": []});
                    json!([{"op": "add", "path": "/sections/-", "value": new}])
                }
                0..3 => {
                    json!([{"op": "replace", "path": "/sections/0/description", "value": text}])
                }
                _ => {
                    let path = format!("/sections/{}/title", self.number);
                    json!([{"op": "replace", "path": path, "value": text}])
                }
            };
            self.send(&text, patch).await;
        }
        self
    }

    /// Sends a patch. It is taken, or somebody has changed the same: that the other node is
    /// always first (`unavailable`) does not happen, since a winner gives way.
    async fn send(&mut self, nonce: &str, patch: Value) {
        let data = json!({"gid": REST, "base": self.at, "patch": patch});
        let cmd = "APPLICATION_SESSION_PATCH";
        let command = json!({"op": 6, "cmd": cmd, "nonce": nonce, "d": data});
        self.client.send(command).await;
        let answer = self.answer().await;
        match answer["data"]["apv"].as_u64() {
            Some(made) => {
                self.taken.push(made);
                self.follow(made, patch);
            }
            None => assert_eq!(answer["error"]["code"], "conflict", "{answer}"),
        }
    }

    /// The next answer's `d`; takes in the events before it.
    async fn answer(&mut self) -> Value {
        loop {
            let frame = self.client.frame().await;
            if frame["op"] == 7 {
                return frame["d"].clone();
            }
            self.see(&frame);
        }
    }

    /// Reads until the version is there; the document as it is then.
    pub async fn catch_up(&mut self, version: u64) -> &Value {
        while self.at < version {
            let frame = self.client.frame().await;
            self.see(&frame);
        }
        &self.document
    }

    fn see(&mut self, frame: &Value) {
        assert_ne!(frame["t"], "APPLICATION_SESSION_END", "{frame}");
        if frame["t"] == "APPLICATION_SESSION_PATCH" {
            let apv = frame["d"]["apv"].as_u64().expect("a version");
            self.follow(apv, frame["d"]["patch"].clone());
        }
    }

    /// Applies a version's patch once those below it are applied.
    fn follow(&mut self, apv: u64, patch: Value) {
        let twice = self.ahead.insert(apv, patch);
        assert!(apv > self.at && twice.is_none(), "version {apv} comes once");
        while let Some(patch) = self.ahead.remove(&(self.at + 1)) {
            self.at += 1;
            apply(&mut self.document, &patch[0]);
        }
    }
}

/// What the operations that are sent here do.
fn apply(document: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().expect("a pointer");
    let value = operation["value"].clone();
    match path.strip_suffix("/-") {
        Some(list) => {
            let list = document.pointer_mut(list).and_then(Value::as_array_mut);
            list.expect("a list").push(value);
        }
        None => *document.pointer_mut(path).expect("it is there") = value,
    }
}

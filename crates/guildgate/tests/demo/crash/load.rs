//! People at work on a gateway that will be killed, and what each of them was told.
//!
//! Everybody works until the line breaks, and writes down what was sent before it is sent: what
//! was under way when the gateway died may have been done or not, but never twice.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    client::Client,
    gateway::{ADA, BEN, Gateway, MAX, MIA, PATIENCE, REST},
    http,
    process::ADMIN_KEY,
};

/// Whose connections edit the form; the section of each has its place here.
pub const EDITORS: [&str; 4] = [MIA, MIA, MAX, MAX];

/// The most notifications of one round: an inbox holds 1,000, and none may give way.
const ROUND_NOTES_MAX: u32 = 100;

/// What a guild token is issued for.
pub const USES: u32 = 3;

/// A patch, and the version that it made as far as was told.
pub struct Edit {
    pub editor: usize,
    pub nonce: String,
    pub base: u64,
    pub made: Option<u64>,
}

impl Edit {
    /// Sends it; none where the line broke.
    pub async fn send(&self, client: &mut Client) -> Option<u64> {
        let path = format!("/sections/{}/title", self.editor);
        let patch = json!([{"op": "replace", "path": path, "value": self.nonce}]);
        let data = json!({"gid": REST, "base": self.base, "patch": patch});
        let answer = client.attempt("APPLICATION_SESSION_PATCH", &self.nonce, data);
        let answer = answer.await?;
        let made = answer["data"]["apv"].as_u64();
        Some(made.unwrap_or_else(|| panic!("{}: {answer}", self.nonce)))
    }
}

/// Something named by the one who made it, and the id that it was given as far as was told.
pub struct Made {
    pub name: String,
    pub id: Option<String>,
}

/// A guild token.
pub struct Issued {
    pub id: String,
    pub token: String,
    /// How often it was used for sure.
    pub granted: u32,
    /// How often it was used at most.
    pub tried: u32,
}

/// What was done, of everybody.
#[derive(Default)]
pub struct Record {
    pub edits: Vec<Edit>,
    pub notes: Vec<Made>,
    pub tokens: Vec<Issued>,
    pub submissions: Vec<Made>,
    /// Ids of submissions that were taken back for sure.
    pub withdrawn: Vec<String>,
}

impl Record {
    pub fn add(&mut self, other: Record) {
        self.edits.extend(other.edits);
        self.notes.extend(other.notes);
        self.tokens.extend(other.tokens);
        self.submissions.extend(other.submissions);
        self.withdrawn.extend(other.withdrawn);
    }
}

/// A round of work.
pub struct Load {
    people: JoinSet<Record>,
    /// One permit an answer.
    answers: Arc<Semaphore>,
}

impl Load {
    /// Everybody begins. `newest` is the form's version.
    pub async fn start(gateway: &Gateway, round: usize, newest: u64) -> Load {
        let answers = Arc::new(Semaphore::new(0));
        let mut people = JoinSet::new();
        let site = Site(gateway.address);
        for (editor, uid) in EDITORS.iter().enumerate() {
            let client = session(gateway, uid).await;
            people.spawn(edit(client, editor, round, newest, Arc::clone(&answers)));
        }
        let mut visitor = gateway.connect().await;
        visitor.authenticate(None, None).await;
        people.spawn(use_tokens(site, visitor, Arc::clone(&answers)));
        people.spawn(notify(site, round, Arc::clone(&answers)));
        let applicant = gateway.connect_as(BEN).await;
        people.spawn(apply(site, applicant, round, newest, Arc::clone(&answers)));
        Load { people, answers }
    }

    /// Waits until so many answers have come.
    pub async fn until(&self, answers: u32) {
        let answered = self.answers.acquire_many(answers);
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        let permits = answered.expect("answers in time").expect("open");
        permits.forget();
    }

    /// What was done, once the line of everybody is broken.
    pub async fn ended(mut self) -> Record {
        let mut all = Record::default();
        while let Some(done) = self.people.join_next().await {
            all.add(done.expect("nobody met anything but a broken line"));
        }
        all
    }
}

/// Starts a session on the form.
pub async fn session(gateway: &Gateway, uid: &str) -> Client {
    let mut client = gateway.connect_as(uid).await;
    let account = gateway.account(uid);
    let start = json!({
        "uid": uid, "gid": REST, "target": "form",
        "utokh": account["user_token"], "uhash": account["token"],
    });
    let answer = client.command("APPLICATION_SESSION", start).await;
    assert!(answer["error"].is_null(), "{answer}");
    client
}

async fn edit(
    mut client: Client,
    editor: usize,
    round: usize,
    mut base: u64,
    answers: Arc<Semaphore>,
) -> Record {
    let mut done = Record::default();
    for number in 0.. {
        let mut edit = Edit {
            editor,
            nonce: format!("{round}-{editor}-{number}"),
            base,
            made: None,
        };
        edit.made = edit.send(&mut client).await;
        let made = edit.made;
        done.edits.push(edit);
        let Some(made) = made else { break };
        base = made;
        answers.add_permits(1);
    }
    done
}

async fn use_tokens(site: Site, mut client: Client, answers: Arc<Semaphore>) -> Record {
    let mut done = Record::default();
    let wish = json!({"kind": "gatewayGuild", "for": REST, "uses": USES});
    while let Some(issued) = site.send("POST", "/tokens", Some(wish.clone())).await {
        answers.add_permits(1);
        let text = |key: &str| issued[key].as_str().expect("a text").to_owned();
        let mut token = Issued {
            id: text("id"),
            token: text("token"),
            granted: 0,
            tried: 0,
        };
        // Every third keeps a use, for those that are counted at the end.
        let uses = USES - u32::from(done.tokens.len() % 3 == 0);
        while token.tried < uses {
            token.tried += 1;
            let Some(granted) = enter(&mut client, &token.token).await else {
                break;
            };
            assert!(granted, "{} of {USES} uses are left", USES - token.granted);
            token.granted += 1;
            answers.add_permits(1);
        }
        done.tokens.push(token);
    }
    done
}

/// Uses a guild token; whether it was good, or none where the line broke. A client that is on
/// the guild already uses none up, so it leaves first.
pub async fn enter(client: &mut Client, token: &str) -> Option<bool> {
    let leave = json!({"gid": REST});
    client.attempt("DESCONNECT_GUILD", "leave", leave).await?;
    let data = json!({"gid": REST, "token": token});
    let answer = client.attempt("CONNECT_GUILD", "enter", data).await?;
    let error = &answer["error"]["code"];
    assert!(error.is_null() || error == "invalid_token", "{answer}");
    Some(error.is_null())
}

async fn notify(site: Site, round: usize, answers: Arc<Semaphore>) -> Record {
    let mut done = Record::default();
    for number in 0..ROUND_NOTES_MAX {
        let name = format!("{round}-{number}");
        let note = json!({"gid": REST, "proccessed_type": 0, "note": name});
        let path = format!("/users/{ADA}/notifications");
        let told = site.send("POST", &path, Some(note)).await;
        let id = told.map(|told| told["id"].as_str().expect("an id").to_owned());
        let is_over = id.is_none();
        done.notes.push(Made { name, id });
        if is_over {
            break;
        }
        answers.add_permits(1);
    }
    done
}

async fn apply(
    site: Site,
    mut client: Client,
    round: usize,
    apv: u64,
    answers: Arc<Semaphore>,
) -> Record {
    let mut done = Record::default();
    for number in 0.. {
        let name = format!("{round}-{number}");
        let data = json!({"gid": REST, "apv": apv, "answers": {"why": name}});
        let answer = client.attempt("APPLICATION_SUBMIT", &name, data).await;
        let id = answer.map(|answer| {
            let id = answer["data"]["id"].as_str();
            id.unwrap_or_else(|| panic!("{answer}")).to_owned()
        });
        done.submissions.push(Made {
            name,
            id: id.clone(),
        });
        let Some(id) = id else { break };
        answers.add_permits(1);
        if site.withdraw(&id).await.is_none() {
            break;
        }
        done.withdrawn.push(id);
        answers.add_permits(1);
    }
    done
}

/// The site's back end.
#[derive(Clone, Copy)]
pub struct Site(pub std::net::SocketAddr);

impl Site {
    /// A request that must be granted; none where the line broke.
    pub async fn send(self, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let key = format!("Bearer {ADMIN_KEY}");
        let headers = [("Authorization", key.as_str())];
        let path = format!("/api/v1{path}");
        let reply = http::attempt(self.0, method, &path, &headers, body).await?;
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.text);
        Some(reply.json())
    }

    /// The same of a gateway that lives.
    pub async fn get(self, path: &str) -> Value {
        let answer = self.send("GET", path, None).await;
        answer.expect("nobody breaks this line")
    }

    /// Every entry of a list that comes in pages.
    pub async fn list(self, path: &str, name: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut before = String::new();
        loop {
            let page = self.get(&format!("{path}{before}")).await;
            all.extend(page[name].as_array().expect("a list").iter().cloned());
            match &page["next"] {
                Value::Null => return all,
                Value::String(next) => before = format!("&before={next}"),
                next => before = format!("&before={next}"),
            }
        }
    }

    /// Takes a submission back for its applicant; none where the line broke.
    pub async fn withdraw(self, id: &str) -> Option<Value> {
        let path = format!("/guilds/{REST}/submissions/{id}/withdraw?user={BEN}");
        self.send("POST", &path, None).await
    }
}

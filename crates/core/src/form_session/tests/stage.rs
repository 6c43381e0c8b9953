//! One session with its surroundings played by the test.

use std::{collections::BTreeSet, time::Duration};

use guildgate_model::{
    Grants, GuildId, Mono, Now, Permissions, Revision, Secret, TokenId, UnixMs, UserId,
};
use guildgate_wire::ErrorCode;
use serde_json::{Value, json};

use super::super::{
    Append, Appended, Ask, Caller, Command, Credentials, FormSession, Input, Opened, Output, Reply,
    SessionKey, Standing, Target, Ticket, Verified, Version,
};
use crate::{ClientId, client::Refusal};

pub(super) const GUILD: GuildId = GuildId(1);
pub(super) const ANN: UserId = UserId(10);
pub(super) const BOB: UserId = UserId(11);
pub(super) const MANAGER: Standing = Standing::Member(Permissions::MANAGE_GUILD);

pub(super) fn client(slot: u32) -> ClientId {
    ClientId {
        slot,
        generation: 0,
        edge: 0,
    }
}

pub(super) fn document() -> Value {
    json!({"status": 1, "status_data": null, "sections": [{"title": "One", "fields": [
        {"id": "name", "title": "Name", "type": 0, "length": [2, 8], "required": true},
        {"id": "age", "title": "Age", "type": 0, "length": [0, 3], "required": false},
    ]}]})
}

pub(super) fn retitle(field: usize, title: &str) -> Value {
    json!([{"op": "replace", "path": format!("/sections/0/fields/{field}/title"), "value": title}])
}

pub(super) fn credentials() -> Credentials {
    Credentials {
        user_token: Secret::new("ggu_test"),
        gateway_token: Secret::new("gggu_test"),
    }
}

/// What a client was sent, decoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Done(u32, Value),
    Refused(u32, ErrorCode, Value),
    Told(u32, String, Value),
}

/// One thing that was said, without its data.
pub(super) fn told(client: u32, name: &str, data: Value) -> Said {
    let name = format!("APPLICATION_SESSION_{name}");
    Said::Told(client, name, data)
}

pub(super) struct Stage {
    pub(super) session: FormSession,
    pub(super) now: Now,
    /// Which roles whoever speaks may give.
    pub(super) grants: Grants,
    asks: Vec<(Ticket, Ask)>,
}

impl Stage {
    pub(super) fn new(target: Target) -> Stage {
        let now = Now {
            mono: Mono::from_start(Duration::from_secs(1_000)),
            wall: UnixMs(1_700_000_000_000),
        };
        Stage {
            session: FormSession::new(SessionKey {
                guild: GUILD,
                target,
            }),
            now,
            grants: Grants::none(),
            asks: Vec::new(),
        }
    }

    /// A session on [`document`] at version 5, with these users' clients 0, 1, … in it.
    pub(super) fn with(users: &[UserId]) -> Stage {
        let mut stage = Stage::new(Target::Form);
        for (slot, user) in (0..).zip(users) {
            stage.start(slot, *user, MANAGER);
            stage.verify(slot);
            if slot == 0 {
                stage.open(document(), Vec::new());
            }
        }
        stage
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Said> {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        out.into_iter()
            .filter_map(|output| match output {
                Output::Answer { client, result } => Some(match result {
                    Ok(raw) => Said::Done(client.slot, parse(raw.get().as_bytes())),
                    Err(Refusal { code, details, .. }) => {
                        let details = details.map_or(Value::Null, |map| Value::Object(*map));
                        Said::Refused(client.slot, code, details)
                    }
                }),
                Output::Event { client, event } => {
                    let mut text = Vec::new();
                    event.write_to(None, &mut text);
                    let frame = parse(&text);
                    let name = frame["ev"].as_str().expect("an event's name").to_owned();
                    Some(Said::Told(client.slot, name, frame["d"].clone()))
                }
                Output::Ask { key, ticket, ask } => {
                    assert_eq!(key.guild, GUILD);
                    self.asks.push((ticket, ask));
                    None
                }
            })
            .collect()
    }

    pub(super) fn command(
        &mut self,
        slot: u32,
        user: UserId,
        standing: Standing,
        command: Command,
    ) -> Vec<Said> {
        let caller = Caller {
            client: client(slot),
            user,
            tag: format!("tag{}", user.0).into(),
            standing,
            grants: self.grants.clone(),
        };
        self.input(Input::Command { caller, command })
    }

    pub(super) fn start(&mut self, slot: u32, user: UserId, standing: Standing) -> Vec<Said> {
        self.named_start(slot, user, standing, None)
    }

    pub(super) fn named_start(
        &mut self,
        slot: u32,
        user: UserId,
        standing: Standing,
        nonce: Option<&str>,
    ) -> Vec<Said> {
        let start = Command::Start {
            credentials: credentials(),
            nonce: nonce.map(Box::from),
        };
        self.command(slot, user, standing, start)
    }

    pub(super) fn patch(&mut self, slot: u32, user: UserId, base: u64, patch: Value) -> Vec<Said> {
        self.named_patch(slot, user, base, patch, None)
    }

    pub(super) fn named_patch(
        &mut self,
        slot: u32,
        user: UserId,
        base: u64,
        patch: Value,
        nonce: Option<&str>,
    ) -> Vec<Said> {
        let command = Command::Patch {
            base: Revision(base),
            patch,
            nonce: nonce.map(Box::from),
        };
        self.command(slot, user, MANAGER, command)
    }

    pub(super) fn reauth(
        &mut self,
        slot: u32,
        user: UserId,
        standing: Standing,
        pm: &str,
    ) -> Vec<Said> {
        let command = Command::Reauth {
            credentials: credentials(),
            known_permissions: pm.into(),
        };
        self.command(slot, user, standing, command)
    }

    pub(super) fn standing(&mut self, user: UserId, standing: Standing) -> Vec<Said> {
        self.input(Input::Standing { user, standing })
    }

    /// Lets time go by, waking the session whenever it wants to be.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Said> {
        let end = self.now.after(time);
        let mut said = Vec::new();
        while let Some(at) = self.session.deadline().filter(|at| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            said.extend(self.input(Input::Deadline));
        }
        self.now = end;
        said
    }

    /// The oldest open question that `pick` knows what to do with.
    pub(super) fn asked<T>(&mut self, pick: impl Fn(&Ask) -> Option<T>) -> (Ticket, T) {
        let found = self
            .asks
            .iter()
            .enumerate()
            .find_map(|(at, (_, ask))| pick(ask).map(|picked| (at, picked)));
        let Some((at, picked)) = found else {
            panic!("not asked; open: {:?}", self.asks);
        };
        (self.asks.remove(at).0, picked)
    }

    pub(super) fn open_asks(&self) -> usize {
        self.asks.len()
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply) -> Vec<Said> {
        self.input(Input::Reply { ticket, reply })
    }

    pub(super) fn asked_to_verify(&mut self) -> Ticket {
        self.asked(|ask| matches!(ask, Ask::Verify { .. }).then_some(()))
            .0
    }

    /// The tokens of client n are 2n and 2n + 1, and do not expire.
    pub(super) fn verify(&mut self, slot: u32) -> Vec<Said> {
        self.verify_until(slot, None)
    }

    pub(super) fn verify_until(&mut self, slot: u32, expires_at: Option<UnixMs>) -> Vec<Said> {
        let ticket = self.asked_to_verify();
        let tokens = [0, 1].map(|at| TokenId(u64::from(slot) * 2 + at));
        let verified = Verified { tokens, expires_at };
        self.reply(ticket, Reply::Verified(Ok(verified)))
    }

    pub(super) fn asked_to_open(&mut self) -> Ticket {
        self.asked(|ask| matches!(ask, Ask::Open).then_some(())).0
    }

    pub(super) fn open(&mut self, document: Value, versions: Vec<Version>) -> Vec<Said> {
        let ticket = self.asked_to_open();
        let opened = Opened {
            revision: Revision(5),
            document,
            versions,
            answered_fields: BTreeSet::new(),
            form: None,
        };
        self.reply(ticket, Reply::Opened(Ok(Box::new(opened))))
    }

    pub(super) fn asked_to_append(&mut self) -> (Ticket, Append) {
        self.asked(|ask| match ask {
            Ask::Append(append) => Some(Append::clone(append)),
            Ask::Verify { .. } | Ask::Open | Ask::Load { .. } => None,
        })
    }

    /// The store keeps what it was asked to.
    pub(super) fn keep(&mut self) -> Vec<Said> {
        let (ticket, append) = self.asked_to_append();
        self.reply(ticket, Reply::Appended(Appended::Kept(append.base.next())))
    }

    pub(super) fn load(&mut self, after: u64, versions: Vec<Version>) -> Vec<Said> {
        let (ticket, asked) = self.asked(|ask| match ask {
            Ask::Load { after } => Some(*after),
            Ask::Verify { .. } | Ask::Open | Ask::Append(_) => None,
        });
        assert_eq!(asked, Revision(after));
        self.reply(ticket, Reply::Loaded(Ok(versions)))
    }
}

pub(super) fn version(revision: u64, author: UserId, patch: Value) -> Version {
    Version {
        revision: Revision(revision),
        author: Some(author),
        patch: Some(patch),
        name: None,
    }
}

fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("what is sent is JSON")
}

//! One editor: a client that follows the protocol and nothing else.

use std::collections::VecDeque;

use guildgate_model::{Revision, UserId};
use serde_json::{Value, json};

use super::world::Tally;
use crate::{
    ClientId,
    form_session::Command,
    form_session::tests::stage::credentials,
    rebase::{Guard, Patch, apply},
};

/// What an editor is sent.
#[derive(Debug)]
pub(super) enum Mail {
    Done(Value),
    Refused(&'static str, Value),
    Event(String, Value),
}

#[derive(Debug)]
pub(super) struct Editor {
    pub(super) client: ClientId,
    pub(super) user: UserId,
    pub(super) node: bool,
    pub(super) inbox: VecDeque<Mail>,
    pub(super) view: Option<(Revision, Value)>,
    /// The command that waits for its answer.
    open: Option<Open>,
    /// The patch that is not known to be kept or refused.
    pub(super) unsure: Option<Sent>,
    /// Commands that come next, before anything new.
    todo: VecDeque<Open>,
    permissions: String,
    patches: u32,
    pub(super) acknowledged: Vec<(Sent, Revision)>,
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) base: Revision,
    pub(super) patch: Value,
    pub(super) nonce: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Start,
    Patch,
    Reauth,
    Heartbeat,
}

impl Editor {
    pub(super) fn new(number: u32, node: bool) -> Editor {
        Editor {
            client: ClientId {
                slot: number,
                generation: 0,
                edge: 0,
            },
            user: UserId(100 + u64::from(number)),
            node,
            inbox: VecDeque::new(),
            view: None,
            open: None,
            unsure: None,
            todo: VecDeque::from([Open::Start]),
            permissions: String::new(),
            patches: 0,
            acknowledged: Vec::new(),
        }
    }

    /// Its connection is gone for good; it comes back as a new client, with what it is not sure
    /// of still in hand.
    pub(super) fn reconnect(&mut self, node: bool) {
        self.client.generation += 1;
        self.node = node;
        self.inbox.clear();
        self.view = None;
        self.open = None;
        self.todo = VecDeque::from([Open::Start]);
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.inbox.is_empty()
            && self.open.is_none()
            && self.todo.is_empty()
            && self.unsure.is_none()
    }

    /// The next command, if one may be sent.
    pub(super) fn command(&mut self) -> Option<Command> {
        if self.open.is_some() {
            return None;
        }
        let next = match self.todo.pop_front() {
            Some(next) => next,
            None if self.unsure.is_some() && self.view.is_some() => Open::Patch,
            None => return None,
        };
        self.open = Some(next);
        Some(match next {
            Open::Start => Command::Start {
                credentials: credentials(),
                nonce: None,
            },
            Open::Patch => {
                let sent = self.unsure.as_ref()?;
                Command::Patch {
                    base: sent.base,
                    patch: sent.patch.clone(),
                    nonce: Some(sent.nonce.as_str().into()),
                }
            }
            Open::Reauth => Command::Reauth {
                credentials: credentials(),
                known_permissions: self.permissions.as_str().into(),
            },
            Open::Heartbeat => Command::Heartbeat,
        })
    }

    /// Makes up a patch of what it sees.
    pub(super) fn edit(&mut self, draw: [u8; 4]) {
        let Some((revision, document)) = &self.view else {
            return;
        };
        if self.unsure.is_some() {
            return;
        }
        self.patches += 1;
        let nonce = format!("{}-{}", self.user, self.patches);
        if let Some(patch) = draw_patch(document, draw, &nonce) {
            self.unsure = Some(Sent {
                base: *revision,
                patch,
                nonce,
            });
        }
    }

    pub(super) fn read(&mut self, mail: Mail, tally: &mut Tally) {
        match mail {
            Mail::Event(name, data) => self.on_event(&name, &data),
            Mail::Done(data) => self.on_done(&data, tally),
            Mail::Refused(code, details) => self.on_refused(code, &details, tally),
        }
    }

    fn on_event(&mut self, name: &str, data: &Value) {
        match name {
            "APPLICATION_SESSION_PATCH" => {
                let revision = Revision(data["apv"].as_u64().expect("a version"));
                self.follow(revision, &data["patch"].clone());
            }
            "APPLICATION_SESSION_HB_P" => self.todo.push_back(Open::Heartbeat),
            "APPLICATION_SESSION_REAUTH" => self.todo.push_front(Open::Reauth),
            "APPLICATION_SESSION_END" => {
                self.view = None;
                self.todo = VecDeque::from([Open::Start]);
            }
            "APPLICATION_SESSION_JOIN" | "APPLICATION_SESSION_LEAVE" => {}
            other => panic!("{other} is not known to editors"),
        }
    }

    fn on_done(&mut self, data: &Value, tally: &mut Tally) {
        match self.open.take().expect("an answer has its command") {
            Open::Start => {
                let revision = Revision(data["apv"].as_u64().expect("a version"));
                self.view = Some((revision, data["document"].clone()));
                self.permissions = data["permissions"].as_str().expect("a set").to_owned();
            }
            Open::Patch => {
                let revision = Revision(data["apv"].as_u64().expect("a version"));
                let sent = self.unsure.take().expect("a patch was sent");
                let seen = self.view.as_ref().map(|(seen, _)| *seen);
                // Known already where it was kept before this session began, or before an
                // answer that did not arrive.
                if seen.is_some_and(|seen| revision > seen) {
                    self.follow(revision, &sent.patch);
                } else {
                    tally.repeated += 1;
                }
                if revision != sent.base.next() {
                    tally.rebased += 1;
                }
                tally.acknowledged += 1;
                self.acknowledged.push((sent, revision));
            }
            Open::Reauth => {
                self.permissions = data["permissions"].as_str().expect("a set").to_owned();
                tally.reauthenticated += 1;
            }
            Open::Heartbeat => {}
        }
    }

    fn on_refused(&mut self, code: &str, details: &Value, tally: &mut Tally) {
        let open = self.open.take().expect("an answer has its command");
        match (open, code) {
            (Open::Patch, "conflict") => {
                tally.conflicts += 1;
                self.unsure = None;
                // What it is told is exactly what it has put together itself.
                let newest = self
                    .view
                    .as_ref()
                    .map(|(seen, document)| (seen.0, document));
                let told = (
                    details["apv"].as_u64().expect("a version"),
                    &details["document"],
                );
                assert_eq!(newest, Some(told));
            }
            (Open::Patch, "invalid_form" | "bad_request") => self.unsure = None,
            // To be sent again, with the same nonce.
            (Open::Patch, "unavailable" | "reauth_required" | "rate_limited") => {}
            (Open::Patch | Open::Reauth | Open::Heartbeat, "no_session") => tally.put_out += 1,
            (Open::Reauth, "unavailable") => self.todo.push_front(Open::Reauth),
            (Open::Start, "unavailable" | "forbidden") => self.todo.push_front(Open::Start),
            (open, code) => panic!("{open:?} refused with {code}: {details}"),
        }
    }

    /// Applies what comes next in the order of versions; a hole would be the server's fault.
    fn follow(&mut self, revision: Revision, patch: &Value) {
        let (seen, document) = self.view.as_mut().expect("a session");
        let is_whole = patch[0]["op"] == "replace" && patch[0]["path"] == "";
        assert!(
            revision == seen.next() || (is_whole && revision > *seen),
            "{revision} after {seen}"
        );
        let parsed = Patch::parse(patch.clone()).expect("what is kept is a patch");
        *document = apply(document, &parsed, Guard::Open)
            .expect("what is kept applies")
            .document;
        *seen = revision;
    }
}

fn draw_patch(
    document: &Value,
    [kind, first, second, third]: [u8; 4],
    fresh: &str,
) -> Option<Value> {
    let sections = document["sections"].as_array()?;
    let section = usize::from(first).checked_rem(sections.len())?;
    let fields = sections[section]["fields"].as_array()?.len();
    let home = format!("/sections/{section}/fields");
    let field = usize::from(second).checked_rem(fields);
    let at = |index: Option<usize>| index.map(|index| format!("{home}/{index}"));
    let new = json!({"id": fresh, "title": fresh, "type": 0});
    Some(match kind % 10 {
        0 => json!([{"op": "add", "path": format!("{home}/-"), "value": new}]),
        1 => {
            let place = usize::from(third) % (fields + 1);
            json!([{"op": "add", "path": format!("{home}/{place}"), "value": new}])
        }
        2 => json!([{"op": "remove", "path": at(field)?}]),
        3 => {
            let to = usize::from(third) % sections.len();
            json!([{"op": "move", "from": at(field)?, "path": format!("/sections/{to}/fields/-")}])
        }
        4 => {
            json!([{"op": "replace", "path": format!("/sections/{section}/title"), "value": fresh}])
        }
        5 => {
            let title = document.pointer(&format!("{}/title", at(field)?))?;
            json!([
                {"op": "test", "path": format!("{}/title", at(field)?), "value": title},
                {"op": "add", "path": format!("{}/description", at(field)?), "value": fresh},
            ])
        }
        6 => json!([{"op": "replace", "path": "/status", "value": third % 3}]),
        _ => json!([{"op": "replace", "path": format!("{}/title", at(field)?), "value": fresh}]),
    })
}

//! Two nodes, the store between them, and everything that can happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use guildgate_model::{Grants, Mono, Now, Permissions, Revision, TokenId, UnixMs, UserId};
use proptest::sample::Index;
use serde_json::{Value, json};

use super::editor::{Editor, Mail};
use crate::{
    ClientId,
    form_session::{
        Append, Appended, Ask, Caller, FormSessions, Opened, Output, Reply, SessionKey,
        SessionsInput, Standing, StoreFailed, Target, Ticket, Verified, Version,
        tests::stage::GUILD,
    },
};

const KEY: SessionKey = SessionKey {
    guild: GUILD,
    target: Target::Form,
};

#[derive(Debug, Clone)]
pub(super) enum Step {
    Patch {
        editor: Index,
        draw: [u8; 4],
    },
    Deliver {
        editor: Index,
        count: u8,
    },
    /// The store does what a node asked.
    Execute {
        node: bool,
        at: Index,
    },
    /// The node hears of it.
    Reply {
        node: bool,
        at: Index,
    },
    /// The node hears nothing, done or not.
    Fail {
        node: bool,
        at: Index,
        is_kept: bool,
    },
    /// The node reads what is new.
    Feed(bool),
    Reconnect {
        editor: Index,
        node: bool,
    },
    Rights {
        editor: Index,
        may: bool,
    },
    /// Seconds go by.
    Pass(u8),
    Crash(bool),
}

/// What happened, so that a test can tell that something did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) acknowledged: usize,
    pub(super) rebased: usize,
    pub(super) conflicts: usize,
    pub(super) repeated: usize,
    pub(super) reauthenticated: usize,
    pub(super) put_out: usize,
    pub(super) lost_races: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.acknowledged += other.acknowledged;
        self.rebased += other.rebased;
        self.conflicts += other.conflicts;
        self.repeated += other.repeated;
        self.reauthenticated += other.reauthenticated;
        self.put_out += other.put_out;
        self.lost_races += other.lost_races;
    }
}

#[derive(Default)]
struct Node {
    sessions: FormSessions,
    asks: Vec<(Ticket, Ask)>,
    replies: Vec<(Ticket, Reply)>,
    /// Whom the node knows not to be let patch: put out, or asked to authenticate again.
    held: BTreeSet<UserId>,
    rights: BTreeMap<UserId, Standing>,
}

struct Store {
    /// The document at version 1, 2, …
    documents: Vec<Value>,
    /// What made version 2, 3, …
    versions: Vec<Version>,
}

pub(super) struct World {
    now: Now,
    nodes: [Node; 2],
    store: Store,
    editors: Vec<Editor>,
    pub(super) tally: Tally,
}

fn document() -> Value {
    let field = |id: String| json!({"id": id, "title": "", "type": 0});
    let section = |at: usize| {
        let fields: Vec<Value> = (0..3).map(|of| field(format!("f{at}{of}"))).collect();
        json!({"title": "", "fields": fields})
    };
    json!({"status": 1, "sections": [section(0), section(1)]})
}

fn manager(extra: u64) -> Standing {
    Standing::Member(Permissions::MANAGE_GUILD | Permissions(extra << 40))
}

impl Store {
    fn newest(&self) -> Revision {
        Revision(self.documents.len() as u64)
    }

    fn append(&mut self, append: Append) -> Appended {
        let Append {
            base,
            patch,
            document,
            author,
            name,
            renamed: _,
        } = append;
        let is_same = |version: &&Version| version.author == author && version.name == name;
        if let Some(known) = self
            .versions
            .iter()
            .filter(|_| name.is_some())
            .find(is_same)
        {
            return Appended::KeptBefore(known.revision);
        }
        if base != self.newest() {
            return Appended::Conflict;
        }
        self.documents.push(document);
        self.versions.push(Version {
            revision: base.next(),
            author,
            patch: Some(patch),
            name,
        });
        Appended::Kept(base.next())
    }

    /// In pages of three, so that a reader has to come back.
    fn after(&self, after: Revision) -> Vec<Version> {
        let later = self
            .versions
            .iter()
            .filter(|version| version.revision > after);
        later.take(3).cloned().collect()
    }

    fn open(&self) -> Opened {
        let from = self.newest().0.saturating_sub(4).max(1);
        let later = self
            .versions
            .iter()
            .filter(|version| version.revision.0 > from);
        Opened {
            revision: Revision(from),
            document: self.documents[from as usize - 1].clone(),
            versions: later.cloned().collect(),
            answered_fields: BTreeSet::new(),
            form: None,
        }
    }
}

impl World {
    pub(super) fn new(editors: u32) -> World {
        let now = Now {
            mono: Mono::from_start(Duration::from_secs(1)),
            wall: UnixMs(1_000_000_000),
        };
        let mut world = World {
            now,
            nodes: [Node::default(), Node::default()],
            store: Store {
                documents: vec![document()],
                versions: Vec::new(),
            },
            editors: (0..editors)
                .map(|at| Editor::new(at, at % 2 == 1))
                .collect(),
            tally: Tally::default(),
        };
        for editor in 0..world.editors.len() {
            world.send(editor);
        }
        world.settle();
        world
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Patch { editor, draw } => {
                let editor = editor.index(self.editors.len());
                self.editors[editor].edit(draw);
                self.send(editor);
            }
            Step::Deliver { editor, count } => {
                let editor = editor.index(self.editors.len());
                for _ in 0..count {
                    self.deliver(editor);
                }
            }
            Step::Execute { node, at } => {
                if let Some(at) = self.pick(node, at) {
                    self.execute(node, at);
                }
            }
            Step::Fail { node, at, is_kept } => {
                if let Some(at) = self.pick(node, at) {
                    self.fail(node, at, is_kept);
                }
            }
            Step::Reply { node, at } => {
                let count = self.nodes[usize::from(node)].replies.len();
                if count > 0 {
                    self.reply(node, at.index(count));
                }
            }
            Step::Feed(node) => self.feed(node),
            Step::Reconnect { editor, node } => {
                let editor = editor.index(self.editors.len());
                let old = &self.editors[editor];
                let (client, before) = (old.client, old.node);
                self.editors[editor].reconnect(node);
                self.input(before, SessionsInput::Closed(client));
                self.send(editor);
            }
            Step::Rights { editor, may } => {
                let user = self.editors[editor.index(self.editors.len())].user;
                for node in [false, true] {
                    self.change_rights(node, user, may);
                }
            }
            Step::Pass(seconds) => self.pass(Duration::from_secs(u64::from(seconds))),
            Step::Crash(node) => self.crash(node),
        }
    }

    /// Everything that is under way comes to its end, and everybody may again.
    pub(super) fn settle(&mut self) {
        for editor in 0..self.editors.len() {
            let user = self.editors[editor].user;
            for node in [false, true] {
                self.change_rights(node, user, true);
            }
        }
        for _ in 0..1_000 {
            if self.is_quiet() {
                return;
            }
            for node in [false, true] {
                while !self.nodes[usize::from(node)].asks.is_empty() {
                    self.execute(node, 0);
                }
                while !self.nodes[usize::from(node)].replies.is_empty() {
                    self.reply(node, 0);
                }
                self.feed(node);
            }
            for editor in 0..self.editors.len() {
                while !self.editors[editor].inbox.is_empty() {
                    self.deliver(editor);
                }
                self.send(editor);
            }
            // What waits for a store that had failed is tried again by and by.
            self.pass(Duration::from_secs(1));
        }
        panic!("it never settles: {:?}", self.editors);
    }

    fn is_quiet(&self) -> bool {
        let newest = self.store.newest();
        let has_seen_all = |editor: &Editor| {
            let seen = editor.view.as_ref().map(|(seen, _)| *seen);
            editor.is_quiet() && seen == Some(newest)
        };
        let has_nothing_open = |node: &Node| node.asks.is_empty() && node.replies.is_empty();
        self.editors.iter().all(has_seen_all) && self.nodes.iter().all(has_nothing_open)
    }

    pub(super) fn check(&self) {
        let newest = self
            .store
            .documents
            .last()
            .expect("there is a first version");
        for editor in &self.editors {
            let (revision, document) = editor.view.as_ref().expect("settled");
            assert_eq!(*revision, self.store.newest());
            assert_eq!(document, newest);
        }
        // The history, replayed by another implementation, gives every version.
        let mut replayed = document();
        let mut names = BTreeSet::new();
        for (at, version) in self.store.versions.iter().enumerate() {
            let patch = version.patch.clone().expect("all are patches");
            let patch: json_patch::Patch = serde_json::from_value(patch).expect("a patch");
            json_patch::patch_unsafe(&mut replayed, &patch).expect("it applies");
            assert_eq!(replayed, self.store.documents[at + 1]);
            assert!(
                names.insert((version.author, version.name.clone())),
                "{version:?} twice"
            );
        }
        for editor in &self.editors {
            let mut versions = BTreeSet::new();
            for (sent, revision) in &editor.acknowledged {
                let kept = &self.store.versions[revision.0 as usize - 2];
                assert_eq!(kept.author, Some(editor.user));
                assert_eq!(kept.patch.as_ref(), Some(&sent.patch));
                let name = kept.name.as_deref().expect("it was named");
                assert!(name.ends_with(&sent.nonce), "{name} is not {}", sent.nonce);
                assert!(versions.insert(*revision), "{revision} acknowledged twice");
            }
        }
    }

    fn send(&mut self, editor: usize) {
        let sender = &mut self.editors[editor];
        let (client, user, node) = (sender.client, sender.user, sender.node);
        let Some(command) = sender.command() else {
            return;
        };
        let rights = &self.nodes[usize::from(node)].rights;
        let caller = Caller {
            grants: Grants::none(),
            client,
            user,
            tag: "tag".into(),
            standing: rights.get(&user).copied().unwrap_or(manager(0)),
        };
        let input = SessionsInput::Command {
            guild: Some(GUILD),
            target: Target::Form,
            caller,
            command,
        };
        self.input(node, input);
    }

    fn deliver(&mut self, editor: usize) {
        let Some(mail) = self.editors[editor].inbox.pop_front() else {
            return;
        };
        self.editors[editor].read(mail, &mut self.tally);
        self.send(editor);
    }

    fn pick(&self, node: bool, at: Index) -> Option<usize> {
        let count = self.nodes[usize::from(node)].asks.len();
        (count > 0).then(|| at.index(count))
    }

    fn execute(&mut self, node: bool, at: usize) {
        let (ticket, ask) = self.nodes[usize::from(node)].asks.remove(at);
        let reply = match ask {
            Ask::Verify { user, .. } => Reply::Verified(Ok(Verified {
                tokens: [TokenId(user.0), TokenId(user.0 + 1_000)],
                expires_at: None,
            })),
            Ask::Open => Reply::Opened(Ok(Box::new(self.store.open()))),
            Ask::Load { after } => Reply::Loaded(Ok(self.store.after(after))),
            Ask::Append(append) => {
                let appended = self.store.append(*append);
                self.tally.lost_races += usize::from(appended == Appended::Conflict);
                Reply::Appended(appended)
            }
        };
        self.nodes[usize::from(node)].replies.push((ticket, reply));
    }

    fn fail(&mut self, node: bool, at: usize, is_kept: bool) {
        let (ticket, ask) = self.nodes[usize::from(node)].asks.remove(at);
        let reply = match ask {
            Ask::Verify { .. } => {
                Reply::Verified(Err(crate::form_session::NotVerified::StoreFailed))
            }
            Ask::Open => Reply::Opened(Err(StoreFailed)),
            Ask::Load { .. } => Reply::Loaded(Err(StoreFailed)),
            Ask::Append(append) => {
                if is_kept {
                    self.store.append(*append);
                }
                Reply::Appended(Appended::Failed)
            }
        };
        self.nodes[usize::from(node)].replies.push((ticket, reply));
    }

    fn reply(&mut self, node: bool, at: usize) {
        let (ticket, reply) = self.nodes[usize::from(node)].replies.remove(at);
        let key = KEY;
        self.input(node, SessionsInput::Reply { key, ticket, reply });
    }

    fn feed(&mut self, node: bool) {
        let revision = self.store.newest();
        self.input(node, SessionsInput::Changed { key: KEY, revision });
    }

    fn change_rights(&mut self, node: bool, user: UserId, may: bool) {
        let known = &mut self.nodes[usize::from(node)];
        let before = known.rights.get(&user).copied().unwrap_or(manager(0));
        let standing = match (may, before) {
            // A change that keeps the right, on top of a right that is there.
            (true, Standing::Member(permissions)) => manager((permissions.0 >> 40) ^ 1),
            (true, Standing::Outsider) => manager(0),
            (false, _) => Standing::Outsider,
        };
        known.rights.insert(user, standing);
        known.held.insert(user);
        self.input(
            node,
            SessionsInput::Standing {
                guild: GUILD,
                user,
                standing,
            },
        );
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        for node in [false, true] {
            self.input(node, SessionsInput::Deadline);
        }
    }

    /// The process is gone: what it asked may have been done, nobody hears of it.
    fn crash(&mut self, node: bool) {
        let rights = std::mem::take(&mut self.nodes[usize::from(node)].rights);
        self.nodes[usize::from(node)] = Node {
            rights,
            ..Node::default()
        };
        for editor in 0..self.editors.len() {
            if self.editors[editor].node == node {
                self.editors[editor].reconnect(!node);
                self.send(editor);
            }
        }
    }

    fn input(&mut self, node: bool, input: SessionsInput) {
        let mut out = Vec::new();
        let here = &mut self.nodes[usize::from(node)];
        here.sessions.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Ask { key, ticket, ask } => {
                    assert_eq!(key, KEY);
                    if let Ask::Append(append) = &ask {
                        let author = append.author.expect("nothing opens by itself here");
                        let here = &self.nodes[usize::from(node)];
                        assert!(!here.held.contains(&author), "{author} may not, and may");
                    }
                    self.nodes[usize::from(node)].asks.push((ticket, ask));
                }
                Output::Answer { client, result } => {
                    let mail = match result {
                        Ok(raw) => {
                            let data: Value = serde_json::from_str(raw.get()).expect("JSON");
                            self.note_let_in(node, client, &data);
                            Mail::Done(data)
                        }
                        Err(refusal) => {
                            let details = refusal.details.map(|map| Value::Object(*map));
                            Mail::Refused(refusal.code.name(), details.unwrap_or_default())
                        }
                    };
                    self.post(node, client, mail);
                }
                Output::Event { client, event } => {
                    let mut text = Vec::new();
                    event.write_to(None, &mut text);
                    let frame: Value = serde_json::from_slice(&text).expect("JSON");
                    let name = frame["ev"].as_str().expect("a name").to_owned();
                    self.post(node, client, Mail::Event(name, frame["d"].clone()));
                }
            }
        }
    }

    /// A start or a reauthentication that is answered well lets its user patch again.
    fn note_let_in(&mut self, node: bool, client: ClientId, data: &Value) {
        if data.get("permissions").is_none() {
            return;
        }
        let user = self.editors[client.slot as usize].user;
        let here = &mut self.nodes[usize::from(node)];
        let standing = here.rights.get(&user).copied().unwrap_or(manager(0));
        assert_ne!(
            standing,
            Standing::Outsider,
            "{user} is let in without right"
        );
        here.held.remove(&user);
    }

    fn post(&mut self, node: bool, client: ClientId, mail: Mail) {
        let editor = &mut self.editors[client.slot as usize];
        if editor.client == client && editor.node == node {
            editor.inbox.push_back(mail);
        }
    }
}

//! All sessions of a node: routing, and what no single session can hold.

use std::{collections::BTreeSet, time::Duration};

use guildgate_model::{Grants, GuildId, Mono, Now, Permissions, Revision, TokenId, UnixMs, UserId};
use guildgate_wire::ErrorCode;
use serde_json::json;

use super::{
    super::{
        Ask, Caller, Command, FormSessions, Opened, Output, Reply, SessionKey, SessionsInput,
        Standing, Target, Verified,
    },
    stage::{ANN, BOB, client, credentials, document},
};

const HERE: GuildId = GuildId(1);
const THERE: GuildId = GuildId(2);

struct Node {
    sessions: FormSessions,
    now: Now,
}

impl Node {
    fn new() -> Node {
        let now = Now {
            mono: Mono::from_start(Duration::from_secs(10)),
            wall: UnixMs(1_000_000),
        };
        Node {
            sessions: FormSessions::new(),
            now,
        }
    }

    /// Feeds an input, and answers every question in the friendliest way. What is left are the
    /// answers' outcomes and the events' receivers.
    fn input(&mut self, input: SessionsInput) -> Vec<(u32, Option<ErrorCode>)> {
        let mut inputs = vec![input];
        let mut seen = Vec::new();
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.sessions.handle(self.now, input, &mut out);
            for output in out {
                match output {
                    Output::Answer { client, result } => {
                        seen.push((client.slot, result.err().map(|refusal| refusal.code)));
                    }
                    Output::Event { client, .. } => seen.push((client.slot, None)),
                    Output::Ask { key, ticket, ask } => {
                        let reply = friendly(ask);
                        inputs.push(SessionsInput::Reply { key, ticket, reply });
                    }
                }
            }
        }
        seen
    }

    fn command(
        &mut self,
        slot: u32,
        user: UserId,
        guild: impl Into<Option<GuildId>>,
        target: Target,
        command: Command,
    ) -> Vec<(u32, Option<ErrorCode>)> {
        let caller = Caller {
            grants: Grants::none(),
            client: client(slot),
            user,
            tag: "tag".into(),
            standing: Standing::Member(Permissions::MANAGE_GUILD),
        };
        self.input(SessionsInput::Command {
            guild: guild.into(),
            target,
            caller,
            command,
        })
    }

    fn start(
        &mut self,
        slot: u32,
        user: UserId,
        guild: GuildId,
        target: Target,
    ) -> Option<ErrorCode> {
        let command = Command::Start {
            credentials: credentials(),
            nonce: Some("start".into()),
        };
        let seen = self.command(slot, user, guild, target, command);
        let own = seen.iter().find(|(client, _)| *client == slot);
        own.expect("a command is answered").1
    }
}

fn friendly(ask: Ask) -> Reply {
    match ask {
        Ask::Verify { .. } => Reply::Verified(Ok(Verified {
            tokens: [TokenId(1), TokenId(2)],
            expires_at: None,
        })),
        Ask::Open => Reply::Opened(Ok(Box::new(Opened {
            revision: Revision::FIRST,
            document: document(),
            versions: Vec::new(),
            answered_fields: BTreeSet::new(),
            form: None,
        }))),
        Ask::Load { .. } => Reply::Loaded(Ok(Vec::new())),
        Ask::Append(append) => Reply::Appended(super::super::Appended::Kept(append.base.next())),
    }
}

#[test]
fn a_start_that_is_sent_again_is_answered_again() {
    let mut node = Node::new();
    assert_eq!(node.start(0, ANN, HERE, Target::Form), None);
    assert_eq!(node.start(0, ANN, HERE, Target::Form), None);
    let mut again = |nonce: Option<&str>, target| {
        let command = Command::Start {
            credentials: credentials(),
            nonce: nonce.map(Box::from),
        };
        node.command(0, ANN, HERE, target, command)
    };
    let exists = [(0, Some(ErrorCode::SessionExists))];
    assert_eq!(again(Some("start"), Target::Form), [(0, None)]);
    assert_eq!(again(Some("another"), Target::Form), exists);
    assert_eq!(again(None, Target::Form), exists);
    assert_eq!(again(Some("start"), Target::Answers(ANN)), exists);
}

#[test]
fn a_connection_has_one_session_a_guild() {
    let mut node = Node::new();
    assert_eq!(node.start(0, ANN, HERE, Target::Form), None);
    let again = node.start(0, ANN, HERE, Target::Answers(ANN));
    assert_eq!(again, Some(ErrorCode::SessionExists));
    assert_eq!(node.start(0, ANN, THERE, Target::Form), None);
    assert_eq!(node.start(1, ANN, HERE, Target::Answers(ANN)), None);
    assert_eq!(node.sessions.len(), 3);
    assert!(node.sessions.is_live(SessionKey {
        guild: HERE,
        target: Target::Form
    }));
}

#[test]
fn a_command_finds_its_session() {
    let mut node = Node::new();
    let beat =
        |node: &mut Node, guild| node.command(0, ANN, guild, Target::Form, Command::Heartbeat);
    assert_eq!(beat(&mut node, None), [(0, Some(ErrorCode::NoSession))]);
    node.start(0, ANN, HERE, Target::Answers(ANN));
    assert_eq!(beat(&mut node, None), [(0, None)]);
    assert_eq!(beat(&mut node, Some(HERE)), [(0, None)]);
    assert_eq!(
        beat(&mut node, Some(THERE)),
        [(0, Some(ErrorCode::NoSession))]
    );
    node.start(0, ANN, THERE, Target::Form);
    assert_eq!(beat(&mut node, None), [(0, Some(ErrorCode::BadRequest))]);
    assert_eq!(beat(&mut node, Some(THERE)), [(0, None)]);
}

#[test]
fn sessions_that_are_over_are_forgotten() {
    let mut node = Node::new();
    node.start(0, ANN, HERE, Target::Form);
    node.start(1, BOB, HERE, Target::Form);
    node.command(0, ANN, HERE, Target::Form, Command::End);
    assert_eq!(
        node.start(0, ANN, HERE, Target::Form),
        None,
        "it may start again"
    );
    node.input(SessionsInput::Closed(client(0)));
    assert_eq!(node.sessions.len(), 1);
    node.input(SessionsInput::GuildGone(THERE));
    assert_eq!(node.sessions.len(), 1);
    assert_eq!(node.input(SessionsInput::GuildGone(HERE)), [(1, None)]);
    assert!(node.sessions.is_empty());
    assert_eq!(node.sessions.deadline(), None);
    assert_eq!(node.start(1, BOB, HERE, Target::Form), None);
}

#[test]
fn standing_reaches_the_form_and_the_own_draft() {
    let mut node = Node::new();
    node.start(0, ANN, HERE, Target::Form);
    node.start(1, ANN, HERE, Target::Answers(ANN));
    node.start(2, BOB, HERE, Target::Answers(BOB));
    node.start(3, ANN, THERE, Target::Form);
    let seen = node.input(SessionsInput::Standing {
        guild: HERE,
        user: ANN,
        standing: Standing::Outsider,
    });
    assert_eq!(seen, [(0, None), (1, None)]);
    assert_eq!(node.sessions.len(), 2);
    assert_eq!(
        node.start(0, ANN, HERE, Target::Form),
        None,
        "the place is free again"
    );
}

#[test]
fn deadlines_of_all_sessions_are_kept() {
    let mut node = Node::new();
    node.start(0, ANN, HERE, Target::Form);
    node.now = node.now.after(Duration::from_secs(1));
    node.start(1, BOB, THERE, Target::Form);
    let start = node.now;
    let at = node.sessions.deadline().expect("a heartbeat");
    assert_eq!(at, start.mono + Duration::from_secs(29));
    node.now = start.after(Duration::from_secs(30));
    assert_eq!(node.input(SessionsInput::Deadline), [(0, None), (1, None)]);
    node.now = start.after(Duration::from_secs(61));
    assert_eq!(node.input(SessionsInput::Deadline), [(0, None), (1, None)]);
    assert!(node.sessions.is_empty());
}

#[test]
fn news_of_documents_nobody_edits_are_nothing() {
    let mut node = Node::new();
    let key = SessionKey {
        guild: HERE,
        target: Target::Form,
    };
    let news = SessionsInput::Changed {
        key,
        revision: Revision(9),
    };
    assert_eq!(node.input(news), []);
    let submitted = SessionsInput::Submitted {
        guild: HERE,
        fields: BTreeSet::new(),
    };
    assert_eq!(node.input(submitted), []);
    node.start(0, ANN, HERE, Target::Form);
    let patch = Command::Patch {
        base: Revision::FIRST,
        patch: json!([]),
        nonce: None,
    };
    assert_eq!(node.command(0, ANN, HERE, Target::Form, patch), [(0, None)]);
}

//! Wire protocol, "Notifications": told once, and never lost, in whatever order things happen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use guildgate_core::{
    client::{Client, Input, Output},
    outbox::{Admission, Socket, Unsent},
};
use guildgate_model::{Notification, Now, UnixMs};
use guildgate_wire::{EventFrame, Limits, Sequence, SessionId};
use proptest::prelude::*;
use serde_json::Value;

use super::{super::recent::*, *};

fn notification(id: u64) -> Notification {
    Notification {
        id: NotificationId(id),
        decision: Decision::Denied,
        guild: GUILD,
        application: None,
        note: None,
        at: UnixMs(0),
    }
}

fn missed(recent: &Recent, mark: Mark, inbox: Vec<Notification>) -> Vec<u64> {
    let mut found = Vec::new();
    let caught_up = recent.catch_up(mark, |news| {
        found = news.with_missed(USER, inbox);
    });
    assert_eq!(caught_up, Ok(()));
    found.iter().map(|one| one.id.0).collect()
}

#[test]
fn what_was_told_while_a_client_was_let_in_is_in_its_answer() {
    let recent = Recent::default();
    recent.tell(Told::Notification(USER, notification(1)), || {});
    recent.tell(Told::Revoked(TokenId(1)), || {});
    let mark = recent.mark();
    recent.tell(Told::Notification(USER, notification(2)), || {});
    recent.tell(Told::Notification(UserId(1), notification(4)), || {});
    recent.tell(Told::Notification(USER, notification(5)), || {});
    recent.tell(Told::Revoked(TokenId(2)), || {});
    assert_eq!(missed(&recent, mark, vec![notification(2)]), [2, 5]);
    let mut revoked = None;
    let caught_up = recent.catch_up(mark, |news| {
        revoked = Some((news.revoked(TokenId(1)), news.revoked(TokenId(2))));
    });
    assert_eq!((caught_up, revoked), (Ok(()), Some((false, true))));
}

#[test]
fn what_was_acknowledged_while_a_client_was_let_in_is_not_in_its_answer() {
    let recent = Recent::default();
    let inbox = || vec![notification(1), notification(2)];
    recent.acknowledging(USER, &[NotificationId(1)]);
    recent.acknowledging(UserId(9), &[NotificationId(2)]);
    let mark = recent.mark();
    assert_eq!(missed(&recent, mark, inbox()), [2], "it is on its way");
    let mut told = 0;
    recent.acknowledged(USER, vec![NotificationId(1)], Ok(()), || told += 1);
    assert_eq!(
        missed(&recent, mark, inbox()),
        [2],
        "it came after the look"
    );
    assert_eq!(missed(&recent, recent.mark(), inbox()), [1, 2]);
    recent.acknowledging(USER, &[NotificationId(2)]);
    recent.acknowledged(
        USER,
        vec![NotificationId(2)],
        Err::<(), _>(NoAnswer),
        || {
            told += 1;
        },
    );
    assert_eq!(missed(&recent, mark, inbox()), [2], "it came to nothing");
    assert_eq!(told, 1);
}

#[test]
fn what_was_acknowledged_before_the_feed_came_to_it_is_told_to_nobody() {
    let recent = Recent::default();
    let mut told = 0;
    recent.acknowledged(USER, vec![NotificationId(1)], Ok(()), || {});
    recent.acknowledging(USER, &[NotificationId(2)]);
    for id in 1..=3 {
        recent.tell(Told::Notification(USER, notification(id)), || told += 1);
    }
    let other = UserId(USER.0 + 1);
    recent.tell(Told::Notification(other, notification(1)), || told += 1);
    assert_eq!(told, 2, "the third, and another user's");
}

#[test]
fn what_another_process_took_is_told_and_what_this_one_took_not_twice() {
    let recent = Recent::default();
    let mark = recent.mark();
    let mut told = 0;
    let mut of_feed = |ids: &[u64]| {
        let ids = ids.iter().copied().map(NotificationId).collect();
        recent.tell(Told::Acknowledged(USER, ids), || told += 1);
        std::mem::take(&mut told)
    };
    recent.acknowledged(USER, vec![NotificationId(1)], Ok(()), || {});
    assert_eq!(of_feed(&[1]), 0, "told when it was taken");
    recent.acknowledging(USER, &[NotificationId(2)]);
    assert_eq!(of_feed(&[2]), 1, "what is under way may seem to fail");
    assert_eq!(of_feed(&[1, 3]), 1, "the third is another process's");
    let inbox = (1..=4).map(notification).collect();
    assert_eq!(missed(&recent, mark, inbox), [4]);
}

#[test]
fn more_than_is_remembered_is_looked_into_anew() {
    let recent = Recent::default();
    let mark = recent.mark();
    for id in 0..5_000 {
        recent.tell(Told::Notification(USER, notification(id)), || {});
    }
    let mut answered = false;
    assert_eq!(recent.catch_up(mark, |_| answered = true), Err(TooLate));
    assert!(!answered);
    assert_eq!(recent.catch_up(recent.mark(), |_| answered = true), Ok(()));
    assert!(answered);
}

#[derive(Debug, Clone)]
enum Step {
    /// A review is committed: it is in the inbox, and the feed will tell it.
    Review,
    /// The feed tells the next one.
    Tell,
    /// The shard takes a message.
    Shard,
    /// The page dials: for its old session, from so many events before the last that it saw, or
    /// for a new one.
    Dial { resume: bool, back: u64 },
    /// It comes back to its old session at once, and reads all that it is told there.
    Return { back: u64 },
    /// Its inbox is read.
    Look,
    /// It is answered.
    Answer,
    /// The socket takes what waits, or no more.
    Socket(Socket),
    /// The page reads so many frames.
    Read(usize),
    /// The page acknowledges what it has shown.
    Acknowledge,
    /// The database takes, or refuses, the oldest acknowledgement.
    Store { works: bool },
    /// The socket is lost, with what is on its way.
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Review),
        5 => Just(Step::Tell),
        9 => Just(Step::Shard),
        4 => (any::<bool>(), 0..4u64).prop_map(|(resume, back)| Step::Dial { resume, back }),
        3 => (0..4u64).prop_map(|back| Step::Return { back }),
        5 => Just(Step::Look),
        5 => Just(Step::Answer),
        2 => prop_oneof![Just(Socket::Free), Just(Socket::Busy)].prop_map(Step::Socket),
        6 => (1..4usize).prop_map(Step::Read),
        4 => Just(Step::Acknowledge),
        4 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(|works| Step::Store { works }),
        2 => Just(Step::Cut),
    ]
}

/// On its way to the shard.
enum Mail {
    Event(Arc<EventFrame>),
    LetIn(u64, Vec<Notification>),
    Acknowledged(Vec<NotificationId>),
    Done(usize, Answer),
}

/// A page that is being let in.
struct Knocking {
    number: u64,
    since: Mark,
    inbox: Option<Vec<Notification>>,
    resume: Option<(usize, Sequence)>,
}

/// One user who acknowledges, with one page; one shard; one database.
struct World {
    limits: Limits,
    inbox: BTreeMap<u64, Notification>,
    reviews: u64,
    untold: VecDeque<Notification>,
    recent: Recent,
    mail: VecDeque<Mail>,
    /// Acknowledgements that the database has not taken: of which session.
    under_way: VecDeque<(usize, Vec<NotificationId>)>,
    /// Every session of the page's, the newest last.
    sessions: Vec<Client>,
    /// Whether the newest session has a socket.
    attached: bool,
    socket: Socket,
    /// Written to it, and not read yet.
    pipe: VecDeque<String>,
    knocking: Option<Knocking>,
    dialled: u64,
    /// What the page has shown on this connection, and ever.
    shown_here: BTreeSet<u64>,
    shown: BTreeSet<u64>,
    /// What the server knows the page to have acknowledged.
    acknowledged: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    seen: Sequence,
}

impl World {
    fn new() -> World {
        World {
            limits: Limits {
                // A page that dials anew leaves its old session; no deadline is fed here.
                ..Limits::default()
            },
            inbox: BTreeMap::new(),
            reviews: 0,
            untold: VecDeque::new(),
            recent: Recent::default(),
            mail: VecDeque::new(),
            under_way: VecDeque::new(),
            sessions: Vec::new(),
            attached: false,
            socket: Socket::Free,
            pipe: VecDeque::new(),
            knocking: None,
            dialled: 0,
            shown_here: BTreeSet::new(),
            shown: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            seen: Sequence(0),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Review => {
                self.reviews += 1;
                let review = notification(self.reviews);
                self.inbox.insert(self.reviews, review.clone());
                self.untold.push_back(review);
            }
            Step::Tell => {
                if let Some(review) = self.untold.pop_front() {
                    let event = EventFrame::reviewed(&review);
                    let mail = &mut self.mail;
                    let told = Told::Notification(USER, review);
                    self.recent
                        .tell(told, || mail.push_back(Mail::Event(event)));
                }
            }
            Step::Shard => {
                if let Some(mail) = self.mail.pop_front() {
                    self.take(mail);
                }
            }
            Step::Dial { resume, back } => self.dial(resume, back),
            Step::Return { back } => {
                self.dial(true, back);
                self.step(Step::Look);
                self.answer();
                while let Some(mail) = self.mail.pop_front() {
                    self.take(mail);
                }
                self.step(Step::Read(usize::MAX));
            }
            Step::Look => {
                if let Some(knocking) = &mut self.knocking {
                    knocking
                        .inbox
                        .get_or_insert_with(|| self.inbox.values().cloned().collect());
                }
            }
            Step::Answer => self.answer(),
            Step::Socket(socket) => {
                self.socket = socket;
                self.flush();
            }
            Step::Read(frames) => {
                for _ in 0..frames.min(self.pipe.len()) {
                    self.read();
                }
            }
            Step::Acknowledge => self.acknowledge(),
            Step::Store { works } => self.store(works),
            Step::Cut => self.cut(),
        }
    }

    fn newest(&mut self) -> Option<&mut Client> {
        self.sessions.last_mut().filter(|_| self.attached)
    }

    fn feed(&mut self, session: usize, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        self.sessions[session].handle(Now::default(), &self.limits, input, &mut out);
        out
    }

    fn dial(&mut self, resume: bool, back: u64) {
        self.cut();
        self.dialled += 1;
        let resume = self.sessions.len().checked_sub(1).filter(|_| resume);
        self.knocking = Some(Knocking {
            number: self.dialled,
            since: self.recent.mark(),
            inbox: None,
            resume: resume.map(|session| {
                let seen = self.seen.0.saturating_sub(back);
                (session, Sequence(seen))
            }),
        });
    }

    fn answer(&mut self) {
        let Some(Knocking {
            number,
            since,
            inbox: Some(inbox),
            ..
        }) = &mut self.knocking
        else {
            return;
        };
        let (mail, inbox) = (&mut self.mail, std::mem::take(inbox));
        let caught_up = self.recent.catch_up(*since, |news| {
            mail.push_back(Mail::LetIn(*number, news.with_missed(USER, inbox)));
        });
        assert_eq!(caught_up, Ok(()));
        if let Some(knocking) = &mut self.knocking {
            knocking.inbox = None;
            // Answered: no second look.
            knocking.since = self.recent.mark();
        }
    }

    fn take(&mut self, mail: Mail) {
        match mail {
            Mail::Event(event) => self.event(&event),
            Mail::LetIn(number, missed) => {
                let knocking = self.knocking.take_if(|knocking| knocking.number == number);
                if let Some(knocking) = knocking {
                    self.let_in(knocking.resume, missed);
                }
            }
            Mail::Acknowledged(ids) => {
                for session in 0..self.sessions.len() {
                    assert!(self.feed(session, Input::Acknowledged(&ids)).is_empty());
                }
            }
            Mail::Done(session, answer) => {
                let out = self.feed(session, Input::Answer(answer));
                self.perform(out);
            }
        }
    }

    fn event(&mut self, event: &Arc<EventFrame>) {
        let newest = self.sessions.len();
        for (number, client) in self.sessions.iter_mut().enumerate() {
            if client.was_told(event) {
                continue;
            }
            let admission = client.outbox_mut().admit(event, self.socket, &self.limits);
            if let Admission::Write(sequence) = admission {
                assert!(self.attached && number + 1 == newest);
                let mut text = Vec::new();
                event.write_to(sequence, &mut text);
                self.pipe.push_back(String::from_utf8(text).expect("JSON"));
            }
        }
    }

    fn let_in(&mut self, resume: Option<(usize, Sequence)>, missed: Vec<Notification>) {
        self.socket = Socket::Free;
        self.attached = true;
        if let Some((session, seen)) = resume
            && self.sessions[session].resumes(USER, seen)
        {
            let resume = Input::Resume {
                seen,
                token: TokenId(1),
                missed,
            };
            self.seen = seen;
            let out = self.feed(session, resume);
            return self.perform(out);
        }
        let (now, mut out) = (Now::default(), Vec::new());
        let mut client = Client::open(now, 0, &self.limits, &mut out);
        let authenticate = r#"{"op":1,"d":{"token":"t","uid":"42"}}"#;
        client.handle(now, &self.limits, Input::Text(authenticate), &mut out);
        self.sessions.push(client);
        self.seen = Sequence(0);
        let answer = Answer::Full {
            user: USER,
            token: TokenId(1),
            session: SessionId {
                edge: 0,
                random: [0; 15],
            },
            missed,
        };
        let out = self.feed(self.sessions.len() - 1, Input::Answer(answer));
        self.perform(out);
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(text) if self.socket == Socket::Free => {
                    self.flush();
                    self.pipe.push_back(text.into());
                }
                Output::Send(text) => {
                    let limits = self.limits.clone();
                    let client = self.newest().expect("it has a socket");
                    let queued = client.outbox_mut().queue_raw(text, &limits);
                    assert_eq!(queued, Ok(()));
                }
                Output::Flush => self.flush(),
                // The user is one who acknowledges: nothing follows from delivery alone.
                Output::Ping | Output::Attached(_) | Output::Ask(Ask::Delivered { .. }) => {}
                other => panic!("not expected here: {other:?}"),
            }
        }
    }

    fn flush(&mut self) {
        if self.socket == Socket::Busy {
            return;
        }
        let limits = self.limits.clone();
        let Some(client) = self.newest() else { return };
        let text = |frame: Unsent<'_>| {
            let mut text = Vec::new();
            frame.write_to(&mut text);
            String::from_utf8(text).expect("JSON")
        };
        let texts: Vec<String> = client.outbox().unsent().map(text).collect();
        client.outbox_mut().sent(texts.len(), &limits);
        self.pipe.extend(texts);
    }

    fn read(&mut self) {
        let Some(text) = self.pipe.pop_front() else {
            return;
        };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(sequence) = frame["s"].as_u64() {
            self.seen = Sequence(sequence);
        }
        let told = match frame["op"].as_u64() {
            Some(2) => frame["d"]["missed_notifications"].as_array().cloned(),
            Some(5) => Some(vec![frame["d"].clone()]),
            _ => None,
        };
        for one in told.into_iter().flatten() {
            let id = one["id"].as_str().and_then(|id| id.parse().ok());
            let id = id.expect("an id");
            assert!(self.shown_here.insert(id), "{id} is shown twice: {text}");
            assert!(!self.acknowledged.contains(&id), "{id} was acknowledged");
            self.shown.insert(id);
        }
    }

    fn acknowledge(&mut self) {
        let new = |id: &&u64| !self.acknowledged.contains(*id) && !self.refused.contains(*id);
        let ids: Vec<u64> = self.shown_here.iter().filter(new).copied().collect();
        if !self.newest().is_some_and(|client| client.accepts_text()) {
            return;
        }
        let texts: Vec<String> = ids.iter().map(u64::to_string).collect();
        let command = serde_json::json!({
            "op": 6, "cmd": "NOTIFICATIONS_ACK", "d": { "ids": texts },
        });
        let session = self.sessions.len() - 1;
        let out = self.feed(session, Input::Text(&command.to_string()));
        for output in out {
            match output {
                Output::Ask(Ask::Acknowledge { user, ids }) => {
                    self.recent.acknowledging(user, &ids);
                    self.acknowledged.extend(ids.iter().map(|id| id.0));
                    self.under_way.push_back((session, ids));
                }
                Output::Ask(Ask::Delivered { .. }) => {}
                other => panic!("not expected here: {other:?}"),
            }
        }
    }

    fn store(&mut self, works: bool) {
        let Some((session, ids)) = self.under_way.pop_front() else {
            return;
        };
        let done = if works { Ok(()) } else { Err(NoAnswer) };
        let mail = &mut self.mail;
        if works {
            for id in &ids {
                self.inbox.remove(&id.0);
            }
        } else {
            // It may be shown again, and is never lost.
            for id in &ids {
                self.acknowledged.remove(&id.0);
                self.refused.insert(id.0);
            }
        }
        let told = ids.clone();
        self.recent
            .acknowledged(USER, ids, done, || mail.push_back(Mail::Acknowledged(told)));
        let answer = match works {
            true => Answer::Done(nothing()),
            false => unavailable("it could not be kept"),
        };
        self.mail.push_back(Mail::Done(session, answer));
    }

    fn cut(&mut self) {
        self.knocking = None;
        self.pipe.clear();
        self.shown_here.clear();
        if std::mem::take(&mut self.attached) {
            let session = self.sessions.len() - 1;
            let out = self.feed(session, Input::SocketLost);
            assert_eq!(out, [Output::Attached(false)]);
        }
    }

    /// In the end everything is told and read, and nothing was lost on the way.
    fn settle(&mut self) {
        while !self.under_way.is_empty() {
            self.store(true);
        }
        if !self.attached {
            self.dial(true, 0);
            self.step(Step::Look);
            self.answer();
        }
        while !self.untold.is_empty() || !self.mail.is_empty() {
            self.step(Step::Tell);
            self.step(Step::Shard);
        }
        self.step(Step::Socket(Socket::Free));
        while !self.pipe.is_empty() {
            self.read();
        }
        let all: BTreeSet<u64> = (1..=self.reviews).collect();
        assert_eq!(self.shown, all, "every notification was shown");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_notification_is_shown_once_and_never_lost(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}

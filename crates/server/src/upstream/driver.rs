//! One shard's task: it owns the socket and the machine, and performs what the machine says.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use guildgate_discord::{Backlog, Epoch, Input, Intents, Note, Output, Permit, Shard, Stopped};
use guildgate_model::{ShardId, UpstreamEvent, WantedMark, WantedUsers};
use tokio::sync::{mpsc, watch};

use super::{
    arrivals::{Arrived, Departures},
    handle::Request,
    note::{UpstreamStats, UpstreamStatus, log_members, log_refused_intents},
    queue::{Queue, ToQueue},
    rest::{Rest, chain},
    socket::{Dialler, Reading, Received, Socket},
    supervisor::Wish,
};
use crate::clock::Clock;

/// Once so many events wait to be taken, no more is read.
const EVENTS_WAITING_MAX: usize = 64;

/// So many messages are read one after the other before anything else is looked at.
const MESSAGES_IN_A_ROW: usize = 64;

/// What a shard's task is made of.
pub(super) struct Driver {
    pub(super) shard: Shard,
    pub(super) clock: Clock,
    pub(super) dialler: Dialler,
    pub(super) rest: Rest,
    pub(super) queue: Queue,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) permits: mpsc::UnboundedReceiver<Epoch>,
    pub(super) wish: watch::Receiver<Wish>,
    pub(super) events: Departures,
    pub(super) status: watch::Sender<UpstreamStatus>,
    pub(super) stats: Arc<UpstreamStats>,
    pub(super) wanted: Option<Arc<WantedUsers>>,
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<Box<Socket>>> + Send>>;

enum Link {
    Down,
    Dialling { epoch: Epoch, attempt: Attempt },
    Open { epoch: Epoch, socket: Box<Socket> },
}

/// A question of which privileged intents are switched on.
type Question = Pin<Box<dyn Future<Output = (Epoch, Option<Intents>)> + Send>>;

/// An event on its way out.
struct Waiting {
    seq: Option<u64>,
    arrived: Arrived,
}

struct Running {
    parts: Driver,
    link: Link,
    privileges: Option<Question>,
    out: Vec<Output>,
    waiting: VecDeque<Waiting>,
    stopped: Option<Stopped>,
    /// Whether this shard counts as active in the status.
    active: bool,
}

/// What woke the task.
enum Woken {
    Room,
    Dialled(io::Result<Box<Socket>>),
    Received(Received),
    Request(Option<Request>),
    Permit(Epoch),
    Privileges(Epoch, Option<Intents>),
    Wish,
    Deadline,
}

impl Driver {
    /// Runs the shard until it stops.
    pub(super) async fn run(self) -> Stopped {
        let mut running = Running {
            parts: self,
            link: Link::Down,
            privileges: None,
            out: Vec::new(),
            waiting: VecDeque::new(),
            stopped: None,
            active: false,
        };
        running.input(Input::Start);
        loop {
            running.hand_on();
            // What was handed out before the end is delivered before it.
            if running.waiting.is_empty()
                && let Some(stopped) = running.stopped.take()
            {
                running.set_active(false);
                return stopped;
            }
            match running.wake().await {
                Some(woken) => running.on_woken(woken),
                None => return Stopped::Shutdown,
            }
        }
    }
}

impl Running {
    /// Waits for whatever comes first; none if nobody takes events any more.
    async fn wake(&mut self) -> Option<Woken> {
        let id = self.parts.shard.id();
        let sleep = self
            .parts
            .shard
            .deadline()
            .map(|at| at.since(self.parts.clock.now().mono))
            .unwrap_or(Duration::MAX);
        let reading = if self.waiting.len() < EVENTS_WAITING_MAX {
            Reading::Open
        } else {
            Reading::Held
        };
        let ended = self.stopped.is_some();
        tokio::select! {
            biased;
            room = self.parts.events.room(), if !self.waiting.is_empty() => match room {
                Ok(()) => Some(Woken::Room),
                Err(error) => {
                    tracing::debug!(shard = %id, "{error}");
                    None
                }
            },
            woken = link_turn(&mut self.link, reading) => Some(woken),
            Some(epoch) = self.parts.permits.recv() => Some(Woken::Permit(epoch)),
            (epoch, granted) = answer(&mut self.privileges) => {
                Some(Woken::Privileges(epoch, granted))
            }
            Ok(()) = self.parts.wish.changed() => Some(Woken::Wish),
            request = self.parts.requests.recv(), if !self.parts.requests.is_closed() => {
                Some(Woken::Request(request))
            }
            () = tokio::time::sleep(sleep), if !ended => Some(Woken::Deadline),
        }
    }

    fn on_woken(&mut self, woken: Woken) {
        match woken {
            Woken::Room => {}
            Woken::Dialled(result) => self.on_dialled(result),
            Woken::Received(received) => {
                self.on_received(received);
                self.read_on();
            }
            Woken::Permit(epoch) => self.input(Input::Permit { epoch }),
            Woken::Privileges(epoch, granted) => {
                self.privileges = None;
                self.input(Input::Privileges { epoch, granted });
            }
            Woken::Wish => {
                let wish = *self.parts.wish.borrow_and_update();
                match wish {
                    Wish::Run => {}
                    Wish::Shutdown => self.input(Input::Shutdown),
                    Wish::Suspend => self.input(Input::Suspend),
                }
            }
            Woken::Request(Some(request)) => self.on_request(request),
            Woken::Request(None) => self.parts.requests.close(),
            Woken::Deadline => {
                let backlog = if self.waiting.len() < EVENTS_WAITING_MAX {
                    Backlog::Empty
                } else {
                    Backlog::Pending
                };
                self.input(Input::Tick { backlog });
            }
        }
    }

    fn on_dialled(&mut self, result: io::Result<Box<Socket>>) {
        let Link::Dialling { epoch, .. } = self.link else {
            return;
        };
        match result {
            Ok(socket) => {
                self.link = Link::Open { epoch, socket };
                self.input(Input::Opened { epoch });
            }
            Err(error) => {
                tracing::debug!(shard = %self.parts.shard.id(), %error, "dialling failed");
                self.link = Link::Down;
                self.input(Input::DialFailed { epoch });
            }
        }
    }

    /// Reads what the socket has besides, so that a burst is handed on as one.
    fn read_on(&mut self) {
        for _ in 0..MESSAGES_IN_A_ROW {
            let Link::Open { socket, .. } = &mut self.link else {
                return;
            };
            if self.waiting.len() >= EVENTS_WAITING_MAX {
                return;
            }
            match socket.turn(Reading::Open).now_or_never() {
                Some(received) => self.on_received(received),
                None => return,
            }
        }
    }

    fn on_received(&mut self, received: Received) {
        let Link::Open { epoch, .. } = self.link else {
            return;
        };
        match received {
            Received::Message(message) => {
                let bytes: &[u8] = message.as_payload();
                UpstreamStats::count(
                    &self.parts.stats.bytes_received,
                    u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                );
                if message.is_text() {
                    self.input(Input::Text { epoch, bytes });
                } else {
                    self.input(Input::Binary { epoch, bytes });
                }
            }
            Received::Over(code) => {
                if let Link::Open { socket, .. } = std::mem::replace(&mut self.link, Link::Down)
                    && code.is_some()
                {
                    socket.bid_farewell();
                }
                self.input(Input::Closed { epoch, code });
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        let now = self.parts.clock.now();
        let result = self
            .parts
            .shard
            .command(now, request.command, &mut self.out);
        match (request.reply, result) {
            (Some(reply), result) => {
                // Whoever asked may have left.
                let _ = reply.send(result);
            }
            (None, Ok(())) => {}
            (None, Err(error)) => {
                tracing::warn!(shard = %self.parts.shard.id(), %error, "a command was refused");
            }
        }
        self.perform();
    }

    fn input(&mut self, input: Input<'_>) {
        let now = self.parts.clock.now();
        self.parts.shard.handle(now, input, &mut self.out);
        self.perform();
    }

    fn perform(&mut self) {
        let shard = self.parts.shard.id();
        let mut outputs = std::mem::take(&mut self.out);
        for output in outputs.drain(..) {
            match output {
                Output::Dial { epoch, url } => {
                    let attempt = Box::pin(self.parts.dialler.clone().dial(url));
                    self.link = Link::Dialling { epoch, attempt };
                }
                Output::Send { epoch, message } => {
                    if let Link::Open {
                        epoch: open,
                        socket,
                    } = &mut self.link
                        && *open == epoch
                    {
                        UpstreamStats::count(&self.parts.stats.payloads_sent, 1);
                        socket.send(message.text);
                    }
                }
                Output::Close { epoch, code } => {
                    if let Link::Open {
                        epoch: open,
                        socket,
                    } = &mut self.link
                        && *open == epoch
                    {
                        socket.close(code);
                    }
                }
                Output::Drop { .. } => self.link = Link::Down,
                Output::AskPermit { epoch } => {
                    self.parts
                        .queue
                        .tell(ToQueue::Request(Permit { shard, epoch }));
                }
                Output::ReleasePermit { epoch } => {
                    self.parts
                        .queue
                        .tell(ToQueue::Release(Permit { shard, epoch }));
                }
                Output::AskPrivileges { epoch } => {
                    let rest = self.parts.rest.clone();
                    self.privileges = Some(Box::pin(async move { (epoch, granted(rest).await) }));
                }
                Output::Event { seq, event } => self.on_event(shard, seq, event),
                Output::Members(outcome) => log_members(shard, &outcome),
                Output::Note(note) => self.on_note(shard, &note),
                Output::Stopped(stopped) => {
                    self.link = Link::Down;
                    self.stopped = Some(stopped);
                }
            }
        }
        self.out = outputs;
    }

    fn on_event(&mut self, shard: ShardId, seq: Option<u64>, event: UpstreamEvent) {
        match event {
            UpstreamEvent::SessionStarted { .. } | UpstreamEvent::SessionResumed => {
                self.set_active(true);
            }
            UpstreamEvent::LinkLost => self.set_active(false),
            _ => {}
        }
        UpstreamStats::count(&self.parts.stats.events, 1);
        let at = self.parts.clock.now().mono;
        // Before the next message is decoded, which is what a mark promises.
        let wanted = self.parts.wanted.as_deref();
        let mark = wanted.map_or(WantedMark::ALL, WantedUsers::mark);
        let arrived = Arrived {
            shard,
            at,
            mark,
            event,
        };
        self.waiting.push_back(Waiting { seq, arrived });
        self.parts
            .stats
            .events_waiting
            .fetch_add(1, Ordering::Relaxed);
    }

    fn on_note(&mut self, shard: ShardId, note: &Note) {
        self.parts.stats.note(shard, note);
        if let Note::IntentsDropped(refused) = note {
            let first = self.parts.status.send_if_modified(|status| {
                let before = status.refused_intents;
                status.refused_intents = before | *refused;
                before != status.refused_intents
            });
            if first {
                log_refused_intents(*refused);
            }
        }
    }

    /// Hands on as many events as there is room for. The machine hears how far that was, so
    /// that what was not handed on is replayed after a crash.
    fn hand_on(&mut self) {
        loop {
            let Some(room) = self.parts.events.room_for(self.waiting.len()) else {
                return;
            };
            let handed = self.waiting.drain(..room.events());
            let mut last = None;
            let batch = handed.map(|waiting| {
                last = waiting.seq.or(last);
                waiting.arrived
            });
            let batch: Vec<Arrived> = batch.collect();
            let count = batch.len() as u64;
            room.send(batch);
            self.parts
                .stats
                .events_waiting
                .fetch_sub(count, Ordering::Relaxed);
            if let Some(seq) = last {
                self.input(Input::Handled { seq });
            }
        }
    }

    fn set_active(&mut self, active: bool) {
        if self.active != active {
            self.active = active;
            self.parts.status.send_modify(|status| {
                status.active = if active {
                    status.active.saturating_add(1)
                } else {
                    status.active.saturating_sub(1)
                };
            });
        }
    }
}

/// Which privileged intents the application's settings grant, if that can be found out.
async fn granted(rest: Rest) -> Option<Intents> {
    match rest.application().await {
        Ok(application) => application.privileges(),
        Err(error) => {
            tracing::warn!(
                error = %chain(&error),
                "which privileged intents are switched on could not be asked"
            );
            None
        }
    }
}

/// The answer to the question; never, while there is none.
async fn answer(question: &mut Option<Question>) -> (Epoch, Option<Intents>) {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

/// The next thing that the link does; never, while there is none.
async fn link_turn(link: &mut Link, reading: Reading) -> Woken {
    match link {
        Link::Down => std::future::pending().await,
        Link::Dialling { attempt, .. } => Woken::Dialled(attempt.await),
        Link::Open { socket, .. } => Woken::Received(socket.turn(reading).await),
    }
}

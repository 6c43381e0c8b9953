//! One edge shard: a thread that owns its clients and their sockets.
//!
//! A turn: what is in the inbox, what sockets have to say, what is due, and then one write a
//! socket for all that has come up for it. Events to a guild are noted in the guild's log and
//! carried to its members in slices between turns, so that ten thousand sockets on one guild
//! keep nobody else waiting; see [`fanout`].
//!
//! The order that a client sees is the inbox's: before a client is told anything of its own,
//! what its guild was told before is put in front of it.

mod carrier;
mod closing;
mod encoding;
mod fanout;
mod mail;
mod personal;
mod place;
mod read;
mod restart;
mod resume;
mod step;
mod write;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use guildgate_core::{
    ClientId,
    client::{Output, SavedSession},
};
use guildgate_model::{GuildId, Mono, Now, TokenId, UserId};
use guildgate_wire::SessionId;
use mio::{Events, Poll, Token, event::Event};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    EdgeConfig, EdgeStats, Edges, FromEdge,
    codec::Inflater,
    inbox::{Inbox, Mail},
    slab::Slab,
    wheel::Wheel,
};
use crate::clock::Clock;
use carrier::Shared;
use closing::{Draining, Lingering};
use encoding::Encoder;
use fanout::{Guild, SLICE};
use personal::Personal;
use place::Place;

pub(super) use resume::Moving;

/// What a shard is made of.
pub(super) struct Parts {
    pub(super) number: u8,
    pub(super) config: EdgeConfig,
    pub(super) poll: Poll,
    pub(super) mail: Mail,
    pub(super) stats: Arc<EdgeStats>,
    pub(super) edges: Edges,
    pub(super) out: UnboundedSender<FromEdge>,
    pub(super) clock: Clock,
}

/// The thread's state.
pub(super) struct Shard {
    parts: Parts,
    now: Now,
    places: Slab<Place>,
    wheel: Wheel,
    guilds: HashMap<GuildId, Guild>,
    /// Guilds whose log is not yet carried to all, each once.
    sweeping: VecDeque<GuildId>,
    sessions: HashMap<SessionId, u32>,
    users: BTreeSet<(UserId, u32)>,
    lingering: Slab<Lingering>,
    /// When lingering sockets are dropped; in order, since all linger equally long.
    lingering_until: VecDeque<(Mono, u32, u16)>,
    /// Clients whose sockets have more to say, each once.
    readable: VecDeque<(u32, u16)>,
    /// Clients with something to write, each once.
    dirty: Vec<u32>,
    /// What came up where it could not be dealt with at once.
    aftermath: Vec<Aftermath>,
    /// Tokens revoked lately, for clients that were between two shards then.
    revoked: VecDeque<TokenId>,
    personal: Personal,
    draining: Option<Draining>,
    /// Where sessions go once the last socket is gone; the thread ends then.
    finishing: Option<UnboundedSender<Vec<SavedSession>>>,
    /// When the events that went to single clients this turn came in.
    received: Vec<Mono>,
    input: Vec<u8>,
    encoder: Encoder,
    shared: Shared,
    /// Made when the first client deflates.
    inflater: Option<Box<Inflater>>,
    outputs: Vec<Output>,
    /// Clients whose deadlines have come and were not fed yet.
    due: Vec<u32>,
}

/// Something that came up for a client in the middle of a pass over many.
#[derive(Debug)]
enum Aftermath {
    /// Too much waits for its socket.
    Overrun(u32),
    /// Its socket is gone.
    Lost(u32),
    /// It was told that something is over.
    Ended(u32, guildgate_wire::Ends),
    /// Its machine failed.
    Panicked(u32),
}

/// Whether the thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    Done,
}

const BELL: Token = Token(usize::MAX);
/// Marks tokens of lingering sockets.
const LINGERING: usize = 1 << 62;
/// Messages taken from the inbox in a turn.
const MAIL_MAX: usize = 4096;
/// Sockets read in a turn. So few that an event for the others waits no longer than some
/// milliseconds where each of them brings a flood.
const READS_MAX: usize = 64;
/// Deadlines fed in a turn: thousands who came at once are late at once.
const DEADLINES_MAX: usize = 64;
/// Largest read at once, bytes; one buffer for the whole shard.
const INPUT_BYTES: usize = 16 * 1024;

/// A poll, and the inbox that wakes it.
pub(super) fn open() -> io::Result<(Poll, Inbox, Mail)> {
    let poll = Poll::new()?;
    let (inbox, mail) = Inbox::new(&poll, BELL)?;
    Ok((poll, inbox, mail))
}

impl Shard {
    pub(super) fn new(parts: Parts) -> Shard {
        let now = parts.clock.now();
        Shard {
            encoder: Encoder::new(parts.config.deflate_bytes_min),
            parts,
            now,
            places: Slab::default(),
            wheel: Wheel::new(now.mono),
            guilds: HashMap::new(),
            sweeping: VecDeque::new(),
            sessions: HashMap::new(),
            users: BTreeSet::new(),
            lingering: Slab::default(),
            lingering_until: VecDeque::new(),
            readable: VecDeque::new(),
            dirty: Vec::new(),
            aftermath: Vec::new(),
            revoked: VecDeque::new(),
            personal: Personal::default(),
            draining: None,
            finishing: None,
            received: Vec::new(),
            input: vec![0; INPUT_BYTES],
            shared: Shared::default(),
            inflater: None,
            outputs: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Turns until the shard is drained.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = self.pause();
            match self.parts.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::error!(%error, shard = self.parts.number, "an edge shard cannot poll and ends");
                    return;
                }
            }
            if self.turn(&events) == Going::Done {
                return;
            }
        }
    }

    fn turn(&mut self, events: &Events) -> Going {
        self.now = self.parts.clock.now();
        self.settle();
        self.take_mail();
        for event in events {
            self.on_event(event);
        }
        self.read_sockets();
        self.expire();
        self.settle();
        self.sweep(SLICE);
        self.settle();
        self.flush_dirty();
        self.settle();
        self.record_lag();
        self.drop_lingering();
        self.drain()
    }

    /// How long nothing is to be done, if no socket and no message says otherwise.
    fn pause(&self) -> Option<Duration> {
        let busy = self.parts.mail.more()
            || !self.readable.is_empty()
            || !self.sweeping.is_empty()
            || !self.due.is_empty()
            || !self.dirty.is_empty();
        if busy {
            return Some(Duration::ZERO);
        }
        let next = [
            self.wheel.next(),
            self.lingering_until.front().map(|(until, ..)| *until),
            self.draining.as_ref().and_then(Draining::next),
        ];
        let next = next.into_iter().flatten().min()?;
        // A millisecond is the poll's grain; rounding up spares an idle turn.
        let pause = next.since(self.parts.clock.now().mono);
        Some(pause + Duration::from_millis(1))
    }

    fn on_event(&mut self, event: &Event) {
        let token = event.token();
        if token == BELL {
            return;
        }
        let (slot, generation) = place_of(token);
        if token.0 & LINGERING != 0 {
            self.on_lingering(slot, generation);
            return;
        }
        let Some(socket) = self
            .places
            .tenant(slot, generation)
            .and_then(|place| place.socket.as_mut())
        else {
            return;
        };
        socket.hung_up |= event.is_read_closed();
        if event.is_writable() && socket.blocked {
            socket.blocked = false;
            self.soil(slot);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.want_read(slot);
        }
    }

    /// Feeds deadlines that have come.
    fn expire(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        if due.is_empty() {
            self.wheel.expire(self.now.mono, &mut due);
        }
        for slot in due.drain(..due.len().min(DEADLINES_MAX)) {
            let Some(deadline) = self
                .places
                .at(slot)
                .and_then(|place| place.client.deadline())
            else {
                continue;
            };
            if deadline <= self.now.mono {
                self.step(slot, guildgate_core::client::Input::Deadline);
            } else {
                self.wheel.schedule(slot, deadline);
            }
        }
        self.due = due;
    }

    /// Deals with what came up in a pass over many clients.
    fn settle(&mut self) {
        use guildgate_core::client::Input;
        use guildgate_wire::CloseCode;

        while let Some(aftermath) = self.aftermath.pop() {
            match aftermath {
                Aftermath::Overrun(slot) => {
                    self.step(slot, Input::Fault(CloseCode::SlowConsumer));
                }
                Aftermath::Lost(slot) => self.lose_socket(slot),
                Aftermath::Ended(slot, ends) => self.step(slot, Input::Ended(ends)),
                Aftermath::Panicked(slot) => self.give_up(slot),
            }
        }
    }

    fn record_lag(&mut self) {
        if self.received.is_empty() {
            return;
        }
        let now = self.parts.clock.now().mono;
        for received in self.received.drain(..) {
            self.parts.stats.lag.record(now.since(received));
        }
    }

    fn id(&mut self, slot: u32) -> Option<ClientId> {
        Some(ClientId {
            slot,
            generation: self.places.generation(slot)?,
            edge: self.parts.number,
        })
    }

    /// Says something to the rest of the node; nobody listens any more while it ends.
    fn tell(&self, message: FromEdge) {
        if self.parts.out.send(message).is_err() {
            tracing::trace!("the node has stopped listening to its edge");
        }
    }
}

fn token_of(slot: u32, generation: u16) -> Token {
    Token(slot as usize | usize::from(generation) << 32)
}

fn place_of(token: Token) -> (u32, u16) {
    (token.0 as u32, (token.0 >> 32) as u16)
}

#[cfg(test)]
pub(super) mod tests;

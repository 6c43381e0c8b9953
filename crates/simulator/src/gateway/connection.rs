//! One socket's part of the gateway's state.

use std::{collections::VecDeque, time::Duration};

use guildgate_model::Mono;

use super::{Close, Corruption};

/// One socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// What the client asked for in the URL that it dialled.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) entry: Entry,
    pub(crate) version: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) compress: Option<String>,
    /// `ws://HOST`, from which the resume URL is made.
    pub(crate) base_url: String,
}

/// Which of the gateway's two URLs was dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Main,
    Resume,
}

/// How a connection's messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    /// Some messages by themselves: `compress` in IDENTIFY.
    Payload,
    Zlib,
    Zstd,
}

/// Whether heartbeats are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acks {
    Sent,
    Lost,
}

/// How far a connection has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It may IDENTIFY or RESUME.
    Waiting,
    /// It has this session.
    Live(Box<str>),
    /// It is being closed; what it still sends is ignored.
    Closed,
}

/// A socket's state.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) phase: Phase,
    pub(crate) entry: Entry,
    pub(crate) base_url: String,
    pub(crate) compression: Compression,
    /// When it opened or last sent a heartbeat.
    pub(crate) heard: Mono,
    /// When it sent its latest payloads, as far back as the window reaches.
    pub(crate) payloads: VecDeque<Mono>,
    /// What is to be sent besides dispatches.
    pub(crate) control: VecDeque<Control>,
    /// When, and how, it will be ended.
    pub(crate) ending: Option<(Mono, Close)>,
    /// When it will be sent an op 7.
    pub(crate) reconnect_at: Option<Mono>,
    pub(crate) acks: Acks,
    /// How long everything is held back.
    pub(crate) delay: Duration,
    /// Until when what waits is held back.
    pub(crate) held_until: Option<Mono>,
}

/// Something to send that is not a dispatch.
#[derive(Debug, Clone)]
pub(crate) enum Control {
    /// A whole message.
    Text(Box<str>),
    /// A message broken on purpose.
    Corrupt(Corruption),
    /// From here on, this many bytes a second; none is as fast as it goes.
    Pace(Option<u32>),
    /// The end; nothing follows it.
    End(Close),
}

impl Connection {
    pub(crate) fn new(now: Mono, opening: Opening, compression: Compression) -> Connection {
        Connection {
            phase: Phase::Waiting,
            entry: opening.entry,
            base_url: opening.base_url,
            compression,
            heard: now,
            payloads: VecDeque::new(),
            control: VecDeque::new(),
            ending: None,
            reconnect_at: None,
            acks: Acks::Sent,
            delay: Duration::ZERO,
            held_until: None,
        }
    }

    /// Counts one payload; false if it is one too many.
    pub(crate) fn admit(&mut self, now: Mono, max: usize, window: Duration) -> bool {
        while self
            .payloads
            .front()
            .is_some_and(|&sent| sent + window <= now)
        {
            self.payloads.pop_front();
        }
        self.payloads.push_back(now);
        self.payloads.len() <= max
    }

    /// Queues a message of `op` with `d`, `s` and `t` null.
    pub(crate) fn say(&mut self, op: u8, d: &serde_json::Value) {
        let text = format!(r#"{{"t":null,"s":null,"op":{op},"d":{d}}}"#);
        self.control.push_back(Control::Text(text.into()));
    }

    /// Ends it: what waits is dropped, and the end follows at once.
    pub(crate) fn end(&mut self, close: Close) {
        self.phase = Phase::Closed;
        self.control.clear();
        self.control.push_back(Control::End(close));
    }

    /// The session that it has.
    pub(crate) fn session(&self) -> Option<&str> {
        match &self.phase {
            Phase::Live(session) => Some(session),
            Phase::Waiting | Phase::Closed => None,
        }
    }
}

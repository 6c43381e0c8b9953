//! One edge shard: a thread that owns its clients and their sockets.

use std::{io, sync::Arc};

use mio::{Events, Poll, Token};
use tokio::sync::mpsc::UnboundedSender;

use super::{EdgeConfig, EdgeStats, Edges, FromEdge, ToEdge, inbox::Inbox, inbox::Mail};
use crate::clock::Clock;

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
}

const BELL: Token = Token(usize::MAX);

/// A poll, and the inbox that wakes it.
pub(super) fn open() -> io::Result<(Poll, Inbox, Mail)> {
    let poll = Poll::new()?;
    let (inbox, mail) = Inbox::new(&poll, BELL)?;
    Ok((poll, inbox, mail))
}

impl Shard {
    pub(super) fn new(parts: Parts) -> Shard {
        Shard { parts }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            if self.parts.poll.poll(&mut events, None).is_err() {
                return;
            }
            self.parts.mail.look();
            while let Some(message) = self.parts.mail.take() {
                if let ToEdge::Drain(_) = message {
                    return;
                }
            }
        }
    }
}

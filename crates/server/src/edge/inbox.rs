//! The way into a shard's thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
};

use mio::{Poll, Waker};

use super::ToEdge;

/// The sending end, shared by all who have something to say to the shard.
///
/// Its bound is its senders': one answer a question, one message a socket accepted, and what
/// the hub has to say, which conflates counts before it sends them.
#[derive(Debug, Clone)]
pub(super) struct Inbox {
    sender: mpsc::Sender<ToEdge>,
    bell: Arc<Bell>,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Mail {
    receiver: mpsc::Receiver<ToEdge>,
    bell: Arc<Bell>,
}

/// Wakes the shard, once for all that comes before it looks.
#[derive(Debug)]
struct Bell {
    waker: Waker,
    rung: AtomicBool,
    waiting: AtomicU64,
}

impl Inbox {
    /// An inbox whose bell wakes `poll` with `token`.
    pub(super) fn new(poll: &Poll, token: mio::Token) -> io::Result<(Inbox, Mail)> {
        let (sender, receiver) = mpsc::channel();
        let bell = Arc::new(Bell {
            waker: Waker::new(poll.registry(), token)?,
            rung: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
        });
        let inbox = Inbox {
            sender,
            bell: Arc::clone(&bell),
        };
        Ok((inbox, Mail { receiver, bell }))
    }

    /// Puts a message in without waking the shard; [`Inbox::ring`] must follow. A shard that
    /// has ended takes no more, and nobody is left to miss it.
    pub(super) fn push(&self, message: ToEdge) {
        self.bell.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sender.send(message).is_err() {
            self.bell.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Wakes the shard if it has not been since it last looked.
    pub(super) fn ring(&self) {
        if !self.bell.rung.swap(true, Ordering::AcqRel)
            && let Err(error) = self.bell.waker.wake()
        {
            tracing::error!(%error, "could not wake an edge shard; it looks again at its next deadline");
        }
    }

    /// How many messages wait.
    pub(super) fn depth(&self) -> u64 {
        self.bell.waiting.load(Ordering::Relaxed)
    }
}

impl Mail {
    /// Says that the shard is looking; a message put in after this rings again.
    pub(super) fn look(&self) {
        self.bell.rung.store(false, Ordering::Release);
    }

    /// Whether messages wait.
    pub(super) fn more(&self) -> bool {
        self.bell.waiting.load(Ordering::Acquire) > 0
    }

    /// The next message, if there is one.
    pub(super) fn take(&self) -> Option<ToEdge> {
        let message = self.receiver.try_recv().ok()?;
        self.bell.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(message)
    }
}

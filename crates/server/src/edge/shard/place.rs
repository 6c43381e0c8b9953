//! What a shard keeps of a client.

use guildgate_core::{client::Client, outbox};
use guildgate_model::{GuildId, UserId};
use guildgate_wire::SessionId;

use crate::edge::{EdgeStats, Peer, codec::Decoder, transport::Transport};

/// A client, and its socket while it has one.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: Client,
    pub(super) socket: Option<Socket>,
    pub(super) seat: Option<Seat>,
    /// Whether it is in the shard's list of clients with something to write.
    pub(super) dirty: bool,
    /// What it is listed under, once it is a session; its machine forgets this at its end.
    pub(super) listed: Option<Box<Listed>>,
    /// What it counts as in the figures.
    pub(super) standing: Standing,
    pub(super) counted: Counted,
}

/// How much of a client's outbox is in the shard's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    waiting: u32,
    kept: u32,
}

/// What a session is found by.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) user: UserId,
    pub(super) session: SessionId,
}

/// What a client counts as in the shard's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not let in yet.
    Stranger,
    /// Let in.
    Authenticated,
    /// Let in, and its socket is gone.
    Detached,
}

impl Place {
    pub(super) fn new(client: Client, socket: Socket) -> Place {
        Place {
            socket: Some(socket),
            ..Place::without_socket(client)
        }
    }

    pub(super) fn without_socket(client: Client) -> Place {
        Place {
            client,
            socket: None,
            seat: None,
            dirty: false,
            listed: None,
            standing: Standing::Stranger,
            counted: Counted::default(),
        }
    }

    /// Brings the figures up to what is in the outbox now; most of the time nothing is.
    pub(super) fn count_outbox(&mut self, stats: &EdgeStats) {
        let outgrown = self.client.outbox_mut().take_outgrown();
        if outgrown > 0 {
            stats.outgrown.add(outgrown.into());
        }
        let (waiting, kept) = self.client.outbox().depths();
        self.count_as(
            Counted {
                waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
                kept: u32::try_from(kept).unwrap_or(u32::MAX),
            },
            stats,
        );
    }

    /// Takes the client out of the figures, for it goes; says how many frames waited for it
    /// when its machine was last fed.
    pub(super) fn discount_outbox(&mut self, stats: &EdgeStats) -> u64 {
        let waited = self.counted.waiting;
        self.count_as(Counted::default(), stats);
        waited.into()
    }

    fn count_as(&mut self, now: Counted, stats: &EdgeStats) {
        let before = std::mem::replace(&mut self.counted, now);
        if before != now {
            stats.waiting.add(now.waiting.into());
            stats.waiting.sub(before.waiting.into());
            stats.kept.add(now.kept.into());
            stats.kept.sub(before.kept.into());
        }
    }
}

/// Where a client sits on its guild.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) guild: GuildId,
    /// Which of the guild's members it is.
    pub(super) index: u32,
    /// The number of the first entry in the guild's log that it was not told.
    pub(super) cursor: u64,
}

/// An upgraded socket and what is unfinished on it.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) transport: Transport,
    pub(super) peer: Peer,
    pub(super) decoder: Decoder,
    pending: Option<Box<Pending>>,
    /// Whether it refused bytes and has not said since that it takes more.
    pub(super) blocked: bool,
    /// Whether the kernel may have bytes from the client.
    pub(super) readable: bool,
    /// Whether the client has said that nothing more comes from it, behind what is unread.
    pub(super) hung_up: bool,
    /// Whether it is in the shard's list of sockets to read.
    pub(super) queued: bool,
    /// Whether a ping is to follow what waits.
    pub(super) owes_ping: bool,
    /// Whether it has refused bytes since the last heartbeat, and taken none.
    pub(super) stuck: bool,
}

/// Bytes that wait on one side or the other; most of the time there are none.
#[derive(Debug, Default)]
struct Pending {
    out: Vec<u8>,
    unread: Vec<u8>,
}

impl Socket {
    pub(super) fn new(transport: Transport, peer: Peer) -> Socket {
        Socket {
            transport,
            peer,
            decoder: Decoder::default(),
            pending: None,
            blocked: false,
            readable: true,
            hung_up: false,
            queued: false,
            owes_ping: false,
            stuck: false,
        }
    }

    /// Whether an event may be written at once, as the outbox wants to know it.
    pub(super) fn state(&self) -> outbox::Socket {
        if self.blocked {
            outbox::Socket::Busy
        } else {
            outbox::Socket::Free
        }
    }

    /// Whole frames, but for the first, that are the socket's and not yet written.
    pub(super) fn staged(&self) -> &[u8] {
        self.pending.as_ref().map_or(&[], |pending| &pending.out)
    }

    /// Where frames are put that are to be written with others at the end of the turn.
    pub(super) fn stage(&mut self) -> &mut Vec<u8> {
        &mut self.pending.get_or_insert_default().out
    }

    /// Takes what is staged, to write it.
    pub(super) fn take_staged(&mut self) -> Vec<u8> {
        let staged = match &mut self.pending {
            Some(pending) => std::mem::take(&mut pending.out),
            None => Vec::new(),
        };
        self.shed();
        staged
    }

    /// Keeps bytes from the client until it may be listened to again.
    pub(super) fn keep_unread(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let pending = self.pending.get_or_insert_default();
            pending.unread.extend_from_slice(bytes);
        }
    }

    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        let unread = match &mut self.pending {
            Some(pending) => std::mem::take(&mut pending.unread),
            None => Vec::new(),
        };
        self.shed();
        unread
    }

    pub(super) fn has_unread(&self) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| !pending.unread.is_empty())
    }

    fn shed(&mut self) {
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.out.is_empty() && pending.unread.is_empty())
        {
            self.pending = None;
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_small() {
        // What every waiting connection costs; what rarely is there stands behind a pointer.
        assert!(size_of::<Place>() <= 256, "{}", size_of::<Place>());
        assert!(size_of::<Socket>() <= 104, "{}", size_of::<Socket>());
    }
}

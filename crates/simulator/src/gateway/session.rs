//! A session: what outlives its socket.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use guildgate_model::{GuildId, Mono, ShardId, UserId};

use super::{ConnectionId, playback::Played};
use crate::{
    config::Settings,
    event::{Dispatch, Event},
};

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    Bot,
    User,
}

/// A logical client, by its id.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) account: Account,
    pub(crate) user: UserId,
    pub(crate) shard: ShardId,
    pub(crate) intents: u64,
    pub(crate) large_threshold: u64,
    /// The last sequence number that was given out.
    pub(crate) last: u64,
    /// The last one that was handed to a socket.
    pub(crate) sent: u64,
    /// The number of the latest RESUMED; older ones are not said again.
    pub(crate) resumed_at: u64,
    /// What can be replayed, oldest first, without holes.
    replay: VecDeque<Arc<Dispatch>>,
    replay_bytes: usize,
    /// Guilds whose GUILD_CREATE is still to come; their events are part of it.
    pub(crate) pending: BTreeSet<GuildId>,
    /// Large answers, made piece by piece as the socket takes them.
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) link: Link,
    /// How far a recording has been played to it.
    pub(super) played: Option<Played>,
    /// When all members of a guild were last asked for.
    pub(crate) full_requests: BTreeMap<GuildId, Mono>,
}

/// Whether a session has a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Up(ConnectionId),
    /// It can be resumed until then.
    Down {
        until: Mono,
    },
}

/// An answer that is made piece by piece.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// GUILD_CREATE, or GUILD_DELETE if the guild is down.
    Backfill(GuildId),
    /// GUILD_MEMBERS_CHUNK upon GUILD_MEMBERS_CHUNK.
    Members(Box<MembersJob>),
    /// The next event of a recording, upon the one before.
    Play,
}

/// A request for all members that is being answered.
#[derive(Debug, Clone)]
pub(crate) struct MembersJob {
    pub(crate) guild: GuildId,
    pub(crate) after: UserId,
    pub(crate) chunk: u64,
    pub(crate) chunks: u64,
    pub(crate) presences: bool,
    pub(crate) nonce: Option<Box<str>>,
}

impl Session {
    pub(crate) fn new(
        account: Account,
        user: UserId,
        shard: ShardId,
        intents: u64,
        connection: ConnectionId,
    ) -> Session {
        Session {
            account,
            user,
            shard,
            intents,
            large_threshold: 50,
            last: 0,
            sent: 0,
            resumed_at: 0,
            replay: VecDeque::new(),
            replay_bytes: 0,
            pending: BTreeSet::new(),
            jobs: VecDeque::new(),
            link: Link::Up(connection),
            played: None,
            full_requests: BTreeMap::new(),
        }
    }

    /// Gives `dispatch` the next number and keeps it, forgetting the oldest past the bounds.
    pub(crate) fn push(&mut self, dispatch: Arc<Dispatch>, settings: &Settings) {
        self.last += 1;
        self.replay_bytes += dispatch.size();
        self.replay.push_back(dispatch);
        let over = |session: &Session| {
            session.replay.len() > settings.replay_events_max
                || session.replay_bytes > settings.replay_bytes_max
        };
        while over(self) && self.replay.len() > 1 {
            if let Some(oldest) = self.replay.pop_front() {
                self.replay_bytes -= oldest.size();
            }
        }
    }

    /// Whether it gets `event`.
    pub(crate) fn takes(&self, event: &Event) -> bool {
        let waits = |guild| self.pending.contains(&guild);
        event.audience.includes(self.user, self.shard, self.intents)
            && !event.audience.guild_id().is_some_and(waits)
    }

    /// The number before the oldest that can be replayed.
    pub(crate) fn forgotten(&self) -> u64 {
        self.last - self.replay.len() as u64
    }

    /// The next dispatch for its socket.
    pub(crate) fn next(&mut self) -> Option<(u64, Arc<Dispatch>)> {
        loop {
            let index = usize::try_from(self.sent.checked_sub(self.forgotten())?).ok()?;
            let dispatch = self.replay.get(index)?.clone();
            self.sent += 1;
            if dispatch.name != "RESUMED" || self.sent == self.resumed_at {
                return Some((self.sent, dispatch));
            }
        }
    }
}

//! What the gateway dispatches, and to whom.

use std::{borrow::Cow, sync::Arc};

use guildgate_model::{GuildId, ShardId, UserId};
use serde::Serialize;

use crate::gateway::intents;

/// A dispatch, encoded once for every session that gets it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) audience: Audience,
    pub(crate) dispatch: Arc<Dispatch>,
}

/// The part of a dispatch that is the same for all: `t` and `d`.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) name: Cow<'static, str>,
    /// JSON.
    pub(crate) data: Box<str>,
}

/// Who gets a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Sessions on the guild's shard with any of these intents; all of them if it is 0.
    Guild { guild: GuildId, intents: u64 },
    /// Sessions on the guild's shard with GUILD_MEMBERS, and the user's own in any case.
    Member { guild: GuildId, user: UserId },
    /// The first shard, where it has any of these intents; in any case if it is 0.
    FirstShard { intents: u64 },
    /// Every session.
    Everyone,
}

impl Event {
    pub(crate) fn new(name: &'static str, audience: Audience, data: &impl Serialize) -> Event {
        Event {
            audience,
            dispatch: Dispatch::new(name, data),
        }
    }

    /// For sessions on `guild`'s shard with `intents`.
    pub(crate) fn guild(
        name: &'static str,
        guild: GuildId,
        intents: u64,
        data: &impl Serialize,
    ) -> Event {
        Event::new(name, Audience::Guild { guild, intents }, data)
    }
}

impl Dispatch {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, data: &impl Serialize) -> Arc<Dispatch> {
        let data = serde_json::to_string(data).expect("maps with text keys always serialize");
        Arc::new(Dispatch {
            name: name.into(),
            data: data.into(),
        })
    }

    /// What keeping it costs, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.name.len() + 64
    }
}

impl Audience {
    /// The guild that this is about.
    pub(crate) fn guild_id(self) -> Option<GuildId> {
        match self {
            Audience::Guild { guild, .. } | Audience::Member { guild, .. } => Some(guild),
            Audience::FirstShard { .. } | Audience::Everyone => None,
        }
    }

    /// Whether a session of `user` on `shard` with `intents` gets it.
    pub(crate) fn includes(self, user: UserId, shard: ShardId, intents: u64) -> bool {
        match self {
            Audience::Guild {
                guild,
                intents: needed,
            } => shard.serves(guild) && (needed == 0 || intents & needed != 0),
            Audience::Member { guild, user: about } => {
                shard.serves(guild) && (intents & intents::GUILD_MEMBERS != 0 || user == about)
            }
            Audience::FirstShard { intents: needed } => {
                shard.id == 0 && (needed == 0 || intents & needed != 0)
            }
            Audience::Everyone => true,
        }
    }
}

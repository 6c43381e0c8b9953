//! The hub as the HTTP API shows it.

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use guildgate_model::{GuildId, Mono, Permissions, UserId};
use serde_json::value::RawValue;

use super::{Hub, Readiness};

/// One guild, and how many are on it.
#[derive(Debug, Clone)]
pub struct GuildReport {
    /// The guild.
    pub id: GuildId,
    /// The guild as clients are shown it, an encoded [`guildgate_wire::GuildView`]; none until
    /// Discord has sent it.
    pub guild_json: Option<Arc<RawValue>>,
    /// How many connections are on it.
    pub connections: u32,
    /// How many users those are of.
    pub users: usize,
}

impl Hub {
    /// The first `max` guilds after `after`, by id: a page of all that the bot is in. A guild
    /// costs some 10 µs, so that a caller asks for pages between other work.
    pub fn guilds(&mut self, after: Option<GuildId>, max: usize) -> Vec<GuildReport> {
        let range = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        let seen = self.guilds.range(range).map(|(&id, _)| id).take(max);
        let ids: BTreeSet<GuildId> = seen.chain(self.links.unseen_after(after)).collect();
        ids.into_iter()
            .take(max)
            .filter_map(|id| self.guild(id))
            .collect()
    }

    /// One guild; none if the bot is not in it, as far as is known.
    pub fn guild(&mut self, id: GuildId) -> Option<GuildReport> {
        let Some(guild) = self.guilds.get_mut(&id) else {
            return self.links.lists(id).then_some(GuildReport {
                id,
                guild_json: None,
                connections: 0,
                users: 0,
            });
        };
        let guild_json = guild.json(self.member_events);
        let crowd = guild.crowd.as_deref();
        Some(GuildReport {
            id,
            guild_json: Some(guild_json),
            connections: crowd.map_or(0, |crowd| crowd.connections()),
            users: crowd.map_or(0, |crowd| crowd.users()),
        })
    }

    /// How many guilds Discord has shown.
    #[must_use]
    pub fn guild_count(&self) -> usize {
        self.guilds.len()
    }

    /// Whether clients may be served.
    #[must_use]
    pub fn readiness(&self, now: Mono) -> Readiness {
        self.links.readiness(now, self.config.guilds_quiet)
    }

    /// What a user who is on the guild was last told they may do there.
    #[must_use]
    pub fn permissions_of(&self, guild: GuildId, user: UserId) -> Option<Permissions> {
        let crowd = self.guilds.get(&guild)?.crowd.as_deref()?;
        Some(crowd.watcher(user)?.told)
    }

    /// Bytes that a guild keeps on the heap while nobody is on it, the allocator's own share
    /// aside.
    #[must_use]
    pub fn heap_bytes(&self, guild: GuildId) -> Option<usize> {
        self.guilds.get(&guild).map(|guild| guild.heap_bytes())
    }
}

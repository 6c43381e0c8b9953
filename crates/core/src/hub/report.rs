//! The hub as the HTTP API shows it.

use std::sync::Arc;

use guildgate_model::{GuildId, Mono, Permissions, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Hub, Readiness, guild::Guild};

/// One guild in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuildSummary {
    /// The guild.
    pub id: GuildId,
    /// Its name.
    pub name: Box<str>,
    /// How many members it has.
    pub member_count: u64,
    /// Whether its events arrive: since when they do not, ms.
    pub stale_since: Option<guildgate_model::UnixMs>,
    /// How many connections are on it.
    pub connections: u32,
}

/// One guild in full.
#[derive(Debug, Clone, Serialize)]
pub struct GuildReport {
    /// The guild as clients are shown it: an encoded [`guildgate_wire::GuildView`].
    pub guild: Arc<RawValue>,
    /// How many connections are on it.
    pub connections: u32,
    /// How many users those are of.
    pub users: usize,
}

impl Hub {
    /// Every guild, by id.
    pub fn guilds(&self) -> impl Iterator<Item = GuildSummary> {
        self.guilds.values().map(|guild| GuildSummary {
            id: guild.id,
            name: guild.about.name.clone(),
            member_count: guild.member_count,
            stale_since: guild.standing.stale_since(),
            connections: connections(guild),
        })
    }

    /// One guild.
    #[must_use]
    pub fn guild(&mut self, id: GuildId) -> Option<GuildReport> {
        let guild = self.guilds.get_mut(&id)?;
        Some(GuildReport {
            guild: guild.json(self.member_events),
            connections: connections(guild),
            users: guild.crowd.as_deref().map_or(0, |crowd| crowd.users()),
        })
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

fn connections(guild: &Guild) -> u32 {
    guild
        .crowd
        .as_deref()
        .map_or(0, |crowd| crowd.connections())
}

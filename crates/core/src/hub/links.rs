//! The shards of the bot: which have come up, and which guilds they still owe.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::Duration,
};

use guildgate_model::{GuildId, Mono, ShardId, UnixMs};
use serde::{Deserialize, Serialize};

/// What is known of the links to Discord, and of guilds that were named but never shown.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// How many shards there are; zero before anything was heard.
    count: u32,
    /// By shard number; only shards that have had a session.
    links: BTreeMap<u32, Link>,
    /// What an earlier process knew, of shards that have had no session in this one.
    before: Unshown,
    /// When that process was last told anything. A shard without a link goes on from there
    /// until it says RESUMED, and what is replayed to it may be as old.
    before_at: Option<UnixMs>,
}

/// Guilds that the bot is in, and of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Unshown {
    /// Listed by READY, and neither shown nor called unavailable since.
    awaited: BTreeSet<GuildId>,
    /// Unavailable since before it was ever shown.
    dark: BTreeSet<GuildId>,
}

#[derive(Debug, Default)]
struct Link {
    unshown: Unshown,
    /// When something of `awaited` last came in.
    progress_at: Mono,
    /// Since when the link is down.
    down_since: Option<UnixMs>,
}

/// What a guild is that the hub holds no data of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen {
    /// The shard that would know has had no session yet.
    LinkNotUp,
    /// READY listed it, and it is on its way.
    Awaited,
    /// There is an outage.
    Dark,
    /// The bot is not in it.
    Unknown,
}

/// Whether a node may serve clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Every shard has come up, and its guilds are in or known to be unavailable.
    Ready,
    /// Something is still on its way.
    Waiting {
        /// How many shards have not come up; if none was heard of yet, one.
        shards_missing: u32,
        /// How many guilds that READY listed have not come in.
        guilds_missing: usize,
    },
}

impl Links {
    /// A session began that lists `unseen`, which the hub holds no data of.
    pub(super) fn session_started(&mut self, shard: ShardId, unseen: BTreeSet<GuildId>, now: Mono) {
        self.known(shard);
        self.before.split_off(shard);
        let link = Link {
            unshown: Unshown {
                awaited: unseen,
                dark: BTreeSet::new(),
            },
            progress_at: now,
            down_since: None,
        };
        self.links.insert(shard.id, link);
    }

    /// A session went on; after a restart this is the first that is heard of a shard.
    pub(super) fn session_resumed(&mut self, shard: ShardId, now: Mono) {
        self.known(shard);
        let before = &mut self.before;
        let link = self.links.entry(shard.id).or_insert_with(|| Link {
            unshown: before.split_off(shard),
            progress_at: now,
            down_since: None,
        });
        link.down_since = None;
    }

    /// What a shard has yet to show, to be kept over a restart.
    pub(super) fn unshown(&self, shard: ShardId) -> Unshown {
        match self.links.get(&shard.id) {
            Some(link) => link.unshown.clone(),
            None => self.before.clone().split_off(shard),
        }
    }

    /// What an earlier process, last told of anything at `heard_until`, had yet to be shown.
    pub(super) fn restore(&mut self, unshown: Unshown, heard_until: UnixMs) {
        let earliest = self.before_at.map_or(heard_until, |at| at.min(heard_until));
        self.before_at = Some(earliest);
        self.before.awaited.extend(unshown.awaited);
        self.before.dark.extend(unshown.dark);
    }

    /// The link is down.
    pub(super) fn link_lost(&mut self, shard: ShardId, wall: UnixMs) {
        if let Some(link) = self.links.get_mut(&shard.id) {
            link.down_since.get_or_insert(wall);
        }
    }

    /// The earliest moment at which Discord can have said what comes in at `wall`: what a
    /// resume replays may be as old as the break.
    pub(super) fn said_at(&self, shard: ShardId, wall: UnixMs) -> UnixMs {
        self.silent_since(shard).unwrap_or(wall)
    }

    /// Since when nothing has come of a shard; none while its link is up.
    pub(super) fn silent_since(&self, shard: ShardId) -> Option<UnixMs> {
        match self.links.get(&shard.id) {
            Some(link) => link.down_since,
            None => self.before_at,
        }
    }

    /// The guild was shown; what it was until then.
    pub(super) fn arrived(&mut self, shard: ShardId, guild: GuildId, now: Mono) -> Unseen {
        let unshown = match self.links.get_mut(&shard.id) {
            Some(link) => {
                if link.unshown.awaited.contains(&guild) {
                    link.progress_at = now;
                }
                &mut link.unshown
            }
            // Replayed before RESUMED.
            None => &mut self.before,
        };
        if unshown.awaited.remove(&guild) {
            Unseen::Awaited
        } else if unshown.dark.remove(&guild) {
            Unseen::Dark
        } else {
            Unseen::Unknown
        }
    }

    /// A guild that was never shown is unavailable.
    pub(super) fn went_dark(&mut self, shard: ShardId, guild: GuildId, now: Mono) {
        self.arrived(shard, guild, now);
        let link = self.links.get_mut(&shard.id);
        let unshown = link.map_or(&mut self.before, |link| &mut link.unshown);
        unshown.dark.insert(guild);
    }

    /// What `guild` is, if the hub holds no data of it.
    pub(super) fn unseen(&self, guild: GuildId) -> Unseen {
        let home = match self.count {
            0 => None,
            count => self
                .links
                .get(&(((guild.0 >> 22) % u64::from(count)) as u32)),
        };
        let unshown = home.map_or(&self.before, |link| &link.unshown);
        if unshown.awaited.contains(&guild) {
            Unseen::Awaited
        } else if unshown.dark.contains(&guild) {
            Unseen::Dark
        } else if home.is_some() {
            Unseen::Unknown
        } else {
            Unseen::LinkNotUp
        }
    }

    /// Whether the bot is in `guild`, of which the hub holds no data.
    pub(super) fn lists(&self, guild: GuildId) -> bool {
        match self.unseen(guild) {
            Unseen::Awaited | Unseen::Dark => true,
            Unseen::LinkNotUp | Unseen::Unknown => false,
        }
    }

    /// Guilds after `after` that the hub holds no data of, by id and shard.
    pub(super) fn unseen_after(&self, after: Option<GuildId>) -> impl Iterator<Item = GuildId> {
        let range = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        let unshown = self.links.values().map(|link| &link.unshown);
        unshown
            .chain([&self.before])
            .flat_map(move |all| all.awaited.range(range).chain(all.dark.range(range)))
            .copied()
    }

    /// Whether everything is in. Guilds still awaited after `quiet` without any coming in
    /// count as unavailable.
    pub(super) fn readiness(&self, now: Mono, quiet: Duration) -> Readiness {
        let shards_missing = self.count.max(1).saturating_sub(self.links.len() as u32);
        let guilds_missing = self
            .links
            .values()
            .filter(|link| now.since(link.progress_at) < quiet)
            .map(|link| link.unshown.awaited.len())
            .sum();
        if shards_missing == 0 && guilds_missing == 0 {
            Readiness::Ready
        } else {
            Readiness::Waiting {
                shards_missing,
                guilds_missing,
            }
        }
    }

    /// Another number of shards is another way to spread the guilds: what was heard before
    /// says nothing.
    fn known(&mut self, shard: ShardId) {
        if self.count != shard.count {
            self.count = shard.count;
            self.links.clear();
        }
    }
}

impl Unshown {
    /// Takes out what `shard` serves.
    fn split_off(&mut self, shard: ShardId) -> Unshown {
        let part = |guilds: &mut BTreeSet<GuildId>| {
            let (served, kept) = guilds.iter().partition(|&&guild| shard.serves(guild));
            *guilds = kept;
            served
        };
        Unshown {
            awaited: part(&mut self.awaited),
            dark: part(&mut self.dark),
        }
    }
}

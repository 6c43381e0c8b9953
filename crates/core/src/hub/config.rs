//! What can be set about the hub, and its bounds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use guildgate_model::{GuildId, WantedUsers};

/// How a [`super::Hub`] behaves. The default is the protocol's.
#[derive(Debug, Clone)]
pub struct Config {
    /// Least time between two GUILD_MEMBER_COUNT_CHANGE of one guild.
    pub count_interval: Duration,
    /// Least time between two GUILD_UPDATE of one guild.
    pub snapshot_interval: Duration,
    /// How long the link to Discord may be down before guilds are told to be stale; at once if
    /// zero. A session that Discord moves is back within a second or so.
    pub stale_after: Duration,
    /// How long requests for a guild's members are gathered into one.
    pub lookup_window: Duration,
    /// How long Discord may take to answer a request for members before they are asked for again.
    pub lookup_within: Duration,
    /// Most requests for a guild's members that may be open at once.
    pub lookups_open_max: usize,
    /// How many users that are wanted of one guild within a minute are so many that all of its
    /// members are asked for at once, where that pays.
    pub everybody_from: usize,
    /// How long a CONNECT_GUILD may wait for its user's member before it is refused: longer than
    /// requests may wait for Discord's send limit, and an answer besides.
    pub connect_within: Duration,
    /// How long anything else may wait for a user's member: a command to an application session,
    /// or whoever asks for somebody's rights.
    pub rights_within: Duration,
    /// How long the members of an earlier process's users are kept for them: no shorter than
    /// their sessions can be resumed.
    pub retained_for: Duration,
    /// Between two looks at the members of connected users while Discord withholds member
    /// events.
    pub refresh_interval: Duration,
    /// How many of a guild's latest joiners are remembered, to know a repeated
    /// GUILD_MEMBER_ADD.
    pub recent_joiners_max: usize,
    /// By how much this machine's clock and Discord's may differ. A member who joined longer
    /// than this before the guild's count came in is in that count.
    pub clock_skew: Duration,
    /// How long after the last guild came in those that READY listed and that never came stop
    /// keeping the node from being ready.
    pub guilds_quiet: Duration,
    /// The invite that the site shows for a guild, by its code.
    pub invites: BTreeMap<GuildId, Box<str>>,
    /// Where the hub says whose member events it wants. Discord's side may drop those of others,
    /// if it shares this and marks what it sends.
    pub wanted: Arc<WantedUsers>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            count_interval: Duration::from_millis(250),
            snapshot_interval: Duration::from_secs(1),
            stale_after: Duration::ZERO,
            lookup_window: Duration::from_millis(20),
            lookup_within: Duration::from_secs(10),
            lookups_open_max: 4,
            everybody_from: 2_000,
            connect_within: Duration::from_secs(90),
            rights_within: Duration::from_secs(10),
            retained_for: Duration::from_secs(150),
            refresh_interval: Duration::from_secs(60),
            recent_joiners_max: 32,
            clock_skew: Duration::from_secs(30),
            guilds_quiet: Duration::from_secs(30),
            invites: BTreeMap::new(),
            wanted: Arc::default(),
        }
    }
}

/// Most users in one request for members.
///
/// Source: Discord, "Gateway Events: Request Guild Members".
pub(super) const LOOKUP_USERS_MAX: usize = 100;

/// Longest sleep of a time-out's timer. A wall clock that is set, or a machine that slept,
/// delays a restored permission by no more.
pub(super) const TIME_OUT_NAP_MAX: Duration = Duration::from_secs(30);

//! How a simulator is set up.

use std::{net::SocketAddr, time::Duration};

use guildgate_model::{Secret, UserId};

use crate::{clock::Clock, gateway::Playback, world::World};

/// Everything a simulator needs to start.
#[derive(Debug)]
pub struct SimulatorConfig {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The bot token it takes.
    pub token: Secret,
    /// A user's account that may log in too, for the opcodes that bots may not send.
    pub user: Option<UserAccount>,
    /// The world it starts with.
    pub world: World,
    /// The same seed gives the same movement, session ids and storms.
    pub seed: u64,
    /// Whether the world moves by itself.
    pub motion: Motion,
    /// A recording that every session is played instead of the world.
    pub playback: Option<Playback>,
    /// Which clock it lives by.
    pub clock: Clock,
    /// Discord's numbers.
    pub settings: Settings,
}

impl SimulatorConfig {
    /// A still simulator of `world` at `listen`, with the token [`DEFAULT_TOKEN`] and
    /// Discord's own numbers.
    #[must_use]
    pub fn new(listen: SocketAddr, world: World) -> SimulatorConfig {
        SimulatorConfig {
            listen,
            token: Secret::new(DEFAULT_TOKEN),
            user: None,
            world,
            seed: 1,
            motion: Motion::Still,
            playback: None,
            clock: Clock::system(),
            settings: Settings::default(),
        }
    }
}

/// The bot token that a simulator takes unless told otherwise.
pub const DEFAULT_TOKEN: &str = "simulator";

/// A user's account: not a bot's, and on the real Discord never to be automated.
#[derive(Debug, Clone)]
pub struct UserAccount {
    /// By which it logs in.
    pub token: Secret,
    /// Who it is.
    pub user: UserId,
}

/// Whether the world moves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// It moves only when told.
    Still,
    /// Somebody joins, leaves, or changes role about once in this time.
    Lively {
        /// The mean time between two movements.
        every: Duration,
    },
}

/// What happens to a RESUME that dials the main URL instead of the one READY named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MainUrlResume {
    /// Nothing special.
    Kept,
    /// It works, and an op 7 comes after this time.
    ReconnectedAfter(Duration),
}

/// What happens to a connection that stops sending heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It is closed with this code once a heartbeat is late by `grace`.
    Required {
        /// How late a heartbeat may be.
        grace: Duration,
        /// The close code; Discord's is 4009.
        code: u16,
    },
    /// Nothing.
    Ignored,
}

/// Whether REST calls need the permissions that Discord asks of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// A call without the permission, or against a higher role, gets Discord's 403.
    Enforced,
    /// Every call may do everything.
    Ignored,
}

/// Discord's numbers, each of which a test may want smaller.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What HELLO asks for; 41.25 s.
    pub heartbeat_interval: Duration,
    /// What happens without heartbeats.
    pub liveness: Liveness,
    /// IDENTIFYs in [`Settings::identify_window`]; 1,000.
    pub identifies_max: u32,
    /// 24 h.
    pub identify_window: Duration,
    /// IDENTIFY buckets; 1.
    pub max_concurrency: u32,
    /// One IDENTIFY a bucket in this time; 5 s.
    pub identify_interval: Duration,
    /// Payloads that a client may send in [`Settings::payload_window`]; 120.
    pub payloads_max: usize,
    /// 60 s.
    pub payload_window: Duration,
    /// Longest payload a client may send; 4,096 bytes.
    pub payload_bytes_max: usize,
    /// Most guilds a shard may have; 2,500.
    pub guilds_per_shard_max: usize,
    /// What a shard count must be a multiple of; 1.
    pub shards_multiple: u32,
    /// What GET /gateway/bot recommends; as many as the guilds need if none.
    pub shards: Option<u32>,
    /// How long a session can be resumed; 3 min.
    pub resume_window: Duration,
    /// Events kept for a resume; 20,000.
    pub replay_events_max: usize,
    /// Bytes kept for a resume; 64 MiB.
    pub replay_bytes_max: usize,
    /// One request for all members a guild in this time; 30 s.
    pub full_members_window: Duration,
    /// Members above which GUILD_CREATE has no list even with GUILD_PRESENCES; 75,000.
    pub presence_members_max: u64,
    /// Resuming at the main URL.
    pub main_url_resume: MainUrlResume,
    /// How long after an op 7 the connection is closed; 10 s.
    pub reconnect_close: Duration,
    /// Splits a zlib-stream message into WebSocket messages of at most so many bytes; whole if
    /// none.
    pub zlib_split: Option<usize>,
    /// What payload compression compresses: payloads of at least so many bytes; 1,024.
    pub payload_compression_min: usize,
    /// REST calls a route in [`Settings::rest_window`]; 100.
    pub rest_route_max: u32,
    /// 1 s.
    pub rest_window: Duration,
    /// REST calls in all a second; 1,000.
    pub rest_global_max: u32,
    /// Whether REST asks for permissions.
    pub authority: Authority,
    /// Offers `ws://HOST` of this value as the gateway's URL instead of the host that the
    /// caller used.
    pub public_host: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            heartbeat_interval: Duration::from_millis(41_250),
            liveness: Liveness::Required {
                grace: Duration::from_secs(20),
                code: 4009,
            },
            identifies_max: 1_000,
            identify_window: Duration::from_secs(24 * 3_600),
            max_concurrency: 1,
            identify_interval: Duration::from_secs(5),
            payloads_max: 120,
            payload_window: Duration::from_secs(60),
            payload_bytes_max: 4_096,
            guilds_per_shard_max: 2_500,
            shards_multiple: 1,
            shards: None,
            resume_window: Duration::from_secs(180),
            replay_events_max: 20_000,
            replay_bytes_max: 64 * 1_024 * 1_024,
            full_members_window: Duration::from_secs(30),
            presence_members_max: 75_000,
            main_url_resume: MainUrlResume::ReconnectedAfter(Duration::from_secs(60)),
            reconnect_close: Duration::from_secs(10),
            zlib_split: None,
            payload_compression_min: 1_024,
            rest_route_max: 100,
            rest_window: Duration::from_secs(1),
            rest_global_max: 1_000,
            authority: Authority::Enforced,
            public_host: None,
        }
    }
}

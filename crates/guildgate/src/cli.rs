//! What can be typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use guildgate_model::{TokenId, TokenKind};

/// A live gateway between Discord guilds and the web.
///
/// Web pages connect by WebSocket and see a guild's member count and their own permissions
/// move as they do in Discord. Start with `guildgate demo`: it needs no Discord, no database
/// server and no configuration.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = crate::exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(Demo),
    Serve(Serve),
    Simulate(Simulate),
    Token(Token),
    Check(Check),
    Discord(Discord),
    Record(Record),
    Fault(Fault),
}

/// Try everything on this machine: a simulated Discord, the gateway and a database
///
/// Prints what to open and the tokens to try. The simulated world moves by itself: members
/// come and go, roles change. Ctrl-C stops it; what it keeps lies in the data folder.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where the gateway listens; port 0 takes any free one
    #[arg(
        long,
        env = "GUILDGATE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:7102"
    )]
    pub listen: SocketAddr,
    /// Where the simulated Discord listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7103")]
    pub simulator: SocketAddr,
    /// Folder of the database
    #[arg(
        long,
        value_name = "DIR",
        env = "GUILDGATE_DATA",
        default_value = "data"
    )]
    pub data: PathBuf,
    /// The world moves only when told, by the simulator's REST
    #[arg(long)]
    pub still: bool,
}

/// Run the gateway for a Discord bot
///
/// Without a file, the environment alone configures it: DISCORD_TOKEN, DATABASE_URL,
/// GUILDGATE_ADMIN_KEY and GUILDGATE_… for every other key. `guildgate check` tells whether
/// the configuration works. A first Ctrl-C or SIGTERM lets clients go one by one; a second
/// stops at once.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub config: ConfigFile,
    /// Where to listen, whatever the configuration says
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Folder of the database, whatever the configuration says
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
}

/// Run a simulated Discord alone, for this gateway or for any bot
///
/// Set a bot's API address to the one that is printed; docs/simulator.md says how for
/// discord.js, discord.py and others.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Where it listens; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7103")]
    pub listen: SocketAddr,
    /// The world to start with, as TOML or JSON; a built-in one if left out
    #[arg(long, value_name = "FILE")]
    pub world: Option<PathBuf>,
    /// The bot token that it takes
    #[arg(long, value_name = "TOKEN", default_value = guildgate_simulator::DEFAULT_TOKEN)]
    pub token: String,
    /// Take this token, too, as that of a user's account, who may send opcodes 5 and 12
    #[arg(long, value_name = "TOKEN=ID", value_parser = parse_account)]
    pub user: Option<(String, u64)>,
    /// Chance: the same seed gives the same movement, session ids and storms
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Let the world move by itself: members come and go, roles change
    #[arg(long)]
    pub lively: bool,
    /// Play this recording to whoever connects, instead of showing a world
    #[arg(long, value_name = "FILE", conflicts_with_all = ["world", "lively"])]
    pub replay: Option<PathBuf>,
    /// How fast it is played: 1 is as it was, 0 as fast as it can be read
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, requires = "replay")]
    pub speed: f64,
}

/// Issue, list and revoke tokens
///
/// Works on the database itself, whether the gateway runs or not; a running gateway follows
/// within a second.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    pub action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub enum TokenAction {
    Issue(Issue),
    List(List),
    Revoke(Revoke),
}

/// Issue a token; it is shown this once
///
/// user: the site's session of a user. gatewayUser: lets a user's page connect with full
/// access. gatewayGuild: lets a page connect to a guild, 7 times unless said otherwise.
/// global: basic access for everyone; a new one rotates the one before.
#[derive(Debug, Args)]
pub struct Issue {
    /// What it is good for: user, gatewayUser, gatewayGuild or global
    #[arg(long, value_name = "KIND")]
    pub kind: TokenKind,
    /// Whose it is: a user's id, or a guild's for gatewayGuild
    #[arg(long = "for", value_name = "ID")]
    pub owner: Option<u64>,
    /// How often it can be used
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub uses: Option<u32>,
    /// When it expires, from now: 90s, 15m, 12h or 30d; never if left out
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub ttl: Option<std::time::Duration>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub database: Database,
}

/// List tokens, newest first; never their text
#[derive(Debug, Args)]
pub struct List {
    /// Only those of this user or guild
    #[arg(long = "for", value_name = "ID")]
    pub owner: Option<u64>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND")]
    pub kind: Option<TokenKind>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub database: Database,
}

/// Revoke a token; live connections that it opened are closed within a second
#[derive(Debug, Args)]
pub struct Revoke {
    /// The token's id, as `token issue` and `token list` show it
    #[arg(value_name = "ID")]
    pub id: TokenId,
    #[command(flatten)]
    pub database: Database,
}

/// Say whether the configuration is valid, the database answers, and Discord takes the bot
///
/// Each with what to do if not. Nothing is changed, but for the database's tables, which are
/// brought up to date.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Speak to Discord through a running gateway
#[derive(Debug, Args)]
pub struct Discord {
    #[command(subcommand)]
    pub action: DiscordAction,
}

#[derive(Debug, Subcommand)]
pub enum DiscordAction {
    Send(Send),
}

/// Have the bot's shards send something, with the gateway's admin key
///
/// For example: guildgate discord send presence '{"status":"idle"}'
#[derive(Debug, Args)]
pub struct Send {
    /// What to send
    #[arg(value_name = "WHAT")]
    pub kind: SendKind,
    /// Its data, as JSON; /api/v1/openapi.json describes each
    #[arg(value_name = "JSON")]
    pub data: String,
    /// Where the gateway is; as it is configured to listen if left out
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    #[command(flatten)]
    pub config: ConfigFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SendKind {
    /// Opcode 3: how the bot is shown
    Presence,
    /// Opcode 4: join, move in or leave a voice channel
    VoiceState,
    /// Opcode 8: ask for members of a guild
    RequestMembers,
    /// Opcode 31: ask for soundboards
    SoundboardSounds,
    /// Opcode 43: ask for a guild's voice channels
    ChannelInfo,
    /// Opcode 5: for user accounts alone
    VoicePing,
    /// Opcode 12: for user accounts alone
    GuildSync,
}

impl SendKind {
    /// Its place under `/api/v1/discord/`.
    pub fn path(self) -> &'static str {
        match self {
            SendKind::Presence => "presence",
            SendKind::VoiceState => "voice-state",
            SendKind::RequestMembers => "request-members",
            SendKind::SoundboardSounds => "soundboard-sounds",
            SendKind::ChannelInfo => "channel-info",
            SendKind::VoicePing => "voice-ping",
            SendKind::GuildSync => "guild-sync",
        }
    }
}

/// Write down what Discord's gateway says to the bot, to be played by `simulate --replay`
///
/// Logs in with the configured token and listens; tokens are never written. A name that ends
/// in .zst or .gz compresses the file.
#[derive(Debug, Args)]
pub struct Record {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace people's ids, names, pictures and texts as well
    #[arg(long)]
    pub redact_users: bool,
    /// Stop after this time; until Ctrl-C if left out
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub time: Option<std::time::Duration>,
    /// Be this shard of so many, such as 0/2
    #[arg(long, value_name = "ID/COUNT", value_parser = parse_shard)]
    pub shard: Option<(u32, u32)>,
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Make something go wrong in a running simulator
///
/// KIND is reconnect, invalid-session (resumable=true), lose-acks, send-acks, ask-heartbeat,
/// drop, close (code=4000), corrupt (corruption=json), pace (bytes_per_second=1000), delay (ms=500),
/// forget-sessions, restore-budget, outage (guild=ID), end-outage (guild=ID), motion
/// (every_ms=2000) or storm (every_ms=5000). Faults of connections meet all of them, or those
/// that target=shard:0 or target=session:ID names. docs/simulator.md explains each.
#[derive(Debug, Args)]
pub struct Fault {
    /// What goes wrong
    #[arg(value_name = "KIND")]
    pub kind: String,
    /// How
    #[arg(value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where the simulator is
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7103")]
    pub simulator: SocketAddr,
}

#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration, as TOML; docs/configuration.md lists every key
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Database {
    /// The configuration that names the database
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub config: Option<PathBuf>,
    /// Folder of the database, `data` by default
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
}

fn parse_account(text: &str) -> Result<(String, u64), String> {
    let parts = text.rsplit_once('=').and_then(|(token, id)| {
        let id = id.parse().ok()?;
        (!token.is_empty()).then(|| (token.to_owned(), id))
    });
    parts.ok_or_else(|| "expected TOKEN=ID, such as sesame=1001000000000000002".to_owned())
}

fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    guildgate_server::config::parse_duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a time with its unit such as 90s, 15m, 12h or 30d".to_owned())
}

fn parse_shard(text: &str) -> Result<(u32, u32), String> {
    text.split_once('/')
        .and_then(|(id, count)| Some((id.parse().ok()?, count.parse().ok()?)))
        .filter(|(id, count)| id < count)
        .ok_or_else(|| "expected a shard of so many, such as 0/2".to_owned())
}

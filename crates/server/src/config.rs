//! What an operator can set: a TOML file, then the environment, then flags; later wins.
//!
//! [`keys`] is the one table of every key: its type, its default, what it is for. The
//! defaults are read by the same code as an operator's values, and the documents are made
//! from the same table, so the three cannot drift apart.
//!
//! Secrets redact themselves in `Debug`.

mod address_range;
mod docs;
mod error;
mod keys;
mod sources;
mod value;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use guildgate_discord::Intents;
use guildgate_model::{GuildId, Secret};
use guildgate_wire::Limits;

pub use address_range::AddressRange;
pub use docs::markdown;
pub use error::{ConfigError, ConfigErrors, Origin};
pub use keys::{KEYS, Key};
pub use sources::{Flag, Sources};
pub use value::{Kind, parse_duration};

/// Everything that can be set, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the gateway listens, for clients and the API.
    pub listen: SocketAddr,
    /// What clients are told to dial, where that is not what they asked at.
    pub public_url: Option<String>,
    /// Folder of the database and of what else outlives the process.
    pub data: PathBuf,
    /// Address of the database; a file in [`Config::data`] if none.
    pub database_url: Option<Secret>,
    /// Opens the API; without it the API refuses.
    pub admin_key: Option<Secret>,
    /// Which pages may connect, by their `Origin`; any if empty.
    pub origins: Vec<String>,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<AddressRange>,
    /// Certificate and key, for TLS without a proxy.
    pub tls: Option<TlsFiles>,
    /// Most connections on this node.
    pub connections_max: u32,
    /// Most connections from one address; see [`PerAddress`].
    pub connections_per_ip: PerAddress,
    /// Most API bodies' size, bytes.
    pub body_bytes_max: usize,
    /// Most questions to the database at a time, for all clients together.
    pub questions_max: usize,
    /// What one client may do.
    pub client: Limits,
    /// At most one count event a guild in this time.
    pub count_interval: Duration,
    /// Closes are spread over this long when the node goes away.
    pub drain_window: Duration,
    /// How many threads serve sockets; one a core if none.
    pub edge_shards: Option<u8>,
    /// Whether frames are deflated for clients that can take them so.
    pub deflate: Deflate,
    /// The smallest frame that is deflated, bytes.
    pub deflate_bytes_min: usize,
    /// How the log is written.
    pub log: LogConfig,
    /// Discord's side.
    pub discord: DiscordConfig,
    /// The invite that the site shows for a guild, by which its validity is told.
    pub invites: BTreeMap<GuildId, String>,
    /// Who is told of submissions and reviews.
    pub webhooks: BTreeMap<String, WebhookConfig>,
}

/// Certificate and key of the gateway's own TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the certificate and what is between it and a known authority.
    pub certificate: PathBuf,
    /// PEM file with the certificate's private key.
    pub key: PathBuf,
}

/// How many connections one address may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerAddress {
    /// The default; addresses of this machine are exempt.
    ExceptLoopback(u32),
    /// As the operator set it, for every address.
    Everyone(u32),
}

/// How the log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// For whom.
    pub format: LogFormat,
    /// What is written: a level, or a filter such as `info,guildgate_server=debug`.
    pub level: String,
}

/// Whether frames are deflated for clients that can take them so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deflate {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// For whom the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

/// Discord's side.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscordConfig {
    /// The bot's token.
    pub token: Option<Secret>,
    /// Where Discord's REST is, and so where its gateway is found.
    pub api_url: String,
    /// Which events are asked for.
    pub intents: Intents,
    /// How many shards; as Discord recommends if none.
    pub shards: Option<u32>,
    /// How what Discord sends is packed.
    pub compression: TransportCompression,
    /// What opcode 7 makes a shard do.
    pub on_reconnect: OnReconnect,
    /// Whether close 4009 keeps the session.
    pub on_timeout: OnReconnect,
    /// Whether opcodes 5 and 12, which no bot may send, can be sent.
    pub user_opcodes: UserOpcodes,
    /// The bot's status, shown from the start.
    pub presence_status: String,
    /// What the bot is shown to be doing; nothing if none.
    pub presence_activity: Option<String>,
}

/// Discord's transport compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportCompression {
    /// `zstd-stream`.
    Zstd,
    /// `zlib-stream`.
    Zlib,
    /// None.
    Off,
}

/// What a shard does when it is told to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReconnect {
    /// Goes on with its session.
    Resume,
    /// Begins a new one.
    Identify,
}

/// Whether what Discord forbids to bots can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOpcodes {
    /// It is refused here.
    Refuse,
    /// It is sent.
    Allow,
}

/// Somebody who is told of submissions and reviews.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookConfig {
    /// Where to.
    pub url: String,
    /// What its calls are signed with.
    pub secret: Option<Secret>,
}

impl Config {
    /// Reads every source and checks what they say together.
    ///
    /// # Errors
    /// [`ConfigErrors`]: all that is wrong, so that it can be mended in one go.
    pub fn load(sources: &Sources) -> Result<Config, ConfigErrors> {
        sources::load(sources)
    }

    /// The database's address: as set, or a file in the data folder.
    #[must_use]
    pub fn database(&self) -> Secret {
        match &self.database_url {
            Some(url) => url.clone(),
            None => Secret::new(format!("sqlite:{}", self.own_file().display())),
        }
    }

    /// The database's file, where it is one in the data folder.
    #[must_use]
    pub fn database_file(&self) -> Option<PathBuf> {
        self.database_url.is_none().then(|| self.own_file())
    }

    fn own_file(&self) -> PathBuf {
        self.data.join("guildgate.db")
    }
}

impl Default for Config {
    /// Every key at its default.
    fn default() -> Config {
        keys::defaults()
    }
}

//! The table of every key.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use guildgate_wire::{HeartbeatRequire, Limits};

use super::{
    Config, Deflate, DiscordConfig, Kind, LogConfig, LogFormat, OnReconnect, PerAddress,
    TransportCompression, UserOpcodes, value::Value,
};

/// One key: how it is written, what it takes, what it is when nobody sets it.
pub struct Key {
    /// Its name in the file, dots between tables. `<…>` stands for a name the operator picks.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default as an operator would write it; empty for "not set".
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Takes a value over, and `picked`, what stands where the name has `<…>`. None if the
    /// value is not what the key takes.
    pub(super) set: fn(&mut Config, &Value, &str) -> Option<()>,
}

impl Key {
    /// The environment variable that sets it: `GUILDGATE_DISCORD__TOKEN` for `discord.token`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!(
            "{VARIABLE_PREFIX}{}",
            self.name.replace('.', "__").to_uppercase()
        )
    }

    /// What the operator picked, if `name` is a name of this key's: the whole key for most.
    pub(super) fn matches<'a>(&self, name: &'a str) -> Option<&'a str> {
        match (self.name.find('<'), self.name.find('>')) {
            (Some(from), Some(to)) => name
                .strip_prefix(&self.name[..from])?
                .strip_suffix(&self.name[to + 1..])
                .filter(|picked| !picked.is_empty() && !picked.contains('.')),
            _ => (self.name == name).then_some(""),
        }
    }
}

/// What every variable's name begins with.
pub(super) const VARIABLE_PREFIX: &str = "GUILDGATE_";

/// Variables whose names other tools know, and the keys that they set. The prefixed name wins.
pub(super) const PLAIN_VARIABLES: [(&str, &str); 2] = [
    ("DISCORD_TOKEN", "discord.token"),
    ("DATABASE_URL", "database_url"),
];

const REQUIRE: &[(&str, HeartbeatRequire)] = &[
    ("any", HeartbeatRequire::AnySign),
    ("reply", HeartbeatRequire::Reply),
];
const DEFLATE: &[(&str, Deflate)] = &[("off", Deflate::Off), ("on", Deflate::On)];
const FORMAT: &[(&str, LogFormat)] = &[("human", LogFormat::Human), ("json", LogFormat::Json)];
const COMPRESSION: &[(&str, TransportCompression)] = &[
    ("zstd", TransportCompression::Zstd),
    ("zlib", TransportCompression::Zlib),
    ("off", TransportCompression::Off),
];
const RECONNECT: &[(&str, OnReconnect)] = &[
    ("resume", OnReconnect::Resume),
    ("identify", OnReconnect::Identify),
];
const USER_OPCODES: &[(&str, UserOpcodes)] = &[
    ("refuse", UserOpcodes::Refuse),
    ("allow", UserOpcodes::Allow),
];
const STATUS: &[(&str, &str)] = &[
    ("online", "online"),
    ("idle", "idle"),
    ("dnd", "dnd"),
    ("invisible", "invisible"),
];

macro_rules! keys {
    ($($name:literal, $kind:expr, $default:literal, $help:literal,
        |$config:ident, $value:ident $(, $picked:ident)?| $set:expr;)+) => {
        /// Every key there is, in the order of the documents.
        pub const KEYS: &[Key] = &[$(Key {
            name: $name,
            kind: $kind,
            default: $default,
            help: $help,
            set: |$config, $value, _picked| {
                $(let $picked = _picked;)?
                $set;
                Some(())
            },
        }),+];
    };
}

keys! {
    "listen", Kind::Address, "127.0.0.1:7102",
        "Where the gateway listens, for clients, the page and the API.",
        |c, v| c.listen = v.address()?;
    "public_url", Kind::Url, "",
        "What `/api/gateway` tells clients to dial, as http:// or https://; from the request's Host if not set.",
        |c, v| c.public_url = if v.is_empty() { None } else { Some(v.url()?) };
    "data", Kind::Path, "data",
        "Folder of the database and of what else outlives the process.",
        |c, v| c.data = v.path()?;
    "database_url", Kind::Secret, "",
        "The database: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; the file `guildgate.db` in `data` if not set. Also `DATABASE_URL`.",
        |c, v| c.database_url = match v.secret()? {
            Some(url) if !DATABASE_SCHEMES.iter().any(|scheme| url.expose().starts_with(scheme)) => {
                return None;
            }
            url => url,
        };
    "admin_key", Kind::Secret, "",
        "Opens `/api/v1` as `Authorization: Bearer`; at least 16 characters. Without it the API refuses. Also `GUILDGATE_ADMIN_KEY`.",
        |c, v| c.admin_key = match v.secret()? {
            Some(key) if key.expose().len() < ADMIN_KEY_BYTES_MIN => return None,
            key => key,
        };
    "origins", Kind::Origins, "",
        "Which pages may connect, by their `Origin`; every page if empty.",
        |c, v| c.origins = v.origins()?;
    "trusted_proxies", Kind::Ranges, "",
        "Addresses of your proxies, whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.",
        |c, v| c.trusted_proxies = v.ranges()?;
    "tls.certificate", Kind::Path, "",
        "PEM file with the certificate chain; with `tls.key`, the gateway speaks TLS itself.",
        |c, v| tls(c).certificate = PathBuf::from(v.text()?);
    "tls.key", Kind::Path, "",
        "PEM file with the certificate's private key.",
        |c, v| tls(c).key = PathBuf::from(v.text()?);
    "limits.connections", Kind::Count, "100000",
        "Most connections on this node; past it the upgrade answers 503.",
        |c, v| c.connections_max = v.count()?;
    "limits.connections_per_ip", Kind::Count, "256",
        "Most connections from one address; past it the upgrade answers 429. This machine's own addresses are exempt unless this is set.",
        |c, v| c.connections_per_ip = PerAddress::Everyone(v.count()?);
    "limits.body_bytes", Kind::Room, "1MiB",
        "Largest body that the API takes.",
        |c, v| c.body_bytes_max = v.room()?;
    "limits.questions", Kind::Count, "256",
        "Most questions to the database at a time, for all clients together; others wait.",
        |c, v| c.questions_max = usize::try_from(v.count()?).ok()?;
    "limits.frame_bytes", Kind::Room, "4KiB",
        "Largest frame of a client outside an application session; past it close 4002.",
        |c, v| c.client.frame_bytes_max = v.room()?;
    "limits.session_frame_bytes", Kind::Room, "64KiB",
        "Largest frame of a client inside an application session.",
        |c, v| c.client.session_frame_bytes_max = v.room()?;
    "limits.frames", Kind::Count, "50",
        "Most frames of a client in `limits.frames_window`; past it close 4008.",
        |c, v| c.client.frames_max = v.count()?;
    "limits.session_frames", Kind::Count, "200",
        "The same inside an application session.",
        |c, v| c.client.session_frames_max = v.count()?;
    "limits.frames_window", Kind::Duration, "5s",
        "The time in which frames are counted.",
        |c, v| c.client.frames_window = v.positive_duration()?;
    "limits.authenticate_within", Kind::Duration, "20s",
        "How long a client may take to authenticate; past it close 4009.",
        |c, v| c.client.authenticate_within = v.positive_duration()?;
    "limits.queue_frames", Kind::Count, "256",
        "Most frames that wait for a slow client; past it close 4010.",
        |c, v| c.client.queue_frames_max = v.count()? as usize;
    "limits.queue_bytes", Kind::Room, "256KiB",
        "Most bytes that wait for a slow client; past it close 4010.",
        |c, v| c.client.queue_bytes_max = v.room()?;
    "heartbeat.interval", Kind::Duration, "45s",
        "How often clients are asked for a sign of life.",
        |c, v| c.client.heartbeat_interval = v.positive_duration()?;
    "heartbeat.require", Kind::OneOf(&["any", "reply"]), "any",
        "What counts as one: any frame or pong, or opcode 4 alone. Deployed pages know no opcode 3: leave it at `any` for them.",
        |c, v| c.client.heartbeat_require = v.one_of(REQUIRE)?;
    "resume.window", Kind::Duration, "2m",
        "How long a full session outlives its connection.",
        |c, v| c.client.resume_window = v.duration()?;
    "resume.events", Kind::Number, "256",
        "Most events kept for a resume.",
        |c, v| c.client.resume_events_max = v.number()? as usize;
    "resume.bytes", Kind::Size, "1MiB",
        "Most bytes of events kept for a resume.",
        |c, v| c.client.resume_bytes_max = v.size()?;
    "count_interval", Kind::Duration, "250ms",
        "At most one member count a guild in this time.",
        |c, v| c.count_interval = v.duration()?;
    "drain_window", Kind::Duration, "10s",
        "When the gateway stops, closes are spread over this long.",
        |c, v| c.drain_window = v.duration()?;
    "edge.shards", Kind::NumberOrAuto, "auto",
        "How many threads serve sockets, at most 64; `auto` is one a core.",
        |c, v| c.edge_shards = match v.number_or_auto()? {
            None => None,
            Some(count) => Some(u8::try_from(count).ok().filter(|&count| count <= 64)?),
        };
    "edge.deflate", Kind::OneOf(&["off", "on"]), "on",
        "Whether frames are deflated for clients that offer permessage-deflate; each once for all its receivers.",
        |c, v| c.deflate = v.one_of(DEFLATE)?;
    "edge.deflate_bytes", Kind::Size, "1KiB",
        "The smallest frame that is deflated.",
        |c, v| c.deflate_bytes_min = v.size()?;
    "log.format", Kind::OneOf(&["human", "json"]), "human",
        "For whom the log is: a person, or one JSON object a line.",
        |c, v| c.log.format = v.one_of(FORMAT)?;
    "log.level", Kind::LogFilter, "info",
        "What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,guildgate_server=debug`.",
        |c, v| c.log.level = v.log_filter()?;
    "discord.token", Kind::Secret, "",
        "The bot's token, from the \"Bot\" page of your application; blanks and line breaks around it are left out. Also `DISCORD_TOKEN`.",
        |c, v| c.discord.token = v.token()?;
    "discord.api_url", Kind::Url, "https://discord.com/api/v10",
        "Discord's REST, and so its gateway: Discord, the simulator, or a compatible server.",
        |c, v| c.discord.api_url = v.url()?;
    "discord.intents", Kind::Intents, "GUILDS, GUILD_MEMBERS, GUILD_EXPRESSIONS, GUILD_INVITES",
        "Which events are asked for. One that the bot is not granted is gone without, and said so once.",
        |c, v| c.discord.intents = v.intents()?;
    "discord.shards", Kind::NumberOrAuto, "auto",
        "How many shards; `auto` is as Discord recommends.",
        |c, v| c.discord.shards = v.number_or_auto()?;
    "discord.compression", Kind::OneOf(&["zstd", "zlib", "off"]), "zstd",
        "How what Discord sends is packed.",
        |c, v| c.discord.compression = v.one_of(COMPRESSION)?;
    "discord.on_reconnect", Kind::OneOf(&["resume", "identify"]), "resume",
        "What Discord's opcode 7 makes a shard do: go on with its session, or begin a new one.",
        |c, v| c.discord.on_reconnect = v.one_of(RECONNECT)?;
    "discord.on_timeout", Kind::OneOf(&["resume", "identify"]), "identify",
        "The same for Discord's close 4009, \"session timed out\".",
        |c, v| c.discord.on_timeout = v.one_of(RECONNECT)?;
    "discord.user_opcodes", Kind::OneOf(&["refuse", "allow"]), "refuse",
        "Whether opcodes 5 and 12, which Discord forbids to bots, can be sent; for the simulator.",
        |c, v| c.discord.user_opcodes = v.one_of(USER_OPCODES)?;
    "discord.presence.status", Kind::OneOf(&["online", "idle", "dnd", "invisible"]), "online",
        "The bot's status.",
        |c, v| c.discord.presence_status = v.one_of(STATUS)?.to_owned();
    "discord.presence.activity", Kind::Text, "",
        "What the bot is shown to be doing.",
        |c, v| c.discord.presence_activity = v.some_text()?;
    "invites.<guild>", Kind::Text, "",
        "Code of the invite that your site shows for the guild of this id; `current_invite_valid` tells whether it still exists.",
        |c, v, picked| {
            let code = v.text()?.trim().trim_start_matches("https://discord.gg/");
            c.invites.insert(picked.parse().ok()?, code.to_owned());
        };
    "webhooks.<name>.url", Kind::Url, "",
        "Who is told of submissions and reviews, by POST.",
        |c, v, picked| c.webhooks.entry(picked.to_owned()).or_default().url = v.url()?;
    "webhooks.<name>.secret", Kind::Secret, "",
        "What calls to it are signed with: HMAC-SHA256 over `TIMESTAMP.BODY`.",
        |c, v, picked| c.webhooks.entry(picked.to_owned()).or_default().secret = v.secret()?;
}

/// What a database's address begins with. A bare path is not taken: an address with its scheme
/// forgotten would become a file, with the password in its name.
const DATABASE_SCHEMES: [&str; 3] = ["sqlite:", "postgres://", "postgresql://"];

/// Shortest admin key: what is shorter can be guessed.
const ADMIN_KEY_BYTES_MIN: usize = 16;

fn tls(config: &mut Config) -> &mut super::TlsFiles {
    config.tls.get_or_insert_with(|| super::TlsFiles {
        certificate: PathBuf::new(),
        key: PathBuf::new(),
    })
}

/// Every key at its default.
pub(super) fn defaults() -> Config {
    let mut config = unset();
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        let set = (key.set)(&mut config, &Value::Text(key.default.to_owned()), "");
        assert!(
            set.is_some(),
            "the default of `{}` is not what it takes",
            key.name
        );
    }
    // Read as an operator's, the default would count for this machine's own addresses too.
    if let PerAddress::Everyone(count) = config.connections_per_ip {
        config.connections_per_ip = PerAddress::ExceptLoopback(count);
    }
    config
}

/// What the defaults are written over.
fn unset() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: None,
        data: PathBuf::new(),
        database_url: None,
        admin_key: None,
        origins: Vec::new(),
        trusted_proxies: Vec::new(),
        tls: None,
        connections_max: 0,
        connections_per_ip: PerAddress::ExceptLoopback(0),
        body_bytes_max: 0,
        questions_max: 0,
        client: Limits::default(),
        count_interval: std::time::Duration::ZERO,
        drain_window: std::time::Duration::ZERO,
        edge_shards: None,
        deflate: Deflate::Off,
        deflate_bytes_min: 0,
        log: LogConfig {
            format: LogFormat::Human,
            level: String::new(),
        },
        discord: DiscordConfig {
            token: None,
            api_url: String::new(),
            intents: guildgate_discord::Intents::NONE,
            shards: None,
            compression: TransportCompression::Off,
            on_reconnect: OnReconnect::Resume,
            on_timeout: OnReconnect::Identify,
            user_opcodes: UserOpcodes::Refuse,
            presence_status: String::new(),
            presence_activity: None,
        },
        invites: BTreeMap::new(),
        webhooks: BTreeMap::new(),
    }
}

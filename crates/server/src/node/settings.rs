//! The configuration in each part's own words.

use std::{
    num::{NonZeroU8, NonZeroU32},
    sync::Arc,
    time::Duration,
};

use guildgate_core::hub;
use guildgate_discord::{
    AfterTimeout, Compression, OnReconnect as DiscordOnReconnect, UserOpcodes,
    payload::{Activity, Presence, Status},
};
use guildgate_model::{Secret, WantedUsers};

use crate::{
    config::{self, Config, Deflate, DiscordConfig, OnReconnect, PerAddress, TransportCompression},
    edge::EdgeConfig,
    front::{AdmissionLimits, DeflateOffer, FrontConfig, Loopback, Origins},
    upstream::{ShardCount, UpstreamConfig},
};

/// An activity's type, "Playing …".
///
/// Source: Discord, "Gateway Events: Activity Types".
const PLAYING: u8 = 0;

pub(super) fn edge(config: &Config) -> EdgeConfig {
    let cores = || {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        u8::try_from(cores).unwrap_or(u8::MAX)
    };
    let shards = config.edge_shards.unwrap_or_else(cores);
    EdgeConfig {
        shards: NonZeroU8::new(shards).unwrap_or(NonZeroU8::MIN),
        limits: config.client.clone(),
        deflate_bytes_min: config.deflate_bytes_min,
        ..EdgeConfig::default()
    }
}

/// Sockets not upgraded yet that one address may have, however few connections it may: a page
/// is loaded over several at once.
const PLAIN_PER_IP_MIN: u32 = 16;

/// How long Discord may be out of reach before clients are told.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// How much longer than their sessions the members of an earlier process's users are kept: those
/// are restored a little later.
const RETAINED_MARGIN: Duration = Duration::from_secs(30);

pub(super) fn hub(config: &Config, wanted: &Arc<WantedUsers>) -> hub::Config {
    hub::Config {
        count_interval: config.count_interval,
        stale_after: STALE_AFTER,
        retained_for: config.client.resume_window + RETAINED_MARGIN,
        invites: config
            .invites
            .iter()
            .map(|(&guild, code)| (guild, code.as_str().into()))
            .collect(),
        wanted: Arc::clone(wanted),
        ..hub::Config::default()
    }
}

pub(super) fn front(config: &Config) -> FrontConfig {
    let (connections_per_ip, loopback) = match config.connections_per_ip {
        PerAddress::ExceptLoopback(count) => (count, Loopback::Exempt),
        PerAddress::Everyone(count) => (count, Loopback::Limited),
    };
    let defaults = FrontConfig::default();
    FrontConfig {
        origins: Origins::from_list(config.origins.clone()),
        trusted_proxies: config.trusted_proxies.clone(),
        upgraded: AdmissionLimits {
            connections: config.connections_max,
            connections_per_ip,
            loopback,
        },
        plain: AdmissionLimits {
            connections_per_ip: connections_per_ip.max(PLAIN_PER_IP_MIN),
            loopback,
            ..defaults.plain
        },
        deflate: match config.deflate {
            Deflate::On => DeflateOffer::Accept,
            Deflate::Off => DeflateOffer::Decline,
        },
        ..defaults
    }
}

/// The bot's token.
pub(super) fn token(config: &Config) -> Secret {
    let token = config.discord.token.clone();
    token.unwrap_or_else(|| Secret::new(""))
}

pub(super) fn upstream(config: &Config, wanted: &Arc<WantedUsers>) -> UpstreamConfig {
    let discord = &config.discord;
    let mut upstream = UpstreamConfig::new(discord.api_url.clone(), token(config));
    upstream.intents = discord.intents;
    upstream.shards = match discord.shards.and_then(NonZeroU32::new) {
        None => ShardCount::Auto,
        Some(count) => ShardCount::Fixed(count),
    };
    upstream.compression = match discord.compression {
        TransportCompression::Zstd => Compression::ZstdStream,
        TransportCompression::Zlib => Compression::ZlibStream,
        TransportCompression::Off => Compression::None,
    };
    upstream.on_reconnect = match discord.on_reconnect {
        OnReconnect::Resume => DiscordOnReconnect::Resume,
        OnReconnect::Identify => DiscordOnReconnect::Identify,
    };
    upstream.after_timeout = match discord.on_timeout {
        OnReconnect::Resume => AfterTimeout::Resume,
        OnReconnect::Identify => AfterTimeout::Identify,
    };
    upstream.user_opcodes = match discord.user_opcodes {
        config::UserOpcodes::Allow => UserOpcodes::Allow,
        config::UserOpcodes::Refuse => UserOpcodes::Refuse,
    };
    upstream.presence = presence(discord);
    upstream.wanted = Some(Arc::clone(wanted));
    upstream
}

/// The presence to begin with; none where it is what Discord shows anyway.
fn presence(discord: &DiscordConfig) -> Option<Presence> {
    let status = match discord.presence_status.as_str() {
        "idle" => Status::Idle,
        "dnd" => Status::Dnd,
        "invisible" => Status::Invisible,
        _ => Status::Online,
    };
    if status == Status::Online && discord.presence_activity.is_none() {
        return None;
    }
    let activity = discord.presence_activity.as_ref().map(|text| Activity {
        name: text.as_str().into(),
        kind: PLAYING,
        state: None,
        url: None,
    });
    Some(Presence {
        since: None,
        activities: activity.into_iter().collect(),
        status,
        afk: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_and_discords_side_share_whom_anybody_wants_to_hear_of() {
        let (config, wanted) = (Config::default(), Arc::default());
        let hubs = hub(&config, &wanted).wanted;
        let upstreams = upstream(&config, &wanted).wanted;
        assert!(upstreams.is_some_and(|upstreams| Arc::ptr_eq(&upstreams, &hubs)));
    }

    #[test]
    fn sockets_that_are_not_upgraded_yet_are_held_to_the_setting_too() {
        let mut config = Config::default();
        for (per_address, upgraded, plain, loopback) in [
            (PerAddress::Everyone(2), 2, 16, Loopback::Limited),
            (PerAddress::Everyone(5_000), 5_000, 5_000, Loopback::Limited),
            (PerAddress::ExceptLoopback(256), 256, 256, Loopback::Exempt),
        ] {
            config.connections_per_ip = per_address;
            let front = front(&config);
            assert_eq!(front.upgraded.connections_per_ip, upgraded);
            assert_eq!(front.plain.connections_per_ip, plain);
            assert_eq!(front.upgraded.loopback, loopback);
            assert_eq!(front.plain.loopback, loopback);
        }
    }
}

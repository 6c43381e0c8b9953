//! A guild, as GUILD_CREATE, GUILD_UPDATE and REST show it.

use guildgate_model::{GuildId, UserId};
use serde::Serialize;
use serde_json::Value;

use super::{
    ChannelView, EmojiView, Id, Iso, MemberList, RoleView, channel, emoji, role, voice_state,
};
use crate::world::{ChannelKind, Guild, VoiceState};

/// The parts of a guild that GUILD_CREATE, GUILD_UPDATE and REST share.
#[derive(Serialize)]
pub(crate) struct GuildView<'a> {
    id: GuildId,
    name: &'a str,
    icon: Option<&'a str>,
    icon_hash: Option<()>,
    splash: Option<()>,
    discovery_splash: Option<()>,
    home_header: Option<()>,
    banner: Option<&'a str>,
    description: Option<&'a str>,
    owner_id: UserId,
    application_id: Option<()>,
    region: &'a str,
    afk_channel_id: Option<()>,
    afk_timeout: u32,
    system_channel_id: Option<Id>,
    system_channel_flags: u32,
    rules_channel_id: Option<()>,
    public_updates_channel_id: Option<()>,
    safety_alerts_channel_id: Option<()>,
    widget_enabled: bool,
    widget_channel_id: Option<()>,
    verification_level: u8,
    default_message_notifications: u8,
    explicit_content_filter: u8,
    mfa_level: u8,
    nsfw: bool,
    nsfw_level: u8,
    premium_tier: u8,
    premium_subscription_count: u32,
    premium_progress_bar_enabled: bool,
    preferred_locale: &'a str,
    vanity_url_code: Option<&'a str>,
    max_members: u32,
    max_presences: Option<u32>,
    max_video_channel_users: u32,
    max_stage_video_channel_users: u32,
    features: &'a [Box<str>],
    stickers: [(); 0],
    incidents_data: Option<()>,
    roles: Vec<RoleView<'a>>,
    emojis: Vec<EmojiView<'a>>,
}

pub(crate) fn guild(guild: &Guild) -> GuildView<'_> {
    let text = guild
        .channels
        .iter()
        .find(|channel| channel.kind == ChannelKind::Text);
    GuildView {
        id: guild.id,
        name: &guild.name,
        icon: guild.icon.as_deref(),
        icon_hash: None,
        splash: None,
        discovery_splash: None,
        home_header: None,
        banner: guild.banner.as_deref(),
        description: guild.description.as_deref(),
        owner_id: guild.owner,
        application_id: None,
        region: "deprecated",
        afk_channel_id: None,
        afk_timeout: 300,
        system_channel_id: text.map(|channel| Id(channel.id)),
        system_channel_flags: 0,
        rules_channel_id: None,
        public_updates_channel_id: None,
        safety_alerts_channel_id: None,
        widget_enabled: false,
        widget_channel_id: None,
        verification_level: guild.verification_level,
        default_message_notifications: 1,
        explicit_content_filter: 0,
        mfa_level: guild.mfa_level,
        nsfw: matches!(guild.nsfw_level, 1 | 3),
        nsfw_level: guild.nsfw_level,
        premium_tier: guild.premium_tier,
        premium_subscription_count: u32::from(guild.premium_tier) * 7,
        premium_progress_bar_enabled: false,
        preferred_locale: "en-GB",
        vanity_url_code: guild.vanity.as_deref(),
        max_members: 25_000_000,
        max_presences: None,
        max_video_channel_users: 25,
        max_stage_video_channel_users: 50,
        features: &guild.features,
        stickers: [],
        incidents_data: None,
        roles: guild.roles.iter().map(role).collect(),
        emojis: guild.emojis.iter().map(emoji).collect(),
    }
}

/// GUILD_CREATE: a guild with what only the gateway says of it.
#[derive(Serialize)]
pub(crate) struct GuildCreateView<'a> {
    #[serde(flatten)]
    guild: GuildView<'a>,
    joined_at: Iso,
    large: bool,
    unavailable: bool,
    member_count: u64,
    voice_states: Vec<Value>,
    members: MemberList<'a>,
    channels: Vec<ChannelView<'a>>,
    threads: [(); 0],
    presences: Vec<Value>,
    stage_instances: [(); 0],
    guild_scheduled_events: [(); 0],
    soundboard_sounds: [(); 0],
}

pub(crate) fn guild_create<'a>(
    of: &'a Guild,
    large_threshold: u64,
    members: MemberList<'a>,
    presences: Vec<Value>,
) -> GuildCreateView<'a> {
    let voice = |state: &VoiceState| {
        let mut shown = voice_state(of, state, Some(state.channel));
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("guild_id");
        }
        shown
    };
    GuildCreateView {
        guild: guild(of),
        joined_at: Iso(of.joined_at),
        large: of.members.count() > large_threshold,
        unavailable: false,
        member_count: of.members.count(),
        voice_states: of.voice.iter().map(voice).collect(),
        members,
        channels: of.channels.iter().map(|one| channel(of.id, one)).collect(),
        threads: [],
        presences,
        stage_instances: [],
        guild_scheduled_events: [],
        soundboard_sounds: [],
    }
}

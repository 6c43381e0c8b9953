//! Gateway intents, and which events need which.
//!
//! Source: Discord, "Gateway: List of Intents".

pub(crate) const GUILDS: u64 = 1;
pub(crate) const GUILD_MEMBERS: u64 = 1 << 1;
pub(crate) const GUILD_MODERATION: u64 = 1 << 2;
pub(crate) const GUILD_EXPRESSIONS: u64 = 1 << 3;
pub(crate) const GUILD_INVITES: u64 = 1 << 6;
pub(crate) const GUILD_VOICE_STATES: u64 = 1 << 7;
pub(crate) const GUILD_PRESENCES: u64 = 1 << 8;

/// Every intent that Discord documents.
pub(crate) const ALL: u64 = 53_608_447;

/// The intents of which one is needed for the event called `name`; 0 if it needs none.
///
/// `in_guild` tells the messages of a guild from direct ones, which share their names.
pub(crate) fn needed(name: &str, in_guild: bool) -> u64 {
    let by_place = |guild: u32, direct: u32| if in_guild { 1 << guild } else { 1 << direct };
    match name {
        _ if name.starts_with("GUILD_ROLE_") || name.starts_with("STAGE_INSTANCE_") => GUILDS,
        _ if name.starts_with("CHANNEL_PINS_") => by_place(0, 12),
        _ if name.starts_with("CHANNEL_") && name != "CHANNEL_INFO" => GUILDS,
        _ if name.starts_with("THREAD_") || name.starts_with("VOICE_CHANNEL_") => GUILDS,
        "GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE" => GUILDS,
        "GUILD_MEMBER_ADD" | "GUILD_MEMBER_UPDATE" | "GUILD_MEMBER_REMOVE" => GUILD_MEMBERS,
        "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" | "GUILD_AUDIT_LOG_ENTRY_CREATE" => GUILD_MODERATION,
        "GUILD_EMOJIS_UPDATE" | "GUILD_STICKERS_UPDATE" => GUILD_EXPRESSIONS,
        _ if name.starts_with("GUILD_SOUNDBOARD_") => GUILD_EXPRESSIONS,
        _ if name.starts_with("GUILD_INTEGRATIONS_") || name.starts_with("INTEGRATION_") => 1 << 4,
        "WEBHOOKS_UPDATE" => 1 << 5,
        "INVITE_CREATE" | "INVITE_DELETE" => GUILD_INVITES,
        "VOICE_STATE_UPDATE" => GUILD_VOICE_STATES,
        "PRESENCE_UPDATE" => GUILD_PRESENCES,
        _ if name.starts_with("MESSAGE_REACTION_") => by_place(10, 13),
        _ if name.starts_with("MESSAGE_POLL_") => by_place(24, 25),
        _ if name.starts_with("MESSAGE_") => by_place(9, 12),
        "TYPING_START" => by_place(11, 14),
        _ if name.starts_with("GUILD_SCHEDULED_EVENT_") => 1 << 16,
        "AUTO_MODERATION_ACTION_EXECUTION" => 1 << 21,
        _ if name.starts_with("AUTO_MODERATION_RULE_") => 1 << 20,
        _ => 0,
    }
}

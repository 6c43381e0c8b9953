//! What is known of a guild.

use serde::Serialize;

use crate::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};

/// A role: what it allows, and how high it stands. Its name and colour are nobody's concern here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// The role's id.
    pub id: RoleId,
    /// What it allows its holders.
    pub permissions: Permissions,
    /// How high it stands: 0 for @everyone, and more for higher ones.
    pub position: u16,
}

impl Role {
    /// Whether this role stands above `other`: of two in one position the older one does.
    ///
    /// Source: Discord, "Permissions: Permission Hierarchy" and "Topics: Role Object".
    #[must_use]
    pub fn is_above(&self, other: &Role) -> bool {
        (self.position, std::cmp::Reverse(self.id)) > (other.position, std::cmp::Reverse(other.id))
    }
}

/// A custom emoji, as clients are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Emoji {
    /// The emoji's id.
    pub id: EmojiId,
    /// Its name, without colons.
    pub name: Box<str>,
    /// Whether it moves.
    pub animated: bool,
}

/// How far a guild's data can be trusted.
///
/// Source: wire protocol, "Commands", `freshness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Discord's events arrive.
    Live,
    /// The member count is polled, since the bot lacks the GUILD_MEMBERS intent.
    Approximate,
    /// Discord has been out of reach since then.
    Stale {
        /// When the link was lost.
        since: UnixMs,
    },
}

/// What one message of Discord's said of a guild: GUILD_CREATE, GUILD_UPDATE, or a REST answer.
///
/// `None` is "not said", which leaves what was known; a nullable field that was said to be
/// null is `Some(None)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuildData {
    /// The guild.
    pub id: GuildId,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its owner.
    pub owner: Option<UserId>,
    /// Hash of its icon.
    pub icon: Option<Option<Box<str>>>,
    /// Hash of its banner.
    pub banner: Option<Option<Box<str>>>,
    /// Its description.
    pub description: Option<Option<Box<str>>>,
    /// The code of its vanity URL.
    pub vanity: Option<Option<Box<str>>>,
    /// Boost level, 0 to 3.
    pub premium_tier: Option<u8>,
    /// Verification level, 0 to 4.
    pub verification_level: Option<u8>,
    /// MFA level for moderators, 0 or 1.
    pub mfa_level: Option<u8>,
    /// Whether its NSFW level is "explicit" or "age restricted".
    pub nsfw: Option<bool>,
    /// How many members it has; only GUILD_CREATE says so.
    pub member_count: Option<u64>,
    /// All its roles, in any order, possibly repeated.
    pub roles: Option<Vec<Role>>,
    /// All its custom emojis.
    pub emojis: Option<Vec<Emoji>>,
}

impl GuildData {
    /// Nothing said yet of `id`.
    #[must_use]
    pub fn new(id: GuildId) -> GuildData {
        GuildData {
            id,
            name: None,
            owner: None,
            icon: None,
            banner: None,
            description: None,
            vanity: None,
            premium_tier: None,
            verification_level: None,
            mfa_level: None,
            nsfw: None,
            member_count: None,
            roles: None,
            emojis: None,
        }
    }
}

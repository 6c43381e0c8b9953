//! A guild and a user as clients are shown them.

use guildgate_model::{Emoji, Freshness, GuildId, Permissions, UserId};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// `guild` of a CONNECT_GUILD answer and of guild events, borrowed from the guild's state.
///
/// Source: wire protocol, "Commands".
#[derive(Debug, Clone)]
pub struct GuildView<'a> {
    /// The guild.
    pub id: GuildId,
    /// Its name.
    pub name: &'a str,
    /// How many members it has: `count` and `member_count`.
    pub member_count: u64,
    /// Hash of its banner.
    pub banner: Option<&'a str>,
    /// Hash of its icon.
    pub icon: Option<&'a str>,
    /// Boost level, 0 to 3.
    pub premium_tier: u8,
    /// Verification level, 0 to 4.
    pub verification_level: u8,
    /// Its custom emojis.
    pub emojis: &'a [Emoji],
    /// Whether the invite set for the guild still exists.
    pub current_invite_valid: bool,
    /// The code of its vanity URL: `vanity` and `vanity_url_code`.
    pub vanity: Option<&'a str>,
    /// Its owner.
    pub owner: UserId,
    /// Its description.
    pub description: Option<&'a str>,
    /// MFA level for moderators.
    pub mfa_level: u8,
    /// Whether it is for adults.
    pub nsfw: bool,
    /// How far all this can be trusted.
    pub freshness: Freshness,
}

impl Serialize for GuildView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry("count", &self.member_count)?;
        map.serialize_entry("member_count", &self.member_count)?;
        map.serialize_entry("banner", &self.banner)?;
        map.serialize_entry("icon", &self.icon)?;
        map.serialize_entry("premium_tier", &self.premium_tier)?;
        map.serialize_entry("verification_level", &self.verification_level)?;
        map.serialize_entry("emojis", self.emojis)?;
        map.serialize_entry("current_invite_valid", &self.current_invite_valid)?;
        map.serialize_entry("vanity", &self.vanity)?;
        map.serialize_entry("vanity_url_code", &self.vanity)?;
        map.serialize_entry("owner_id", &self.owner)?;
        map.serialize_entry("description", &self.description)?;
        map.serialize_entry("mfa_level", &self.mfa_level)?;
        map.serialize_entry("nsfw", &self.nsfw)?;
        match self.freshness {
            Freshness::Live => map.serialize_entry("freshness", "live")?,
            Freshness::Approximate => map.serialize_entry("freshness", "approximate")?,
            Freshness::Stale { since } => {
                map.serialize_entry("freshness", "stale")?;
                map.serialize_entry("stale_since", &since)?;
            }
        }
        map.end()
    }
}

/// `user` of a CONNECT_GUILD answer: the authenticated user in that guild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserView {
    /// Who.
    pub id: UserId,
    /// The name shown.
    pub tag: Box<str>,
    /// What they may do there.
    pub permissions: Permissions,
}

//! One newtype for every id, so that a user's id can never be passed for a guild's.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is not an id: not a decimal unsigned 64-bit number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id: expected a decimal unsigned 64-bit number")]
pub struct ParseIdError {
    text: String,
    #[source]
    cause: ParseIntError,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        ///
        /// A decimal string on every wire; a bare JSON number is accepted too.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.parse()
                    .map($name)
                    .map_err(|cause| ParseIdError { text: text.to_owned(), cause })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(IdVisitor).map($name)
            }
        }
    )+};
}

ids! {
    /// A Discord guild.
    GuildId,
    /// A Discord user.
    UserId,
    /// A Discord role; the role whose id is the guild's own is @everyone.
    RoleId,
    /// A custom emoji of a guild.
    EmojiId,
    /// One submission of a guild's application form.
    ApplicationId,
    /// One notification in a user's inbox.
    NotificationId,
    /// A token's record in the store; not the secret.
    TokenId,
}

impl GuildId {
    /// The @everyone role of this guild, which has the guild's own id.
    ///
    /// Source: Discord, "Permissions".
    #[must_use]
    pub fn everyone(self) -> RoleId {
        RoleId(self.0)
    }
}

/// One of the bot's gateway shards: `id` of `count`.
///
/// Source: Discord, "Gateway: Sharding".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    /// Zero-based number of this shard.
    pub id: u32,
    /// How many shards there are in all, at least one.
    pub count: u32,
}

impl ShardId {
    /// Whether `guild`'s events arrive on this shard: `(guild_id >> 22) % count == id`.
    #[must_use]
    pub fn serves(self, guild: GuildId) -> bool {
        (guild.0 >> 22) % u64::from(self.count) == u64::from(self.id)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.count)
    }
}

struct IdVisitor;

impl de::Visitor<'_> for IdVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id as a decimal string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        text.parse()
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_string_out_and_a_string_or_number_in() {
        let id = GuildId(u64::MAX);
        let text = serde_json::to_string(&id).expect("an id serializes");
        assert_eq!(text, "\"18446744073709551615\"");
        assert_eq!(
            serde_json::from_str::<GuildId>(&text).expect("its own text"),
            id
        );
        assert_eq!(
            serde_json::from_str::<GuildId>("7").expect("a number"),
            GuildId(7)
        );
        for bad in [
            "\"\"",
            "\"-1\"",
            "-1",
            "\"18446744073709551616\"",
            "null",
            "[]",
            "1.5",
        ] {
            assert!(
                serde_json::from_str::<GuildId>(bad).is_err(),
                "{bad} is no id"
            );
        }
    }

    #[test]
    fn a_guild_belongs_to_one_shard() {
        let guild = GuildId(197_038_439_483_310_086);
        let serving: Vec<u32> = (0..16)
            .filter(|&id| ShardId { id, count: 16 }.serves(guild))
            .collect();
        assert_eq!(serving, [((guild.0 >> 22) % 16) as u32]);
    }
}

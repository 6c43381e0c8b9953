//! The shape of a world file. What is wrong with a single value is found here, where the reader
//! still knows the line.

use std::fmt;

use guildgate_model::{Permissions, UnixMs};
use serde::{Deserialize, Deserializer, de};

use super::permission_names::PERMISSION_NAMES;
use crate::{iso, world::ID_MAX};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorldFile {
    #[serde(default)]
    pub(super) bot: BotFile,
    #[serde(default)]
    pub(super) users: Vec<UserFile>,
    #[serde(default)]
    pub(super) guilds: Vec<GuildFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct BotFile {
    pub(super) id: Option<Id>,
    pub(super) name: Option<String>,
    /// Names of privileged intents that are on; all, unless said.
    pub(super) intents: Option<Vec<Intent>>,
    pub(super) permissions: Option<PermissionSet>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Intent {
    Members,
    Presences,
    MessageContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserFile {
    pub(super) id: Option<Id>,
    pub(super) name: String,
    pub(super) global_name: Option<String>,
    pub(super) discriminator: Option<String>,
    pub(super) avatar: Option<String>,
    #[serde(default)]
    pub(super) bot: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuildFile {
    pub(super) id: Option<Id>,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) icon: Option<String>,
    pub(super) banner: Option<String>,
    pub(super) description: Option<String>,
    pub(super) vanity: Option<String>,
    #[serde(default)]
    pub(super) premium_tier: u8,
    pub(super) verification_level: Option<u8>,
    #[serde(default)]
    pub(super) mfa_level: u8,
    #[serde(default)]
    pub(super) nsfw_level: u8,
    #[serde(default)]
    pub(super) features: Vec<String>,
    /// What @everyone may do.
    pub(super) everyone: Option<PermissionSet>,
    #[serde(default)]
    pub(super) roles: Vec<RoleFile>,
    #[serde(default)]
    pub(super) emojis: Vec<EmojiFile>,
    #[serde(default)]
    pub(super) channels: Vec<ChannelFile>,
    #[serde(default)]
    pub(super) members: Vec<MemberFile>,
    #[serde(default)]
    pub(super) invites: Vec<String>,
    /// Members who are only counted.
    #[serde(default)]
    pub(super) crowd: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleFile {
    pub(super) id: Option<Id>,
    pub(super) name: String,
    pub(super) permissions: Option<PermissionSet>,
    #[serde(default)]
    pub(super) color: u32,
    pub(super) position: Option<u32>,
    #[serde(default)]
    pub(super) hoist: bool,
    #[serde(default)]
    pub(super) mentionable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmojiFile {
    pub(super) id: Option<Id>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) animated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelFile {
    pub(super) id: Option<Id>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) voice: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberFile {
    pub(super) user: String,
    pub(super) nick: Option<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    pub(super) joined_at: Option<Time>,
    pub(super) timed_out_until: Option<Time>,
}

/// An id that the simulator can count on from: it makes up the ids of what has none.
#[derive(Clone, Copy)]
pub(super) struct Id(pub(super) u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an id, which is a whole number from 1 to {ID_MAX}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
                text.parse().ok().and_then(id).ok_or_else(wrong)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                let wrong = || E::invalid_value(de::Unexpected::Unsigned(number), &self);
                id(number).ok_or_else(wrong)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Id, E> {
                let wrong = || E::invalid_value(de::Unexpected::Signed(number), &self);
                u64::try_from(number).ok().and_then(id).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn id(number: u64) -> Option<Id> {
    (1..=ID_MAX).contains(&number).then_some(Id(number))
}

/// Names of permissions, or the set as Discord writes it.
pub(super) struct PermissionSet(pub(super) Permissions);

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PermissionSet, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = PermissionSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of permissions such as [\"MANAGE_GUILD\"], or the set as a decimal number",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PermissionSet, E> {
                let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
                let number = text.parse().map_err(|_| wrong())?;
                Ok(PermissionSet(Permissions(number)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<PermissionSet, E> {
                Ok(PermissionSet(Permissions(number)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PermissionSet, E> {
                let wrong = || E::invalid_value(de::Unexpected::Signed(number), &self);
                let number = u64::try_from(number).map_err(|_| wrong())?;
                Ok(PermissionSet(Permissions(number)))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<PermissionSet, A::Error> {
                let mut sum = Permissions::NONE;
                while let Some(Permission(bit)) = list.next_element()? {
                    sum = sum | Permissions(1 << bit);
                }
                Ok(PermissionSet(sum))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// One permission's bit.
struct Permission(u32);

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Permission, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Permission;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of Discord's names of permissions, such as \"MANAGE_GUILD\"")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Permission, E> {
                let known = PERMISSION_NAMES.iter().find(|(known, _)| *known == name);
                known
                    .map(|(_, bit)| Permission(*bit))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// A moment.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) UnixMs);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in quotes, such as \"2026-12-24T18:00:00Z\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
                iso::parse(text).map(Time).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

//! A world from a file: TOML or JSON, with names where ids do not matter.

mod permission_names;

use std::collections::BTreeMap;

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};
use serde::Deserialize;

use permission_names::PERMISSION_NAMES;

use super::{
    Channel, ChannelKind, Crowd, Emoji, Guild, Invite, Member, Members, Role, RoleSource, User,
    UserKind, World, created_at, demo_ids,
};

/// Why a world file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// Not TOML of the expected shape.
    #[error("the world is not valid TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// Not JSON of the expected shape.
    #[error("the world is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A name that leads nowhere.
    #[error(
        "guild {guild:?} names {what} {name:?}, which the file does not define; define it or correct the name"
    )]
    UnknownName {
        /// In which guild.
        guild: String,
        /// A user, or a role.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A permission that Discord does not have.
    #[error("{0:?} is no permission: expected a decimal number or names such as \"MANAGE_GUILD\"")]
    UnknownPermission(String),
    /// A time that is none.
    #[error("{0:?} is no time: expected one such as \"2026-12-24T18:00:00Z\"")]
    Time(String),
}

impl World {
    /// Reads a world from TOML; the shape is in docs/simulator.md.
    ///
    /// # Errors
    /// [`WorldError`] says what is wrong with the file.
    pub fn from_toml(text: &str) -> Result<World, WorldError> {
        toml::from_str::<WorldFile>(text)?.build()
    }

    /// Reads a world from JSON of the same shape.
    ///
    /// # Errors
    /// [`WorldError`] says what is wrong with the file.
    pub fn from_json(text: &str) -> Result<World, WorldError> {
        serde_json::from_str::<WorldFile>(text)?.build()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    #[serde(default)]
    bot: BotFile,
    #[serde(default)]
    users: Vec<UserFile>,
    #[serde(default)]
    guilds: Vec<GuildFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct BotFile {
    id: Option<UserId>,
    name: Option<String>,
    /// Names of privileged intents that are on; all, unless said.
    intents: Option<Vec<Intent>>,
    permissions: Option<PermissionsFile>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Intent {
    Members,
    Presences,
    MessageContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFile {
    id: Option<UserId>,
    name: String,
    global_name: Option<String>,
    discriminator: Option<String>,
    avatar: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuildFile {
    id: Option<GuildId>,
    name: String,
    owner: String,
    icon: Option<String>,
    banner: Option<String>,
    description: Option<String>,
    vanity: Option<String>,
    #[serde(default)]
    premium_tier: u8,
    verification_level: Option<u8>,
    #[serde(default)]
    mfa_level: u8,
    #[serde(default)]
    nsfw_level: u8,
    #[serde(default)]
    features: Vec<String>,
    /// What @everyone may do.
    everyone: Option<PermissionsFile>,
    #[serde(default)]
    roles: Vec<RoleFile>,
    #[serde(default)]
    emojis: Vec<EmojiFile>,
    #[serde(default)]
    channels: Vec<ChannelFile>,
    #[serde(default)]
    members: Vec<MemberFile>,
    #[serde(default)]
    invites: Vec<String>,
    /// Members who are only counted.
    #[serde(default)]
    crowd: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFile {
    id: Option<RoleId>,
    name: String,
    permissions: Option<PermissionsFile>,
    #[serde(default)]
    color: u32,
    position: Option<u32>,
    #[serde(default)]
    hoist: bool,
    #[serde(default)]
    mentionable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmojiFile {
    id: Option<EmojiId>,
    name: String,
    #[serde(default)]
    animated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelFile {
    id: Option<u64>,
    name: String,
    #[serde(default)]
    voice: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberFile {
    user: String,
    nick: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    joined_at: Option<String>,
    timed_out_until: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PermissionsFile {
    Set(Permissions),
    Names(Vec<String>),
}

impl PermissionsFile {
    fn read(self) -> Result<Permissions, WorldError> {
        match self {
            PermissionsFile::Set(set) => Ok(set),
            PermissionsFile::Names(names) => {
                names.iter().try_fold(Permissions::NONE, |sum, name| {
                    let known = PERMISSION_NAMES.iter().find(|(known, _)| known == name);
                    let bit = known
                        .ok_or_else(|| WorldError::UnknownPermission(name.clone()))?
                        .1;
                    Ok(sum | Permissions(1 << bit))
                })
            }
        }
    }
}

impl WorldFile {
    fn build(self) -> Result<World, WorldError> {
        let bot_name = self.bot.name.unwrap_or_else(|| "guildgate".to_owned());
        let mut world = World::empty(self.bot.id.unwrap_or(demo_ids::BOT), &bot_name);
        if let Some(intents) = self.bot.intents {
            let bit = |intent: &Intent| match intent {
                Intent::Members => 1 << 1,
                Intent::Presences => 1 << 8,
                Intent::MessageContent => 1 << 15,
            };
            world
                .set_privileged_intents(intents.iter().map(bit).fold(0, |sum: u64, bit| sum | bit));
        }
        let bot_permissions = self
            .bot
            .permissions
            .map_or(Ok(Permissions::ADMINISTRATOR), PermissionsFile::read)?;
        let mut users = BTreeMap::new();
        for (index, file) in self.users.into_iter().enumerate() {
            let id = file.id.unwrap_or(UserId(FIRST_USER + index as u64));
            users.insert(file.name.clone(), id);
            world.put_user(User {
                id,
                name: file.name.into(),
                discriminator: file.discriminator.as_deref().unwrap_or("0").into(),
                global_name: file.global_name.map(Into::into),
                avatar: file.avatar.map(Into::into),
                kind: if file.bot {
                    UserKind::Bot
                } else {
                    UserKind::Person
                },
            });
        }
        for (index, file) in self.guilds.into_iter().enumerate() {
            let id = file
                .id
                .unwrap_or(GuildId(FIRST_GUILD + ((index as u64) << 24)));
            world.put_guild(guild(id, file, &users)?, bot_permissions);
        }
        Ok(world)
    }
}

fn guild(
    id: GuildId,
    file: GuildFile,
    users: &BTreeMap<String, UserId>,
) -> Result<Guild, WorldError> {
    let owner = find(users, &file.owner, UserId, "the user", &file.name)?;
    let mut guild = Guild::new(id, &file.name, owner);
    let text = |text: Option<String>| text.map(Box::from);
    guild.icon = text(file.icon);
    guild.banner = text(file.banner);
    guild.description = text(file.description);
    guild.vanity = text(file.vanity);
    guild.premium_tier = file.premium_tier;
    guild.verification_level = file.verification_level.unwrap_or(guild.verification_level);
    guild.mfa_level = file.mfa_level;
    guild.nsfw_level = file.nsfw_level;
    guild.features = file.features.into_iter().map(Into::into).collect();
    if let Some(everyone) = file.everyone {
        let mut role = guild.roles.remove(0);
        role.permissions = everyone.read()?;
        guild.put_role(role);
    }
    let roles = put_roles(&mut guild, file.roles)?;
    if file.crowd > 0 {
        guild.members = Members::of_crowd(Crowd {
            first: UserId(FIRST_OF_CROWD + (id.0 >> 22) % 1_000),
            count: file.crowd,
            roles: roles.values().copied().collect(),
            joined_from: created_at(id.0),
        });
        guild.members.insert(Member::new(owner, created_at(id.0)));
    }
    for member in file.members {
        put_member(&mut guild, member, users, &roles)?;
    }
    let emoji = |(index, file): (usize, EmojiFile)| Emoji {
        id: file.id.unwrap_or(EmojiId(id.0 + 100_000 + index as u64)),
        name: file.name.into(),
        animated: file.animated,
    };
    guild.emojis = file.emojis.into_iter().enumerate().map(emoji).collect();
    put_channels(&mut guild, file.channels);
    guild.invites = file
        .invites
        .into_iter()
        .map(|code| invite(&code, id, owner))
        .collect();
    Ok(guild)
}

/// Adds a guild's roles; their ids by name.
fn put_roles(
    guild: &mut Guild,
    files: Vec<RoleFile>,
) -> Result<BTreeMap<String, RoleId>, WorldError> {
    let mut roles = BTreeMap::new();
    for (index, file) in files.into_iter().enumerate() {
        let number = index as u64 + 1;
        let id = file.id.unwrap_or(RoleId(guild.id.0 + 1_000 + number));
        roles.insert(file.name.clone(), id);
        guild.put_role(Role {
            id,
            name: file.name.into(),
            permissions: file
                .permissions
                .map_or(Ok(Permissions::NONE), PermissionsFile::read)?,
            color: file.color,
            hoist: file.hoist,
            position: file
                .position
                .unwrap_or(u32::try_from(number).unwrap_or(u32::MAX)),
            source: RoleSource::Guild,
            mentionable: file.mentionable,
        });
    }
    Ok(roles)
}

fn put_member(
    guild: &mut Guild,
    file: MemberFile,
    users: &BTreeMap<String, UserId>,
    roles: &BTreeMap<String, RoleId>,
) -> Result<(), WorldError> {
    let user = find(users, &file.user, UserId, "the user", &guild.name)?;
    let held = file
        .roles
        .iter()
        .map(|name| find(roles, name, RoleId, "the role", &guild.name));
    let member = Member {
        user,
        nick: file.nick.map(Into::into),
        roles: held.collect::<Result<_, _>>()?,
        joined_at: file.joined_at.map_or(Ok(created_at(guild.id.0)), time)?,
        timed_out_until: file.timed_out_until.map(time).transpose()?,
    };
    guild.members.insert(member);
    Ok(())
}

fn time(text: String) -> Result<UnixMs, WorldError> {
    crate::iso::parse(&text).ok_or(WorldError::Time(text))
}

fn put_channels(guild: &mut Guild, files: Vec<ChannelFile>) {
    for (index, file) in files.into_iter().enumerate() {
        guild.put_channel(Channel {
            id: file.id.unwrap_or(guild.id.0 + 2 + index as u64),
            name: file.name.into(),
            kind: if file.voice {
                ChannelKind::Voice
            } else {
                ChannelKind::Text
            },
            position: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            parent: None,
            topic: None,
            overwrites: Box::default(),
            status: None,
        });
    }
}

/// What a file calls by name, or by id where it is all digits.
fn find<T: Copy>(
    known: &BTreeMap<String, T>,
    wanted: &str,
    id: fn(u64) -> T,
    what: &'static str,
    guild: &str,
) -> Result<T, WorldError> {
    let by_name = known.get(wanted).copied();
    by_name
        .or_else(|| wanted.parse().ok().map(id))
        .ok_or_else(|| WorldError::UnknownName {
            guild: guild.to_owned(),
            what,
            name: wanted.to_owned(),
        })
}

fn invite(code: &str, guild: GuildId, owner: UserId) -> Invite {
    Invite {
        code: code.into(),
        channel: guild.0 + 1,
        inviter: Some(owner),
        max_age: 0,
        max_uses: 0,
        uses: 0,
        created_at: created_at(guild.0),
    }
}

const FIRST_USER: u64 = 1_050_000_000_000_000_000;
const FIRST_GUILD: u64 = 1_150_000_000_000_000_000;
const FIRST_OF_CROWD: u64 = 300_000_000_000_000_000;

#[cfg(test)]
mod tests;

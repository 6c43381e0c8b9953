//! The world that a file describes.

use std::collections::BTreeSet;

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UserId};

use super::{
    WorldError,
    names::{Ids, Names, meaning},
    shape::{ChannelFile, EmojiFile, GuildFile, Intent, MemberFile, RoleFile, UserFile, WorldFile},
};
use crate::world::{
    Channel, ChannelKind, Crowd, Emoji, Guild, Invite, Member, Members, Role, RoleSource, User,
    UserKind, World, created_at, demo_ids,
};

impl WorldFile {
    pub(super) fn build(self) -> Result<World, WorldError> {
        let bot_name = self.bot.name.unwrap_or_else(|| "guildgate".to_owned());
        let bot = self.bot.id.map_or(demo_ids::BOT, |id| UserId(id.0));
        let mut world = World::empty(bot, &bot_name);
        if let Some(intents) = self.bot.intents {
            let bit = |intent: &Intent| match intent {
                Intent::Members => 1 << 1,
                Intent::Presences => 1 << 8,
                Intent::MessageContent => 1 << 15,
            };
            world
                .set_privileged_intents(intents.iter().map(bit).fold(0, |sum: u64, bit| sum | bit));
        }
        let set = self.bot.permissions.map(|set| set.0);
        let bot_permissions = set.unwrap_or(Permissions::ADMINISTRATOR);
        let mut taken = Taken::new(bot, &bot_name);
        for (index, file) in self.users.into_iter().enumerate() {
            let user = user(index, file);
            let place = format!("user {:?}", user.name);
            taken.users.add(user.id.0, &user.name, &place)?;
            world.put_user(user);
        }
        for (index, file) in self.guilds.into_iter().enumerate() {
            let made_up = FIRST_GUILD + ((index as u64) << 24);
            let id = GuildId(file.id.map_or(made_up, |id| id.0));
            world.put_guild(guild(id, file, &mut taken)?, bot_permissions);
        }
        Ok(world)
    }
}

/// What the file has used so far, of what may be there only once.
struct Taken {
    users: Names,
    guilds: Ids,
    channels: Ids,
    emojis: Ids,
    codes: BTreeSet<String>,
}

impl Taken {
    fn new(bot: UserId, name: &str) -> Taken {
        let mut users = Names::of("user");
        users.reserve(bot.0, name);
        Taken {
            users,
            guilds: Ids::of("guild"),
            channels: Ids::of("channel"),
            emojis: Ids::of("emoji"),
            codes: BTreeSet::new(),
        }
    }

    /// # Errors
    /// Where an invite or a vanity URL has this code already.
    fn code(&mut self, code: &str, place: &str) -> Result<(), WorldError> {
        if self.codes.insert(code.to_owned()) {
            return Ok(());
        }
        let what = format!("the code {code:?} leads to a guild already: expected another");
        Err(meaning(place, what))
    }
}

fn user(index: usize, file: UserFile) -> User {
    let id = file.id.map_or(FIRST_USER + index as u64, |id| id.0);
    User {
        id: UserId(id),
        name: file.name.into(),
        discriminator: file.discriminator.as_deref().unwrap_or("0").into(),
        global_name: file.global_name.map(Into::into),
        avatar: file.avatar.map(Into::into),
        kind: if file.bot {
            UserKind::Bot
        } else {
            UserKind::Person
        },
    }
}

fn guild(id: GuildId, file: GuildFile, taken: &mut Taken) -> Result<Guild, WorldError> {
    let place = format!("guild {:?}", file.name);
    taken.guilds.add(id.0, &file.name, &place)?;
    let owner = UserId(taken.users.find(&file.owner, "owner", &place)?);
    let mut guild = Guild::new(id, &file.name, owner);
    let text = |text: Option<String>| text.map(Box::from);
    guild.icon = text(file.icon);
    guild.banner = text(file.banner);
    guild.description = text(file.description);
    for code in file.vanity.iter().chain(&file.invites) {
        taken.code(code, &place)?;
    }
    guild.vanity = text(file.vanity);
    guild.premium_tier = file.premium_tier;
    guild.verification_level = file.verification_level.unwrap_or(guild.verification_level);
    guild.mfa_level = file.mfa_level;
    guild.nsfw_level = file.nsfw_level;
    guild.features = file.features.into_iter().map(Into::into).collect();
    if let Some(everyone) = file.everyone {
        let mut role = guild.roles.remove(0);
        role.permissions = everyone.0;
        guild.put_role(role);
    }
    let roles = put_roles(&mut guild, file.roles, &place)?;
    if file.crowd > 0 {
        guild.members = Members::of_crowd(Crowd {
            first: UserId(FIRST_OF_CROWD + (id.0 >> 22) % 1_000),
            count: file.crowd,
            roles: roles.named().map(RoleId).collect(),
            joined_from: created_at(id.0),
        });
        guild.members.insert(Member::new(owner, created_at(id.0)));
    }
    let mut members = BTreeSet::new();
    for file in file.members {
        let place = format!("{place}, member {:?}", file.user);
        let user = taken.users.find(&file.user, "user", &place)?;
        if !members.insert(user) {
            let what = "a second entry of one member: expected one with all of it".to_owned();
            return Err(meaning(&place, what));
        }
        put_member(&mut guild, UserId(user), file, &roles, &place)?;
    }
    put_emojis(&mut guild, file.emojis, &mut taken.emojis, &place)?;
    put_channels(&mut guild, file.channels, &mut taken.channels, &place)?;
    guild.invites = file
        .invites
        .into_iter()
        .map(|code| invite(&code, id, owner))
        .collect();
    Ok(guild)
}

/// Adds a guild's roles.
fn put_roles(guild: &mut Guild, files: Vec<RoleFile>, place: &str) -> Result<Names, WorldError> {
    let mut roles = Names::of("role");
    roles.reserve(guild.id.0, "@everyone");
    roles.reserve(World::bot_role_id(guild.id).0, "the bot's own");
    for (index, file) in files.into_iter().enumerate() {
        let number = index as u64 + 1;
        let id = file.id.map_or(guild.id.0 + 1_000 + number, |id| id.0);
        let place = format!("{place}, role {:?}", file.name);
        roles.add(id, &file.name, &place)?;
        guild.put_role(Role {
            id: RoleId(id),
            name: file.name.into(),
            permissions: file.permissions.map_or(Permissions::NONE, |set| set.0),
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
    user: UserId,
    file: MemberFile,
    roles: &Names,
    place: &str,
) -> Result<(), WorldError> {
    let held = file
        .roles
        .iter()
        .map(|name| roles.find(name, "roles", place).map(RoleId));
    let member = Member {
        user,
        nick: file.nick.map(Into::into),
        roles: held.collect::<Result<_, _>>()?,
        joined_at: file.joined_at.map_or(created_at(guild.id.0), |time| time.0),
        timed_out_until: file.timed_out_until.map(|time| time.0),
    };
    guild.members.insert(member);
    Ok(())
}

fn put_emojis(
    guild: &mut Guild,
    files: Vec<EmojiFile>,
    ids: &mut Ids,
    place: &str,
) -> Result<(), WorldError> {
    for (index, file) in files.into_iter().enumerate() {
        let id = file
            .id
            .map_or(guild.id.0 + 100_000 + index as u64, |id| id.0);
        ids.add(id, &file.name, &format!("{place}, emoji {:?}", file.name))?;
        guild.emojis.push(Emoji {
            id: EmojiId(id),
            name: file.name.into(),
            animated: file.animated,
        });
    }
    Ok(())
}

fn put_channels(
    guild: &mut Guild,
    files: Vec<ChannelFile>,
    ids: &mut Ids,
    place: &str,
) -> Result<(), WorldError> {
    for (index, file) in files.into_iter().enumerate() {
        let id = file.id.map_or(guild.id.0 + 2 + index as u64, |id| id.0);
        ids.add(id, &file.name, &format!("{place}, channel {:?}", file.name))?;
        guild.put_channel(Channel {
            id,
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
    Ok(())
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

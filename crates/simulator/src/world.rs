//! A Discord without its network: guilds, roles, members, emojis, invites, channels, users
//! and the bot's application.
//!
//! Pure: a [`Change`] turns into events for the gateway to send; no clock, no socket. A user
//! who was never named is made up from their id, so that a crowd costs no memory.

mod change;
mod demo;
mod entity;
mod file;
mod generated;
mod members;
pub(crate) mod view;

use std::{borrow::Cow, collections::BTreeMap};

use guildgate_model::{GuildId, Permissions, RoleId, UnixMs, UserId};

pub(crate) use change::{Applied, Effect};
pub use change::{Change, ChangeError, GuildEdit, Join, MemberEdit, RoleEdit};
pub use demo::demo_ids;
pub(crate) use entity::bits;
pub use entity::{
    Availability, Channel, ChannelKind, Emoji, Guild, Invite, Member, Overwrite, Role, RoleSource,
    User, UserKind, VoiceState,
};
pub use file::WorldError;
pub use generated::Generated;
pub use members::{Crowd, Members};

use crate::rng::{hash_text, mix};

/// The application whose bot logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: Box<str>,
    /// The privileged intents that are switched on for it, as intent bits.
    pub privileged_intents: u64,
}

/// Everything there is.
#[derive(Debug, Clone)]
pub struct World {
    bot: UserId,
    application: Application,
    users: BTreeMap<UserId, User>,
    guilds: BTreeMap<GuildId, Guild>,
    /// Makes ids of one millisecond differ.
    serial: u64,
}

impl World {
    /// A world with a bot called `name` that is in no guild; all privileged intents are on.
    #[must_use]
    pub fn empty(bot: UserId, name: &str) -> World {
        let mut user = User::person(bot, name);
        user.kind = UserKind::Bot;
        World {
            bot,
            application: Application {
                id: bot.0,
                name: name.into(),
                privileged_intents: PRIVILEGED,
            },
            users: BTreeMap::from([(bot, user)]),
            guilds: BTreeMap::new(),
            serial: 0,
        }
    }

    /// The bot's user.
    #[must_use]
    pub fn bot(&self) -> UserId {
        self.bot
    }

    /// The bot's application.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Switches privileged intents on and off: the bits that are on.
    pub fn set_privileged_intents(&mut self, intents: u64) {
        self.application.privileged_intents = intents & PRIVILEGED;
    }

    /// The guilds, in ascending id.
    pub fn guilds(&self) -> impl Iterator<Item = &Guild> {
        self.guilds.values()
    }

    /// How many guilds there are.
    #[must_use]
    pub fn guild_count(&self) -> usize {
        self.guilds.len()
    }

    /// The guild with this id.
    #[must_use]
    pub fn guild(&self, id: GuildId) -> Option<&Guild> {
        self.guilds.get(&id)
    }

    pub(crate) fn guild_mut(&mut self, id: GuildId) -> Option<&mut Guild> {
        self.guilds.get_mut(&id)
    }

    /// Puts a guild into the world while it is being built; the bot becomes a member with a
    /// managed role of `bot_permissions` above all others, unless it is one already.
    pub fn put_guild(&mut self, mut guild: Guild, bot_permissions: Permissions) {
        if !guild.members.contains(self.bot) {
            let role = self.bot_role(&guild, bot_permissions);
            let mut member = Member::new(self.bot, guild.joined_at);
            member.roles = Box::new([role.id]);
            guild.put_role(role);
            guild.members.insert(member);
        }
        self.guilds.insert(guild.id, guild);
    }

    fn bot_role(&self, guild: &Guild, permissions: Permissions) -> Role {
        let top = guild
            .roles
            .iter()
            .map(|role| role.position)
            .max()
            .unwrap_or(0);
        Role {
            id: World::bot_role_id(guild.id),
            name: self.application.name.clone(),
            permissions,
            color: 0,
            hoist: false,
            position: top.saturating_add(1),
            source: RoleSource::Bot(self.bot),
            mentionable: false,
        }
    }

    /// The id of the bot's own role in a guild.
    pub(crate) fn bot_role_id(guild: GuildId) -> RoleId {
        RoleId(guild.0 + 999)
    }

    /// Names a user.
    pub fn put_user(&mut self, user: User) {
        self.users.insert(user.id, user);
    }

    /// The user with this id: as named, or made up from the id.
    #[must_use]
    pub fn user(&self, id: UserId) -> Cow<'_, User> {
        match self.users.get(&id) {
            Some(user) => Cow::Borrowed(user),
            None => Cow::Owned(made_up(id)),
        }
    }

    /// Whether this user was named, or is in a guild.
    #[must_use]
    pub fn knows(&self, id: UserId) -> bool {
        self.users.contains_key(&id) || self.guilds.values().any(|guild| guild.members.contains(id))
    }

    /// The guild that an invite or a vanity code leads to, and the invite if it is one.
    #[must_use]
    pub fn invite(&self, code: &str) -> Option<(&Guild, Option<&Invite>)> {
        self.guilds.values().find_map(|guild| {
            let invite = guild.invites.iter().find(|invite| &*invite.code == code);
            let vanity = guild.vanity.as_deref() == Some(code);
            (invite.is_some() || vanity).then_some((guild, invite))
        })
    }

    /// The guild that has this channel.
    #[must_use]
    pub fn channel(&self, id: u64) -> Option<(&Guild, &Channel)> {
        self.guilds
            .values()
            .find_map(|guild| Some((guild, guild.channel(id)?)))
    }

    /// An id that Discord could give out at `wall`; never the same twice.
    pub(crate) fn new_id(&mut self, wall: UnixMs) -> u64 {
        self.serial += 1;
        let ms = u64::try_from(wall.0.saturating_sub(EPOCH_MS)).unwrap_or(0);
        (ms << 22) | (self.serial & 0x3F_FFFF)
    }
}

/// The user that an unnamed id stands for.
fn made_up(id: UserId) -> User {
    let chance = mix(id.0);
    let word = |words: &[&'static str], chance: u64| {
        words[usize::try_from(chance % words.len() as u64).unwrap_or(0)]
    };
    let (first, second) = (word(&FIRST, chance), word(&SECOND, chance >> 16));
    User {
        global_name: (chance & 1 == 0).then(|| format!("{first} {second}").into()),
        avatar: (chance & 6 != 0).then(|| hash_text(chance).into()),
        ..User::person(id, &format!("{first}.{second}{}", (chance >> 32) % 10_000))
    }
}

/// When Discord made the thing with this id.
///
/// Source: Discord, "Reference: Snowflakes".
pub(crate) fn created_at(id: u64) -> UnixMs {
    UnixMs(i64::try_from(id >> 22).unwrap_or(0) + EPOCH_MS)
}

/// The greatest id that a world is given: ids of roles and channels are counted on from those of
/// guilds. Discord, which counts milliseconds, gets there in 2084.
pub(crate) const ID_MAX: u64 = u64::MAX >> 1;

/// The intents that need a switch: GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT.
pub(crate) const PRIVILEGED: u64 = 1 << 1 | 1 << 8 | 1 << 15;

/// The first millisecond of 2015, from which Discord's ids count.
const EPOCH_MS: i64 = 1_420_070_400_000;

const FIRST: [&str; 16] = [
    "amber", "brisk", "calm", "dusty", "early", "faint", "gentle", "hollow", "iron", "jolly",
    "keen", "lunar", "mossy", "north", "odd", "pale",
];

const SECOND: [&str; 16] = [
    "otter", "lantern", "harbour", "thistle", "comet", "badger", "willow", "anchor", "sparrow",
    "cobalt", "meadow", "falcon", "ember", "quill", "ripple", "walnut",
];

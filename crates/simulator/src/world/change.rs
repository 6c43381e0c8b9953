//! What can happen to a world, and the events that Discord sends of it.

mod apply;
mod guild;
mod member;

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};

use super::{Availability, Channel, Guild};
use crate::event::Event;

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Change {
    /// A user joins a guild: GUILD_MEMBER_ADD.
    Join(Join),
    /// A member leaves or is kicked: GUILD_MEMBER_REMOVE.
    Leave {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// A member's roles, name or time-out change: GUILD_MEMBER_UPDATE.
    EditMember {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
        /// What.
        edit: MemberEdit,
    },
    /// A user is banned: GUILD_BAN_ADD, and GUILD_MEMBER_REMOVE if they were a member.
    Ban {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// A ban is lifted: GUILD_BAN_REMOVE.
    Unban {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// A new role: GUILD_ROLE_CREATE.
    CreateRole {
        /// Where.
        guild: GuildId,
        /// How it differs from Discord's defaults.
        edit: RoleEdit,
    },
    /// A role changes: GUILD_ROLE_UPDATE.
    EditRole {
        /// Where.
        guild: GuildId,
        /// Which.
        role: RoleId,
        /// What.
        edit: RoleEdit,
    },
    /// A role is deleted: GUILD_ROLE_DELETE, and GUILD_MEMBER_UPDATE for its holders.
    DeleteRole {
        /// Where.
        guild: GuildId,
        /// Which.
        role: RoleId,
    },
    /// The guild itself changes: GUILD_UPDATE.
    EditGuild {
        /// Which.
        guild: GuildId,
        /// What.
        edit: Box<GuildEdit>,
    },
    /// A new emoji: GUILD_EMOJIS_UPDATE.
    CreateEmoji {
        /// Where.
        guild: GuildId,
        /// Its name, without colons.
        name: Box<str>,
        /// Whether it moves.
        animated: bool,
    },
    /// An emoji's name changes: GUILD_EMOJIS_UPDATE.
    RenameEmoji {
        /// Where.
        guild: GuildId,
        /// Which.
        emoji: EmojiId,
        /// Its new name.
        name: Box<str>,
    },
    /// An emoji is deleted: GUILD_EMOJIS_UPDATE.
    DeleteEmoji {
        /// Where.
        guild: GuildId,
        /// Which.
        emoji: EmojiId,
    },
    /// A new invite: INVITE_CREATE.
    CreateInvite {
        /// Where it leads.
        channel: u64,
        /// Its code; made up if none.
        code: Option<Box<str>>,
        /// Who makes it.
        inviter: Option<UserId>,
        /// Seconds it lasts; 0 is for ever.
        max_age: u32,
        /// How often it may be used; 0 is without bound.
        max_uses: u32,
    },
    /// An invite is deleted: INVITE_DELETE.
    DeleteInvite {
        /// Its code.
        code: Box<str>,
    },
    /// A channel is made, or replaced: CHANNEL_CREATE or CHANNEL_UPDATE.
    PutChannel {
        /// Where.
        guild: GuildId,
        /// The channel; an id of 0 stands for a new one.
        channel: Box<Channel>,
    },
    /// A channel is deleted: CHANNEL_DELETE.
    DeleteChannel {
        /// Which.
        channel: u64,
    },
    /// A user enters, leaves or changes voice: VOICE_STATE_UPDATE.
    Voice {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
        /// Into which channel; none is out.
        channel: Option<u64>,
        /// Whether they muted themselves.
        self_mute: bool,
        /// Whether they deafened themselves.
        self_deaf: bool,
    },
    /// A user's name changes: USER_UPDATE for the bot, else GUILD_MEMBER_UPDATE in each guild.
    RenameUser {
        /// Who.
        user: UserId,
        /// The new unique name.
        name: Box<str>,
    },
    /// The bot joins a guild: GUILD_CREATE.
    AddGuild(Box<Guild>),
    /// The bot is removed from a guild: GUILD_DELETE without `unavailable`.
    RemoveBot(GuildId),
    /// A guild goes out or comes back: GUILD_DELETE `unavailable`, or GUILD_CREATE.
    SetAvailability {
        /// Which.
        guild: GuildId,
        /// To what.
        availability: Availability,
    },
}

/// Somebody who joins.
#[derive(Debug, Clone)]
pub struct Join {
    /// Where.
    pub guild: GuildId,
    /// Who.
    pub user: UserId,
    /// Their name there.
    pub nick: Option<Box<str>>,
    /// The roles that they are given at once.
    pub roles: Box<[RoleId]>,
}

impl Join {
    /// `user` joins `guild` with nothing else set.
    #[must_use]
    pub fn new(guild: GuildId, user: UserId) -> Join {
        Join {
            guild,
            user,
            nick: None,
            roles: Box::default(),
        }
    }
}

/// What changes of a member; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct MemberEdit {
    /// Their name in the guild, or none any more.
    pub nick: Option<Option<Box<str>>>,
    /// All their roles.
    pub roles: Option<Box<[RoleId]>>,
    /// When their time-out ends, or none any more.
    pub timed_out_until: Option<Option<UnixMs>>,
}

/// What changes of a role; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct RoleEdit {
    /// Its name.
    pub name: Option<Box<str>>,
    /// What it allows.
    pub permissions: Option<Permissions>,
    /// RGB.
    pub color: Option<u32>,
    /// Whether its members are listed apart.
    pub hoist: Option<bool>,
    /// Its rank.
    pub position: Option<u32>,
    /// Whether anybody may mention it.
    pub mentionable: Option<bool>,
}

/// What changes of a guild; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct GuildEdit {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its owner.
    pub owner: Option<UserId>,
    /// Hash of its icon.
    pub icon: Option<Option<Box<str>>>,
    /// Hash of its banner.
    pub banner: Option<Option<Box<str>>>,
    /// What it says of itself.
    pub description: Option<Option<Box<str>>>,
    /// The code of its vanity URL.
    pub vanity: Option<Option<Box<str>>>,
    /// Boost level, 0 to 3.
    pub premium_tier: Option<u8>,
    /// Verification level, 0 to 4.
    pub verification_level: Option<u8>,
    /// 1 if moderators need two factors.
    pub mfa_level: Option<u8>,
    /// 0 default, 1 explicit, 2 safe, 3 age restricted.
    pub nsfw_level: Option<u8>,
}

/// Why something cannot happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No such guild.
    #[error("there is no guild {0}")]
    UnknownGuild(GuildId),
    /// Not a member.
    #[error("user {user} is not a member of guild {guild}")]
    UnknownMember {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// No such role.
    #[error("guild {guild} has no role {role}")]
    UnknownRole {
        /// Where.
        guild: GuildId,
        /// Which.
        role: RoleId,
    },
    /// No such emoji.
    #[error("there is no emoji {0}")]
    UnknownEmoji(EmojiId),
    /// No such channel.
    #[error("there is no channel {0}")]
    UnknownChannel(u64),
    /// No such invite.
    #[error("there is no invite {0:?}")]
    UnknownInvite(Box<str>),
    /// Not banned.
    #[error("user {0} is not banned")]
    UnknownBan(UserId),
    /// Banned users cannot join.
    #[error("user {0} is banned from the guild")]
    Banned(UserId),
    /// The guild's own role cannot go.
    #[error("the role @everyone cannot be deleted")]
    Everyone,
    /// A guild's owner cannot be put out of it.
    #[error("user {0} owns the guild; hand it over first")]
    Owner(UserId),
    /// The code is taken.
    #[error("the invite code {0:?} is taken")]
    CodeTaken(Box<str>),
    /// There is such a guild already.
    #[error("there is a guild {0} already")]
    GuildExists(GuildId),
}

/// What a change brought about.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub(crate) effects: Vec<Effect>,
    /// The id of what was made: a role, an emoji, a channel.
    pub(crate) id: Option<u64>,
    /// The code of the invite that was made.
    pub(crate) code: Option<Box<str>>,
}

/// What the gateway has to do about a change.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Dispatch it.
    Send(Event),
    /// GUILD_CREATE, which differs by session.
    GuildAppears(GuildId),
}

impl Applied {
    fn send(event: Event) -> Applied {
        Applied {
            effects: vec![Effect::Send(event)],
            ..Applied::default()
        }
    }

    fn nothing() -> Applied {
        Applied::default()
    }
}

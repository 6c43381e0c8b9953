//! The things a world is made of.

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};

/// An account on the simulated Discord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its unique name.
    pub name: Box<str>,
    /// `"0"` unless the account kept a four-digit one.
    pub discriminator: Box<str>,
    /// The name shown instead, if any.
    pub global_name: Option<Box<str>>,
    /// Hash of its picture.
    pub avatar: Option<Box<str>>,
    /// Person or program.
    pub kind: UserKind,
}

impl User {
    /// A person called `name`, with nothing else set.
    #[must_use]
    pub fn person(id: UserId, name: &str) -> User {
        User {
            id,
            name: name.into(),
            discriminator: "0".into(),
            global_name: None,
            avatar: None,
            kind: UserKind::Person,
        }
    }
}

/// Whether an account is a person's or a program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// A person.
    Person,
    /// An application's bot user.
    Bot,
}

/// A role of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id; @everyone has the guild's own.
    pub id: RoleId,
    /// Its name.
    pub name: Box<str>,
    /// What it allows.
    pub permissions: Permissions,
    /// RGB; 0 is "none".
    pub color: u32,
    /// Whether its members are listed apart.
    pub hoist: bool,
    /// Rank: higher is above. @everyone is 0.
    pub position: u32,
    /// Whose it is to give.
    pub source: RoleSource,
    /// Whether anybody may mention it.
    pub mentionable: bool,
}

/// Who gives a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleSource {
    /// The guild's managers.
    Guild,
    /// It came with a bot and cannot be given: `managed` with the tag `bot_id`.
    Bot(UserId),
}

/// A custom emoji of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji {
    /// Its id.
    pub id: EmojiId,
    /// Its name, without colons.
    pub name: Box<str>,
    /// Whether it moves.
    pub animated: bool,
}

/// A channel of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: Box<str>,
    /// What it is for.
    pub kind: ChannelKind,
    /// Rank in the list.
    pub position: u32,
    /// The category it is in.
    pub parent: Option<u64>,
    /// What is said above it.
    pub topic: Option<Box<str>>,
    /// Exceptions to what roles allow.
    pub overwrites: Box<[Overwrite]>,
    /// What a voice channel's members say they do.
    pub status: Option<Box<str>>,
}

/// What a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// 0.
    Text,
    /// 2.
    Voice,
    /// 4.
    Category,
}

impl ChannelKind {
    /// Discord's number for it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            ChannelKind::Text => 0,
            ChannelKind::Voice => 2,
            ChannelKind::Category => 4,
        }
    }

    /// The kind that Discord numbers so, among those that the simulator has.
    #[must_use]
    pub fn from_number(number: u64) -> Option<ChannelKind> {
        match number {
            0 => Some(ChannelKind::Text),
            2 => Some(ChannelKind::Voice),
            4 => Some(ChannelKind::Category),
            _ => None,
        }
    }
}

/// A channel's exception for a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwrite {
    /// For whom.
    pub role: RoleId,
    /// What it adds.
    pub allow: Permissions,
    /// What it takes.
    pub deny: Permissions,
}

/// A user's membership of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Their name in this guild.
    pub nick: Option<Box<str>>,
    /// Their roles, without @everyone; may name roles that are gone.
    pub roles: Box<[RoleId]>,
    /// When they joined.
    pub joined_at: UnixMs,
    /// When their time-out ends; may be past.
    pub timed_out_until: Option<UnixMs>,
}

impl Member {
    /// A member with nothing but a joining time.
    #[must_use]
    pub fn new(user: UserId, joined_at: UnixMs) -> Member {
        Member {
            user,
            nick: None,
            roles: Box::default(),
            joined_at,
            timed_out_until: None,
        }
    }
}

/// An invitation to a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its code.
    pub code: Box<str>,
    /// Where it leads.
    pub channel: u64,
    /// Who made it.
    pub inviter: Option<UserId>,
    /// Seconds it lasts; 0 is for ever.
    pub max_age: u32,
    /// How often it may be used; 0 is without bound.
    pub max_uses: u32,
    /// How often it was.
    pub uses: u32,
    /// When it was made.
    pub created_at: UnixMs,
}

/// Where a user is in voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceState {
    /// Who.
    pub user: UserId,
    /// In which channel.
    pub channel: u64,
    /// Discord's id of that stay.
    pub session: Box<str>,
    /// Whether they muted themselves.
    pub self_mute: bool,
    /// Whether they deafened themselves.
    pub self_deaf: bool,
}

/// Whether a guild can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// As it should be.
    Up,
    /// An outage: it sends nothing, and its sessions were told GUILD_DELETE `unavailable`.
    Down,
}

/// A guild.
#[derive(Debug, Clone)]
pub struct Guild {
    /// Its id.
    pub id: GuildId,
    /// Its name.
    pub name: Box<str>,
    /// Who owns it.
    pub owner: UserId,
    /// Hash of its icon.
    pub icon: Option<Box<str>>,
    /// Hash of its banner.
    pub banner: Option<Box<str>>,
    /// What it says of itself.
    pub description: Option<Box<str>>,
    /// The code of its vanity URL.
    pub vanity: Option<Box<str>>,
    /// Boost level, 0 to 3.
    pub premium_tier: u8,
    /// Verification level, 0 to 4.
    pub verification_level: u8,
    /// 1 if moderators need two factors.
    pub mfa_level: u8,
    /// 0 default, 1 explicit, 2 safe, 3 age restricted.
    pub nsfw_level: u8,
    /// Discord's feature names.
    pub features: Box<[Box<str>]>,
    /// When the bot joined it.
    pub joined_at: UnixMs,
    /// In ascending id.
    pub roles: Vec<Role>,
    /// In ascending id.
    pub emojis: Vec<Emoji>,
    /// In ascending id.
    pub channels: Vec<Channel>,
    /// Who is in it.
    pub members: super::Members,
    /// In order of creation.
    pub invites: Vec<Invite>,
    /// Who is banned, in ascending id.
    pub bans: Vec<UserId>,
    /// Who is in voice, in ascending user id.
    pub voice: Vec<VoiceState>,
    /// Whether it can be reached.
    pub availability: Availability,
}

impl Guild {
    /// An empty guild of `owner`'s: the @everyone role, one text channel, and the owner in it.
    #[must_use]
    pub fn new(id: GuildId, name: &str, owner: UserId) -> Guild {
        let everyone = Role {
            id: id.everyone(),
            name: "@everyone".into(),
            permissions: EVERYONE,
            color: 0,
            hoist: false,
            position: 0,
            source: RoleSource::Guild,
            mentionable: false,
        };
        let general = Channel {
            id: id.0 + 1,
            name: "general".into(),
            kind: ChannelKind::Text,
            position: 0,
            parent: None,
            topic: None,
            overwrites: Box::default(),
            status: None,
        };
        let mut members = super::Members::default();
        members.insert(Member::new(owner, super::created_at(id.0)));
        Guild {
            id,
            name: name.into(),
            owner,
            icon: None,
            banner: None,
            description: None,
            vanity: None,
            premium_tier: 0,
            verification_level: 1,
            mfa_level: 0,
            nsfw_level: 0,
            features: Box::default(),
            joined_at: super::created_at(id.0),
            roles: vec![everyone],
            emojis: Vec::new(),
            channels: vec![general],
            members,
            invites: Vec::new(),
            bans: Vec::new(),
            voice: Vec::new(),
            availability: Availability::Up,
        }
    }

    /// The role with this id.
    #[must_use]
    pub fn role(&self, id: RoleId) -> Option<&Role> {
        let index = self.roles.binary_search_by_key(&id, |role| role.id).ok()?;
        self.roles.get(index)
    }

    /// Adds a role, or replaces the one with its id.
    pub fn put_role(&mut self, role: Role) {
        match self.roles.binary_search_by_key(&role.id, |known| known.id) {
            Ok(index) => self.roles[index] = role,
            Err(index) => self.roles.insert(index, role),
        }
    }

    /// The channel with this id.
    #[must_use]
    pub fn channel(&self, id: u64) -> Option<&Channel> {
        let index = self
            .channels
            .binary_search_by_key(&id, |channel| channel.id)
            .ok()?;
        self.channels.get(index)
    }

    /// Adds a channel, or replaces the one with its id.
    pub fn put_channel(&mut self, channel: Channel) {
        match self
            .channels
            .binary_search_by_key(&channel.id, |known| known.id)
        {
            Ok(index) => self.channels[index] = channel,
            Err(index) => self.channels.insert(index, channel),
        }
    }

    /// A member's roles that exist, as Discord lists them.
    pub(crate) fn roles_of(&self, member: &Member) -> Vec<RoleId> {
        let exists = |id: &RoleId| self.role(*id).is_some();
        member.roles.iter().copied().filter(exists).collect()
    }

    /// What a member may do at `wall`; nothing for somebody who is not in the guild.
    #[must_use]
    pub fn permissions_of(&self, user: UserId, wall: UnixMs) -> Permissions {
        let Some(member) = self.members.find(user) else {
            return Permissions::NONE;
        };
        let role = |role: &Role| guildgate_model::Role {
            id: role.id,
            permissions: role.permissions,
            position: u16::try_from(role.position).unwrap_or(u16::MAX),
        };
        let roles: Vec<guildgate_model::Role> = self.roles.iter().map(role).collect();
        guildgate_model::PermissionsOf {
            guild: self.id,
            owner: self.owner,
            roles: &roles,
            user,
            held: &member.roles,
            timed_out_until: member.timed_out_until,
        }
        .at(wall)
    }
}

/// What @everyone may do in a new guild: see, write, react, talk, invite.
const EVERYONE: Permissions = bits(&[0, 6, 10, 11, 14, 15, 16, 18, 20, 21, 25, 26, 31, 37, 38]);

/// The set of these bits.
pub(crate) const fn bits(numbers: &[u32]) -> Permissions {
    let mut set = 0;
    let mut index = 0;
    while index < numbers.len() {
        set |= 1 << numbers[index];
        index += 1;
    }
    Permissions(set)
}

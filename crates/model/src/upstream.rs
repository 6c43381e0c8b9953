//! What Discord's side tells the gateway, once decoded.

use crate::{GuildData, GuildId, MemberData, Role, RoleId, UserId};

/// One thing that happened on Discord's side, in the order in which a shard saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamEvent {
    /// READY: a new session, which knows these guilds and no other of the shard's.
    SessionStarted {
        /// The bot's own user.
        bot: UserId,
        /// Its guilds on this shard, not yet available.
        guilds: Vec<GuildId>,
    },
    /// RESUMED: everything missed has been replayed.
    SessionResumed,
    /// The link is down; what is known grows stale from here.
    LinkLost,
    /// GUILD_CREATE: backfill, recovery, or the bot joined.
    GuildAvailable(Box<GuildData>),
    /// GUILD_UPDATE.
    GuildChanged(Box<GuildData>),
    /// GUILD_DELETE with `unavailable`: an outage.
    GuildUnavailable(GuildId),
    /// GUILD_DELETE without: the bot is no longer in the guild.
    GuildLeft(GuildId),
    /// GUILD_EMOJIS_UPDATE.
    EmojisChanged {
        /// Where.
        guild: GuildId,
        /// All its emojis now.
        emojis: Vec<crate::Emoji>,
    },
    /// GUILD_ROLE_CREATE or GUILD_ROLE_UPDATE.
    RoleChanged {
        /// Where.
        guild: GuildId,
        /// The role as it is now.
        role: Role,
    },
    /// GUILD_ROLE_DELETE.
    RoleRemoved {
        /// Where.
        guild: GuildId,
        /// Which.
        role: RoleId,
    },
    /// GUILD_MEMBER_ADD; may repeat for somebody who is a member already.
    MemberJoined {
        /// Where.
        guild: GuildId,
        /// Who.
        member: MemberData,
    },
    /// GUILD_MEMBER_UPDATE.
    MemberChanged {
        /// Where.
        guild: GuildId,
        /// Who, and what is said of them.
        member: MemberData,
    },
    /// GUILD_MEMBER_REMOVE.
    MemberLeft {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// GUILD_MEMBERS_CHUNK: part of the answer to a request for members.
    Members {
        /// Where.
        guild: GuildId,
        /// Who was found.
        members: Vec<MemberData>,
        /// Whom Discord does not know there.
        not_found: Vec<UserId>,
    },
    /// INVITE_CREATE.
    InviteCreated {
        /// Where.
        guild: GuildId,
        /// The invite's code.
        code: Box<str>,
    },
    /// INVITE_DELETE.
    InviteDeleted {
        /// Where.
        guild: GuildId,
        /// The invite's code.
        code: Box<str>,
    },
}

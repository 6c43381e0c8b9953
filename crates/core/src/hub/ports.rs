//! What goes into a [`super::Hub`] and what comes out: plain data.

use std::sync::Arc;

use guildgate_model::{GuildId, ShardId, UpstreamEvent, UserId};
use guildgate_wire::{EventFrame, UserView};
use serde_json::value::RawValue;

use crate::{ClientId, client::Refusal};

/// What happens to the hub.
#[derive(Debug)]
pub enum Input {
    /// Discord's side said something.
    Upstream {
        /// On which shard.
        shard: ShardId,
        /// What.
        event: UpstreamEvent,
    },
    /// A client, its guild token checked, wants to be on a guild. A client is on one guild at
    /// most: an earlier one is left.
    Connect {
        /// Who.
        client: ClientId,
        /// Where.
        guild: GuildId,
        /// The authenticated user, none for a basic connection.
        user: Option<UserId>,
    },
    /// A client leaves its guild, by command or by its end.
    Disconnect {
        /// Who.
        client: ClientId,
        /// Where.
        guild: GuildId,
    },
    /// A client is finished: it leaves whatever it is on or waits for.
    Gone(ClientId),
    /// A polled member count, where the bot lacks the GUILD_MEMBERS intent.
    PolledCount {
        /// Where.
        guild: GuildId,
        /// How many members, about.
        member_count: u64,
    },
    /// The bot may or may not be sent member events; while not, guilds are `approximate`.
    MemberEvents(MemberEvents),
    /// The invites that exist, by REST at start; INVITE_* events keep it current.
    Invites {
        /// Where.
        guild: GuildId,
        /// Their codes.
        codes: Vec<Box<str>>,
    },
    /// The invite that the site shows for a guild was chosen, or given up.
    InviteSet {
        /// Where.
        guild: GuildId,
        /// Its code.
        code: Option<Box<str>>,
    },
    /// A deadline has come; harmless if it has not.
    Deadline,
}

/// Whether Discord sends GUILD_MEMBER_ADD, _UPDATE and _REMOVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberEvents {
    /// The GUILD_MEMBERS intent is granted.
    Sent,
    /// It is not.
    Withheld,
}

/// What the hub wants done.
#[derive(Debug)]
pub enum Output {
    /// The client is on the guild from here on; all that follows in this list is after it.
    Connected {
        /// Who.
        client: ClientId,
        /// Where.
        guild: GuildId,
        /// `guild` of the answer, encoded once and shared until it changes.
        guild_json: Arc<RawValue>,
        /// `user` of the answer.
        user: Option<UserView>,
    },
    /// The client is not let onto the guild.
    Refused {
        /// Who.
        client: ClientId,
        /// Why.
        refusal: Refusal,
    },
    /// One event to one client.
    ToClient {
        /// Who.
        client: ClientId,
        /// What.
        event: Arc<EventFrame>,
    },
    /// One event to everybody who is on the guild, or to those of them without a user.
    ToGuild {
        /// Where.
        guild: GuildId,
        /// To whom.
        audience: Audience,
        /// What.
        event: Arc<EventFrame>,
        /// Which edge shards have anybody on the guild: bit n is shard n.
        edges: u64,
    },
    /// Ask Discord for these members (op 8 with `user_ids`, at most 100); the answer comes as
    /// [`UpstreamEvent::Members`].
    RequestMembers {
        /// Where.
        guild: GuildId,
        /// Whom.
        users: Vec<UserId>,
    },
    /// An invite is set for the guild, and the guild is new or back: fetch its invites by REST;
    /// the answer comes as [`Input::Invites`].
    FetchInvites(GuildId),
    /// A guild came in; for the log and the counters.
    Arrived {
        /// Which.
        guild: GuildId,
        /// How.
        arrival: Arrival,
    },
}

/// What a GUILD_CREATE meant.
///
/// Source: Discord, "Gateway Events: Guild Create", which names three of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// READY had listed it: startup.
    Backfill,
    /// Nothing was known of it: the bot joined it.
    Joined,
    /// It was unavailable, or a new session lists it again: events may have been missed.
    Recovered,
    /// It was live all the time, and is said once more.
    Repeated,
}

/// Who on a guild is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    All,
    /// Only basic connections: the others are told one by one.
    Basic,
}

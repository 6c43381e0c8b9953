//! What goes into a [`super::Hub`] and what comes out: plain data.

use std::sync::Arc;

use guildgate_model::{
    ApplicationId, Grants, GuildId, Mono, ShardId, UpstreamEvent, UserId, WantedMark,
};
use guildgate_wire::{EventFrame, UserView};
use serde_json::value::RawValue;

use super::InviteStanding;
use crate::{
    ClientId,
    client::Refusal,
    form_session::{Ask, Command, SessionKey, SessionsInput, Standing, Target, Ticket},
};

/// What happens to the hub.
#[derive(Debug)]
pub enum Input {
    /// Discord's side said something.
    Upstream {
        /// On which shard.
        shard: ShardId,
        /// What.
        event: UpstreamEvent,
        /// Since when all that follows it comes in: [`WantedMark::ALL`] where nothing is dropped.
        mark: WantedMark,
    },
    /// A session of an earlier process is here again: it is on a guild, without having asked.
    Restored {
        /// Who.
        client: ClientId,
        /// Where.
        guild: GuildId,
        /// Its user.
        user: UserId,
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
    /// How an invite stands, by REST; INVITE_* events keep it current.
    Invite {
        /// Where.
        guild: GuildId,
        /// Its code.
        code: Box<str>,
        /// How it stands.
        standing: InviteStanding,
    },
    /// The invite that is set for a guild may have run out, of which no event tells.
    InviteDoubted(GuildId),
    /// The invite that the site shows for a guild was chosen, or given up.
    InviteSet {
        /// Where.
        guild: GuildId,
        /// Its code.
        code: Option<Box<str>>,
    },
    /// A client's command to a live application session; the hub adds how its user stands in
    /// the guild.
    Command(SessionCommand),
    /// Something else for the live application sessions. That a client is finished is told by
    /// [`Input::Gone`], how users stand the hub knows itself, and deadlines are its own.
    Sessions(SessionsInput),
    /// Somebody has applied: the guild's managers who are on it are told.
    Submitted {
        /// Where.
        guild: GuildId,
        /// Their application.
        id: ApplicationId,
        /// Who.
        user: UserId,
    },
    /// How does this user stand in the guild? Answered by [`Output::Rights`], once it is known.
    RightsWanted {
        /// By which the answer finds its question.
        query: Query,
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// The node goes away. What is known of clients' users is kept until it is exported, whoever
    /// of them leaves meanwhile.
    Drain,
    /// A deadline has come; harmless if it has not.
    Deadline,
}

/// A client's command to a live application session.
#[derive(Debug)]
pub struct SessionCommand {
    /// Through which client.
    pub client: ClientId,
    /// The authenticated user.
    pub user: UserId,
    /// In which guild, where the client said it.
    pub guild: Option<GuildId>,
    /// What is to be edited; looked at where a session is started.
    pub target: Target,
    /// What.
    pub command: Command,
}

/// Names a question about somebody's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query(pub u64);

/// How a user stands in a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The name shown; empty for somebody who is no member.
    pub tag: Box<str>,
    /// What they may do.
    pub standing: Standing,
    /// Which roles they may give.
    pub grants: Grants,
}

/// How a client that is told to be on a guild came there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It was not there before.
    New,
    /// It was, and asked again.
    Again,
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
        /// How it came there.
        entry: Entry,
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
        /// When the first change that it tells of was held back; none if it was not.
        held_since: Option<Mono>,
    },
    /// Ask Discord for these members (op 8 with `user_ids`, at most 100); the answer comes as
    /// [`UpstreamEvent::Members`].
    RequestMembers {
        /// Where.
        guild: GuildId,
        /// Whom.
        users: Vec<UserId>,
    },
    /// Ask Discord for all members of a guild (op 8 with an empty query and no limit), at most once
    /// in 30 s; the answer comes as many [`UpstreamEvent::Members`].
    RequestEverybody {
        /// Where.
        guild: GuildId,
    },
    /// The answer to a client's command to an application session: `data`, or the refusal.
    Answer {
        /// Whose.
        client: ClientId,
        /// What.
        result: Result<Box<RawValue>, Refusal>,
    },
    /// An application session wants to know this; the answer comes as
    /// [`SessionsInput::Reply`].
    AskSession {
        /// Which session asks.
        key: SessionKey,
        /// By which the reply finds its question.
        ticket: Ticket,
        /// What.
        ask: Ask,
    },
    /// The answer to [`Input::RightsWanted`].
    Rights {
        /// To which question.
        query: Query,
        /// How the user stands, or what a client is told where that cannot be known.
        result: Result<Rights, Refusal>,
    },
    /// An invite is set for the guild, and the guild is new or back, the invite is, or it is in
    /// doubt: ask for it by REST; the answer comes as [`Input::Invite`].
    FetchInvite {
        /// Where.
        guild: GuildId,
        /// Its code.
        code: Box<str>,
    },
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

//! What goes into an edge shard's inbox and what it sends out: plain data between threads.

use std::{net::IpAddr, sync::Arc, time::Duration};

use guildgate_core::{
    ClientId,
    client::{Answer, Ask, SavedSession},
    hub,
};
use guildgate_model::{GuildId, Mono, NotificationId, TokenId, UserId};
use guildgate_wire::EventFrame;
use tokio::sync::mpsc::UnboundedSender;

use super::Handover;

/// A message to one edge shard. Kept in order: an event after [`ToEdge::Hub`]'s `Connected`
/// reaches the client, one before does not.
#[derive(Debug)]
pub enum ToEdge {
    /// A socket whose upgrade is done, from the HTTP side or from another shard.
    Socket(Box<Handover>),
    /// The answer to a client's question.
    Answer(ClientId, Answer),
    /// What the hub says to one client or to a guild. `received` is when Discord's event came
    /// in, for the lag histogram; none where no event caused it.
    Hub {
        /// The hub's words; only `Connected`, `Refused`, `ToClient` and `ToGuild` come here.
        output: hub::Output,
        /// When Discord's event came in.
        received: Option<Mono>,
    },
    /// An event to every connection of a user, on whatever guild. Every shard gets every one, in
    /// one order.
    User(UserId, Arc<EventFrame>),
    /// A client of this user's has acknowledged these notifications.
    Acknowledged(UserId, Arc<[NotificationId]>),
    /// A token was revoked.
    Revoked(TokenId),
    /// A session of an earlier process: it lives here again, and waits for a socket.
    Restore(Box<SavedSession>),
    /// No more of those come. Dropped, by way of [`FromEdge::RestoredAll`], once all of them are
    /// told of.
    RestoredAll(UnboundedSender<()>),
    /// Close every client, and take no new ones.
    Drain {
        /// Spread over this long.
        window: Duration,
        /// Dropped once every socket is gone. Sessions live on, and hear what is said.
        closed: UnboundedSender<()>,
    },
    /// End the thread once every socket is gone, and give back the sessions that another process
    /// may go on with.
    Finish(UnboundedSender<Vec<SavedSession>>),
}

/// A message from an edge shard to the rest of the node.
#[derive(Debug)]
pub enum FromEdge {
    /// A client's question; exactly one [`ToEdge::Answer`] or `Connected`/`Refused` follows,
    /// except for [`Ask::Delivered`].
    Ask {
        /// Who asks.
        client: ClientId,
        /// From where, for the log.
        address: IpAddr,
        /// What.
        ask: Ask,
    },
    /// A session of an earlier process lives here again, and is on a guild.
    Restored {
        /// Who.
        client: ClientId,
        /// Where.
        guild: GuildId,
        /// Its user.
        user: UserId,
    },
    /// All that are to live again have been told of; to be dropped once those are passed on.
    RestoredAll(UnboundedSender<()>),
    /// The client has left the guild, by command or by its end.
    Left {
        /// Who.
        client: ClientId,
        /// Which guild.
        guild: GuildId,
    },
    /// The client's socket is gone (`false`) or back (`true`), its session lives on.
    Attached {
        /// Who.
        client: ClientId,
        /// Whether it has a socket.
        attached: bool,
    },
    /// The client is finished; its application sessions end.
    Gone(ClientId),
}

//! What the services speak to: the edge's shards, and the hub's thread.

use async_trait::async_trait;
use guildgate_core::{
    ClientId,
    client::Refusal,
    form_session::{self, SessionsInput, Standing, Target},
    hub,
};
use guildgate_model::{ApplicationId, Grants, GuildId, UserId};

use crate::edge::ToEdge;

/// Where answers and events go: the edge's shards.
pub trait EdgePort: Send + Sync {
    /// To one shard, behind everything sent to it before.
    fn send(&self, edge: u8, message: ToEdge);
    /// The same to every shard.
    fn send_all(&self, message: &dyn Fn() -> ToEdge);
}

/// Where what concerns guilds goes: the hub's thread, which has the live sessions too.
#[async_trait]
pub trait HubPort: Send + Sync {
    /// Behind everything sent before.
    fn send(&self, input: hub::Input);

    /// A client, its guild token checked, wants to be on a guild. It is answered by the hub
    /// itself; what is told here is whether it came in.
    async fn connect(&self, client: ClientId, guild: GuildId, user: Option<UserId>) -> CameIn;

    /// To the live sessions; behind everything sent before.
    fn send_to_sessions(&self, input: SessionsInput);

    /// A client's command to a live session. The hub adds how the user stands in the guild.
    fn command_session(&self, command: SessionCommand);

    /// Somebody has applied: managers on the guild are told.
    fn submitted(&self, guild: GuildId, id: ApplicationId, user: UserId);

    /// How a user stands in a guild.
    ///
    /// # Errors
    /// What a client is told where nothing can be known of it.
    async fn standing(&self, guild: GuildId, user: UserId) -> Result<Rights, Refusal>;
}

/// Whether a client came onto the guild that it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameIn {
    /// It did, and was not there before.
    Yes,
    /// It was there already, was refused, or went while it waited.
    No,
}

/// A client's command to a live session.
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
    pub command: form_session::Command,
}

/// How a user stands in a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The name shown.
    pub tag: Box<str>,
    /// What they may do.
    pub standing: Standing,
    /// Which roles they may give.
    pub grants: Grants,
}

impl EdgePort for crate::edge::Edges {
    fn send(&self, edge: u8, message: ToEdge) {
        crate::edge::Edges::send(self, edge, message);
    }

    fn send_all(&self, message: &dyn Fn() -> ToEdge) {
        crate::edge::Edges::send_all(self, message);
    }
}

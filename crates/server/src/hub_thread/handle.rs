//! How the rest of the node speaks to the hub.

use std::sync::Arc;

use async_trait::async_trait;
use guildgate_core::{
    ClientId,
    client::Refusal,
    form_session::SessionsInput,
    hub::{self, Entry, GuildReport, Input, MemberEvents},
};
use guildgate_model::{ApplicationId, GuildId, ShardId, UserId};
use guildgate_wire::ErrorCode;
use serde_json::value::RawValue;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::{
    api::{GuildSummary, Live, LiveError},
    services::{CameIn, HubPort, Rights, SessionCommand},
};

/// Speaks to the hub's thread. Cheap to clone; usable from any thread.
#[derive(Debug, Clone)]
pub struct HubHandle(UnboundedSender<Message>);

/// The hub's thread has ended: the node goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is going away")]
pub struct HubGone;

/// What the hub's thread is told or asked, besides Discord's events.
#[derive(Debug)]
pub(super) enum Message {
    Input(Input),
    Guilds {
        after: Option<GuildId>,
        reply: oneshot::Sender<Vec<GuildReport>>,
    },
    Guild {
        guild: GuildId,
        reply: oneshot::Sender<Option<GuildReport>>,
    },
    Rights {
        guild: GuildId,
        user: UserId,
        reply: oneshot::Sender<Result<hub::Rights, Refusal>>,
    },
    Connect {
        client: ClientId,
        guild: GuildId,
        user: Option<UserId>,
        reply: oneshot::Sender<Entry>,
    },
    Export {
        shard: ShardId,
        reply: oneshot::Sender<Vec<Vec<u8>>>,
    },
    Stop,
}

/// Guilds in one answer of the hub's: some milliseconds of its time.
pub(super) const GUILDS_PER_PAGE: usize = 256;

impl HubHandle {
    pub(super) fn new(sender: UnboundedSender<Message>) -> HubHandle {
        HubHandle(sender)
    }

    /// Tells whether Discord sends member events.
    pub fn member_events(&self, member_events: MemberEvents) {
        self.tell(Message::Input(Input::MemberEvents(member_events)));
    }

    /// Tells that the node goes away: who leaves from here on may come to the next process.
    pub fn drain(&self) {
        self.tell(Message::Input(Input::Drain));
    }

    /// A page of guilds by id, after `after`; empty once there are no more.
    ///
    /// # Errors
    /// [`HubGone`].
    pub async fn page(&self, after: Option<GuildId>) -> Result<Vec<GuildReport>, HubGone> {
        self.ask(|reply| Message::Guilds { after, reply }).await
    }

    /// What is known of a shard's guilds once everything that Discord said before has been
    /// taken in, to be kept over a restart.
    ///
    /// # Errors
    /// [`HubGone`].
    pub async fn export(&self, shard: ShardId) -> Result<Vec<Vec<u8>>, HubGone> {
        self.ask(|reply| Message::Export { shard, reply }).await
    }

    /// Ends the thread, once what was said before has been taken in.
    pub fn stop(&self) {
        self.tell(Message::Stop);
    }

    fn tell(&self, message: Message) {
        // A hub that has gone has nobody left to tell.
        let _ = self.0.send(message);
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<T>) -> Message,
    ) -> Result<T, HubGone> {
        let (reply, answer) = oneshot::channel();
        self.tell(message(reply));
        answer.await.map_err(|_| HubGone)
    }
}

#[async_trait]
impl HubPort for HubHandle {
    fn send(&self, input: Input) {
        self.tell(Message::Input(input));
    }

    async fn connect(&self, client: ClientId, guild: GuildId, user: Option<UserId>) -> CameIn {
        let entry = self.ask(|reply| Message::Connect {
            client,
            guild,
            user,
            reply,
        });
        match entry.await {
            Ok(Entry::New) => CameIn::Yes,
            // No answer comes where it was refused, and where nobody waits for one any more.
            Ok(Entry::Again) | Err(HubGone) => CameIn::No,
        }
    }

    fn send_to_sessions(&self, input: SessionsInput) {
        self.tell(Message::Input(Input::Sessions(input)));
    }

    fn command_session(&self, command: SessionCommand) {
        self.tell(Message::Input(Input::Command(hub::SessionCommand {
            client: command.client,
            user: command.user,
            guild: command.guild,
            target: command.target,
            command: command.command,
        })));
    }

    fn submitted(&self, guild: GuildId, id: ApplicationId, user: UserId) {
        self.tell(Message::Input(Input::Submitted { guild, id, user }));
    }

    async fn standing(&self, guild: GuildId, user: UserId) -> Result<Rights, Refusal> {
        let rights = self
            .ask(|reply| Message::Rights { guild, user, reply })
            .await
            .map_err(|HubGone| {
                let text = "the gateway is going away; reconnect and try again";
                Refusal::new(ErrorCode::Unavailable, text)
            })??;
        Ok(Rights {
            tag: rights.tag,
            standing: rights.standing,
            grants: rights.grants,
        })
    }
}

#[async_trait]
impl Live for HubHandle {
    async fn guilds(&self) -> Result<Vec<GuildSummary>, LiveError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|guild: &GuildSummary| guild.id);
            let page = self.page(after).await.map_err(|HubGone| LiveError::Gone)?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page.into_iter().map(|report| GuildSummary {
                id: report.id,
                guild_json: report.guild_json,
                clients: u64::from(report.connections),
            }));
        }
    }

    async fn guild(&self, guild: GuildId) -> Result<Option<Arc<RawValue>>, LiveError> {
        let report = self.ask(|reply| Message::Guild { guild, reply }).await;
        let report = report.map_err(|HubGone| LiveError::Gone)?;
        Ok(report.and_then(|report| report.guild_json))
    }
}

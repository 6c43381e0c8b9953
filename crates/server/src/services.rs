//! Answers clients' questions: tokens, inboxes and whatever else the database knows.
//!
//! One loop takes what the edge's shards say. What concerns guilds goes on to the hub; a
//! question becomes a task of its own, of which there are only so many at a time. It decides
//! nothing about the protocol: it looks up, and says what it found.

mod applications;
mod authenticate;
mod feed;
mod forms;
mod outbox;
mod recent;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use guildgate_core::{
    ClientId,
    client::{Answer, Ask, Refusal},
    form_session::{self, Credentials, SessionKey, SessionsInput, Standing, Target, Ticket},
    hub,
};
use guildgate_model::{ApplicationId, GuildId, Revision, Secret, TokenKind, UserId};
use guildgate_store::{Owner, Store, StoreError, TokenRefusal};
use guildgate_wire::{ApplicationCommand, ErrorCode, Nonce};
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc::UnboundedReceiver};

use crate::{
    api::Readiness,
    clock::Clock,
    config::WebhookConfig,
    edge::{FromEdge, ToEdge},
    metrics::Metrics,
};

use applications::Application;
pub(crate) use applications::NotDone;
pub use feed::Feed;
use forms::AnsweredFields;
pub use outbox::{Called, OutboxWorker, Outside};
use recent::Recent;

/// Longest that the database may take for one question, before the client is told so.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

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
}

impl EdgePort for crate::edge::Edges {
    fn send(&self, edge: u8, message: ToEdge) {
        crate::edge::Edges::send(self, edge, message);
    }

    fn send_all(&self, message: &dyn Fn() -> ToEdge) {
        crate::edge::Edges::send_all(self, message);
    }
}

/// What the services work with.
pub struct ServiceParts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The edge's shards.
    pub edges: Arc<dyn EdgePort>,
    /// The hub.
    pub hub: Arc<dyn HubPort>,
    /// Whether Discord's side has come up.
    pub readiness: Arc<Readiness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The clock.
    pub clock: Clock,
    /// Most questions at a time.
    pub questions_max: usize,
    /// Who is told of submissions and reviews.
    pub webhooks: BTreeMap<String, WebhookConfig>,
}

/// Answers clients' questions. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    parts: Arc<ServiceParts>,
    recent: Arc<Recent>,
    turns: Arc<Semaphore>,
    answered: Arc<AnsweredFields>,
}

impl Services {
    /// Ready to answer.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Services {
        Services {
            turns: Arc::new(Semaphore::new(parts.questions_max)),
            parts: Arc::new(parts),
            recent: Arc::default(),
            answered: Arc::default(),
        }
    }

    /// Takes what the edge says until nobody is left to say it.
    pub async fn run(self, mut from_edge: UnboundedReceiver<FromEdge>) {
        while let Some(message) = from_edge.recv().await {
            match message {
                FromEdge::Ask {
                    client,
                    address,
                    ask,
                } => {
                    // Waiting here holds back what comes after: while the database is slow,
                    // questions pile up as messages, which are small, and not as tasks.
                    let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
                        return;
                    };
                    let services = self.clone();
                    tokio::spawn(async move {
                        let _turn = turn;
                        services.answer(client, address, ask).await;
                    });
                }
                FromEdge::Left { client, guild } => {
                    self.parts
                        .hub
                        .send(hub::Input::Disconnect { client, guild });
                }
                FromEdge::Attached { client, attached } => {
                    self.parts.hub.send_to_sessions(if attached {
                        SessionsInput::Attached(client)
                    } else {
                        SessionsInput::Detached(client)
                    });
                }
                FromEdge::Gone(client) => {
                    self.parts
                        .hub
                        .send_to_sessions(SessionsInput::Closed(client));
                    self.parts.hub.send(hub::Input::Gone(client));
                }
            }
        }
    }

    async fn answer(&self, client: ClientId, address: IpAddr, ask: Ask) {
        let _open = self.parts.metrics.questions.hold();
        match ask {
            Ask::Authenticate {
                token,
                user,
                resume: _,
            } => {
                // The shard that the client is on looks for the session once it knows the user.
                self.authenticate(client, address, token, user).await;
            }
            Ask::ConnectGuild { token, guild, user } => {
                self.connect_guild(client, address, &token, guild, user)
                    .await;
            }
            Ask::Acknowledge { user, ids } => {
                self.recent.forget(user, &ids);
                let answer = match self.timed(self.parts.store.acknowledge(user, &ids)).await {
                    Ok(_) => Answer::Done(nothing()),
                    Err(_) => unavailable("the notifications could not be marked as seen"),
                };
                self.tell(client, answer);
            }
            Ask::Delivered { user, ids } => {
                self.recent.forget(user, &ids);
                // Nobody waits for it: where it fails, the user is told once more.
                let _ = self
                    .timed(self.parts.store.mark_delivered(user, &ids))
                    .await;
            }
            Ask::Application {
                user,
                token: _,
                nonce,
                command,
            } => self.application(client, user, nonce, command).await,
        }
    }

    /// Answers a live session's question, behind the hub's back: it is told when it is known.
    pub async fn answer_session(&self, key: SessionKey, ticket: Ticket, ask: form_session::Ask) {
        let _open = self.parts.metrics.questions.hold();
        let reply = self.form_reply(key, ask).await;
        let input = SessionsInput::Reply { key, ticket, reply };
        self.parts.hub.send_to_sessions(input);
    }

    async fn application(
        &self,
        client: ClientId,
        user: UserId,
        nonce: Option<Nonce>,
        command: ApplicationCommand,
    ) {
        let (guild, target, command) = match command {
            ApplicationCommand::Submit {
                guild,
                answers,
                revision,
            } => {
                let application = Application {
                    guild,
                    user,
                    revision: Revision(revision),
                    answers,
                };
                return self.tell(client, self.submit(application).await);
            }
            ApplicationCommand::Review {
                guild,
                application,
                decision,
                note,
            } => {
                let answer = self.review(guild, user, application, decision, note).await;
                return self.tell(client, answer);
            }
            ApplicationCommand::Start { user: claimed, .. } if claimed != user => {
                let refusal = Refusal::new(
                    ErrorCode::Forbidden,
                    "uid: a session is started for the authenticated user alone",
                );
                return self.tell(client, Answer::Refused(refusal));
            }
            ApplicationCommand::Start {
                user,
                guild,
                user_token,
                gateway_token,
                answers,
            } => {
                let target = match answers {
                    true => Target::Answers(user),
                    false => Target::Form,
                };
                let credentials = Credentials {
                    user_token,
                    gateway_token,
                };
                let start = form_session::Command::Start(credentials);
                (Some(guild), target, start)
            }
            ApplicationCommand::Patch { guild, base, patch } => {
                let patch = form_session::Command::Patch {
                    base: Revision(base),
                    patch,
                    nonce: nonce.map(|nonce| nonce.as_str().into()),
                };
                (Some(guild), Target::Form, patch)
            }
            ApplicationCommand::Reauth {
                guild,
                user_token,
                gateway_token,
                known_permissions,
            } => {
                let reauth = form_session::Command::Reauth {
                    credentials: Credentials {
                        user_token,
                        gateway_token,
                    },
                    known_permissions,
                };
                (guild, Target::Form, reauth)
            }
            ApplicationCommand::Heartbeat { guild } => {
                (guild, Target::Form, form_session::Command::Heartbeat)
            }
            ApplicationCommand::End { guild } => {
                (Some(guild), Target::Form, form_session::Command::End)
            }
        };
        self.parts.hub.command_session(SessionCommand {
            client,
            user,
            guild,
            target,
            command,
        });
    }

    /// Takes a use of the guild token, and lets the hub do the rest.
    async fn connect_guild(
        &self,
        client: ClientId,
        address: IpAddr,
        token: &Secret,
        guild: GuildId,
        user: Option<UserId>,
    ) {
        let now = self.parts.clock.now().wall;
        let owner = Owner::Id(guild.0);
        let checked = self
            .timed(
                self.parts
                    .store
                    .authenticate(token, TokenKind::GatewayGuild, owner, now),
            )
            .await;
        match checked {
            Ok(Ok(_)) => {
                self.parts.metrics.guild_connects.increment();
                self.parts.hub.send(hub::Input::Connect {
                    client,
                    guild,
                    user,
                });
            }
            Ok(Err(refusal)) => {
                self.refused(address, TokenKind::GatewayGuild, owner, refusal);
                let refusal = Refusal::new(
                    ErrorCode::InvalidToken,
                    "the token is not good for this guild; get a new one from the site",
                );
                self.tell(client, Answer::Refused(refusal));
            }
            Err(_) => self.tell(client, unavailable("the guild token could not be checked")),
        }
    }

    fn tell(&self, client: ClientId, answer: Answer) {
        self.parts
            .edges
            .send(client.edge, ToEdge::Answer(client, answer));
    }

    /// One line without the secret, and a count by reason. The client is not told which.
    fn refused(&self, address: IpAddr, kind: TokenKind, owner: Owner, refusal: TokenRefusal) {
        self.parts.metrics.count_refusal(refusal);
        let claimed = match owner {
            Owner::Id(id) => id.to_string(),
            Owner::Any => "-".to_owned(),
        };
        tracing::info!(
            %address,
            expected = %kind,
            claimed,
            reason = refusal.name(),
            "token refused"
        );
    }

    /// Waits for the database, but not for ever; logs and counts what went wrong.
    async fn timed<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, NoAnswer> {
        let metrics = &self.parts.metrics;
        let before = self.parts.clock.now().mono;
        let answer = tokio::time::timeout(ANSWER_WITHIN, question).await;
        metrics
            .store_latency
            .record(self.parts.clock.now().mono.since(before));
        match answer {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                metrics.store_failures.increment();
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a client's question could not be answered from the database"
                );
                Err(NoAnswer)
            }
            Err(_) => {
                metrics.store_failures.increment();
                tracing::error!(
                    waited_s = ANSWER_WITHIN.as_secs(),
                    "the database did not answer a client's question in time"
                );
                Err(NoAnswer)
            }
        }
    }
}

/// The database did not answer; why is in the log.
#[derive(Debug, Clone, Copy)]
struct NoAnswer;

fn unavailable(what: &str) -> Answer {
    Answer::Refused(Refusal::new(
        ErrorCode::Unavailable,
        format!("{what} just now; try again"),
    ))
}

/// `{}`.
fn nothing() -> Box<RawValue> {
    RawValue::from_string("{}".into()).expect("an empty object is JSON")
}

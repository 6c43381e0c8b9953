//! Answers clients' questions: tokens, inboxes and whatever else the database knows.
//!
//! One loop takes what the edge's shards say. What concerns guilds goes on to the hub; a
//! question becomes a task of its own, of which there are only so many at a time. It decides
//! nothing about the protocol: it looks up, and says what it found.

mod applications;
mod authenticate;
mod feed;
mod forms;
mod opening;
mod outbox;
mod ports;
mod recent;
mod restored;
mod season;
mod sessions;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use guildgate_core::{
    ClientId,
    client::{Answer, Ask, Refusal},
    form_session::SessionsInput,
    hub,
};
use guildgate_model::{GuildId, NotificationId, Secret, TokenId, TokenKind, UserId};
use guildgate_store::{Owner, Store, StoreError, TokenRefusal};
use guildgate_wire::ErrorCode;
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
pub(crate) use applications::{Authority, NotDone};
pub use feed::Feed;
use forms::{AnsweredFields, PublishedForms};
use opening::Openings;
pub use outbox::{Called, OutboxWorker, Outside};
pub use ports::{CameIn, EdgePort, HubPort, Rights, SessionCommand};
use recent::{Recent, Told};
use season::Seasons;
use sessions::Sent;

/// Longest that the database may take for one question, before the client is told so.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

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
    deeds: Arc<Semaphore>,
    answered: Arc<AnsweredFields>,
    seasons: Arc<Seasons>,
    openings: Arc<Openings>,
    published: Arc<PublishedForms>,
}

impl Services {
    /// Ready to answer.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Services {
        Services {
            turns: Arc::new(Semaphore::new(parts.questions_max)),
            deeds: Arc::new(Semaphore::new(parts.questions_max)),
            parts: Arc::new(parts),
            recent: Arc::default(),
            answered: Arc::default(),
            seasons: Arc::default(),
            openings: Arc::default(),
            published: Arc::default(),
        }
    }

    /// Takes what the edge says until nobody is left to say it.
    pub async fn run(self, mut from_edge: UnboundedReceiver<FromEdge>) {
        while let Some(message) = from_edge.recv().await {
            self.parts
                .metrics
                .services_queue
                .set(from_edge.len() as u64);
            match message {
                FromEdge::Ask {
                    client,
                    ask:
                        Ask::Application {
                            user,
                            token: _,
                            nonce,
                            command,
                        },
                    ..
                } => self.take_command(Sent {
                    client,
                    user,
                    nonce,
                    command,
                }),
                FromEdge::Ask {
                    client,
                    address,
                    ask,
                } => {
                    // Waiting here holds back what comes after: while the database is slow,
                    // questions pile up as messages, which are small, and not as tasks.
                    if let Ask::Acknowledge { user, ids } = &ask {
                        self.recent.acknowledging(*user, ids);
                    }
                    let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
                        return;
                    };
                    let services = self.clone();
                    tokio::spawn(async move {
                        let _turn = turn;
                        services.answer(client, address, ask).await;
                    });
                }
                FromEdge::Restored {
                    client,
                    guild,
                    user,
                } => {
                    let restored = hub::Input::Restored {
                        client,
                        guild,
                        user,
                    };
                    self.parts.hub.send(restored);
                }
                FromEdge::RestoredAll(told) => drop(told),
                FromEdge::Left { client, guild } => {
                    let left = hub::Input::Disconnect { client, guild };
                    self.parts.hub.send(left);
                }
                FromEdge::Attached { client, attached } => {
                    self.parts.hub.send_to_sessions(if attached {
                        SessionsInput::Attached(client)
                    } else {
                        SessionsInput::Detached(client)
                    });
                }
                FromEdge::Gone(client) => self.parts.hub.send(hub::Input::Gone(client)),
            }
        }
    }

    /// A command of the application's life: at once, or in a task of its own. Those have turns
    /// of their own as well, for they may wait for Discord to tell of a member.
    fn take_command(&self, sent: Sent) {
        let client = sent.client;
        let Some(deed) = self.command(sent) else {
            return;
        };
        let services = self.clone();
        tokio::spawn(async move {
            if let Ok(_turn) = services.deeds.acquire().await {
                services.carry_out(client, deed).await;
            }
        });
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
                let now = self.parts.clock.now().wall;
                let acknowledge = self.parts.store.acknowledge(user, &ids, now);
                let done = self.timed(acknowledge).await;
                self.recent.acknowledged(user, ids.clone(), done, || {
                    self.forget_notices(user, ids.into());
                });
                self.tell(
                    client,
                    match done {
                        Ok(_) => Answer::Done(nothing()),
                        Err(NoAnswer) => {
                            unavailable("the notifications could not be marked as seen")
                        }
                    },
                );
            }
            Ask::Delivered { user, ids } => {
                // Nobody waits for it: where it fails, the user is told once more.
                let _ = self
                    .timed(self.parts.store.mark_delivered(user, &ids))
                    .await;
            }
            // Taken before this, in their order.
            Ask::Application { .. } => {}
        }
    }

    /// Takes a use of the guild token, and lets the hub do the rest. The use comes first, so that
    /// no two clients have the last one; one that let nobody in is given back.
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
            Ok(Ok(record)) => {
                self.parts.metrics.guild_connects.increment();
                let services = self.clone();
                // In a task of its own: a member that Discord is asked for takes seconds, and
                // this question's turn is another's then.
                tokio::spawn(async move {
                    let came_in = services.parts.hub.connect(client, guild, user).await;
                    if came_in == CameIn::No && record.uses_left.is_some() {
                        services.give_back(record.id).await;
                    }
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

    /// The user's other clients need not be told of these any more.
    fn forget_notices(&self, user: UserId, ids: Arc<[NotificationId]>) {
        if ids.is_empty() {
            return;
        }
        let message = || ToEdge::Acknowledged(user, Arc::clone(&ids));
        self.parts.edges.send_all(&message);
    }

    /// Whatever goes by this token ends.
    fn revoked(&self, id: TokenId) {
        self.recent.tell(Told::Revoked(id), || {
            self.parts.edges.send_all(&|| ToEdge::Revoked(id));
        });
        let revoked = SessionsInput::TokenRevoked(id);
        self.parts.hub.send_to_sessions(revoked);
    }

    async fn give_back(&self, id: TokenId) {
        if let Err(NoAnswer) = self.timed(self.parts.store.give_back_use(id)).await {
            tracing::warn!(%id, "a use of a guild token that let nobody in is lost");
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

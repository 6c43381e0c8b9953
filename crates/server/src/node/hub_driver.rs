//! The thread that owns the hub.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use async_trait::async_trait;
use guildgate_core::{
    client::Refusal,
    form_session::{SessionsInput, Standing},
    hub::{self, Hub, Input, Output},
};
use guildgate_model::{ApplicationId, GuildId, Mono, UserId};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::{
    api::{GuildSummary, Live, LiveError, NotReady, Readiness},
    clock::Clock,
    edge::{Edges, ToEdge},
    metrics::Metrics,
    services::{HubPort, Rights, SessionCommand},
    upstream::UpstreamHandle,
};

pub(super) enum Message {
    Input(Input, Option<Mono>),
    Guilds(oneshot::Sender<Vec<GuildSummary>>),
    Guild(GuildId, oneshot::Sender<Option<Arc<RawValue>>>),
    Standing(GuildId, UserId, oneshot::Sender<Rights>),
}

#[derive(Clone)]
pub(super) struct HubHandle(Sender<Message>);

pub(super) fn start(
    config: hub::Config,
    edges: Edges,
    clock: Clock,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
) -> (HubHandle, impl FnOnce(UpstreamHandle)) {
    let (tx, rx) = channel();
    let handle = HubHandle(tx);
    (handle, move |upstream| {
        std::thread::Builder::new()
            .name("hub".into())
            .spawn(move || {
                run(
                    Hub::new(config),
                    rx,
                    edges,
                    clock,
                    readiness,
                    metrics,
                    upstream,
                );
            })
            .expect("a thread");
    })
}

fn run(
    mut hub: Hub,
    rx: Receiver<Message>,
    edges: Edges,
    clock: Clock,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    upstream: UpstreamHandle,
) {
    let mut out = Vec::new();
    loop {
        let wait = hub.deadline().map_or(Duration::from_secs(1), |at| {
            at.since(clock.now().mono).min(Duration::from_secs(1))
        });
        let message = match rx.recv_timeout(wait) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::Input(Input::Deadline, None),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let now = clock.now();
        match message {
            Message::Input(input, received) => {
                hub.handle(now, input, &mut out);
                for output in out.drain(..) {
                    perform(output, received, &edges, &upstream);
                }
            }
            Message::Guilds(reply) => {
                let all = hub
                    .guilds(None, usize::MAX)
                    .into_iter()
                    .map(|g| GuildSummary {
                        id: g.id,
                        guild_json: g.guild_json,
                        clients: u64::from(g.connections),
                    })
                    .collect();
                let _ = reply.send(all);
            }
            Message::Guild(id, reply) => {
                let _ = reply.send(hub.guild(id).and_then(|g| g.guild_json));
            }
            Message::Standing(guild, user, reply) => {
                let standing = hub
                    .permissions_of(guild, user)
                    .map_or(Standing::Outsider, Standing::Member);
                let _ = reply.send(Rights {
                    tag: "".into(),
                    standing,
                });
            }
        }
        metrics.guilds.set(hub.guild_count() as u64);
        match hub.readiness(now.mono) {
            hub::Readiness::Ready => readiness.set(Ok(())),
            other => readiness.set(Err(NotReady::Starting(format!("{other:?}")))),
        }
    }
}

fn perform(output: Output, received: Option<Mono>, edges: &Edges, upstream: &UpstreamHandle) {
    match output {
        Output::Connected { client, .. }
        | Output::Refused { client, .. }
        | Output::ToClient { client, .. } => {
            edges.send(client.edge, ToEdge::Hub { output, received });
        }
        Output::ToGuild {
            guild,
            audience,
            event,
            edges: mask,
        } => {
            for edge in 0..edges.shards() {
                if mask & (1 << edge) != 0 {
                    let output = Output::ToGuild {
                        guild,
                        audience,
                        event: Arc::clone(&event),
                        edges: mask,
                    };
                    edges.send(edge, ToEdge::Hub { output, received });
                }
            }
        }
        Output::RequestMembers { guild, users } => {
            let _ = upstream.want_members(guild, users);
        }
        Output::FetchInvites(_) => {}
        Output::Arrived { guild, arrival } => tracing::debug!(%guild, ?arrival, "a guild came in"),
        _ => {}
    }
}

impl HubHandle {
    pub(super) fn input(&self, input: Input, received: Option<Mono>) {
        let _ = self.0.send(Message::Input(input, received));
    }
}

#[async_trait]
impl HubPort for HubHandle {
    fn send(&self, input: Input) {
        self.input(input, None);
    }

    fn send_to_sessions(&self, _input: SessionsInput) {}

    fn command_session(&self, _command: SessionCommand) {}

    fn submitted(&self, _guild: GuildId, _id: ApplicationId, _user: UserId) {}

    async fn standing(&self, guild: GuildId, user: UserId) -> Result<Rights, Refusal> {
        let (tx, rx) = oneshot::channel();
        let _ = self.0.send(Message::Standing(guild, user, tx));
        rx.await
            .map_err(|_| Refusal::new(guildgate_wire::ErrorCode::Unavailable, "going away"))
    }
}

#[async_trait]
impl Live for HubHandle {
    async fn guilds(&self) -> Result<Vec<GuildSummary>, LiveError> {
        let (tx, rx) = oneshot::channel();
        let _ = self.0.send(Message::Guilds(tx));
        rx.await.map_err(|_| LiveError::Gone)
    }

    async fn guild(&self, guild: GuildId) -> Result<Option<Arc<RawValue>>, LiveError> {
        let (tx, rx) = oneshot::channel();
        let _ = self.0.send(Message::Guild(guild, tx));
        rx.await.map_err(|_| LiveError::Gone)
    }

    async fn set_invite(&self, guild: GuildId, code: Option<Box<str>>) -> Result<(), LiveError> {
        self.input(Input::InviteSet { guild, code }, None);
        Ok(())
    }
}

//! A second node on the same database, which hears what the first one's API does.

use std::sync::Arc;

use async_trait::async_trait;
use guildgate_core::{
    ClientId,
    client::Refusal,
    form_session::{SessionsInput, Standing},
    hub,
};
use guildgate_model::{ApplicationId, GuildId, Permissions, UserId};
use guildgate_store::Store;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::Readiness;
use crate::{
    clock::Clock,
    edge::ToEdge,
    metrics::Metrics,
    services::{CameIn, EdgePort, HubPort, Rights, ServiceParts, Services, SessionCommand},
};

/// What a node is told by the database's feed.
#[derive(Debug)]
pub(super) enum Heard {
    Sessions(SessionsInput),
    Edges(ToEdge),
}

pub(super) struct Ears {
    heard: UnboundedReceiver<Heard>,
    /// The node's own, to ask it what its live sessions would.
    pub(super) services: Services,
    _stop: DropGuard,
}

impl Ears {
    pub(super) async fn open(store: &Arc<dyn Store>) -> Ears {
        let (tell, heard) = unbounded_channel();
        let mouth = Arc::new(Mouth(tell));
        let services = Services::new(ServiceParts {
            store: Arc::clone(store),
            edges: Arc::clone(&mouth) as Arc<dyn EdgePort>,
            hub: mouth,
            readiness: Arc::new(Readiness::new()),
            metrics: Arc::new(Metrics::default()),
            clock: Clock::start(),
            questions_max: 1,
            webhooks: std::collections::BTreeMap::new(),
        });
        let stop = CancellationToken::new();
        let feed = services.feed(None).await.expect("a database");
        tokio::spawn(feed.run(stop.clone()));
        Ears {
            heard,
            services,
            _stop: stop.drop_guard(),
        }
    }

    pub(super) async fn next(&mut self) -> Heard {
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), self.heard.recv());
        next.await.expect("in time").expect("the feed is read")
    }
}

struct Mouth(UnboundedSender<Heard>);

impl EdgePort for Mouth {
    fn send(&self, _edge: u8, message: ToEdge) {
        let _ = self.0.send(Heard::Edges(message));
    }

    fn send_all(&self, message: &dyn Fn() -> ToEdge) {
        let _ = self.0.send(Heard::Edges(message()));
    }
}

#[async_trait]
impl HubPort for Mouth {
    fn send(&self, _input: hub::Input) {}

    async fn connect(&self, _: ClientId, _: GuildId, _: Option<UserId>) -> CameIn {
        CameIn::No
    }

    fn send_to_sessions(&self, input: SessionsInput) {
        let _ = self.0.send(Heard::Sessions(input));
    }

    fn command_session(&self, _command: SessionCommand) {}

    fn submitted(&self, _guild: GuildId, _id: ApplicationId, _user: UserId) {}

    async fn standing(&self, _guild: GuildId, _user: UserId) -> Result<Rights, Refusal> {
        Ok(Rights {
            grants: guildgate_model::Grants::Any,
            tag: "nobody".into(),
            standing: Standing::Member(Permissions::NONE),
        })
    }
}

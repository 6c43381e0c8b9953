//! The router over a real database and a scripted hub.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use guildgate_core::{
    ClientId,
    client::Refusal,
    form_session::{SessionsInput, Standing},
    hub,
};
use guildgate_model::{ApplicationId, GuildId, Permissions, Secret, UserId};
use guildgate_store::{SqliteStore, Store};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, value::RawValue};
use tower::ServiceExt;

use super::{
    super::{
        Api, ApiParts, Asset, DiscordPort, GuildSummary, Live, LiveError, OperatorCommand,
        Readiness, router,
    },
    contract::demand_documented,
};
use crate::{
    clock::Clock,
    config::Config,
    edge::ToEdge,
    metrics::Metrics,
    services::{CameIn, EdgePort, HubPort, Rights, ServiceParts, Services, SessionCommand},
    upstream::SendError,
};

pub(super) const KEY: &str = "a-key-that-nobody-guesses";
pub(super) const GUILD: GuildId = GuildId(7);

pub(super) struct Harness {
    pub(super) router: Router,
    pub(super) store: Arc<dyn Store>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) live: Arc<Script>,
}

/// A hub that knows one guild, and a Discord that writes down what it is sent.
#[derive(Default)]
pub(super) struct Script {
    pub(super) discord_up: AtomicBool,
    pub(super) sent: Mutex<Vec<OperatorCommand>>,
}

#[async_trait]
impl DiscordPort for Script {
    async fn send(&self, command: OperatorCommand) -> Result<(), SendError> {
        if !self.discord_up.load(Ordering::SeqCst) {
            return Err(SendError::NotReady);
        }
        if let OperatorCommand::VoicePing(shard @ 1..) = command {
            return Err(SendError::NoSuchShard(shard));
        }
        self.sent.lock().expect("a lock").push(command);
        Ok(())
    }
}

impl EdgePort for Script {
    fn send(&self, _edge: u8, _message: ToEdge) {}

    fn send_all(&self, _message: &dyn Fn() -> ToEdge) {}
}

#[async_trait]
impl HubPort for Script {
    fn send(&self, _input: hub::Input) {}

    async fn connect(&self, _: ClientId, _: GuildId, _: Option<UserId>) -> CameIn {
        CameIn::No
    }

    fn send_to_sessions(&self, _input: SessionsInput) {}

    fn command_session(&self, _command: SessionCommand) {}

    fn submitted(&self, _guild: GuildId, _id: ApplicationId, _user: UserId) {}

    async fn standing(&self, _guild: GuildId, _user: UserId) -> Result<Rights, Refusal> {
        Ok(Rights {
            grants: guildgate_model::Grants::Any,
            tag: "somebody".into(),
            standing: Standing::Member(Permissions::NONE),
        })
    }
}

#[async_trait]
impl Live for Script {
    async fn guilds(&self) -> Result<Vec<GuildSummary>, LiveError> {
        Ok(vec![GuildSummary {
            id: GUILD,
            guild_json: self.guild(GUILD).await?,
            clients: 3,
        }])
    }

    async fn guild(&self, guild: GuildId) -> Result<Option<Arc<RawValue>>, LiveError> {
        let json = RawValue::from_string(r#"{"id":"7","name":"Seven"}"#.into()).expect("JSON");
        Ok((guild == GUILD).then(|| Arc::from(json)))
    }
}

const ASSETS: &[Asset] = &[
    Asset {
        path: "console/index.html",
        content_type: "text/html; charset=utf-8",
        content: "<!doctype html>",
    },
    Asset {
        path: "console/app.js",
        content_type: "text/javascript; charset=utf-8",
        content: "export {};",
    },
];

impl Harness {
    pub(super) async fn new() -> Harness {
        Harness::with(|config| config.admin_key = Some(Secret::new(KEY)), None).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config), demo: Option<&str>) -> Harness {
        let mut config = Config {
            body_bytes_max: 1024,
            ..Config::default()
        };
        change(&mut config);
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_temporary().await.expect("a database"));
        let readiness = Arc::new(Readiness::new());
        let live = Arc::new(Script::default());
        let metrics = Arc::new(Metrics::default());
        let services = Services::new(ServiceParts {
            store: Arc::clone(&store),
            edges: Arc::clone(&live) as Arc<dyn EdgePort>,
            hub: Arc::clone(&live) as Arc<dyn HubPort>,
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(&metrics),
            clock: Clock::start(),
            questions_max: 4,
            webhooks: config.webhooks.clone(),
        });
        let api = Api::new(ApiParts {
            config: Arc::new(config),
            store: Arc::clone(&store),
            clock: Clock::start(),
            live: Arc::clone(&live) as Arc<dyn Live>,
            discord: Arc::clone(&live) as Arc<dyn DiscordPort>,
            services,
            readiness: Arc::clone(&readiness),
            metrics,
            assets: ASSETS,
            demo: demo.map(str::to_owned),
        });
        Harness {
            router: router(api),
            store,
            readiness,
            live,
        }
    }

    /// Sends a request; `body` is sent as JSON.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        let mut request = Request::builder().method(method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |text| Body::from(text.to_owned()));
        let request = request.body(body).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let status = response.status();
        demand_documented(&method, path, status);
        let headers = response.headers().clone();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .expect("a body");
        Reply {
            status,
            headers,
            text: String::from_utf8(body.to_vec()).expect("text"),
        }
    }

    /// Sends a request with the admin key.
    pub(super) async fn admin(&self, method: Method, path: &str, body: Option<&str>) -> Reply {
        let key = format!("Bearer {KEY}");
        let headers = [
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
        ];
        self.send(method, path, &headers, body).await
    }
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The answer, which must be a problem document of its own status.
    pub(super) fn problem(&self) -> Value {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json",
            "{}",
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(
            problem["type"]
                .as_str()
                .is_some_and(|uri| uri.starts_with("urn:guildgate:problem:")),
            "{problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        problem
    }
}

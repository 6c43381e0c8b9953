//! The router over a real database and a scripted hub.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use guildgate_model::{GuildId, Secret};
use guildgate_store::{SqliteStore, Store};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, value::RawValue};
use tower::ServiceExt;

use super::super::{Api, ApiParts, Asset, GuildSummary, Live, LiveError, Readiness, router};
use crate::{clock::Clock, config::Config, metrics::Metrics};

pub(super) const KEY: &str = "a-key-that-nobody-guesses";
pub(super) const GUILD: GuildId = GuildId(7);

pub(super) struct Harness {
    pub(super) router: Router,
    pub(super) store: Arc<dyn Store>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) live: Arc<Script>,
}

/// A hub that knows one guild.
#[derive(Default)]
pub(super) struct Script {
    pub(super) invites: Mutex<BTreeMap<GuildId, Option<Box<str>>>>,
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

    async fn set_invite(&self, guild: GuildId, code: Option<Box<str>>) -> Result<(), LiveError> {
        self.invites.lock().expect("a lock").insert(guild, code);
        Ok(())
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
        let api = Api::new(ApiParts {
            config: Arc::new(config),
            store: Arc::clone(&store),
            clock: Clock::start(),
            live: Arc::clone(&live) as Arc<dyn Live>,
            readiness: Arc::clone(&readiness),
            metrics: Arc::new(Metrics::default()),
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
        let mut request = Request::builder().method(method).uri(path);
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

//! The world that tasks of the outbox go out to: web hooks, and Discord's REST.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use guildgate_model::{GuildId, RoleId, UserId};
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::{
    services::{Called, Outside},
    upstream::{
        UpstreamError,
        rest::{Rest, RestError, chain},
    },
};

#[cfg(test)]
mod tests;

/// How long a web hook may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What the guild's audit log is told of a role that is given.
const REASON: &str = "The application was accepted";

/// Web hooks and Discord's REST, for real.
pub(super) struct World {
    rest: Rest,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl World {
    /// # Errors
    /// [`UpstreamError::Tls`].
    pub(super) fn new(rest: Rest) -> Result<World, UpstreamError> {
        let provider = rustls::crypto::ring::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| UpstreamError::Tls {
                reason: error.to_string(),
            })?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(World {
            rest,
            http: Client::builder(TokioExecutor::new()).build(connector),
        })
    }
}

#[async_trait]
impl Outside for World {
    async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Called {
        let mut request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = match request.body(Full::from(body)) {
            Ok(request) => request,
            Err(error) => {
                return Called::Never {
                    error: format!("the web hook's address cannot be called: {error}"),
                };
            }
        };
        match tokio::time::timeout(ANSWER_WITHIN, self.http.request(request)).await {
            Ok(Ok(answer)) => judge(answer.status()),
            Ok(Err(error)) => later(format!("the web hook cannot be reached: {}", chain(&error))),
            Err(_) => later("the web hook did not answer within 10 s".to_owned()),
        }
    }

    async fn grant_role(&self, guild: GuildId, user: UserId, role: RoleId) -> Called {
        match self.rest.add_role(guild, user, role, REASON).await {
            Ok(()) => Called::Done,
            Err(error) => {
                let text = chain(&error);
                match error {
                    RestError::RateLimited { retry_after, .. }
                    | RestError::HeldBack { retry_after } => Called::Later {
                        error: text,
                        after: Some(retry_after),
                    },
                    RestError::Forbidden { .. } | RestError::NotFound { .. } => {
                        Called::Never { error: text }
                    }
                    RestError::Refused { status, .. } if status.is_client_error() => {
                        Called::Never { error: text }
                    }
                    RestError::TokenRefused
                    | RestError::Refused { .. }
                    | RestError::Unreachable { .. }
                    | RestError::Unusable { .. } => later(text),
                }
            }
        }
    }
}

/// What a web hook's answer means: it has gone for good, or it may do better later.
fn judge(status: StatusCode) -> Called {
    if status.is_success() {
        Called::Done
    } else if status == StatusCode::GONE {
        Called::Never {
            error: "the web hook answered 410: it is gone".to_owned(),
        }
    } else {
        later(format!("the web hook answered {}", status.as_u16()))
    }
}

fn later(error: String) -> Called {
    Called::Later { error, after: None }
}

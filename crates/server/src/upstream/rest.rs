//! Discord's REST API: the few calls that the gateway makes, within Discord's limits.
//!
//! Requests wait for their turn. A refused token is not tried again, and a run of refusals
//! stops us before Discord does.

mod answer;
mod guard;
#[cfg(test)]
mod tests;

use std::{error::Error, fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use guildgate_discord::{
    Malformed,
    rest::{self, Application, GatewayBot, GuildCounts, Invite},
};
use guildgate_model::{GuildId, MemberData, RoleId, Secret, UserId};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use twilight_http_ratelimiting::{Endpoint, RateLimiter};

use self::{answer::Answer, guard::InvalidGuard};
use super::UpstreamError;
use crate::clock::Clock;

/// Requests a second, over everything.
///
/// Source: Discord, "Rate Limits: Global Rate Limit".
const GLOBAL_LIMIT: u16 = 50;
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The most bytes that an answer may have.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How often a request is made at most, where trying again can help.
const ATTEMPTS_MAX: u32 = 3;
/// A longer wait is the caller's to decide on.
const WAIT_MAX: Duration = Duration::from_secs(60);
const WAIT_AFTER_FAULT: Duration = Duration::from_millis(500);

/// Why a request had no use.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// 401: no request will do better.
    #[error("Discord refuses the bot's token")]
    TokenRefused,
    /// 403.
    #[error("Discord does not let the bot do this ({request}): {message}")]
    Forbidden {
        /// What was asked.
        request: String,
        /// What Discord says.
        message: Box<str>,
    },
    /// 404.
    #[error("Discord knows nothing by that id ({request})")]
    NotFound {
        /// What was asked.
        request: String,
    },
    /// 429, again and again or for long.
    #[error("Discord wants fewer requests ({request}): try again in {} s", retry_after.as_secs())]
    RateLimited {
        /// What was asked.
        request: String,
        /// After how long.
        retry_after: Duration,
    },
    /// Too many requests were refused of late.
    #[error(
        "too many requests to Discord were refused of late; asking nothing for {} s",
        retry_after.as_secs()
    )]
    HeldBack {
        /// For how long.
        retry_after: Duration,
    },
    /// Any other refusal.
    #[error("Discord answered {status} ({request}): {message}")]
    Refused {
        /// What was asked.
        request: String,
        /// The status.
        status: StatusCode,
        /// What Discord says.
        message: Box<str>,
    },
    /// No answer.
    #[error("Discord could not be asked ({request})")]
    Unreachable {
        /// What was asked.
        request: String,
        /// Why.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// An answer that says nothing.
    #[error("Discord's answer cannot be used ({request})")]
    Unusable {
        /// What was asked.
        request: String,
        /// Why, if it is no JSON.
        #[source]
        cause: Option<Malformed>,
    },
}

/// A client of Discord's REST API. Cheap to clone.
#[derive(Clone)]
pub struct Rest {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    authorization: HeaderValue,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limiter: RateLimiter,
    guard: InvalidGuard,
    clock: Clock,
}

/// A request.
struct Call {
    method: Method,
    path: String,
    query: &'static str,
    reason: Option<HeaderValue>,
}

impl Call {
    fn get(path: String) -> Call {
        Call {
            method: Method::GET,
            path,
            query: "",
            reason: None,
        }
    }

    fn name(&self) -> String {
        format!("{} /{}", self.method, self.path)
    }
}

impl Rest {
    /// A client for the API at `api_url`, over http or https; call within a runtime.
    ///
    /// # Errors
    /// [`UpstreamError`] where the URL or the token cannot be sent, or TLS cannot be set up.
    pub fn new(api_url: &str, token: Secret, clock: Clock) -> Result<Rest, UpstreamError> {
        let base = api_url.trim_end_matches('/').to_owned();
        let usable = base.parse::<http::Uri>().is_ok_and(|uri| {
            uri.host().is_some() && uri.scheme().is_some() && uri.query().is_none()
        });
        if !usable {
            return Err(UpstreamError::ApiUrl {
                url: api_url.to_owned(),
            });
        }
        let mut authorization = HeaderValue::try_from(format!("Bot {}", token.expose()))
            .map_err(|_| UpstreamError::TokenUnsendable)?;
        authorization.set_sensitive(true);
        let provider = rustls::crypto::ring::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| UpstreamError::Tls {
                reason: error.to_string(),
            })?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Rest {
            inner: Arc::new(Inner {
                base,
                authorization,
                http: Client::builder(hyper_util::rt::TokioExecutor::new()).build(connector),
                limiter: RateLimiter::new(GLOBAL_LIMIT),
                guard: InvalidGuard::default(),
                clock,
            }),
        })
    }

    /// Where the gateway is, and how many shards and identifies there are.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn gateway_bot(&self) -> Result<GatewayBot, RestError> {
        let call = Call::get("gateway/bot".to_owned());
        let body = self.ask(&call).await?;
        let read = rest::gateway_bot(&body).map_err(|cause| unusable(&call, Some(cause)))?;
        read.ok_or_else(|| unusable(&call, None))
    }

    /// How many members a guild has, about.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn guild_counts(&self, guild: GuildId) -> Result<GuildCounts, RestError> {
        let mut call = Call::get(format!("guilds/{guild}"));
        call.query = "?with_counts=true";
        let body = self.ask(&call).await?;
        rest::guild_counts(&body).map_err(|cause| unusable(&call, Some(cause)))
    }

    /// An invite; none if it does not exist, or no more. The bot needs no permission for it.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn invite(&self, code: &str) -> Result<Option<Invite>, RestError> {
        if code.is_empty()
            || !code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Ok(None);
        }
        let call = Call::get(format!("invites/{code}"));
        match self.ask(&call).await {
            Ok(body) => rest::invite(&body)
                .map(Some)
                .map_err(|cause| unusable(&call, Some(cause))),
            Err(RestError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A member of a guild; none if they are not one.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn member(
        &self,
        guild: GuildId,
        user: UserId,
    ) -> Result<Option<MemberData>, RestError> {
        let call = Call::get(format!("guilds/{guild}/members/{user}"));
        match self.ask(&call).await {
            Ok(body) => rest::member(&body).map_err(|cause| unusable(&call, Some(cause))),
            Err(RestError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a member a role. `reason` is shown in the guild's audit log.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn add_role(
        &self,
        guild: GuildId,
        user: UserId,
        role: RoleId,
        reason: &str,
    ) -> Result<(), RestError> {
        self.change_role(Method::PUT, guild, user, role, reason)
            .await
    }

    /// Takes a role from a member.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn remove_role(
        &self,
        guild: GuildId,
        user: UserId,
        role: RoleId,
        reason: &str,
    ) -> Result<(), RestError> {
        self.change_role(Method::DELETE, guild, user, role, reason)
            .await
    }

    async fn change_role(
        &self,
        method: Method,
        guild: GuildId,
        user: UserId,
        role: RoleId,
        reason: &str,
    ) -> Result<(), RestError> {
        let call = Call {
            method,
            path: format!("guilds/{guild}/members/{user}/roles/{role}"),
            query: "",
            reason: HeaderValue::try_from(percent_encoded(reason)).ok(),
        };
        self.ask(&call).await.map(|_| ())
    }

    /// The bot's own application.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn application(&self) -> Result<Application, RestError> {
        let call = Call::get("applications/@me".to_owned());
        let body = self.ask(&call).await?;
        rest::application(&body).map_err(|cause| unusable(&call, Some(cause)))
    }

    /// Makes a request until it has a use, within bounds. All calls here may be repeated.
    async fn ask(&self, call: &Call) -> Result<Bytes, RestError> {
        let mut attempt = 1;
        loop {
            self.inner.guard.admit(self.inner.clock.now().mono)?;
            let answer = self.attempt(call).await;
            let wait = match &answer {
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => answer.retry_after,
                Ok(answer) if answer.status.is_server_error() => WAIT_AFTER_FAULT * attempt,
                Ok(_) => return self.judge(call, answer),
                Err(_) => WAIT_AFTER_FAULT * attempt,
            };
            if let Ok(answer) = &answer {
                let now = self.inner.clock.now().mono;
                self.inner.guard.note(now, answer.status);
            }
            if attempt >= ATTEMPTS_MAX || wait > WAIT_MAX {
                return self.judge(call, answer);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    fn judge(&self, call: &Call, answer: Result<Answer, RestError>) -> Result<Bytes, RestError> {
        let answer = answer?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            let now = self.inner.clock.now().mono;
            self.inner.guard.note(now, answer.status);
        }
        let request = call.name();
        let message = rest::error_body(&answer.body)
            .message
            .unwrap_or_else(|| "it does not say why".into());
        Err(match answer.status {
            StatusCode::UNAUTHORIZED => RestError::TokenRefused,
            StatusCode::FORBIDDEN => RestError::Forbidden { request, message },
            StatusCode::NOT_FOUND => RestError::NotFound { request },
            StatusCode::TOO_MANY_REQUESTS => RestError::RateLimited {
                request,
                retry_after: answer.retry_after,
            },
            status => RestError::Refused {
                request,
                status,
                message,
            },
        })
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, RestError> {
        let permit = self
            .inner
            .limiter
            .acquire(Endpoint {
                method: limited_method(&call.method),
                path: call.path.clone(),
            })
            .await;
        let asked = tokio::time::timeout(REQUEST_TIMEOUT, self.send(call)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(cause)) => return Err(unreachable_for(call, cause)),
            Err(elapsed) => return Err(unreachable_for(call, elapsed.into())),
        };
        permit.complete(answer.limits.clone());
        Ok(answer)
    }

    async fn send(&self, call: &Call) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let url = format!("{}/{}{}", self.inner.base, call.path, call.query);
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(url)
            .header(header::AUTHORIZATION, &self.inner.authorization)
            .header(header::USER_AGENT, USER_AGENT);
        if call.method == Method::PUT {
            request = request.header(header::CONTENT_LENGTH, 0);
        }
        if let Some(reason) = &call.reason {
            request = request.header("x-audit-log-reason", reason);
        }
        let response = self
            .inner
            .http
            .request(request.body(Full::default())?)
            .await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await?
            .to_bytes();
        Ok(Answer::new(&head, body))
    }
}

const USER_AGENT: &str = concat!(
    "DiscordBot (https://guildgate.example, ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

fn limited_method(method: &Method) -> twilight_http_ratelimiting::Method {
    use twilight_http_ratelimiting::Method as Limited;
    match *method {
        Method::PUT => Limited::Put,
        Method::DELETE => Limited::Delete,
        Method::PATCH => Limited::Patch,
        Method::POST => Limited::Post,
        _ => Limited::Get,
    }
}

fn unusable(call: &Call, cause: Option<Malformed>) -> RestError {
    RestError::Unusable {
        request: call.name(),
        cause,
    }
}

fn unreachable_for(call: &Call, cause: Box<dyn Error + Send + Sync>) -> RestError {
    RestError::Unreachable {
        request: call.name(),
        cause,
    }
}

/// A header takes ASCII; Discord decodes the rest.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes().take(512) {
        if byte == b' ' || (byte.is_ascii_graphic() && byte != b'%') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// An error with all its causes, for one log line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

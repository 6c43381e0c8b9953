//! Errors of the HTTP API, as RFC 9457 problem documents.
//!
//! What a caller is told stands here; what the log is told is written where it happened.

use axum::response::{IntoResponse, Response};
use guildgate_store::StoreError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// What kind of problem it is: its status, title and stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// 400: the body is not JSON, or a path or query is not what it should be.
    BadRequest,
    /// 401: no admin key, or a wrong one.
    Unauthorized,
    /// 403: the gateway or Discord does not allow it.
    Forbidden,
    /// 404: no such thing.
    NotFound,
    /// 405: the path takes other methods.
    MethodNotAllowed,
    /// 409: it has changed meanwhile.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 415: the body is not said to be JSON.
    UnsupportedMediaType,
    /// 422: the body is JSON, but not what is taken here.
    Unprocessable,
    /// 426: only a WebSocket is to be had here.
    UpgradeRequired,
    /// 429: too often.
    TooOften,
    /// 500: the gateway's own fault.
    Internal,
    /// 502: Discord refused.
    Upstream,
    /// 503: not now.
    Unavailable,
}

impl ProblemKind {
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            ProblemKind::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
            ProblemKind::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            ProblemKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            ProblemKind::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            ProblemKind::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
            ),
            ProblemKind::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            ProblemKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            ProblemKind::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
            ),
            ProblemKind::Unprocessable => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "unprocessable",
                "Not what is taken here",
            ),
            ProblemKind::UpgradeRequired => (
                StatusCode::UPGRADE_REQUIRED,
                "upgrade-required",
                "Upgrade required",
            ),
            ProblemKind::TooOften => (StatusCode::TOO_MANY_REQUESTS, "too-often", "Too often"),
            ProblemKind::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error",
            ),
            ProblemKind::Upstream => (
                StatusCode::BAD_GATEWAY,
                "upstream",
                "Discord refused or did not answer",
            ),
            ProblemKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not available",
            ),
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.row().0
    }
}

/// One fault in a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer into the body (RFC 6901).
    #[schema(example = "/uses")]
    pub pointer: String,
    /// What is wrong there, and what was expected.
    pub detail: String,
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; does not change between releases.
    #[serde(rename = "type")]
    #[schema(example = "urn:guildgate:problem:not-found")]
    type_uri: String,
    /// The kind of problem, for a person.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was attempted, what went wrong, what to do next.
    detail: String,
    /// The faults in the body, where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// The newest state, where the request was made on an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    current: Option<Box<serde_json::Value>>,
    #[serde(skip)]
    #[schema(ignore)]
    kind: ProblemKind,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Problem {
        let (status, name, title) = kind.row();
        Problem {
            type_uri: format!("urn:guildgate:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            current: None,
            kind,
        }
    }

    /// The same, with one fault in the body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
        self
    }

    /// The same, with the newest state.
    #[must_use]
    pub fn with_current(mut self, current: serde_json::Value) -> Problem {
        self.current = Some(Box::new(current));
        self
    }

    /// One fault in a body that is JSON.
    #[must_use]
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        Problem::new(
            ProblemKind::Unprocessable,
            "the body is JSON, but not what is taken here; see `errors`",
        )
        .at(pointer, detail)
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a request could not be answered from the database"
        );
        Problem::new(
            ProblemKind::Unavailable,
            "the database did not do as asked; try again, and see the gateway's log",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind().status();
        let body = serde_json::to_vec(&self).expect("a problem is plain JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match self.kind() {
            ProblemKind::Unauthorized => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"guildgate\""),
                );
            }
            ProblemKind::Unavailable | ProblemKind::TooOften => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

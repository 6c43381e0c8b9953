//! What handlers ask for: the admin key, and paths, queries and bodies that are what they
//! should be. Each refuses with a problem document.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use guildgate_store::{Listed, PAGE_MAX, Page};
use http::{header, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use subtle::ConstantTimeEq;
use utoipa::IntoParams;

use super::Api;
use crate::problem::{Problem, ProblemKind};

/// Proof that the request bore the admin key.
#[derive(Debug)]
pub(super) struct Admin(());

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Admin, Problem> {
        let Some(key) = api.admin_key() else {
            return Err(Problem::new(
                ProblemKind::Unavailable,
                "this gateway has no admin key, so its API is off: set `admin_key` in its \
                 configuration, or GUILDGATE_ADMIN_KEY, and start it again",
            ));
        };
        let given = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| bearer(value.as_bytes()));
        let good = given.is_some_and(|given| bool::from(given.ct_eq(key.expose().as_bytes())));
        if good {
            Ok(Admin(()))
        } else {
            let problem = match given {
                Some(_) => "the admin key is wrong",
                None => "no admin key: send it as `Authorization: Bearer KEY`",
            };
            Err(Problem::new(ProblemKind::Unauthorized, problem))
        }
    }
}

/// What follows the scheme, in whatever case that is written.
///
/// Source: RFC 9110, section 11.1.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
}

/// A JSON body. Faults in it are told with their pointers.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Json<T>, Problem> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.trim_start().starts_with("application/json") {
            return Err(Problem::new(
                ProblemKind::UnsupportedMediaType,
                "the body must be JSON: send it with `Content-Type: application/json`",
            ));
        }
        let body = read_body(request, api.body_bytes_max()).await?;
        parse(&body).map(Json)
    }
}

pub(super) async fn read_body(request: Request, bytes_max: usize) -> Result<bytes::Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ProblemKind::TooLarge,
            format!("the body is larger than {bytes_max} bytes (`limits.body_bytes`)"),
        )
    };
    let said: Option<usize> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if said.is_some_and(|said| said > bytes_max) {
        return Err(too_large());
    }
    let body: Body = request.into_body();
    axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|error| {
            let source = std::error::Error::source(&error);
            if source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
                too_large()
            } else {
                Problem::new(ProblemKind::BadRequest, "the body broke off")
            }
        })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // An array would pass for an object by the order of its fields.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("", "expected an object"));
    }
    let mut source = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let cause = error.inner();
        if cause.is_data() {
            let detail = cause.to_string();
            let detail = detail.split(" at line ").next().unwrap_or_default();
            Problem::field(pointer(error.path(), detail), detail)
        } else {
            Problem::new(
                ProblemKind::BadRequest,
                format!("the body is not JSON: {cause}"),
            )
        }
    })?;
    source.end().map_err(|cause| {
        Problem::new(
            ProblemKind::BadRequest,
            format!("the body is not one JSON value: {cause}"),
        )
    })?;
    Ok(parsed)
}

/// The JSON pointer of a fault; of the missing field itself, where one is missing.
fn pointer(path: &serde_path_to_error::Path, detail: &str) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    let mut push = |segment: &str| {
        pointer.push('/');
        pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
    };
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&index.to_string()),
            Segment::Map { key } => push(key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let missing = detail
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    if let Some(field) = missing {
        push(field);
    }
    pointer
}

/// The parts of the path.
#[derive(Debug)]
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<InPath<T>, Problem> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(found)) => Ok(InPath(found)),
            Err(rejection) => Err(Problem::new(
                ProblemKind::BadRequest,
                format!("{}: {}", parts.uri.path(), rejection.body_text()),
            )),
        }
    }
}

/// The query.
#[derive(Debug)]
pub(super) struct InQuery<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<InQuery<T>, Problem> {
        match Query::from_request_parts(parts, api).await {
            Ok(Query(found)) => Ok(InQuery(found)),
            Err(rejection) => Err(Problem::new(ProblemKind::BadRequest, rejection.body_text())),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next` of the page before; from the newest if left out
    #[param(value_type = Option<String>)]
    before: Option<String>,
    /// How many at most; 100 if left out
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

impl PageQuery {
    pub(super) fn page(&self) -> Result<Page, Problem> {
        let bad = |name: &str, expected: &str| {
            Problem::new(
                ProblemKind::BadRequest,
                format!("`{name}` in the query: expected {expected}"),
            )
        };
        let before = self
            .before
            .as_deref()
            .map(|text| {
                text.parse()
                    .map_err(|_| bad("before", "`next` of the page before"))
            })
            .transpose()?;
        let limit = self
            .limit
            .as_deref()
            .map_or(Some(PAGE_DEFAULT), |text| text.parse().ok())
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| bad("limit", "a number from 1 to 1000"))?;
        Ok(Page { before, limit })
    }
}

/// A page as it is shown: its items, and `before` of the next.
pub(super) fn shown<R, T>(
    listed: &Listed<R>,
    show: impl Fn(&R) -> Option<T>,
) -> (Vec<T>, Option<String>) {
    let items = listed.items.iter().filter_map(show).collect();
    (items, listed.next.map(|next| next.to_string()))
}

/// How much of a list is shown unless asked otherwise.
const PAGE_DEFAULT: u32 = 100;

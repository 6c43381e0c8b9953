//! What a call's path and query are read into, and Discord's answer where they cannot be.

use axum::extract::{self, FromRequestParts, RawPathParams};
use http::{Uri, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::{Map, json};

use super::ApiError;

/// The ids and codes in a path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, ApiError> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(read)) => Ok(Path(read)),
            Err(_) => Err(match faulty_part(parts, state).await {
                Some((name, value)) => not_of_kind(&format!("{name}_id"), &value, "snowflake"),
                None => ApiError::INVALID_FORM,
            }),
        }
    }
}

/// The name and text of the first part of a path that is no id; none where it is no text at all.
pub(super) async fn faulty_part<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Option<(String, String)> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let faulty = params
        .iter()
        .find(|(_, value)| value.parse::<u64>().is_err());
    faulty.map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// A query, each of whose fields may be left out.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, ApiError> {
        match extract::Query::try_from_uri(&parts.uri) {
            Ok(extract::Query(read)) => Ok(Query(read)),
            Err(_) => Err(match faulty_field::<T>(&parts.uri) {
                Some((name, value)) => {
                    let kind = if name == "limit" { "int" } else { "snowflake" };
                    not_of_kind(&name, &value, kind)
                }
                None => ApiError::INVALID_FORM,
            }),
        }
    }
}

/// The first field of a query that is no good by itself; none where one is given twice.
fn faulty_field<T: DeserializeOwned>(uri: &Uri) -> Option<(String, String)> {
    let mut fields = uri.query()?.split('&');
    fields.find_map(|field| {
        let alone: Uri = format!("/?{field}").parse().ok()?;
        if extract::Query::<T>::try_from_uri(&alone).is_ok() {
            return None;
        }
        let pairs = extract::Query::<Vec<(String, String)>>::try_from_uri(&alone);
        pairs.ok()?.0.into_iter().next()
    })
}

/// Source: Discord, "Reference: Error Messages".
fn not_of_kind(name: &str, value: &str, kind: &str) -> ApiError {
    let message = format!("Value \"{value}\" is not {kind}.");
    let fault = json!({ "_errors": [{ "code": "NUMBER_TYPE_COERCE", "message": message }] });
    ApiError::invalid_form(Map::from_iter([(name.to_owned(), fault)]))
}

//! The page: files held in the binary, served with headers that let them load nothing else.

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::{Api, gateway};
use crate::problem::{Problem, ProblemKind};

/// One file of the page.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Where it is served, without the leading slash: `console/app.js`.
    pub path: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// What it says.
    pub content: &'static str,
}

/// All files of the page. The one at `console/index.html` is served at `/` as well.
pub type Assets = &'static [Asset];

/// Where the page itself is.
const INDEX: &str = "console/index.html";

pub(super) async fn index(
    State(api): State<Api>,
    peer: Option<Extension<gateway::PeerAddress>>,
    headers: HeaderMap,
) -> Response {
    serve(&api, INDEX, peer, &headers)
}

pub(super) async fn asset(
    State(api): State<Api>,
    uri: Uri,
    peer: Option<Extension<gateway::PeerAddress>>,
    headers: HeaderMap,
) -> Response {
    serve(&api, uri.path().trim_start_matches('/'), peer, &headers)
}

/// The demo's accounts; not there outside the demo.
pub(super) async fn demo(State(api): State<Api>) -> Response {
    match &api.demo {
        Some(json) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, json.clone()).into_response()
        }
        None => not_found("/demo.json").into_response(),
    }
}

fn serve(
    api: &Api,
    path: &str,
    peer: Option<Extension<gateway::PeerAddress>>,
    request: &HeaderMap,
) -> Response {
    let Some(asset) = api.assets.iter().find(|asset| asset.path == path) else {
        return not_found(&format!("/{path}")).into_response();
    };
    let mut response = (StatusCode::OK, asset.content).into_response();
    let peer = peer.map(|Extension(gateway::PeerAddress(address))| address);
    let gateway = gateway::websocket_origin(&api.config, peer, request);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' \
         https://cdn.discordapp.com; connect-src 'self' {gateway}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Nothing is served there.
pub(super) fn not_found(path: &str) -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        format!("nothing is served at {path}; /api/v1/openapi.json describes the API"),
    )
}

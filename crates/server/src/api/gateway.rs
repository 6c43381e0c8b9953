//! `/api/gateway`: where clients connect. They fetch it first.

use std::net::IpAddr;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::config::Config;

/// Who sent a request: the other end of its socket. Put into a request's extensions by who
/// accepted the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// Where clients connect
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Location {
    /// What to dial
    #[schema(example = "wss://gateway.example.org/gateway")]
    url: String,
}

/// Ask where clients connect
#[utoipa::path(
    get,
    path = "/api/gateway",
    tag = "gateway",
    responses((status = 200, description = "What to dial", body = Location))
)]
pub(super) async fn locate(
    State(api): State<Api>,
    peer: Option<Extension<PeerAddress>>,
    headers: HeaderMap,
) -> Response {
    let peer = peer.map(|Extension(PeerAddress(address))| address);
    let origin = websocket_origin(&api.config, peer, &headers);
    let location = Location {
        url: format!("{origin}/gateway"),
    };
    // Any page may ask; which ones may connect is for the upgrade to say.
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, axum::Json(location)).into_response()
}

/// Scheme and host that clients dial: as configured, as a trusted proxy says, or as asked at.
pub(super) fn websocket_origin(
    config: &Config,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> String {
    if let Some(url) = &config.public_url {
        return url.replacen("http", "ws", 1);
    }
    let trusted = peer.is_some_and(|peer| {
        config
            .trusted_proxies
            .iter()
            .any(|proxy| proxy.contains(peer))
    });
    let forwarded = |name: &str| {
        headers
            .get(name)
            .filter(|_| trusted)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(',').next())
            .map(str::trim)
    };
    let secure = match forwarded("x-forwarded-proto") {
        Some(scheme) => scheme == "https" || scheme == "wss",
        None => config.tls.is_some(),
    };
    let host = forwarded("x-forwarded-host")
        .or_else(|| headers.get(header::HOST)?.to_str().ok())
        .filter(|host| is_host(host))
        .map_or_else(|| config.listen.to_string(), str::to_owned);
    format!("{}://{host}", if secure { "wss" } else { "ws" })
}

/// Whether a text can stand as host and port, and as nothing else.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

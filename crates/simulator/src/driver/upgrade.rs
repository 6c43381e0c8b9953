//! The gateway's door: a WebSocket upgrade at `/` and at `/resume`.

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::socket::Sockets;
use crate::gateway::{Entry, Opening};

#[derive(Deserialize)]
struct Asked {
    v: Option<String>,
    encoding: Option<String>,
    compress: Option<String>,
}

pub(super) fn router(sockets: Sockets) -> Router {
    Router::new()
        .route("/", get(main_door))
        .route("/resume", get(resume_door))
        .route("/resume/", get(resume_door))
        .with_state(sockets)
}

async fn main_door(
    sockets: State<Sockets>,
    asked: Query<Asked>,
    request: Request,
) -> Response<Body> {
    open(&sockets, Entry::Main, asked.0, request)
}

async fn resume_door(
    sockets: State<Sockets>,
    asked: Query<Asked>,
    request: Request,
) -> Response<Body> {
    open(&sockets, Entry::Resume, asked.0, request)
}

fn open(sockets: &Sockets, entry: Entry, asked: Asked, mut request: Request) -> Response<Body> {
    let headers = request.headers();
    let Some(accept) = accept_key(headers) else {
        return plain(StatusCode::UPGRADE_REQUIRED, HINT);
    };
    let base_url = base_url(
        headers,
        sockets
            .shared
            .with(|discord| discord.settings.public_host.clone()),
    );
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return plain(
            StatusCode::BAD_REQUEST,
            "This connection cannot be upgraded.\n",
        );
    };
    let opening = Opening {
        entry,
        version: asked.v,
        encoding: asked.encoding,
        compress: asked.compress,
        base_url,
    };
    sockets.serve(upgrade, opening);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// The answer to a client's key, if it asks for a WebSocket at all.
///
/// Source: RFC 6455, 4.2.2.
fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let asks = headers
        .get(header::UPGRADE)?
        .as_bytes()
        .eq_ignore_ascii_case(b"websocket");
    let version = headers.get(header::SEC_WEBSOCKET_VERSION)?.as_bytes() == b"13";
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    if !asks || !version {
        return None;
    }
    let mut sha = Sha1::new();
    sha.update(key.as_bytes());
    sha.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::from_str(&STANDARD.encode(sha.finalize())).ok()
}

/// `ws://HOST`: the host that was asked for, unless the settings name another.
pub(crate) fn base_url(headers: &HeaderMap, public: Option<String>) -> String {
    let asked = || {
        headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned)
    };
    let host = public
        .or_else(asked)
        .unwrap_or_else(|| "127.0.0.1".to_owned());
    format!("ws://{host}")
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

const HINT: &str = "This is a simulated Discord. A bot's gateway connection is a WebSocket at this address;\n\
    its REST calls are under /api/v10, and what the simulator does on demand under /simulator.\n";

//! One request: to the pages and the API, or on to the edge.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use ::http::{HeaderValue, Request, header};
use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use super::{
    ClientAddress, Front, NotAdmitted,
    address::client_address,
    patient::Patient,
    tls_stream::TlsStream,
    upgrade::{Agreed, Asked, DEFLATE_ANSWER, Refused, judge},
};
use crate::{
    api::PeerAddress,
    edge::{Handover, Peer, codec::Deflate},
    problem::{Problem, ProblemKind},
};

/// Whether clients are still taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doors {
    Open,
    /// The node is going away.
    Closed,
}

/// Answers one request that came from `peer`.
pub(super) async fn answer(
    front: Arc<Front>,
    router: Router,
    peer: IpAddr,
    doors: Doors,
    mut request: Request<Incoming>,
) -> Response {
    let address = client_address(peer, request.headers(), |proxy| front.trusts(proxy));
    let asked = match request.uri().path() {
        "/" => judge(&request, &front.config.origins, front.config.deflate),
        "/gateway" => match judge(&request, &front.config.origins, front.config.deflate) {
            Asked::Page => Asked::Refused(Refused::NotAsked),
            asked => asked,
        },
        _ => Asked::Page,
    };
    match asked {
        Asked::Page => {
            request.extensions_mut().insert(address);
            request.extensions_mut().insert(PeerAddress(peer));
            page(&front, router.oneshot(request.map(Body::new))).await
        }
        Asked::Refused(refused) => {
            tracing::debug!(address = %address.0, reason = %refused, "no upgrade");
            refusal(refused)
        }
        Asked::Upgrade(agreed) => {
            let upgrade = hyper::upgrade::on(&mut request);
            upgraded(front, address, doors, agreed, upgrade)
        }
    }
}

/// Has `answer` made where the rest of the node works: it asks the store, whose connections are
/// not to be driven where strangers make the work. It ends with whoever waits for it.
async fn page(
    front: &Front,
    answer: impl Future<Output = Result<Response, Infallible>> + Send + 'static,
) -> Response {
    let answer = tokio::time::timeout(front.config.answer_within, answer);
    match AbortOnDropHandle::new(front.services.spawn(answer)).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_late)) => Problem::new(
            ProblemKind::Unavailable,
            "the answer took too long; try again, and see the gateway's log",
        )
        .into_response(),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => Problem::new(
                ProblemKind::Unavailable,
                "this node is going away; try again, another one will answer",
            )
            .into_response(),
        },
    }
}

/// Answers a sound request for a WebSocket, and sees to it that the socket gets to the edge.
fn upgraded(
    front: Arc<Front>,
    ClientAddress(address): ClientAddress,
    doors: Doors,
    agreed: Agreed,
    upgrade: OnUpgrade,
) -> Response {
    if doors == Doors::Closed {
        return later(
            ProblemKind::Unavailable,
            "this node is going away; dial again, another one will answer",
        );
    }
    let permit = match front.upgraded.admit(address) {
        Ok(permit) => permit,
        Err(reason) => {
            tracing::info!(%address, %reason, "no upgrade");
            return match reason {
                NotAdmitted::Address => later(
                    ProblemKind::TooOften,
                    "this address has as many connections as one may have; close some, or dial \
                     again later",
                ),
                NotAdmitted::Node => later(
                    ProblemKind::Unavailable,
                    "this node has as many connections as it may have; dial again later",
                ),
            };
        }
    };
    let mut response = ::http::StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, agreed.accept);
    if agreed.deflate == Deflate::On {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, DEFLATE_ANSWER);
    }
    let peer = Peer {
        address,
        deflate: agreed.deflate,
        permit: Some(permit),
    };
    // A task of its own: hyper's holds the connection's buffers until it ends.
    tokio::spawn(async move {
        match upgrade.await {
            Ok(socket) => match release(socket, peer) {
                Ok(handover) => front.edges.handover(handover),
                Err(error) => tracing::warn!(%address, %error, "could not take over a socket"),
            },
            Err(error) => tracing::debug!(%address, %error, "a client left while upgrading"),
        }
    });
    response
}

/// Takes the bare socket, and what was read behind the request, out of hyper's hands.
fn release(socket: Upgraded, peer: Peer) -> std::io::Result<Handover> {
    match socket.downcast::<TokioIo<Patient<TcpStream>>>() {
        Ok(parts) => {
            let socket = parts.io.into_inner().into_inner().into_std()?;
            Handover::plain(socket, peer, parts.read_buf.to_vec())
        }
        Err(socket) => match socket.downcast::<TokioIo<Patient<TlsStream>>>() {
            Ok(parts) => {
                let (socket, session) = parts.io.into_inner().into_inner().into_parts();
                Handover::tls(socket.into_std()?, session, peer, parts.read_buf.to_vec())
            }
            Err(_unknown) => Err(std::io::Error::other("an upgraded socket of unknown kind")),
        },
    }
}

fn refusal(refused: Refused) -> Response {
    let kind = match refused {
        Refused::Method | Refused::Connection | Refused::Key => ProblemKind::BadRequest,
        Refused::NotAsked | Refused::Version => ProblemKind::UpgradeRequired,
        Refused::Origin => ProblemKind::Forbidden,
    };
    let mut response = Problem::new(kind, refused.to_string()).into_response();
    if kind == ProblemKind::UpgradeRequired {
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
    }
    response
}

fn later(kind: ProblemKind, detail: &str) -> Response {
    let mut response = Problem::new(kind, detail).into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// Seconds; clients spread their own tries beyond it.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

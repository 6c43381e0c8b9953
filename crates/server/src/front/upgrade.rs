//! Whether a request becomes a WebSocket.
//!
//! Source: RFC 6455, 4.2; RFC 7692, 7; wire protocol, "Transport".

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

use super::DeflateOffer;
use crate::edge::codec::Deflate;

/// Which pages may connect, by their `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These, compared without regard to case. A client without `Origin` is no page and may
    /// connect.
    These(Vec<String>),
}

impl Origins {
    /// Any if `list` is empty, which is what an unset setting means.
    #[must_use]
    pub fn from_list(list: Vec<String>) -> Origins {
        if list.is_empty() {
            Origins::Any
        } else {
            Origins::These(list)
        }
    }

    fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        match self {
            Origins::Any => true,
            Origins::These(list) => list
                .iter()
                .any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes())),
        }
    }
}

/// What a request for a WebSocket path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// No upgrade: a page.
    Page,
    /// An upgrade that can be made.
    Upgrade(Agreed),
    /// An upgrade that cannot.
    Refused(Refused),
}

/// What the answer to a sound request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) accept: HeaderValue,
    pub(super) deflate: Deflate,
}

/// Why there is no upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "a WebSocket is asked for with GET over HTTP/1.1; dial this address with a WebSocket client"
    )]
    Method,
    #[error("this address takes WebSocket connections; dial it with a WebSocket client")]
    NotAsked,
    #[error("the header `Connection: Upgrade` is missing; a proxy in between may have removed it")]
    Connection,
    #[error("this WebSocket version is not spoken here; use version 13")]
    Version,
    #[error("the header `Sec-WebSocket-Key` is not 16 bytes in base64")]
    Key,
    #[error("pages of this origin may not connect; ask the operator to add it to `origins`")]
    Origin,
}

/// Judges a request to a WebSocket path.
pub(super) fn judge<B>(request: &Request<B>, origins: &Origins, deflate: DeflateOffer) -> Asked {
    let headers = request.headers();
    if !has_token(headers, header::UPGRADE, "websocket") {
        return Asked::Page;
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes);
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    let refused = if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        Refused::Method
    } else if !has_token(headers, header::CONNECTION, "upgrade") {
        Refused::Connection
    } else if version.is_none_or(|version| version.as_bytes() != b"13") {
        Refused::Version
    } else if !origins.allow(headers) {
        Refused::Origin
    } else {
        match key.filter(|key| is_key(key)) {
            None => Refused::Key,
            Some(key) => {
                return Asked::Upgrade(Agreed {
                    accept: accept(key),
                    deflate: match deflate {
                        DeflateOffer::Accept if offers_deflate(headers) => Deflate::On,
                        DeflateOffer::Accept | DeflateOffer::Decline => Deflate::Off,
                    },
                });
            }
        }
    };
    Asked::Refused(refused)
}

/// What is answered to an offer of permessage-deflate that is taken: one deflated frame can
/// then go to every client as it is.
pub(super) const DEFLATE_ANSWER: HeaderValue = HeaderValue::from_static(
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
);

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn is_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

fn accept(key: &[u8]) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::from_str(&STANDARD.encode(hash.finalize())).expect("base64 is ASCII")
}

/// Whether one of the offers is one that [`DEFLATE_ANSWER`] answers. An offer that asks for a
/// smaller window than the server's, or for what nobody has defined, is passed over.
fn offers_deflate(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            parts.next() == Some("permessage-deflate")
                && parts.all(|parameter| {
                    let (name, value) = match parameter.split_once('=') {
                        Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
                        None => (parameter, None),
                    };
                    match name {
                        "server_no_context_takeover" | "client_no_context_takeover" => {
                            value.is_none()
                        }
                        "client_max_window_bits" => true,
                        "server_max_window_bits" => value == Some("15"),
                        _ => false,
                    }
                })
        })
}

#[cfg(test)]
mod tests;

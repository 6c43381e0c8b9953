use ::http::{Method, Request, Version};

use super::{Asked, Origins, Refused, judge};
use crate::{edge::codec::Deflate, front::DeflateOffer};

const SOUND: [(&str, &str); 4] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn request(changes: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::get("/gateway").version(Version::HTTP_11);
    let headers = request.headers_mut().expect("a sound request");
    for (name, value) in SOUND.iter().chain(changes) {
        if value.is_empty() {
            headers.remove(*name);
        } else {
            headers.insert(*name, value.parse().expect("a header"));
        }
    }
    request.body(()).expect("a sound request")
}

fn judged(request: &Request<()>) -> Asked {
    let origins = Origins::These(vec!["https://example.org".to_owned()]);
    judge(request, &origins, DeflateOffer::Accept)
}

fn refused(changes: &[(&'static str, &'static str)], expected: Refused) {
    assert_eq!(
        judged(&request(changes)),
        Asked::Refused(expected),
        "{changes:?}"
    );
}

fn agreed(changes: &[(&'static str, &'static str)]) -> super::Agreed {
    match judged(&request(changes)) {
        Asked::Upgrade(agreed) => agreed,
        other => panic!("{changes:?}: {other:?}"),
    }
}

#[test]
fn a_sound_request_is_answered_as_the_rfc_says() {
    assert_eq!(agreed(&[]).accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn a_request_without_upgrade_is_for_a_page() {
    assert_eq!(judged(&request(&[("upgrade", "")])), Asked::Page);
    assert_eq!(judged(&request(&[("upgrade", "h2c")])), Asked::Page);
}

#[test]
fn unsound_requests() {
    refused(&[("connection", "keep-alive")], Refused::Connection);
    refused(&[("connection", "")], Refused::Connection);
    refused(&[("sec-websocket-version", "8")], Refused::Version);
    refused(&[("sec-websocket-version", "")], Refused::Version);
    refused(&[("sec-websocket-key", "")], Refused::Key);
    refused(&[("sec-websocket-key", "c2hvcnQ=")], Refused::Key);
    refused(&[("sec-websocket-key", "not base64 at all!")], Refused::Key);
    let mut posted = request(&[]);
    *posted.method_mut() = Method::POST;
    assert_eq!(judged(&posted), Asked::Refused(Refused::Method));
    let mut old = request(&[]);
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(judged(&old), Asked::Refused(Refused::Method));
}

#[test]
fn origins() {
    refused(&[("origin", "https://example.com")], Refused::Origin);
    refused(&[("origin", "null")], Refused::Origin);
    agreed(&[("origin", "https://EXAMPLE.org")]);
    let anything = request(&[("origin", "https://example.com")]);
    assert!(matches!(
        judge(&anything, &Origins::Any, DeflateOffer::Decline),
        Asked::Upgrade(_)
    ));
}

#[test]
fn deflate_is_agreed_only_as_it_can_be_spoken() {
    let offers = [
        ("permessage-deflate", Deflate::On),
        ("permessage-deflate; client_max_window_bits", Deflate::On),
        (
            "x-other, permessage-deflate; server_max_window_bits=15",
            Deflate::On,
        ),
        (
            "permessage-deflate; server_no_context_takeover",
            Deflate::On,
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            Deflate::Off,
        ),
        (
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            Deflate::On,
        ),
        ("permessage-deflate; invented", Deflate::Off),
        ("x-webkit-deflate-frame", Deflate::Off),
    ];
    for (offer, expected) in offers {
        let changes = [("sec-websocket-extensions", offer)];
        assert_eq!(agreed(&changes).deflate, expected, "{offer}");
        let declined = judge(&request(&changes), &Origins::Any, DeflateOffer::Decline);
        assert!(
            matches!(declined, Asked::Upgrade(agreed) if agreed.deflate == Deflate::Off),
            "{offer}"
        );
    }
}

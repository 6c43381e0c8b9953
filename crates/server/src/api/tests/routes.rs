//! What each route does.

use guildgate_model::{GuildId, Secret, TokenKind, UserId};
use guildgate_store::Owner;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::NotReady,
    harness::{GUILD, Harness, KEY},
};

#[tokio::test]
async fn a_token_is_issued_listed_used_and_revoked() {
    let harness = Harness::new().await;
    let body = json!({"kind": "gatewayUser", "for": "42", "uses": 3, "ttl_s": 60}).to_string();
    let issued = harness
        .admin(Method::POST, "/api/v1/tokens", Some(&body))
        .await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.text);
    let issued = issued.json();
    assert_eq!(issued["for"], "42");
    assert_eq!(issued["uses_left"], 3);
    assert_eq!(issued["state"], "good");
    let text = issued["token"].as_str().expect("the token");
    let now = crate::clock::Clock::start().now().wall;
    let good = || {
        harness.store.inspect_token(
            text_secret(text),
            TokenKind::GatewayUser,
            Owner::Id(42),
            now,
        )
    };
    assert!(good().await.expect("a database").is_ok());

    let listed = harness
        .admin(Method::GET, "/api/v1/tokens?for=42&kind=gatewayUser", None)
        .await;
    assert_eq!(listed.json()["tokens"][0]["id"], issued["id"]);
    assert!(!listed.text.contains(text), "a listed token shows no text");
    let others = harness
        .admin(Method::GET, "/api/v1/tokens?for=43", None)
        .await;
    assert_eq!(others.json(), json!({"tokens": [], "next": null}));

    let path = format!("/api/v1/tokens/{}", issued["id"].as_str().expect("an id"));
    for _ in 0..2 {
        let revoked = harness.admin(Method::DELETE, &path, None).await;
        assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    }
    assert!(good().await.expect("a database").is_err());
    let listed = harness.admin(Method::GET, "/api/v1/tokens", None).await;
    assert_eq!(listed.json()["tokens"][0]["state"], "revoked");
}

fn text_secret(text: &str) -> &'static Secret {
    Box::leak(Box::new(Secret::new(text)))
}

#[tokio::test]
async fn a_list_goes_on_where_it_broke_off() {
    let harness = Harness::new().await;
    for _ in 0..3 {
        harness
            .admin(
                Method::POST,
                "/api/v1/tokens",
                Some(r#"{"kind":"user","for":"1"}"#),
            )
            .await;
    }
    let first = harness
        .admin(Method::GET, "/api/v1/tokens?limit=2", None)
        .await
        .json();
    assert_eq!(first["tokens"].as_array().map(Vec::len), Some(2));
    let next = first["next"].as_str().expect("more");
    let rest = harness
        .admin(
            Method::GET,
            &format!("/api/v1/tokens?limit=2&before={next}"),
            None,
        )
        .await
        .json();
    assert_eq!(rest["tokens"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["next"], Value::Null);
}

#[tokio::test]
async fn a_bad_body_is_told_where_it_is_bad() {
    let harness = Harness::new().await;
    let check = async |path: &str, body: &str, status: StatusCode, pointer: Option<&str>| {
        let method = if path.ends_with("invite") {
            Method::PUT
        } else {
            Method::POST
        };
        let reply = harness.admin(method, path, Some(body)).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text);
        let problem = reply.problem();
        let found = problem["errors"][0]["pointer"].as_str();
        assert_eq!(found, pointer, "{body}: {problem}");
    };
    let tokens = "/api/v1/tokens";
    let bad = StatusCode::BAD_REQUEST;
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    check(tokens, "{", bad, None).await;
    check(tokens, "", bad, None).await;
    check(tokens, r#"{"kind":"global"} x"#, bad, None).await;
    check(tokens, &"[".repeat(1000), unfit, Some("")).await;
    check(tokens, "[]", unfit, Some("")).await;
    check(tokens, "{}", unfit, Some("/kind")).await;
    check(tokens, r#"{"kind":"root"}"#, unfit, Some("/kind")).await;
    check(tokens, r#"{"kind":"user"}"#, unfit, Some("/for")).await;
    check(tokens, r#"{"kind":"gatewayGuild"}"#, unfit, Some("/for")).await;
    check(
        tokens,
        r#"{"kind":"global","for":"1"}"#,
        unfit,
        Some("/for"),
    )
    .await;
    check(tokens, r#"{"kind":"user","for":"me"}"#, unfit, Some("/for")).await;
    check(
        tokens,
        r#"{"kind":"user","for":"1","uses":0}"#,
        unfit,
        Some("/uses"),
    )
    .await;
    check(
        tokens,
        r#"{"kind":"user","for":"1","uses":-1}"#,
        unfit,
        Some("/uses"),
    )
    .await;
    check(
        tokens,
        r#"{"kind":"user","for":"1","ttl_s":0}"#,
        unfit,
        Some("/ttl_s"),
    )
    .await;
    check(
        tokens,
        r#"{"kind":"user","for":"1","tt_s":1}"#,
        unfit,
        Some("/tt_s"),
    )
    .await;
    let inbox = "/api/v1/users/1/notifications";
    check(inbox, r#"{"gid":"7"}"#, unfit, Some("/proccessed_type")).await;
    check(
        inbox,
        r#"{"gid":"7","proccessed_type":3}"#,
        unfit,
        Some("/proccessed_type"),
    )
    .await;
    check("/api/v1/guilds/7/invite", "{}", unfit, Some("/code")).await;
    check(
        "/api/v1/guilds/7/invite",
        r#"{"code":"a b"}"#,
        unfit,
        Some("/code"),
    )
    .await;
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_whether_its_length_is_said_or_not() {
    let harness = Harness::new().await;
    let large = format!("{{\"kind\":\"{}\"}}", "x".repeat(2000));
    let reply = harness
        .admin(Method::POST, "/api/v1/tokens", Some(&large))
        .await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    let key = format!("Bearer {KEY}");
    let reply = harness
        .send(
            Method::POST,
            "/api/v1/tokens",
            &[
                ("authorization", &key),
                ("content-type", "application/json"),
                ("content-length", "99999999"),
            ],
            Some("{}"),
        )
        .await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn without_the_right_key_nothing_is_told() {
    let harness = Harness::new().await;
    for headers in [
        vec![],
        vec![("authorization", "Bearer a-key-that-nobody-guesseS")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Basic YTpi")],
    ] {
        let reply = harness
            .send(Method::GET, "/api/v1/tokens", &headers, None)
            .await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert!(
            reply.headers["www-authenticate"]
                .to_str()
                .is_ok_and(|v| v.starts_with("Bearer"))
        );
        reply.problem();
    }
}

#[tokio::test]
async fn the_scheme_of_the_key_may_be_written_in_any_case() {
    let harness = Harness::new().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let key = format!("{scheme} {KEY}");
        let reply = harness
            .send(
                Method::GET,
                "/api/v1/tokens",
                &[("authorization", &key)],
                None,
            )
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{scheme}");
    }
}

#[tokio::test]
async fn without_a_key_set_the_api_says_how_to_set_one() {
    let harness = Harness::with(|_| {}, None).await;
    let reply = harness.admin(Method::GET, "/api/v1/tokens", None).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    let problem = reply.problem();
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("GUILDGATE_ADMIN_KEY"))
    );
}

#[tokio::test]
async fn a_notification_lies_in_the_inbox() {
    let harness = Harness::new().await;
    let body = json!({"gid": "7", "proccessed_type": 1, "note": "no", "application_id": "9"});
    let reply = harness
        .admin(
            Method::POST,
            "/api/v1/users/42/notifications",
            Some(&body.to_string()),
        )
        .await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    let sent = reply.json();
    assert_eq!(sent["type"], "APPLICATION_REVIWED");
    assert_eq!(sent["note"], "no");
    let inbox = harness
        .store
        .pending_notifications(UserId(42))
        .await
        .expect("a database");
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].guild, GuildId(7));
    assert_eq!(sent["id"], inbox[0].id.to_string());
}

#[tokio::test]
async fn guilds_are_shown_as_the_hub_has_them() {
    let harness = Harness::new().await;
    let list = harness.admin(Method::GET, "/api/v1/guilds", None).await;
    let seven = json!({"id": "7", "name": "Seven"});
    assert_eq!(
        list.json(),
        json!({"guilds": [{"id": "7", "clients": 3, "guild": seven}]})
    );
    let one = harness.admin(Method::GET, "/api/v1/guilds/7", None).await;
    assert_eq!(one.json(), seven);

    for (body, code) in [
        (r#"{"code":"abc"}"#, Some("abc")),
        (r#"{"code":null}"#, None),
    ] {
        let reply = harness
            .admin(Method::PUT, "/api/v1/guilds/7/invite", Some(body))
            .await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
        let invites = harness.store.load_invites().await.expect("a database");
        assert_eq!((invites.len(), invites[0].guild), (1, GUILD));
        assert_eq!(invites[0].code.as_deref(), code);
    }
}

#[tokio::test]
async fn the_gateway_is_where_it_was_asked_at() {
    let check = async |change: fn(&mut crate::config::Config),
                       peer: &str,
                       headers: &[(&str, &str)],
                       expected: &str| {
        let harness = Harness::with(change, None).await;
        let peer = super::super::PeerAddress(peer.parse().expect("an address"));
        let router = harness.router.clone().layer(axum::Extension(peer));
        let harness = Harness { router, ..harness };
        let reply = harness
            .send(Method::GET, "/api/gateway", headers, None)
            .await;
        assert_eq!(reply.json(), json!({ "url": expected }), "{headers:?}");
        assert_eq!(reply.headers["access-control-allow-origin"], "*");
    };
    let host = ("host", "gate.example:81");
    let plain = "ws://gate.example:81/gateway";
    check(|_| {}, "192.0.2.1", &[host], plain).await;
    check(|_| {}, "192.0.2.1", &[], "ws://127.0.0.1:7102/gateway").await;
    check(
        |_| {},
        "192.0.2.1",
        &[("host", "a/b\"")],
        "ws://127.0.0.1:7102/gateway",
    )
    .await;
    let forwarded = [
        host,
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "example.org"),
    ];
    check(|_| {}, "192.0.2.1", &forwarded, plain).await;
    check(
        |config| config.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a range")],
        "192.0.2.1",
        &forwarded,
        "wss://example.org/gateway",
    )
    .await;
    check(
        |config| config.public_url = Some("https://site.example".into()),
        "192.0.2.1",
        &forwarded,
        "wss://site.example/gateway",
    )
    .await;
}

#[tokio::test]
async fn readiness_says_why_not() {
    let harness = Harness::new().await;
    let ready = async || harness.send(Method::GET, "/readyz", &[], None).await;
    let reply = ready().await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.headers["retry-after"], "5");
    reply.problem();
    harness.readiness.set(Ok(()));
    assert_eq!(ready().await.status, StatusCode::OK);
    harness.readiness.set(Err(NotReady::Draining));
    harness.readiness.set(Ok(()));
    let reply = ready().await;
    assert_eq!(
        reply.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "a drain is for good"
    );
    assert!(reply.text.contains("going away"));
}

#[tokio::test]
async fn the_page_is_served_and_may_load_nothing_else() {
    let harness = Harness::new().await;
    for path in ["/", "/console/index.html"] {
        let page = harness
            .send(Method::GET, path, &[("host", "gate.example")], None)
            .await;
        assert_eq!(page.text, "<!doctype html>");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        let policy = page.headers["content-security-policy"]
            .to_str()
            .expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(
            policy.contains("connect-src 'self' ws://gate.example;"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let script = harness
        .send(Method::GET, "/console/app.js", &[], None)
        .await;
    assert_eq!(
        script.headers["content-type"],
        "text/javascript; charset=utf-8"
    );
    for path in [
        "/console/../Cargo.toml",
        "/console/",
        "/etc/passwd",
        "/%2e%2e",
        "/%ff",
        "/x",
    ] {
        for method in [Method::GET, Method::POST] {
            let reply = harness.send(method.clone(), path, &[], None).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{method} {path}");
            reply.problem();
        }
    }
}

#[tokio::test]
async fn only_the_demo_shows_the_demos_tokens() {
    let plain = Harness::new().await;
    let reply = plain.send(Method::GET, "/demo.json", &[], None).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    let demo = Harness::with(|_| {}, Some(r#"{"guilds":[]}"#)).await;
    let reply = demo.send(Method::GET, "/demo.json", &[], None).await;
    assert_eq!(reply.json(), json!({"guilds": []}));
    assert_eq!(reply.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_wrong_method_is_told_which_are_right() {
    let harness = Harness::new().await;
    let reply = harness.admin(Method::PATCH, "/api/v1/tokens", None).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    reply.problem();
    let allowed = reply.headers["allow"].to_str().expect("text");
    assert!(
        allowed.contains("POST") && allowed.contains("GET"),
        "{allowed}"
    );
}

//! The description and the handlers say the same: every documented status of every documented
//! operation is had from the handlers, and the handlers answer no other.

mod applications;

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::Value;

use super::harness::{Harness, KEY};

/// One request, and the status that it is answered with.
struct Case {
    method: Method,
    /// The path as documented; its variables are filled in by `variables`.
    template: &'static str,
    variables: &'static [(&'static str, &'static str)],
    query: &'static str,
    body: Option<&'static str>,
    caller: Caller,
    discord: Discord,
    expected: u16,
}

/// Whether Discord's side has come up by then.
#[derive(Clone, Copy, PartialEq)]
enum Discord {
    Down,
    Up,
}

#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Admin,
    AdminWithPatch,
    AdminWithText,
    Nobody,
}

fn case(method: Method, template: &'static str, expected: u16) -> Case {
    Case {
        method,
        template,
        variables: &[],
        query: "",
        body: None,
        caller: Caller::Admin,
        discord: Discord::Down,
        expected,
    }
}

impl Case {
    fn with(self, variables: &'static [(&'static str, &'static str)]) -> Case {
        Case { variables, ..self }
    }

    fn body(self, body: &'static str) -> Case {
        Case {
            body: Some(body),
            ..self
        }
    }

    fn once_up(self) -> Case {
        Case {
            discord: Discord::Up,
            ..self
        }
    }

    fn query(self, query: &'static str) -> Case {
        Case { query, ..self }
    }

    fn by(self, caller: Caller) -> Case {
        Case { caller, ..self }
    }

    fn path(&self) -> String {
        let mut path = self.template.to_owned();
        for (name, value) in self.variables {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        path + self.query
    }
}

/// A body past the harness's limit of 1 KiB.
const LARGE: &str = concat!(
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "{}",
);

/// What an operator can have sent.
const DISCORD: [(&str, &str); 7] = [
    ("/api/v1/discord/presence", r#"{"status":"idle"}"#),
    (
        "/api/v1/discord/voice-state",
        r#"{"guild_id":"7","channel_id":"8"}"#,
    ),
    (
        "/api/v1/discord/request-members",
        r#"{"guild_id":"7","user_ids":["8"]}"#,
    ),
    (
        "/api/v1/discord/soundboard-sounds",
        r#"{"guild_ids":["7"]}"#,
    ),
    (
        "/api/v1/discord/channel-info",
        r#"{"guild_id":"7","fields":["status"]}"#,
    ),
    ("/api/v1/discord/voice-ping", r#"{"shard":0}"#),
    ("/api/v1/discord/guild-sync", r#"{"guild_ids":["7"]}"#),
];

/// What every operation with a body answers alike.
fn with_body(
    method: Method,
    template: &'static str,
    variables: &'static [(&'static str, &'static str)],
) -> Vec<Case> {
    let base = |expected| case(method.clone(), template, expected).with(variables);
    vec![
        base(400).body("{"),
        base(401).body("{}").by(Caller::Nobody),
        base(413).body(LARGE),
        base(415).body("{}").by(Caller::AdminWithText),
        base(422).body("{}"),
    ]
}

fn cases() -> Vec<Case> {
    let tokens = "/api/v1/tokens";
    let token = "/api/v1/tokens/{id}";
    let guilds = "/api/v1/guilds";
    let guild = "/api/v1/guilds/{id}";
    let invite = "/api/v1/guilds/{id}/invite";
    let inbox = "/api/v1/users/{id}/notifications";
    const SEVEN: &[(&str, &str)] = &[("id", "7")];
    const EIGHT: &[(&str, &str)] = &[("id", "8")];
    const WORD: &[(&str, &str)] = &[("id", "word")];
    let mut cases = vec![
        case(Method::POST, tokens, 201).body(r#"{"kind":"global"}"#),
        case(Method::GET, tokens, 200),
        case(Method::GET, tokens, 400).query("?limit=0"),
        case(Method::GET, tokens, 400).query("?kind=root"),
        case(Method::GET, tokens, 400).query("?for=me"),
        case(Method::GET, tokens, 400).query("?before=x"),
        case(Method::GET, tokens, 401).by(Caller::Nobody),
        case(Method::DELETE, token, 204).with(&[("id", "{issued}")]),
        case(Method::DELETE, token, 400).with(WORD),
        case(Method::DELETE, token, 401)
            .with(SEVEN)
            .by(Caller::Nobody),
        case(Method::DELETE, token, 404).with(&[("id", "99999")]),
        case(Method::GET, guilds, 200),
        case(Method::GET, guilds, 401).by(Caller::Nobody),
        case(Method::GET, guild, 200).with(SEVEN),
        case(Method::GET, guild, 400).with(WORD),
        case(Method::GET, guild, 401).with(SEVEN).by(Caller::Nobody),
        case(Method::GET, guild, 404).with(EIGHT),
        case(Method::PUT, invite, 204)
            .with(SEVEN)
            .body(r#"{"code":"abc"}"#),
        case(Method::PUT, invite, 404)
            .with(EIGHT)
            .body(r#"{"code":"abc"}"#),
        case(Method::POST, inbox, 201)
            .with(SEVEN)
            .body(r#"{"gid":"7","proccessed_type":0}"#),
        case(Method::POST, inbox, 400).with(WORD).body("{}"),
        case(Method::GET, "/api/gateway", 200).by(Caller::Nobody),
        case(Method::GET, "/healthz", 200).by(Caller::Nobody),
        case(Method::GET, "/readyz", 503).by(Caller::Nobody),
        case(Method::GET, "/readyz", 200).by(Caller::Nobody),
        case(Method::GET, "/metrics", 200).by(Caller::Nobody),
        case(Method::GET, "/api/v1/openapi.json", 200).by(Caller::Nobody),
    ];
    for (path, good) in DISCORD {
        cases.push(case(Method::POST, path, 503).body(good));
        cases.extend(with_body(Method::POST, path, &[]));
    }
    for (path, good) in DISCORD {
        cases.push(case(Method::POST, path, 202).body(good).once_up());
    }
    cases.push(
        case(Method::POST, "/api/v1/discord/voice-ping", 404)
            .body(r#"{"shard":9}"#)
            .once_up(),
    );
    cases.extend(with_body(Method::POST, tokens, &[]));
    cases.extend(with_body(Method::PUT, invite, SEVEN));
    cases.extend(with_body(Method::POST, inbox, SEVEN));
    cases.extend(applications::cases());
    cases
}

#[tokio::test]
async fn every_documented_answer_is_given_and_no_other() {
    let harness = Harness::new().await;
    let issued = harness
        .admin(Method::POST, "/api/v1/tokens", Some(r#"{"kind":"global"}"#))
        .await
        .json();
    let issued = issued["id"].as_str().expect("an id").to_owned();
    applications::prepare(&harness).await;
    let mut given = BTreeSet::new();
    for case in cases() {
        if case.template == "/readyz" && case.expected == 200 {
            harness.readiness.set(Ok(()));
        }
        let up = case.discord == Discord::Up;
        harness
            .live
            .discord_up
            .store(up, std::sync::atomic::Ordering::SeqCst);
        let path = case.path().replace("{issued}", &issued);
        let key = format!("Bearer {KEY}");
        let content_type = match case.caller {
            Caller::AdminWithPatch => "application/json-patch+json",
            Caller::AdminWithText => "text/plain",
            Caller::Admin | Caller::Nobody => "application/json",
        };
        let mut headers = vec![("content-type", content_type)];
        if case.caller != Caller::Nobody {
            headers.push(("authorization", key.as_str()));
        }
        let reply = harness
            .send(case.method.clone(), &path, &headers, case.body)
            .await;
        assert_eq!(
            reply.status.as_u16(),
            case.expected,
            "{} {path}: {}",
            case.method,
            reply.text
        );
        if reply.status.is_client_error() || reply.status == StatusCode::SERVICE_UNAVAILABLE {
            reply.problem();
        }
        let method = case.method.as_str().to_lowercase();
        given.insert((method, case.template.to_owned(), case.expected));
    }
    let served = harness
        .send(Method::GET, "/api/v1/openapi.json", &[], None)
        .await
        .json();
    given.extend(without_a_key(&served).await);
    assert_eq!(given, documented(&served));
    assert_eq!(
        harness.live.sent.lock().expect("a lock").len(),
        DISCORD.len()
    );
}

/// Calls everything that is guarded at a gateway that has no admin key.
async fn without_a_key(api: &Value) -> BTreeSet<(String, String, u16)> {
    let harness = Harness::with(|_| {}, None).await;
    let mut given = BTreeSet::new();
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if !operation["security"].is_array() {
                continue;
            }
            let filled = path.split('/').map(|part| match part.starts_with('{') {
                true => "7",
                false => part,
            });
            let filled = filled.collect::<Vec<_>>().join("/");
            let called = method.to_uppercase().parse().expect("a method");
            let reply = harness.admin(called, &filled, None).await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{filled}");
            reply.problem();
            given.insert((method.clone(), path.clone(), 503));
        }
    }
    given
}

/// Panics unless the description names the answer to a call. What it does not describe, it need
/// not: unknown paths and the page's files.
pub(super) fn demand_documented(method: &Method, path: &str, status: StatusCode) {
    let api = serde_json::to_value(super::super::openapi()).expect("JSON");
    let path = path.split('?').next().unwrap_or(path);
    let fits = |template: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template
                .zip(path)
                .all(|(part, given)| part == given || part.starts_with('{'))
    };
    // A path that is spelt out goes before one with variables, as in the router.
    let operations = api["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter(|(template, _)| fits(template))
        .min_by_key(|(template, _)| template.matches('{').count());
    let Some((template, operations)) = operations else {
        return;
    };
    let operation = &operations[method.as_str().to_lowercase()];
    assert!(
        operation.is_null() || operation["responses"][status.as_str()].is_object(),
        "{method} {template} answers {status}, which is not documented"
    );
}

#[test]
#[should_panic(expected = "GET /api/v1/tokens answers 418")]
fn an_answer_that_is_not_documented_is_told() {
    demand_documented(
        &Method::GET,
        "/api/v1/tokens?limit=1",
        StatusCode::IM_A_TEAPOT,
    );
}

/// Every method, path and status of a description.
fn documented(api: &Value) -> BTreeSet<(String, String, u16)> {
    let mut all = BTreeSet::new();
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            for status in operation["responses"]
                .as_object()
                .expect("responses")
                .keys()
            {
                let status = status.parse().expect("a number");
                all.insert((method.clone(), path.clone(), status));
            }
        }
    }
    all
}

#[test]
fn every_operation_is_explained_and_guarded() {
    let api = serde_json::to_value(super::super::openapi()).expect("JSON");
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{place} has no summary");
            assert!(operation["tags"][0].is_string(), "{place} has no tag");
            let guarded = path.starts_with("/api/v1/") && path != "/api/v1/openapi.json";
            assert_eq!(operation["security"].is_array(), guarded, "{place}");
        }
    }
}

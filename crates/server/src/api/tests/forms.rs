//! Forms: written, patched, conflicted over, restored.

use guildgate_core::form_session::{Ask, Reply as Told, SessionKey, SessionsInput, Target, Ticket};
use guildgate_model::{GuildId, Revision, Secret, UnixMs, UserId};
use guildgate_store::NewSubmission;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    ears::{Ears, Heard},
    harness::{GUILD, Harness, KEY, Reply},
};

const FORM: &str = "/api/v1/guilds/7/form";

pub(super) async fn roomy() -> Harness {
    let change = |config: &mut crate::config::Config| {
        config.admin_key = Some(Secret::new(KEY));
        config.body_bytes_max = 1 << 20;
    };
    Harness::with(change, None).await
}

pub(super) fn field(id: &str) -> Value {
    json!({"id": id, "title": id, "type": 0, "length": [0, 100]})
}

pub(super) fn form(fields: &[Value]) -> Value {
    json!({"status": 1, "sections": [{"title": "s", "fields": fields}]})
}

async fn put(harness: &Harness, query: &str, document: &Value) -> Reply {
    let path = format!("{FORM}?actor=1{query}");
    let body = document.to_string();
    harness.admin(Method::PUT, &path, Some(&body)).await
}

async fn patch(harness: &Harness, query: &str, patch: &Value) -> Reply {
    let path = format!("{FORM}?actor=2{query}");
    let key = format!("Bearer {KEY}");
    let headers = [
        ("authorization", key.as_str()),
        ("content-type", "application/json-patch+json"),
    ];
    let body = patch.to_string();
    harness
        .send(Method::PATCH, &path, &headers, Some(&body))
        .await
}

async fn get(harness: &Harness, path: &str) -> Value {
    let reply = harness.admin(Method::GET, path, None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()
}

async fn submit(harness: &Harness, answers: Value) {
    let form = harness
        .store
        .read_document(guildgate_store::DocumentKey::Form(GUILD))
        .await;
    let newest = form.expect("a database").map(|form| form.revision);
    let new = NewSubmission {
        guild: GUILD,
        user: UserId(42),
        revision: Revision(2),
        answers,
        judged_by: newest,
        form: None,
        limit: None,
        counted_since: None,
        tasks: Vec::new(),
    };
    let submitted = harness.store.submit(new, UnixMs(1)).await;
    submitted.expect("a database").expect("it is taken");
}

/// The pointers at fault of a problem.
fn pointers(reply: &Reply, status: StatusCode) -> Vec<String> {
    assert_eq!(reply.status, status, "{}", reply.text);
    let problem = reply.problem();
    let errors = problem["errors"].as_array().expect("errors").iter();
    let pointer = |error: &Value| error["pointer"].as_str().expect("text").to_owned();
    errors.map(pointer).collect()
}

#[tokio::test]
async fn a_form_that_is_written_is_read_and_heard_of_by_live_sessions() {
    let harness = roomy().await;
    let mut ears = Ears::open(&harness.store).await;
    let before = harness.admin(Method::GET, FORM, None).await;
    assert_eq!(before.headers["etag"], "\"1\"");
    assert_eq!(
        before.json(),
        json!({
            "gid": "7",
            "apv": 1,
            "document": {"status": 0, "status_data": null, "sections": []},
        })
    );
    let document = form(&[field("a"), field("b")]);
    let written = put(&harness, "", &document).await;
    assert_eq!(written.status, StatusCode::OK, "{}", written.text);
    assert_eq!(written.headers["etag"], "\"2\"");
    let newest = json!({"gid": "7", "apv": 2, "document": document});
    assert_eq!(written.json(), newest);
    assert_eq!(get(&harness, FORM).await, newest);

    let mut changed = Vec::new();
    while changed.last() != Some(&Revision(2)) {
        if let Heard::Sessions(SessionsInput::Changed { key, revision }) = ears.next().await {
            assert_eq!((key.guild, key.target), (GUILD, Target::Form));
            changed.push(revision);
        }
    }
    match ears.next().await {
        Heard::Sessions(SessionsInput::FormPublished { guild, form }) => {
            assert_eq!((guild, form.revision), (GUILD, Revision(2)));
            assert_eq!(form.document, document);
        }
        other => panic!("not the form but {other:?}"),
    }

    let same = put(&harness, "", &document).await;
    assert_eq!(same.json(), newest, "what is the same makes no version");
    let other = put(&harness, "", &form(&[field("b")])).await;
    assert_eq!(other.json()["apv"], 3);
    let version = get(&harness, "/api/v1/guilds/7/form/versions/3").await;
    assert_eq!(
        version["patch"],
        json!([{"op": "remove", "path": "/sections/0/fields/0"}]),
        "sessions are shown no more than what changed"
    );
    assert_eq!(version["actor"], "1");
}

#[tokio::test]
async fn a_change_on_an_old_version_is_a_conflict_that_shows_the_newest() {
    let harness = roomy().await;
    put(&harness, "", &form(&[field("a")])).await;
    let newest = form(&[field("b")]);
    let third = put(&harness, "&base=2", &newest).await;
    assert_eq!(third.json()["apv"], 3, "{}", third.text);
    let wanted = form(&[field("c")]);
    for base in ["2", "4", "18446744073709551615"] {
        let reply = put(&harness, &format!("&base={base}"), &wanted).await;
        assert_eq!(reply.status, StatusCode::CONFLICT, "{}", reply.text);
        let current = json!({"apv": 3, "document": newest});
        assert_eq!(reply.problem()["current"], current);
    }
    let key = format!("Bearer {KEY}");
    for (tag, query, expected) in [
        ("\"2\"", "", StatusCode::CONFLICT),
        ("3", "", StatusCode::BAD_REQUEST),
        ("W/\"3\"", "", StatusCode::BAD_REQUEST),
        ("\"3\"", "&base=2", StatusCode::BAD_REQUEST),
        ("\"3\"", "&base=x", StatusCode::BAD_REQUEST),
        ("\"3\"", "&base=3", StatusCode::OK),
        ("*", "", StatusCode::OK),
    ] {
        let headers = [
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
            ("if-match", tag),
        ];
        let path = format!("{FORM}?actor=1{query}");
        let body = wanted.to_string();
        let reply = harness.send(Method::PUT, &path, &headers, Some(&body));
        let reply = reply.await;
        assert_eq!(reply.status, expected, "{tag} {query}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_told_every_fault() {
    let harness = roomy().await;
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    let long = "x".repeat(70_000);
    let cases = [
        (json!("text"), vec![""]),
        (json!({}), vec!["/status", "/sections"]),
        (json!({"status": 9, "sections": []}), vec!["/status"]),
        (json!({"status": 0, "sections": [], "apv": 2}), vec!["/apv"]),
        (
            form(&[field("a"), field("a")]),
            vec!["/sections/0/fields/1/id"],
        ),
        (form(&[field(&long)]), vec![""]),
    ];
    for (document, expected) in cases {
        let reply = put(&harness, "", &document).await;
        assert_eq!(pointers(&reply, unfit), expected, "{}", reply.text);
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let body = format!("{{\"status\":{deep}}}");
    let path = format!("{FORM}?actor=1");
    let reply = harness.admin(Method::PUT, &path, Some(&body)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    reply.problem();
    let versions = get(&harness, "/api/v1/guilds/7/form/versions").await;
    assert_eq!(versions["versions"], json!([]), "nothing was kept of them");
}

#[tokio::test]
async fn an_old_patch_holds_where_nothing_it_touches_has_changed() {
    let harness = roomy().await;
    put(&harness, "", &form(&[field("a"), field("b")])).await;
    let title = |at: u32, to: &str| {
        let path = format!("/sections/0/fields/{at}/title");
        json!([{"op": "replace", "path": path, "value": to}])
    };
    let first = patch(&harness, "&base=2", &title(0, "first")).await;
    assert_eq!(first.json()["apv"], 3, "{}", first.text);
    let elsewhere = patch(&harness, "&base=2", &title(1, "elsewhere")).await;
    assert_eq!(elsewhere.json()["apv"], 4, "{}", elsewhere.text);
    let same_place = patch(&harness, "&base=2", &title(0, "late")).await;
    assert_eq!(same_place.status, StatusCode::CONFLICT);
    let current = &same_place.problem()["current"];
    assert_eq!(current["apv"], 4);
    let fields = &current["document"]["sections"][0]["fields"];
    assert_eq!(fields[0]["title"], "first");
    assert_eq!(fields[1]["title"], "elsewhere");
    let ahead = patch(&harness, "&base=5", &title(0, "early")).await;
    assert_eq!(ahead.status, StatusCode::CONFLICT);
    let blind = patch(&harness, "", &title(0, "blind")).await;
    assert_eq!(blind.json()["apv"], 5, "{}", blind.text);
    let nothing = patch(&harness, "", &title(0, "blind")).await;
    assert_eq!(nothing.json()["apv"], 5, "{}", nothing.text);
}

#[tokio::test]
async fn a_bad_patch_is_told_where_it_is_bad() {
    let harness = roomy().await;
    put(&harness, "", &form(&[field("a")])).await;
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    let many: Vec<Value> = (0..101)
        .map(|_| json!({"op": "test", "path": "/status", "value": 1}))
        .collect();
    let good = json!({"op": "test", "path": "/status", "value": 1});
    let cases = [
        (json!({"op": "remove"}), ""),
        (json!(many), ""),
        (json!([good, "text"]), "/1"),
        (json!([{"op": "merge", "path": ""}]), "/0"),
        (json!([{"op": "remove", "path": "status"}]), "/0"),
        (json!([{"op": "remove", "path": "/gone"}]), "/0/path"),
        (
            json!([good, {"op": "move", "from": "/gone", "path": "/status"}]),
            "/1/from",
        ),
        (
            json!([{"op": "add", "path": "/apv", "value": 9}]),
            "/0/path",
        ),
        (
            json!([{"op": "replace", "path": "/status", "value": "open"}]),
            "/status",
        ),
    ];
    for (body, expected) in cases {
        let reply = patch(&harness, "", &body).await;
        assert_eq!(pointers(&reply, unfit), [expected], "{body}");
    }
    let test = json!([good, {"op": "test", "path": "/status", "value": 0}]);
    let failed = patch(&harness, "", &test).await;
    assert_eq!(pointers(&failed, StatusCode::CONFLICT), ["/1/value"]);
    assert_eq!(failed.problem()["current"]["apv"], 2);
    assert_eq!(get(&harness, FORM).await["apv"], 2, "nothing was kept");
}

#[tokio::test]
async fn a_field_with_answers_keeps_its_id() {
    let harness = roomy().await;
    put(&harness, "", &form(&[field("a"), field("b")])).await;
    submit(&harness, json!({"a": "x"})).await;
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    let place = "/sections/0/fields/0/id";
    let renamed = put(&harness, "", &form(&[field("z"), field("b")])).await;
    assert_eq!(pointers(&renamed, unfit), [place]);
    let rename = json!([{"op": "replace", "path": place, "value": "z"}]);
    let renamed = patch(&harness, "", &rename).await;
    assert_eq!(pointers(&renamed, unfit), ["/0/path"]);
    for fields in [
        vec![field("a"), field("z")],
        vec![field("new"), field("z"), field("a")],
        vec![field("new"), field("z")],
    ] {
        let reply = put(&harness, "", &form(&fields)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    }
}

#[tokio::test]
async fn the_history_is_paged_read_and_restored_and_the_trail_says_by_whom() {
    let harness = roomy().await;
    let first = form(&[field("a")]);
    put(&harness, "", &first).await;
    let status = json!([{"op": "replace", "path": "/status", "value": 0}]);
    patch(&harness, "", &status).await;
    let base = "/api/v1/guilds/7/form/versions";
    let page = get(&harness, &format!("{base}?limit=2")).await;
    let shown = |list: &Value| -> Vec<Value> {
        let versions = list["versions"].as_array().expect("a list").iter();
        versions
            .map(|version| json!([version["apv"], version["actor"]]))
            .collect()
    };
    assert_eq!(shown(&page), [json!([3, "2"]), json!([2, "1"])]);
    let next = page["next"].as_str().expect("more");
    let rest = get(&harness, &format!("{base}?limit=2&before={next}")).await;
    assert_eq!(shown(&rest), [json!([1, null])]);
    assert_eq!(rest["next"], Value::Null);
    let third = get(&harness, &format!("{base}/3")).await;
    assert_eq!(third["patch"], status);
    assert_eq!(third["document"]["status"], 0);

    let restore = async |apv: u64, query: &str| {
        let path = format!("{base}/{apv}/restore?actor=9{query}");
        harness.admin(Method::POST, &path, None).await
    };
    let stale = restore(2, "&base=2").await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert_eq!(stale.problem()["current"]["apv"], 3);
    let restored = restore(2, "&base=3").await.json();
    assert_eq!(restored, json!({"gid": "7", "apv": 4, "document": first}));
    assert_eq!(restore(1, "").await.json()["apv"], 5);
    assert_eq!(restore(17, "").await.status, StatusCode::NOT_FOUND);

    let trail = get(&harness, "/api/v1/guilds/7/audit?limit=3").await;
    let entries = trail["entries"].as_array().expect("a list");
    let told: Vec<Value> = entries
        .iter()
        .map(|entry| json!([entry["action"], entry["actor"], entry["detail"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["form_restored", "9", {"apv": 5, "restored": 1}]),
            json!(["form_restored", "9", {"apv": 4, "restored": 2}]),
            json!(["form_changed", "2", {"apv": 3}]),
        ]
    );
    let next = trail["next"].as_str().expect("more");
    let path = format!("/api/v1/guilds/7/audit?before={next}");
    let rest = get(&harness, &path).await;
    assert_eq!(rest["entries"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn writers_at_once_each_make_a_version() {
    let harness = roomy().await;
    put(&harness, "", &form(&[])).await;
    let add = |id: &str| json!([{"op": "add", "path": "/sections/0/fields/-", "value": field(id)}]);
    let (a, b, c) = (add("a"), add("b"), add("c"));
    let replies = tokio::join!(
        patch(&harness, "", &a),
        patch(&harness, "", &b),
        patch(&harness, "", &c)
    );
    for reply in [replies.0, replies.1, replies.2] {
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    }
    let newest = get(&harness, FORM).await;
    assert_eq!(newest["apv"], 5);
    let fields = newest["document"]["sections"][0]["fields"].as_array();
    assert_eq!(fields.map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_guild_that_nobody_knows_has_no_form() {
    let harness = roomy().await;
    let path = "/api/v1/guilds/8/form?actor=1";
    let body = form(&[]).to_string();
    let reply = harness.admin(Method::PUT, path, Some(&body)).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    reply.problem();
    let kept = harness
        .store
        .read_document(guildgate_store::DocumentKey::Form(GuildId(8)));
    assert_eq!(kept.await.expect("a database"), None);
}

#[tokio::test]
async fn a_form_as_large_as_forms_may_be_is_written_in_parts_restored_and_opened_live() {
    let harness = roomy().await;
    let section = |text: usize| json!({"title": "", "description": "x".repeat(text), "fields": []});
    let mut sections = vec![section(4_000); 16];
    let large = |sections: &[Value]| json!({"status": 1, "sections": sections});
    sections.push(section(0));
    let missing = 65_530 - large(&sections).to_string().len();
    sections[16] = section(missing);

    let at_once = put(&harness, "", &large(&sections)).await;
    assert_eq!(pointers(&at_once, StatusCode::UNPROCESSABLE_ENTITY), [""]);
    put(&harness, "", &large(&sections[..8])).await;
    let third = put(&harness, "", &large(&sections)).await;
    assert_eq!(third.json()["apv"], 3, "{}", third.text);
    put(&harness, "", &large(&[])).await;
    let path = "/api/v1/guilds/7/form/versions/3/restore?actor=1";
    let restored = harness.admin(Method::POST, path, None).await;
    assert_eq!(restored.json()["apv"], 5, "{}", restored.text);

    let mut ears = Ears::open(&harness.store).await;
    let key = SessionKey {
        guild: GUILD,
        target: Target::Form,
    };
    ears.services
        .answer_session(key, Ticket(1), Ask::Open)
        .await;
    match ears.next().await {
        Heard::Sessions(SessionsInput::Reply {
            reply: Told::Opened(Ok(opened)),
            ..
        }) => {
            assert_eq!(opened.revision, Revision(5));
            assert_eq!(opened.document, large(&sections));
            assert_eq!(
                opened.versions,
                [],
                "a patch of that size cannot be followed"
            );
        }
        other => panic!("not the form but {other:?}"),
    }
}

#[tokio::test]
async fn an_answered_field_is_renamed_by_no_way() {
    let harness = roomy().await;
    put(&harness, "", &form(&[field("old")])).await;
    put(&harness, "", &form(&[field("why")])).await;
    submit(&harness, json!({"why": "fun"})).await;
    let place = ["/sections/0/fields/0/id"];
    let whole = form(&[field("other")]);
    let reply = put(&harness, "", &whole).await;
    assert_eq!(pointers(&reply, StatusCode::UNPROCESSABLE_ENTITY), place);
    let sections = &whole["sections"];
    for (path, value) in [
        ("", &whole),
        ("/sections", sections),
        ("/sections/0", &sections[0]),
        ("/sections/0/fields", &sections[0]["fields"]),
    ] {
        let change = json!([{"op": "replace", "path": path, "value": value}]);
        let reply = patch(&harness, "", &change).await;
        let found = pointers(&reply, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(found, place, "{path}");
    }
    let restore = "/api/v1/guilds/7/form/versions/2/restore?actor=9";
    let reply = harness.admin(Method::POST, restore, None).await;
    assert_eq!(pointers(&reply, StatusCode::UNPROCESSABLE_ENTITY), place);
    assert_eq!(get(&harness, FORM).await["apv"], 3);
}

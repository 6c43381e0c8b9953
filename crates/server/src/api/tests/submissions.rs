//! Submissions: listed, reviewed, withdrawn, exported.

use guildgate_model::{ApplicationId, Revision, Secret, UnixMs, UserId};
use guildgate_store::{DocumentKey, NewSubmission, OutboxState, Page, Task, Topic};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    ears::{Ears, Heard},
    forms::{field, form, roomy},
    harness::{GUILD, Harness, KEY, Reply},
};
use crate::{config::WebhookConfig, edge::ToEdge};

const SUBMISSIONS: &str = "/api/v1/guilds/7/submissions";

async fn submit(harness: &Harness, user: u64, answers: Value) -> ApplicationId {
    let form = harness
        .store
        .read_document(guildgate_store::DocumentKey::Form(GUILD))
        .await;
    let newest = form.expect("a database").map(|form| form.revision);
    let new = NewSubmission {
        guild: GUILD,
        user: UserId(user),
        revision: Revision(1),
        answers,
        judged_by: newest,
        form: None,
        limit: None,
        counted_since: None,
        tasks: Vec::new(),
    };
    let submitted = harness.store.submit(new, UnixMs(1_000)).await;
    submitted.expect("a database").expect("it is taken").id
}

async fn get(harness: &Harness, path: &str) -> Reply {
    let reply = harness.admin(Method::GET, path, None).await;
    assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
    reply
}

async fn review(harness: &Harness, id: ApplicationId, actor: u64, body: &Value) -> Reply {
    let path = format!("{SUBMISSIONS}/{id}/review?actor={actor}");
    let body = body.to_string();
    harness.admin(Method::POST, &path, Some(&body)).await
}

fn ids(list: &Value) -> Vec<&str> {
    let submissions = list["submissions"].as_array().expect("a list").iter();
    submissions
        .map(|submission| submission["id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn submissions_are_listed_by_page_status_and_user() {
    let harness = roomy().await;
    for user in [41, 42, 43] {
        submit(&harness, user, json!({"a": "x"})).await;
    }
    let page = get(&harness, &format!("{SUBMISSIONS}?limit=2"))
        .await
        .json();
    assert_eq!(ids(&page), ["3", "2"]);
    let next = page["next"].as_str().expect("more");
    let rest = get(&harness, &format!("{SUBMISSIONS}?limit=2&before={next}")).await;
    assert_eq!(ids(&rest.json()), ["1"]);
    assert_eq!(rest.json()["next"], Value::Null);
    let one = get(&harness, &format!("{SUBMISSIONS}?user=42"))
        .await
        .json();
    let shown = json!({
        "id": "2", "gid": "7", "user": "42", "apv": 1, "answers": {"a": "x"},
        "status": "pending", "submitted_at": 1_000, "decided_at": null, "reviewer": null,
        "note": null,
    });
    assert_eq!(one["submissions"], json!([shown]));
    assert_eq!(
        get(&harness, &format!("{SUBMISSIONS}/2")).await.json(),
        shown
    );
    let withdrawn = format!("{SUBMISSIONS}/2/withdraw?user=42");
    let reply = harness.admin(Method::POST, &withdrawn, None).await;
    assert_eq!(reply.json()["status"], "withdrawn", "{}", reply.text);
    let list = get(&harness, &format!("{SUBMISSIONS}?status=pending")).await;
    assert_eq!(ids(&list.json()), ["3", "1"]);
    let again = harness.admin(Method::POST, &withdrawn, None).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.problem()["current"]["status"], "withdrawn");
    let elsewhere = get(&harness, "/api/v1/guilds/8/submissions").await;
    assert_eq!(ids(&elsewhere.json()), [""; 0]);
    let path = "/api/v1/guilds/8/submissions/2";
    let foreign = harness.admin(Method::GET, path, None).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_review_reaches_the_applicant_and_has_its_tasks_queued() {
    let change = |config: &mut crate::config::Config| {
        config.admin_key = Some(Secret::new(KEY));
        let hook = WebhookConfig {
            url: "https://example.org/hook".into(),
            secret: Some(Secret::new("s")),
        };
        config.webhooks.insert("staff".into(), hook);
    };
    let harness = Harness::with(change, None).await;
    let mut document = form(&[field("a")]);
    document["role_on_accept"] = json!("5");
    let key = DocumentKey::Form(GUILD);
    let opened = harness.store.open_document(key, document, UnixMs(1)).await;
    opened.expect("a database");
    let id = submit(&harness, 42, json!({"a": "x"})).await;
    let mut ears = Ears::open(&harness.store).await;

    let body = json!({"proccessed_type": 0, "note": "welcome", "expected": "pending"});
    let reply = review(&harness, id, 9, &body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let reviewed = reply.json();
    assert_eq!(reviewed["submission"]["status"], "accepted");
    assert_eq!(reviewed["submission"]["reviewer"], "9");
    let told = &reviewed["notification"];
    assert_eq!(told["type"], "APPLICATION_REVIWED");
    assert_eq!(told["application_id"], id.to_string());
    assert_eq!(told["note"], "welcome");

    loop {
        if let Heard::Edges(ToEdge::User(user, event)) = ears.next().await {
            assert_eq!(user, UserId(42), "the applicant and nobody else");
            assert!(format!("{event:?}").contains("welcome"));
            break;
        }
    }
    let inbox = harness.store.pending_notifications(UserId(42)).await;
    assert_eq!(inbox.expect("a database").len(), 1);
    for topic in [Topic::GrantRole, Topic::Webhook] {
        let state = Some(OutboxState::Pending);
        let queued = harness
            .store
            .list_outbox(GUILD, topic, state, Page::first(9));
        let queued = queued.await.expect("a database").items;
        assert_eq!(queued.len(), 1, "{topic:?}");
        if let Task::Webhook { body, event, .. } = &queued[0].task {
            assert_eq!(body["reviewer_id"], "9");
            let notified = told["id"].as_str().expect("an id");
            assert_eq!(**event, *format!("reviewed:{notified}"));
            assert_eq!(body["id"], **event, "the signature covers it");
        }
    }
    let late = review(&harness, id, 8, &json!({"proccessed_type": 1})).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(late.problem()["current"], reviewed["submission"]);
}

#[tokio::test]
async fn of_two_reviews_at_once_one_is_made() {
    let harness = roomy().await;
    let id = submit(&harness, 42, json!({})).await;
    let (accept, deny) = (json!({"proccessed_type": 0}), json!({"proccessed_type": 1}));
    let (one, other) = tokio::join!(
        review(&harness, id, 1, &accept),
        review(&harness, id, 2, &deny)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
    let inbox = harness.store.pending_notifications(UserId(42)).await;
    assert_eq!(inbox.expect("a database").len(), 1);
}

#[tokio::test]
async fn a_bad_review_is_told_where_it_is_bad_and_changes_nothing() {
    let harness = roomy().await;
    let id = submit(&harness, 42, json!({})).await;
    for (body, pointer) in [
        (json!([0]), ""),
        (json!({}), "/proccessed_type"),
        (json!({"proccessed_type": 3}), "/proccessed_type"),
        (json!({"proccessed_type": "0"}), "/proccessed_type"),
        (json!({"proccessed_type": 0, "note": 1}), "/note"),
        (
            json!({"proccessed_type": 0, "note": "x".repeat(2_001)}),
            "/note",
        ),
        (
            json!({"proccessed_type": 0, "expected": "open"}),
            "/expected",
        ),
        (json!({"proccessed_type": 0, "reviewer": "1"}), "/reviewer"),
    ] {
        let reply = review(&harness, id, 1, &body).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(reply.problem()["errors"][0]["pointer"], pointer, "{body}");
    }
    let body = r#"{"proccessed_type":0}"#;
    for query in ["", "?actor=", "?actor=0", "?actor=me", "?actor=-1"] {
        let path = format!("{SUBMISSIONS}/{id}/review{query}");
        let reply = harness.admin(Method::POST, &path, Some(body)).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        let problem = reply.problem();
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains("`actor`"), "{detail}");
    }
    let held = json!({"proccessed_type": 0, "expected": "on_hold"});
    let unseen = review(&harness, id, 1, &held).await;
    assert_eq!(unseen.status, StatusCode::CONFLICT);
    let after = get(&harness, &format!("{SUBMISSIONS}/{id}")).await.json();
    assert_eq!(after["status"], "pending");
}

#[tokio::test]
async fn an_export_has_every_submission_whatever_the_form_was() {
    let harness = roomy().await;
    let key = DocumentKey::Form(GUILD);
    let document = form(&[field("a")]);
    let opened = harness.store.open_document(key, document, UnixMs(1)).await;
    opened.expect("a database");
    // More than are read at a time, twice over.
    const COUNT: u64 = 401;
    for user in 1..=COUNT {
        let answers = match user {
            1 => json!({"gone": "=1+1"}),
            _ => json!({"a": format!("answer {user}")}),
        };
        submit(&harness, user, answers).await;
    }
    let csv = get(&harness, &format!("{SUBMISSIONS}/export?format=csv")).await;
    assert!(
        csv.headers["content-type"]
            .to_str()
            .is_ok_and(|kind| kind.starts_with("text/csv")),
    );
    assert_eq!(
        csv.headers["content-disposition"],
        "attachment; filename=\"submissions-7.csv\""
    );
    let lines: Vec<&str> = csv.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len() as u64, COUNT + 1);
    assert_eq!(
        lines[0],
        "id,user,status,apv,submitted_at,decided_at,reviewer,note,a (a),removed field (gone)"
    );
    assert_eq!(
        lines[1],
        "401,401,pending,1,1970-01-01T00:00:01.000Z,,,,answer 401,"
    );
    assert_eq!(
        lines[401],
        "1,1,pending,1,1970-01-01T00:00:01.000Z,,,,,'=1+1"
    );

    let path = format!("{SUBMISSIONS}/export?format=json");
    let all = get(&harness, &path).await.json();
    let all = all.as_array().expect("a list");
    assert_eq!(all.len() as u64, COUNT);
    assert_eq!(all[400]["answers"], json!({"gone": "=1+1"}));
    let path = format!("{SUBMISSIONS}/export?format=json&user=7");
    let one = get(&harness, &path).await.json();
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    let none = "/api/v1/guilds/8/submissions/export";
    let json = get(&harness, &format!("{none}?format=json")).await.json();
    assert_eq!(json, json!([]));
    let csv = get(&harness, &format!("{none}?format=csv")).await.text;
    assert_eq!(csv.lines().count(), 1);
}

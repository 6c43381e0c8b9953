//! The cases of forms, submissions, the audit trail and tasks.

use std::time::Duration;

use guildgate_model::{ApplicationId, GuildId, Revision, RoleId, UnixMs, UserId};
use guildgate_store::{AppendPatch, DocumentKey, NewSubmission, Settlement, Task, Topic};
use http::Method;
use serde_json::json;

use super::{
    super::harness::{GUILD, Harness},
    Caller, Case, LARGE, case, with_body,
};

type Variables = &'static [(&'static str, &'static str)];

const FORM: &str = "/api/v1/guilds/{id}/form";
const VERSIONS: &str = "/api/v1/guilds/{id}/form/versions";
const VERSION: &str = "/api/v1/guilds/{id}/form/versions/{apv}";
const RESTORE: &str = "/api/v1/guilds/{id}/form/versions/{apv}/restore";
const SUBMISSIONS: &str = "/api/v1/guilds/{id}/submissions";
const EXPORT: &str = "/api/v1/guilds/{id}/submissions/export";
const SUBMISSION: &str = "/api/v1/guilds/{id}/submissions/{submission}";
const REVIEW: &str = "/api/v1/guilds/{id}/submissions/{submission}/review";
const WITHDRAW: &str = "/api/v1/guilds/{id}/submissions/{submission}/withdraw";
const AUDIT: &str = "/api/v1/guilds/{id}/audit";

const SEVEN: Variables = &[("id", "7")];
const EIGHT: Variables = &[("id", "8")];
const WORD: Variables = &[("id", "word")];

/// What the cases count on: submissions 1 and 2, a failed task of each topic, and a pending one;
/// and in another guild an answered field that had another id in the form's first version.
pub(super) async fn prepare(harness: &Harness) {
    let store = &harness.store;
    let now = UnixMs(1_000);
    for user in [41, 42] {
        let new = NewSubmission {
            guild: GUILD,
            user: UserId(user),
            revision: Revision::FIRST,
            answers: json!({}),
            judged_by: None,
            form: None,
            limit: None,
            counted_since: None,
            tasks: Vec::new(),
        };
        let submitted = store.submit(new, now).await.expect("a database");
        submitted.expect("it is taken");
    }
    for (number, task) in (1..).zip([grant(), hook("a"), grant(), hook("b")]) {
        let id = store.enqueue(task, now).await.expect("a database");
        assert_eq!(id, number);
        if number > 2 {
            continue;
        }
        for topic in [Topic::GrantRole, Topic::Webhook] {
            let taken = store
                .take_due(
                    topic,
                    guildgate_store::Room::new(9, 9),
                    Duration::from_secs(9),
                    now,
                )
                .await;
            for item in taken.expect("a database") {
                let failed = Settlement::Failed { error: "no".into() };
                let settled = store.settle(item.attempt(), failed, now).await;
                assert!(settled.expect("a database"));
            }
        }
    }
    prepare_renamed(harness).await;
}

async fn prepare_renamed(harness: &Harness) {
    const RENAMED: GuildId = GuildId(77);
    let (store, now) = (&harness.store, UnixMs(1_000));
    let key = DocumentKey::Form(RENAMED);
    let form = |id: &str| json!({ "sections": [{ "fields": [{ "id": id }] }] });
    let begun = store.open_document(key, form("old"), now).await;
    let base = begun.expect("a database").revision;
    let patch = AppendPatch {
        key,
        base,
        patch: json!([{ "op": "replace", "path": "", "value": form("new") }]),
        content: form("new"),
        actor: UserId(1),
        patch_id: None,
        renamed: Vec::new(),
    };
    let newest = store.append_patch(patch, now).await.expect("a database");
    let submission = NewSubmission {
        guild: RENAMED,
        user: UserId(41),
        revision: base,
        answers: json!({ "new": "x" }),
        judged_by: Some(newest.expect("no other").revision()),
        form: None,
        limit: None,
        counted_since: None,
        tasks: Vec::new(),
    };
    let submitted = store.submit(submission, now).await.expect("a database");
    submitted.expect("it is taken");
}

fn grant() -> Task {
    Task::GrantRole {
        guild: GUILD,
        user: UserId(41),
        role: RoleId(5),
        application: ApplicationId(1),
    }
}

fn hook(event: &str) -> Task {
    Task::Webhook {
        guild: GUILD,
        endpoint: "staff".into(),
        event: event.into(),
        body: json!({}),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = forms();
    cases.extend(submissions());
    cases.push(case(Method::GET, AUDIT, 200).with(SEVEN));
    cases.push(case(Method::GET, AUDIT, 400).with(SEVEN).query("?limit=x"));
    cases.push(nobody(Method::GET, AUDIT, SEVEN));
    cases.extend(tasks(
        "/api/v1/guilds/{id}/role-grants",
        "/api/v1/guilds/{id}/role-grants/{grant}/retry",
        [
            &[("id", "7"), ("grant", "1")],
            &[("id", "7"), ("grant", "word")],
            &[("id", "7"), ("grant", "2")],
            &[("id", "7"), ("grant", "3")],
        ],
    ));
    cases.extend(tasks(
        "/api/v1/guilds/{id}/webhook-deliveries",
        "/api/v1/guilds/{id}/webhook-deliveries/{delivery}/retry",
        [
            &[("id", "7"), ("delivery", "2")],
            &[("id", "7"), ("delivery", "word")],
            &[("id", "8"), ("delivery", "2")],
            &[("id", "7"), ("delivery", "4")],
        ],
    ));
    cases
}

fn nobody(method: Method, template: &'static str, variables: Variables) -> Case {
    case(method, template, 401)
        .with(variables)
        .by(Caller::Nobody)
}

fn forms() -> Vec<Case> {
    const FIRST: Variables = &[("id", "7"), ("apv", "1")];
    const NONE: Variables = &[("id", "7"), ("apv", "99")];
    const RENAMED: Variables = &[("id", "77"), ("apv", "1")];
    const NO_VERSION: Variables = &[("id", "7"), ("apv", "word")];
    const GOOD: &str = r#"{"status":1,"sections":[]}"#;
    const PATCH: &str = r#"[{"op":"replace","path":"/status","value":0}]"#;
    const FAILS: &str = r#"[{"op":"test","path":"/status","value":9}]"#;
    let by_actor = |method, template, expected, variables: Variables| {
        case(method, template, expected)
            .with(variables)
            .query("?actor=1")
    };
    let patch = |expected, variables: Variables| {
        by_actor(Method::PATCH, FORM, expected, variables).by(Caller::AdminWithPatch)
    };
    let stale = "?actor=1&base=999";
    let mut cases = vec![
        case(Method::GET, FORM, 200).with(SEVEN),
        case(Method::GET, FORM, 400).with(WORD),
        nobody(Method::GET, FORM, SEVEN),
        case(Method::GET, FORM, 404).with(EIGHT),
        by_actor(Method::PUT, FORM, 200, SEVEN).body(GOOD),
        case(Method::PUT, FORM, 400).with(SEVEN).body(GOOD),
        by_actor(Method::PUT, FORM, 404, EIGHT).body(GOOD),
        by_actor(Method::PUT, FORM, 409, SEVEN)
            .query(stale)
            .body(GOOD),
        patch(200, SEVEN).body(PATCH),
        patch(400, SEVEN).body("["),
        nobody(Method::PATCH, FORM, SEVEN).body(PATCH),
        patch(404, EIGHT).body(PATCH),
        patch(409, SEVEN).body(FAILS),
        patch(409, SEVEN).query(stale).body(PATCH),
        patch(413, SEVEN).body(LARGE),
        patch(415, SEVEN).body(PATCH).by(Caller::Admin),
        patch(422, SEVEN).body("{}"),
        case(Method::GET, VERSIONS, 200).with(SEVEN),
        case(Method::GET, VERSIONS, 400)
            .with(SEVEN)
            .query("?limit=0"),
        nobody(Method::GET, VERSIONS, SEVEN),
        case(Method::GET, VERSION, 200).with(FIRST),
        case(Method::GET, VERSION, 400).with(NO_VERSION),
        nobody(Method::GET, VERSION, FIRST),
        case(Method::GET, VERSION, 404).with(NONE),
        by_actor(Method::POST, RESTORE, 200, FIRST),
        case(Method::POST, RESTORE, 400).with(FIRST),
        nobody(Method::POST, RESTORE, FIRST),
        by_actor(Method::POST, RESTORE, 404, NONE),
        by_actor(Method::POST, RESTORE, 409, FIRST).query(stale),
        by_actor(Method::POST, RESTORE, 422, RENAMED),
    ];
    let bodies = with_body(Method::PUT, FORM, SEVEN);
    cases.extend(bodies.into_iter().map(|case| case.query("?actor=1")));
    cases
}

fn submissions() -> Vec<Case> {
    const ONE: Variables = &[("id", "7"), ("submission", "1")];
    const TWO: Variables = &[("id", "7"), ("submission", "2")];
    const NONE: Variables = &[("id", "7"), ("submission", "99")];
    const NO_ID: Variables = &[("id", "7"), ("submission", "word")];
    const GOOD: &str = r#"{"proccessed_type":0}"#;
    let get = |template, expected| case(Method::GET, template, expected);
    let review = |expected, variables: Variables| {
        case(Method::POST, REVIEW, expected)
            .with(variables)
            .body(GOOD)
            .query("?actor=1")
    };
    let withdraw = |expected, variables: Variables, query| {
        case(Method::POST, WITHDRAW, expected)
            .with(variables)
            .query(query)
    };
    let mut cases = vec![
        get(SUBMISSIONS, 200).with(SEVEN).query("?status=pending"),
        get(SUBMISSIONS, 400).with(SEVEN).query("?status=lost"),
        get(SUBMISSIONS, 400).with(SEVEN).query("?user=me"),
        get(SUBMISSIONS, 400).with(SEVEN).query("?before=me"),
        nobody(Method::GET, SUBMISSIONS, SEVEN),
        get(EXPORT, 200).with(SEVEN).query("?format=csv"),
        get(EXPORT, 200).with(SEVEN).query("?format=json"),
        get(EXPORT, 400).with(SEVEN),
        get(EXPORT, 400).with(SEVEN).query("?format=xml"),
        nobody(Method::GET, EXPORT, SEVEN),
        get(SUBMISSION, 200).with(ONE),
        get(SUBMISSION, 400).with(NO_ID),
        get(SUBMISSION, 404).with(NONE),
        nobody(Method::GET, SUBMISSION, ONE),
        review(200, ONE),
        review(400, TWO).query(""),
        review(400, TWO).query("?actor=0"),
        review(404, NONE),
        review(409, ONE),
        withdraw(200, TWO, "?user=42"),
        withdraw(400, TWO, ""),
        withdraw(404, TWO, "?user=41"),
        withdraw(409, TWO, "?user=42"),
        nobody(Method::POST, WITHDRAW, TWO),
    ];
    let bodies = with_body(Method::POST, REVIEW, ONE);
    cases.extend(bodies.into_iter().map(|case| case.query("?actor=1")));
    cases
}

fn tasks(
    list: &'static str,
    retry: &'static str,
    [failed, no_id, unknown, pending]: [Variables; 4],
) -> Vec<Case> {
    let retry = |expected, variables| case(Method::POST, retry, expected).with(variables);
    vec![
        case(Method::GET, list, 200)
            .with(SEVEN)
            .query("?state=failed"),
        case(Method::GET, list, 400)
            .with(SEVEN)
            .query("?state=lost"),
        nobody(Method::GET, list, SEVEN),
        retry(202, failed),
        retry(400, no_id),
        retry(401, failed).by(Caller::Nobody),
        retry(404, unknown),
        retry(409, pending),
    ]
}

//! Roles and web hooks that failed: shown, and tried again.

use std::time::Duration;

use guildgate_model::{ApplicationId, GuildId, RoleId, UnixMs, UserId};
use guildgate_store::{Settlement, Task, Topic};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    forms::roomy,
    harness::{GUILD, Harness},
};

/// Queues a task, and has it fail.
async fn fail(harness: &Harness, task: Task) -> u64 {
    let (store, now, topic) = (&harness.store, UnixMs(1_000), task.topic());
    let id = store.enqueue(task, now).await.expect("a database");
    let taken = store
        .take_due(
            topic,
            guildgate_store::Room::new(1, 1),
            Duration::from_secs(60),
            now,
        )
        .await;
    let attempt = taken.expect("a database")[0].attempt();
    assert_eq!(attempt.item, id);
    let failed = Settlement::Failed {
        error: "Missing Permissions".into(),
    };
    let settled = store.settle(attempt, failed, now).await;
    assert!(settled.expect("a database"));
    id
}

fn grant(guild: GuildId) -> Task {
    Task::GrantRole {
        guild,
        user: UserId(42),
        role: RoleId(5),
        application: ApplicationId(3),
    }
}

async fn list(harness: &Harness, path: &str, of: &str) -> Vec<Value> {
    let reply = harness.admin(Method::GET, path, None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()[of].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_role_that_could_not_be_given_is_shown_and_tried_again_once_told_to() {
    let harness = roomy().await;
    let id = fail(&harness, grant(GUILD)).await;
    fail(&harness, grant(GuildId(8))).await;
    let base = "/api/v1/guilds/7/role-grants";
    let failed = list(&harness, &format!("{base}?state=failed"), "role_grants").await;
    assert_eq!(
        failed,
        [json!({
            "id": id.to_string(), "state": "failed", "attempts": 1, "next_at": null,
            "error": "Missing Permissions", "created_at": 1_000, "user": "42", "role": "5",
            "submission": "3",
        })]
    );
    let retry = format!("{base}/{id}/retry");
    let reply = harness.admin(Method::POST, &retry, None).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    assert_eq!(reply.json()["state"], "pending");
    let due = harness
        .store
        .take_due(
            Topic::GrantRole,
            guildgate_store::Room::new(9, 9),
            Duration::from_secs(60),
            UnixMs(i64::MAX / 2),
        )
        .await
        .expect("a database");
    assert_eq!(
        due.iter().map(|item| item.id).collect::<Vec<_>>(),
        [id],
        "a worker takes it"
    );
    let again = harness.admin(Method::POST, &retry, None).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.problem()["current"]["state"], "pending");
    let failed = list(&harness, &format!("{base}?state=failed"), "role_grants").await;
    assert_eq!(failed, [json!(null); 0]);
}

#[tokio::test]
async fn a_web_hook_that_failed_is_tried_again_as_the_same_event() {
    let harness = roomy().await;
    let hook = Task::Webhook {
        guild: GUILD,
        endpoint: "staff".into(),
        event: "submitted:3".into(),
        body: json!({"event": "submitted"}),
    };
    let id = fail(&harness, hook).await;
    let base = "/api/v1/guilds/7/webhook-deliveries";
    let path = format!("/api/v1/guilds/7/role-grants/{id}/retry");
    let foreign = harness.admin(Method::POST, &path, None).await;
    assert_eq!(
        foreign.status,
        StatusCode::NOT_FOUND,
        "a call is not a role"
    );
    let path = format!("/api/v1/guilds/8/webhook-deliveries/{id}/retry");
    let foreign = harness.admin(Method::POST, &path, None).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(
        list(&harness, base, "deliveries").await[0]["state"],
        "failed"
    );
    let path = format!("{base}/{id}/retry");
    let reply = harness.admin(Method::POST, &path, None).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    let retried = reply.json();
    assert_eq!(retried["event"], "submitted:3");
    assert_eq!(retried["webhook"], "staff");
    assert_eq!(retried["body"], json!({"event": "submitted"}));
    assert_eq!(
        list(&harness, &format!("{base}?state=pending"), "deliveries").await,
        [retried]
    );
}

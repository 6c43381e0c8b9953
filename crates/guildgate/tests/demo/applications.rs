//! Live staff applications, from the form to the notification.

use serde_json::{Value, json};

use crate::{
    client::Client,
    gateway::{ADA, Folder, Gateway, MAX, MIA, REST, ROLE_ADMIN, ROLE_MANAGER, ROLE_STAFF},
};

/// Starts a session, and answers `data`.
async fn edit(gateway: &Gateway, client: &mut Client, uid: &str, target: &str) -> Value {
    let account = gateway.account(uid);
    let start = json!({
        "uid": uid, "gid": REST, "target": target,
        "utokh": account["user_token"], "uhash": account["token"],
    });
    let answer = client.command("APPLICATION_SESSION", start).await;
    assert!(answer["error"].is_null(), "{answer}");
    answer["data"].clone()
}

async fn patch(client: &mut Client, base: &Value, patch: Value) -> Value {
    let data = json!({"gid": REST, "base": base, "patch": patch});
    client.command("APPLICATION_SESSION_PATCH", data).await
}

fn open_form() -> Value {
    json!([
        {"op": "replace", "path": "/status", "value": 1},
        {"op": "add", "path": "/role_on_accept", "value": ROLE_STAFF},
        {"op": "add", "path": "/sections/-", "value": {
            "title": "You", "description": "", "fields": [{
                "id": "why", "title": "Why?", "description": "", "type": 0,
                "length": [1, 100], "required": true,
            }],
        }},
    ])
}

#[tokio::test]
async fn managers_edit_together_and_a_lost_right_puts_one_out() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect_as(MIA).await;
    let mut max = gateway.connect_as(MAX).await;
    let opened = edit(&gateway, &mut mia, MIA, "form").await;
    assert_eq!(opened["apv"], 1, "{opened}");
    assert_eq!(opened["heartbeat_interval"], 30_000);
    let joined = edit(&gateway, &mut max, MAX, "form").await;
    assert_eq!(joined["document"], opened["document"]);

    let made = patch(&mut mia, &opened["apv"], open_form()).await;
    assert_eq!(made["data"], json!({"gid": REST, "apv": 2}), "{made}");
    let (seen, _) = max.event("APPLICATION_SESSION_PATCH").await;
    assert_eq!(seen["uid"], MIA);
    assert_eq!(seen["apv"], 2);
    assert_eq!(seen["patch"], open_form());

    let too_high = json!([{"op": "replace", "path": "/role_on_accept", "value": ROLE_ADMIN}]);
    let refused = patch(&mut mia, &made["data"]["apv"], too_high).await;
    assert_eq!(refused["error"]["code"], "forbidden", "{refused}");

    // Made on version 1, and nothing that it touches has changed since.
    let title = json!([{"op": "test", "path": "/status_data", "value": null}]);
    let rebased = patch(&mut max, &joined["apv"], title).await;
    assert_eq!(rebased["data"]["apv"], 3, "{rebased}");
    let stale = json!([{"op": "replace", "path": "/status", "value": 2}]);
    let refused = patch(&mut max, &joined["apv"], stale).await;
    assert_eq!(refused["error"]["code"], "conflict");
    assert_eq!(refused["error"]["apv"], 3);
    let senseless = json!([{"op": "replace", "path": "/status", "value": 9}]);
    let refused = patch(&mut max, &json!(3), senseless).await;
    assert_eq!(refused["error"]["code"], "invalid_form", "{refused}");

    let role = format!("/guilds/{REST}/members/{MAX}/roles/{ROLE_MANAGER}");
    gateway.discord("DELETE", &role, None).await;
    let (ended, before) = max.event("APPLICATION_SESSION_END").await;
    assert_eq!(ended["gid"], REST, "{before:?}");
    let (left, _) = mia.event("APPLICATION_SESSION_LEAVE").await;
    assert_eq!(left["uid"], MAX);
    let late = json!([{"op": "replace", "path": "/status", "value": 0}]);
    let refused = patch(&mut max, &json!(3), late).await;
    assert_eq!(refused["error"]["code"], "no_session");
}

#[tokio::test]
async fn an_application_is_made_reviewed_and_heard_of() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect_as(MIA).await;
    mia.connect_guild(gateway.guild_token()).await;
    let mut ada = gateway.connect_as(ADA).await;
    ada.connect_guild(gateway.guild_token()).await;
    let submit = |answers: Value, apv: u64| json!({"gid": REST, "answers": answers, "apv": apv});
    let closed = ada
        .command("APPLICATION_SUBMIT", submit(json!({}), 1))
        .await;
    assert_eq!(closed["error"]["code"], "closed", "{closed}");

    let opened = edit(&gateway, &mut mia, MIA, "form").await;
    patch(&mut mia, &opened["apv"], open_form()).await;
    let bad = ada
        .command("APPLICATION_SUBMIT", submit(json!({"why": ""}), 2))
        .await;
    assert_eq!(bad["error"]["code"], "invalid_answers", "{bad}");
    assert_eq!(bad["error"]["faults"][0]["pointer"], "/why", "{bad}");
    let good = submit(json!({"why": "I like it here"}), 2);
    let submitted = ada.command("APPLICATION_SUBMIT", good.clone()).await;
    let id = submitted["data"]["id"].clone();
    assert!(id.is_string(), "{submitted}");
    let twice = ada.command("APPLICATION_SUBMIT", good).await;
    assert_eq!(twice["error"]["code"], "duplicate");
    let (told, _) = mia.event("APPLICATION_SUBMITTED").await;
    assert_eq!(told, json!({"gid": REST, "id": id, "uid": ADA}));

    let review = json!({"gid": REST, "id": id, "proccessed_type": 0, "note": "welcome"});
    let forbidden = ada.command("APPLICATION_REVIEW", review.clone()).await;
    assert_eq!(forbidden["error"]["code"], "forbidden");
    let reviewed = mia.command("APPLICATION_REVIEW", review.clone()).await;
    assert_eq!(reviewed["data"], json!({"success": true}), "{reviewed}");
    let late = mia.command("APPLICATION_REVIEW", review).await;
    assert_eq!(late["error"]["code"], "conflict");
    // The form names a role: the gateway gives it in Discord, which tells of new permissions.
    // That goes another way than the notification, and may be there first.
    let (mut heard, mut update) = (Value::Null, Value::Null);
    while heard.is_null() || update.is_null() {
        let mut frame = ada.frame().await;
        match frame["ev"].as_str() {
            Some("APPLICATION_REVIWED") => heard = frame["d"].take(),
            Some("GUILD_PRIVILEGE_UPDATE") => update = frame["d"].take(),
            Some(_) | None => {}
        }
    }
    assert_eq!(heard["application_id"], id);
    assert_eq!(heard["note"], "welcome");
    assert_eq!(update["id"], ADA);
    let member = gateway
        .discord("GET", &format!("/guilds/{REST}/members/{ADA}"), None)
        .await;
    assert_eq!(member.json()["roles"], json!([ROLE_STAFF]));
}

#[tokio::test]
async fn a_session_outlives_a_cut_line() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect().await;
    let session = mia
        .authenticate(Some(gateway.token_of(MIA)), Some(MIA))
        .await;
    let mut max = gateway.connect_as(MAX).await;
    edit(&gateway, &mut mia, MIA, "form").await;
    let opened = edit(&gateway, &mut max, MAX, "form").await;
    mia.event("APPLICATION_SESSION_JOIN").await;
    let seen = mia.seen;
    mia.cut();
    patch(&mut max, &opened["apv"], open_form()).await;

    let mut again = gateway.connect().await;
    let resume = json!({"session_id": session["session_id"], "seq": seen});
    let token = gateway.token_of(MIA);
    let authenticate = json!({"token": token, "uid": MIA, "resume": resume});
    again.send(json!({"op": 1, "d": authenticate})).await;
    assert_eq!(again.frame().await["d"]["resumed"], true);
    let (missed, _) = again.event("APPLICATION_SESSION_PATCH").await;
    assert_eq!(missed["uid"], MAX);
    let close = json!([{"op": "replace", "path": "/status", "value": 0}]);
    let made = patch(&mut again, &missed["apv"], close).await;
    assert_eq!(made["data"]["apv"], 3, "the session goes on: {made}");
}

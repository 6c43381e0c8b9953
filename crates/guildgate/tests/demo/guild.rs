//! What a client on a guild sees.

use serde_json::{Value, json};

use crate::gateway::{BEN, Folder, Gateway, MAX, MIA, REST, ROLE_MANAGER};

#[tokio::test]
async fn a_guild_is_shown_with_ones_own_permissions() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect_as(MIA).await;
    let shown = mia.connect_guild(gateway.guild_token()).await;
    assert_eq!(shown["guild"]["id"], REST);
    assert_eq!(shown["guild"]["name"], "Rustaceans' Rest");
    assert_eq!(shown["guild"]["count"], shown["guild"]["member_count"]);
    assert_eq!(shown["guild"]["freshness"], "live");
    assert_eq!(shown["guild"]["vanity"], "rustaceans");
    assert_eq!(shown["user"]["id"], MIA);
    assert_eq!(shown["user"]["tag"], "mia");
    let mine: u64 = shown["user"]["permissions"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a decimal string");
    assert_ne!(mine & 0x20, 0, "a manager");

    let mut basic = gateway.connect().await;
    basic.authenticate(None, None).await;
    let shown = basic.connect_guild(gateway.guild_token()).await;
    assert_eq!(shown["user"], Value::Null);

    let elsewhere = json!({"gid": "1195000000000000000", "token": gateway.guild_token()});
    let refused = basic.command("CONNECT_GUILD", elsewhere).await;
    assert_eq!(refused["error"]["code"], "invalid_token");
    let left = basic
        .command("DESCONNECT_GUILD", json!({"gid": REST}))
        .await;
    assert_eq!(left["data"], json!({"success": true}));
    let again = basic
        .command("DISCONNECT_GUILD", json!({"gid": REST}))
        .await;
    assert_eq!(again["error"]["code"], "not_connected");
}

#[tokio::test]
async fn a_role_that_is_removed_is_told_to_its_owner_and_to_nobody_else() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect_as(MIA).await;
    let mut max = gateway.connect_as(MAX).await;
    let mut basic = gateway.connect().await;
    basic.authenticate(None, None).await;
    for client in [&mut mia, &mut max, &mut basic] {
        client.settle(gateway.guild_token()).await;
    }
    let role = format!("/guilds/{REST}/members/{MIA}/roles/{ROLE_MANAGER}");
    gateway.discord("DELETE", &role, None).await;
    let (update, _) = mia.event("GUILD_PRIVILEGE_UPDATE").await;
    assert_eq!(update["id"], MIA);
    assert_eq!(update["guild_id"], REST);
    assert_eq!(update["self"], true);
    let mine: u64 = update["permissions"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a decimal string");
    assert_eq!(mine & 0x20, 0, "no manager any more");

    // What comes after it has reached everybody: nothing else came before.
    let renamed = Some(json!({"name": "Renamed"}));
    gateway
        .discord("PATCH", &format!("/guilds/{REST}"), renamed)
        .await;
    for client in [&mut max, &mut basic] {
        let mut renamed = false;
        while !renamed {
            let (update, before) = client.event("GUILD_UPDATE").await;
            renamed = update["guild"]["name"] == "Renamed";
            assert!(
                !before.contains(&"GUILD_PRIVILEGE_UPDATE".to_owned()),
                "{before:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_count_moves_and_a_resume_replays_what_was_missed() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect().await;
    let session = mia
        .authenticate(Some(gateway.token_of(MIA)), Some(MIA))
        .await;
    let shown = mia.settle(gateway.guild_token()).await;
    let count = shown["guild"]["count"].as_u64().expect("a number");
    let member = format!("/guilds/{REST}/members/{BEN}");
    gateway.discord("DELETE", &member, None).await;
    let (change, _) = mia.event("GUILD_MEMBER_COUNT_CHANGE").await;
    assert_eq!(change, json!({"guild_id": REST, "member_count": count - 1}));

    let seen = mia.seen;
    mia.cut();
    let role = format!("/guilds/{REST}/members/{MIA}/roles/{ROLE_MANAGER}");
    gateway.discord("DELETE", &role, None).await;
    let mut watcher = gateway.connect_as(MAX).await;
    watcher.connect_guild(gateway.guild_token()).await;

    let mut again = gateway.connect().await;
    let resume = json!({"session_id": session["session_id"], "seq": seen});
    let authenticate = json!({"token": gateway.token_of(MIA), "uid": MIA, "resume": resume});
    again.send(json!({"op": 1, "d": authenticate})).await;
    let resumed = again.frame().await;
    assert_eq!(resumed["op"], 2);
    assert_eq!(resumed["d"]["resumed"], true, "{resumed}");
    let (update, _) = again.event("GUILD_PRIVILEGE_UPDATE").await;
    assert_eq!(update["id"], MIA);
    assert_eq!(again.seen, seen + 1);
    gateway.discord("PUT", &role, None).await;
    let (update, before) = again.event("GUILD_PRIVILEGE_UPDATE").await;
    assert_eq!(update["id"], MIA);
    assert!(
        before.is_empty(),
        "its guild connection goes on: {before:?}"
    );
}

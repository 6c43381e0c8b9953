//! What outlives the process.

use serde_json::{Value, json};

use crate::gateway::{Folder, Gateway, MIA, REST};

#[tokio::test]
async fn no_token_and_no_notification_is_lost_when_the_process_is_killed() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut mia = gateway.connect_as(MIA).await;
    let path = format!("/api/v1/users/{MIA}/notifications");
    let body = json!({"gid": REST, "proccessed_type": 0, "note": "welcome"});
    let sent = gateway.api("POST", &path, Some(body)).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    let (live, _) = mia.event("APPLICATION_REVIWED").await;
    assert_eq!(live, sent.json(), "told live");
    let issued = gateway
        .api(
            "POST",
            "/api/v1/tokens",
            Some(json!({"kind": "gatewayGuild", "for": REST, "uses": 2})),
        )
        .await
        .json();
    let guild_token = issued["token"].as_str().expect("a token").to_owned();
    mia.connect_guild(&guild_token).await;
    let old_token = gateway.token_of(MIA).to_owned();
    gateway.kill().await;

    let gateway = Gateway::start(&data).await;
    assert_eq!(
        gateway.token_of(MIA),
        old_token,
        "the demo offers the same tokens"
    );
    let mut mia = gateway.connect().await;
    let told = mia.authenticate(Some(&old_token), Some(MIA)).await;
    assert_eq!(told["missed_notifications"], json!([live]));
    mia.connect_guild(&guild_token).await;
    let connect = json!({"gid": REST, "token": guild_token});
    let refused = mia.command("CONNECT_GUILD", connect).await;
    assert_eq!(
        refused["error"]["code"], "invalid_token",
        "both uses are counted"
    );
    let acknowledged = mia
        .command("NOTIFICATIONS_ACK", json!({"ids": [live["id"]]}))
        .await;
    assert_eq!(acknowledged["data"], json!({"success": true}));
    let told = gateway.connect_as_told(MIA).await;
    assert_eq!(told["missed_notifications"], Value::Array(Vec::new()));
}

impl Gateway {
    /// What opcode 2 tells somebody of the demo.
    async fn connect_as_told(&self, uid: &str) -> Value {
        let mut client = self.connect().await;
        client
            .authenticate(Some(self.token_of(uid)), Some(uid))
            .await
    }
}

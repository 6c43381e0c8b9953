//! Who is let in, and who is not.

use serde_json::{Value, json};

use crate::gateway::{Folder, Gateway, MAX, MIA};

#[tokio::test]
async fn every_form_of_authentication_is_let_in_and_nothing_else() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let basic = gateway.connect().await.authenticate(None, None).await;
    assert_eq!(
        basic,
        json!({"missed_notifications": [], "session_id": null, "heartbeat_interval": 45000, "resumed": false})
    );
    let global = Some(gateway.global_token());
    let global = gateway.connect().await.authenticate(global, None).await;
    assert_eq!(global["session_id"], Value::Null);
    let mia = Some(gateway.token_of(MIA));
    let full = gateway.connect().await.authenticate(mia, Some(MIA)).await;
    assert!(full["session_id"].is_string(), "{full}");

    let site = gateway.account(MIA)["user_token"].as_str();
    for (token, uid) in [
        (Some("gggu_made-up"), Some(MIA)),
        (mia, Some(MAX)),
        (mia, None),
        (site, Some(MIA)),
        (None, Some(MIA)),
        (Some(gateway.guild_token()), None),
    ] {
        let mut client = gateway.connect().await;
        client
            .send(json!({"op": 1, "d": {"token": token, "uid": uid}}))
            .await;
        assert_eq!(client.closed().await, 4004, "{uid:?}");
    }
    let metrics = gateway.api("GET", "/metrics", None).await.text;
    for line in [
        "guildgate_authentications_total{outcome=\"full\"} 1",
        "guildgate_authentications_total{outcome=\"refused\"} 6",
        "guildgate_token_refusals_total{reason=\"foreign\"} 1",
        "guildgate_closes_total{code=\"4004\"} 6",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "no {line} in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn a_token_from_the_command_line_works_until_it_is_revoked_there() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let issue = ["issue", "--kind", "gatewayUser", "--for", MIA, "--json"];
    let issued = Gateway::token_command(&data, &issue).await;
    let issued: Value = serde_json::from_str(&issued).expect("JSON");
    let mut client = gateway.connect().await;
    client
        .authenticate(issued["token"].as_str(), Some(MIA))
        .await;
    let mut other = gateway.connect_as(MIA).await;

    let id = issued["id"].as_str().expect("an id");
    Gateway::token_command(&data, &["revoke", id]).await;
    assert_eq!(client.closed().await, 4004);
    other.connect_guild(gateway.guild_token()).await;

    let listed = Gateway::token_command(&data, &["list", "--for", MIA, "--json"]).await;
    let newest: Value = serde_json::from_str(listed.lines().next().expect("a line")).expect("JSON");
    assert_eq!(newest["state"], "revoked");
    assert!(!listed.contains("gggu_"), "no token is listed");
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_and_harms_nobody_else() {
    let data = Folder::new();
    let gateway = Gateway::start(&data).await;
    let mut bystander = gateway.connect_as(MIA).await;
    let before = json!({"op": 6, "cmd": "CONNECT_GUILD", "d": {}});
    let cases = [
        (before, 4003),
        (json!([]), 4002),
        (json!({"op": 99}), 4001),
        (json!({"op": 2, "d": {}}), 4001),
        (json!({"op": 1, "d": {"token": 5}}), 4002),
    ];
    for (frame, code) in cases {
        let mut client = gateway.connect().await;
        client.send(frame.clone()).await;
        assert_eq!(client.closed().await, code, "{frame}");
    }
    let mut twice = gateway.connect_as(MIA).await;
    twice
        .send(json!({"op": 1, "d": {"token": null, "uid": null}}))
        .await;
    assert_eq!(twice.closed().await, 4005);
    let answer = bystander.command("NO_SUCH", json!({})).await;
    assert_eq!(answer["error"]["code"], "unknown_command");
}

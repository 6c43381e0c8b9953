//! What outlives the process.

use guildgate_model::{Decision, GuildId, Revision, UnixMs, UserId};
use guildgate_store::{NewNotification, NewSubmission, SqliteStore, Store};
use serde_json::{Value, json};

use crate::{
    client::Client,
    gateway::{ADA, BEN, Folder, Gateway, MIA, PATIENCE, REST, ROLE_MANAGER},
    http,
    process::{ADMIN_KEY, Process},
};

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

#[tokio::test]
async fn a_restart_goes_on_with_discords_session_and_misses_nothing() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::serve(&data, &simulator).await;
    let issue = ["issue", "--kind", "gatewayGuild", "--for", REST];
    let token = Gateway::token_command(&data, &issue).await;
    let count = async |gateway: &Process| {
        let mut client = Client::dial(gateway.address).await;
        client.authenticate(None, None).await;
        let shown = client.connect_guild(&token).await;
        assert_eq!(shown["guild"]["freshness"], "live");
        shown["guild"]["count"].as_u64().expect("a number")
    };
    let before = count(&gateway).await;
    assert!(gateway.metric("discord_identifies_total 1").await);
    gateway.terminate().await;

    let member = format!("/api/v10/guilds/{REST}/members/{BEN}");
    let bot = [("Authorization", "Bot simulator")];
    let left = http::request(simulator.address, "DELETE", &member, &bot, None).await;
    assert_eq!(left.status, 204, "{}", left.text);

    let gateway = Process::serve(&data, &simulator).await;
    assert_eq!(
        count(&gateway).await,
        before - 1,
        "what was missed is replayed"
    );
    assert!(gateway.metric("discord_identifies_total 0").await);
    assert!(gateway.metric("discord_resumes_total 1").await);
    gateway.kill().await;

    // Killed, it leaves nothing: the next one begins anew, and is right as well.
    let gateway = Process::serve(&data, &simulator).await;
    assert_eq!(count(&gateway).await, before - 1);
    assert!(gateway.metric("discord_identifies_total 1").await);
}

#[tokio::test]
async fn a_client_resumes_after_a_restart_without_another_use_of_its_guild_token() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::serve(&data, &simulator).await;
    let once = [
        "issue",
        "--kind",
        "gatewayGuild",
        "--for",
        REST,
        "--uses",
        "1",
    ];
    let guild_token = Gateway::token_command(&data, &once).await;
    let user = ["issue", "--kind", "gatewayUser", "--for", MIA];
    let token = Gateway::token_command(&data, &user).await;
    let mut mia = Client::dial(gateway.address).await;
    let told = mia.authenticate(Some(&token), Some(MIA)).await;
    let session = told["session_id"].as_str().expect("a session").to_owned();
    let shown = mia.connect_guild(&guild_token).await;
    let before = shown["guild"]["count"].as_u64().expect("a number");
    let ((), code) = tokio::join!(gateway.terminate(), mia.closed());
    assert_eq!(code, 1001);

    let member = format!("/api/v10/guilds/{REST}/members/{BEN}");
    let bot = [("Authorization", "Bot simulator")];
    let left = http::request(simulator.address, "DELETE", &member, &bot, None).await;
    assert_eq!(left.status, 204, "{}", left.text);

    let gateway = Process::serve(&data, &simulator).await;
    let seen = mia.seen;
    let resume = async |gateway: &Process| {
        let mut client = Client::dial(gateway.address).await;
        let resume = json!({"session_id": session, "seq": seen});
        let who = json!({"token": token, "uid": MIA, "resume": resume});
        client.send(json!({"op": 1, "d": who})).await;
        let frame = client.frame().await;
        assert_eq!(frame["op"], 2, "{frame}");
        (client, frame["d"]["resumed"].clone())
    };
    let (mut mia, resumed) = resume(&gateway).await;
    assert_eq!(resumed, true);
    // On the guild without having asked, and told what became of it meanwhile.
    let mut count = Value::Null;
    while count != before - 1 {
        let data = mia.frame().await["d"].clone();
        for told in [&data["member_count"], &data["guild"]["member_count"]] {
            if !told.is_null() {
                count = told.clone();
            }
        }
    }
    let connect = json!({"gid": REST, "token": guild_token});
    let mut other = Client::dial(gateway.address).await;
    other.authenticate(None, None).await;
    let refused = other.command("CONNECT_GUILD", connect).await;
    assert_eq!(
        refused["error"]["code"], "invalid_token",
        "it was good once"
    );

    // Killed, it leaves nothing, and nothing of long ago is found.
    gateway.kill().await;
    let gateway = Process::serve(&data, &simulator).await;
    let (_, resumed) = resume(&gateway).await;
    assert_eq!(resumed, false);
}

/// One who is on the guild as a full session.
struct Guest {
    client: Client,
    uid: &'static str,
    token: String,
    session: String,
}

impl Guest {
    async fn on(gateway: &Process, data: &Folder, uid: &'static str) -> (Guest, Value) {
        let user = ["issue", "--kind", "gatewayUser", "--for", uid];
        let token = Gateway::token_command(data, &user).await;
        let guild = ["issue", "--kind", "gatewayGuild", "--for", REST];
        let guild_token = Gateway::token_command(data, &guild).await;
        let mut client = Client::dial(gateway.address).await;
        let told = client.authenticate(Some(&token), Some(uid)).await;
        let session = told["session_id"].as_str().expect("a session").to_owned();
        let shown = client.connect_guild(&guild_token).await;
        let guest = Guest {
            client,
            uid,
            token,
            session,
        };
        (guest, shown["user"].clone())
    }

    async fn come_back(&mut self, gateway: &Process) {
        let seen = self.client.seen;
        self.client = Client::dial(gateway.address).await;
        self.client.seen = seen;
        let resume = json!({"session_id": self.session, "seq": seen});
        let who = json!({"token": self.token, "uid": self.uid, "resume": resume});
        self.client.send(json!({"op": 1, "d": who})).await;
    }
}

fn manages(permissions: &Value) -> bool {
    let bits: Option<u64> = permissions.as_str().and_then(|text| text.parse().ok());
    bits.expect("a decimal string") & 0x20 != 0
}

#[tokio::test]
async fn permissions_go_on_after_a_restart_and_what_was_taken_meanwhile_is_told() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::serve(&data, &simulator).await;
    let (mut mia, user) = Guest::on(&gateway, &data, MIA).await;
    assert!(manages(&user["permissions"]));
    let (mut ben, user) = Guest::on(&gateway, &data, BEN).await;
    assert!(!manages(&user["permissions"]));
    let (mut ada, _) = Guest::on(&gateway, &data, ADA).await;
    gateway.terminate().await;

    let bot = [("Authorization", "Bot simulator")];
    let role_of = |uid| format!("/api/v10/guilds/{REST}/members/{uid}/roles/{ROLE_MANAGER}");
    let taken = http::request(simulator.address, "DELETE", &role_of(MIA), &bot, None).await;
    assert_eq!(taken.status, 204, "{}", taken.text);
    let tokens = Gateway::token_command(&data, &["list"]).await;
    let line = tokens
        .lines()
        .find(|line| line.contains(ADA) && line.contains("gatewayUser"));
    let id = line.and_then(|line| line.split_whitespace().next());
    Gateway::token_command(&data, &["revoke", id.expect("her token's id")]).await;

    let gateway = Process::serve(&data, &simulator).await;
    // Three were restored, and one of them is gone before anybody dials.
    gateway.until(r#"clients{state="detached"} 2"#).await;
    mia.come_back(&gateway).await;
    assert_eq!(mia.client.frame().await["d"]["resumed"], true);
    let mut told = Value::Null;
    while told.is_null() {
        let data = mia.client.frame().await["d"].clone();
        // Her own: by themselves, or with the guild.
        let own = [&data["permissions"], &data["user"]["permissions"]];
        told = own
            .into_iter()
            .find(|own| !own.is_null())
            .cloned()
            .unwrap_or_default();
    }
    assert!(!manages(&told), "{told}");

    ben.come_back(&gateway).await;
    assert_eq!(ben.client.frame().await["d"]["resumed"], true);
    let given = http::request(simulator.address, "PUT", &role_of(BEN), &bot, None).await;
    assert_eq!(given.status, 204, "{}", given.text);
    let (update, before) = ben.client.event("GUILD_PRIVILEGE_UPDATE").await;
    assert!(manages(&update["permissions"]), "{update}");
    assert!(
        !before.iter().any(|name| name == "GUILD_RESYNC"),
        "nobody had to be asked about him: {before:?}"
    );

    ada.come_back(&gateway).await;
    assert_eq!(ada.client.closed().await, 4004, "her token was revoked");
}

fn id(text: &str) -> u64 {
    text.parse().expect("an id")
}

/// What another node does while this one is down: somebody applies, a manager hears of two reviews
/// of her own and acknowledges the first.
async fn change(data: &Folder, now: UnixMs) -> [String; 2] {
    let store = SqliteStore::open(data.path().join("guildgate.db")).await;
    let store: &dyn Store = &store.expect("the gateway's database");
    let by_ben = NewSubmission {
        guild: GuildId(id(REST)),
        user: UserId(id(BEN)),
        revision: Revision(1),
        answers: json!({}),
        judged_by: None,
        form: None,
        limit: None,
        counted_since: None,
        tasks: Vec::new(),
    };
    let submitted = store.submit(by_ben, now).await.expect("a database");
    submitted.expect("it is taken");
    let notify = async || {
        let new = NewNotification {
            user: UserId(id(MIA)),
            decision: Decision::Accepted,
            guild: GuildId(id(REST)),
            application: None,
            note: None,
        };
        let added = store.add_notification(new, now).await;
        added.expect("a database").id
    };
    let (seen, unseen) = (notify().await, notify().await);
    let acknowledged = store.acknowledge(UserId(id(MIA)), &[seen], now).await;
    assert_eq!(acknowledged.expect("a database"), 1);
    [seen, unseen].map(|id| id.to_string())
}

#[tokio::test]
async fn what_other_nodes_did_while_the_process_was_down_reaches_who_comes_back() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::serve(&data, &simulator).await;
    let (mut mia, user) = Guest::on(&gateway, &data, MIA).await;
    assert!(manages(&user["permissions"]));
    gateway.terminate().await;
    let [seen, unseen] = change(&data, UnixMs(1_767_225_600_000)).await;

    let gateway = Process::serve(&data, &simulator).await;
    mia.come_back(&gateway).await;
    let told = mia.client.frame().await["d"].clone();
    assert_eq!(told["resumed"], true);
    let mut notices: Vec<Value> = Vec::new();
    let missed = told["missed_notifications"].as_array().cloned();
    notices.extend(missed.unwrap_or_default());
    let mut submitted = Value::Null;
    // Heartbeats come for ever: a frame in time is not yet the event.
    let told = tokio::time::timeout(PATIENCE, async {
        while submitted.is_null() || notices.is_empty() {
            let frame = mia.client.frame().await;
            match frame["t"].as_str() {
                Some("APPLICATION_SUBMITTED") => submitted = frame["d"]["uid"].clone(),
                Some("APPLICATION_REVIWED") => notices.push(frame["d"].clone()),
                _ => {}
            }
        }
    });
    told.await.expect("both in time");
    assert_eq!(submitted, BEN);
    // A live one comes after all that is old.
    let path = format!("/api/v1/users/{MIA}/notifications");
    let key = format!("Bearer {ADMIN_KEY}");
    let key = [("Authorization", key.as_str())];
    let body = json!({"gid": REST, "proccessed_type": 0, "note": "now"});
    let sent = http::request(gateway.address, "POST", &path, &key, Some(body)).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    while notices.last().is_none_or(|last| last["note"] != "now") {
        notices.push(mia.client.event("APPLICATION_REVIWED").await.0);
    }
    let ids: Vec<&Value> = notices.iter().map(|notice| &notice["id"]).collect();
    assert_eq!(ids.len(), 2, "each once: {ids:?}");
    assert_eq!(
        ids[0],
        &json!(unseen),
        "and not {seen}, which is acknowledged"
    );
}

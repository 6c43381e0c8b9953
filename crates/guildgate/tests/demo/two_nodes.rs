//! Two gateways on one database are one gateway.

mod editor;
mod pair;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::gateway::{ADA, MAX, MIA, REST};
use editor::Editor;
use pair::Pair;

/// How many patches each editor sends.
const PATCHES: usize = 30;

/// How many submissions the form takes, and how many there would be.
const LIMIT: usize = 5;
const APPLICANTS: usize = 12;

#[tokio::test]
async fn editors_on_both_nodes_end_on_one_document() {
    let pair = Pair::start().await;
    let section = json!({"title": "", "description": "", "fields": []});
    let laid = json!({"status": 0, "status_data": null, "sections": vec![section; 4]});
    let path = format!("/guilds/{REST}/form?actor={MIA}");
    pair.a.send("PUT", &path, Some(laid)).await;
    let path = format!("/guilds/{REST}/form");
    let begun = pair.b.send("GET", &path, None).await;

    let mut editors = Vec::new();
    for number in 0..4 {
        let node = [&pair.a, &pair.b][number % 2];
        let uid = [MIA, MIA, MAX, MAX][number];
        let person = pair.person(uid).await;
        editors.push(Editor::open(&person, node, number).await);
    }
    let mut at_work = JoinSet::new();
    for editor in editors {
        at_work.spawn(editor.work(PATCHES));
    }
    let mut editors = at_work.join_all().await;

    let ended = pair.a.send("GET", &path, None).await;
    assert_eq!(pair.b.send("GET", &path, None).await, ended);
    let newest = ended["apv"].as_u64().expect("a version");
    let taken: usize = editors.iter().map(|editor| editor.taken.len()).sum();
    assert!(taken > 2 * PATCHES, "more than half never met another");
    let first = begun["apv"].as_u64().expect("a version");
    assert_eq!(newest, first + taken as u64, "each made one version");
    for editor in &mut editors {
        let seen = editor.catch_up(newest).await;
        assert_eq!(seen, &ended["document"]);
    }
    let made: BTreeSet<u64> = editors.iter().flat_map(|one| one.taken.clone()).collect();
    assert_eq!(made.len(), taken, "no two patches made the same version");
}

#[tokio::test]
async fn what_one_node_does_to_a_user_the_other_does_too() {
    let pair = Pair::start().await;
    let ada = pair.person(ADA).await;
    let mut client = ada.connect(&pair.b).await;
    let mut first = ada.connect(&pair.a).await;
    let note = json!({"gid": REST, "proccessed_type": 2, "note": "soon"});
    let path = format!("/users/{ADA}/notifications");
    let sent = pair.a.send("POST", &path, Some(note)).await;
    let (told, _) = client.event("APPLICATION_REVIWED").await;
    assert_eq!(told, sent);
    let (told_here, _) = first.event("APPLICATION_REVIWED").await;
    assert_eq!(told_here, sent);

    // Seen at one node, it is not shown again at the other.
    let ids = json!({"ids": [told["id"]]});
    let seen = client.command("NOTIFICATIONS_ACK", ids).await;
    assert_eq!(seen["data"], json!({"success": true}));
    let mut other = pair.a.dial().await;
    let told = other.authenticate(Some(&ada.token), Some(ADA)).await;
    assert_eq!(told["missed_notifications"], json!([]));

    let path = format!("/tokens/{}", ada.token_id);
    pair.a.delete(&path).await;
    assert_eq!(client.closed().await, 4004, "at the other node");
    for mut client in [first, other] {
        assert_eq!(client.closed().await, 4004, "at the node that was told");
    }
    let mut late = pair.b.dial().await;
    let again = json!({"op": 1, "d": {"token": ada.token, "uid": ADA}});
    late.send(again).await;
    assert_eq!(late.closed().await, 4004);
}

#[tokio::test]
async fn what_is_acknowledged_at_one_node_is_not_replayed_by_the_other() {
    let pair = Pair::start().await;
    let ada = pair.person(ADA).await;
    let mut away = pair.a.dial().await;
    let session = away.authenticate(Some(&ada.token), Some(ADA)).await;
    let seen = away.seen;
    drop(away);
    let mut here = ada.connect(&pair.b).await;
    let mut watching = ada.connect(&pair.a).await;
    let path = format!("/users/{ADA}/notifications");
    let notify = async |note: &str| {
        let note = json!({"gid": REST, "proccessed_type": 2, "note": note});
        pair.a.send("POST", &path, Some(note)).await
    };
    let first = notify("seen at the other node").await;
    let (told, _) = here.event("APPLICATION_REVIWED").await;
    assert_eq!(told, first);
    let ids = json!({"ids": [first["id"]]});
    let answer = here.command("NOTIFICATIONS_ACK", ids).await;
    assert_eq!(answer["data"], json!({"success": true}));
    // The feed tells in order: who hears of the second has heard of the acknowledgement.
    let second = notify("seen by nobody").await;
    while watching.event("APPLICATION_REVIWED").await.0 != second {}

    let mut again = pair.a.dial().await;
    let resume = json!({"session_id": session["session_id"], "seq": seen});
    let wish = json!({"token": ada.token, "uid": ADA, "resume": resume});
    again.send(json!({"op": 1, "d": wish})).await;
    let resumed = again.frame().await;
    assert_eq!(resumed["d"]["resumed"], true, "{resumed}");
    let missed = &resumed["d"]["missed_notifications"];
    assert!(
        missed
            .as_array()
            .expect("a list")
            .iter()
            .all(|one| *one != first),
        "{missed}"
    );
    let (told, _) = again.event("APPLICATION_REVIWED").await;
    assert_eq!(told, second, "the first was acknowledged");
}

#[tokio::test]
async fn a_token_is_used_as_often_as_it_may_be_and_not_once_more() {
    let pair = Pair::start().await;
    let mut visitors = Vec::new();
    for number in 0..6 {
        let mut visitor = [&pair.a, &pair.b][number % 2].dial().await;
        visitor.authenticate(None, None).await;
        visitors.push(visitor);
    }
    for uses in [1, 1, 1, 1, 4, 4, 5] {
        let wish = json!({"kind": "gatewayGuild", "for": REST, "uses": uses});
        let token = pair.a.send("POST", "/tokens", Some(wish)).await;
        let data = json!({"gid": REST, "token": token["token"]});
        let tries = visitors
            .iter_mut()
            .map(|visitor| visitor.command("CONNECT_GUILD", data.clone()));
        let answers = join_all(tries).await;
        let codes: Vec<&Value> = answers
            .iter()
            .map(|answer| &answer["error"]["code"])
            .collect();
        let refused = codes.iter().filter(|code| ***code == "invalid_token");
        assert_eq!(refused.count(), 6 - uses, "{codes:?}");
        let granted = codes.iter().filter(|code| code.is_null());
        assert_eq!(granted.count(), uses, "{codes:?}");
        // Who is on the guild already would use none up.
        for visitor in &mut visitors {
            let leave = json!({"gid": REST});
            visitor.command("DESCONNECT_GUILD", leave).await;
        }
    }
}

#[tokio::test]
async fn a_full_form_and_a_decided_application_are_so_on_both_nodes() {
    let pair = Pair::start().await;
    let field = json!({
        "id": "why", "title": "Why?", "description": "", "type": 0,
        "length": [1, 100], "required": true,
    });
    let section = json!({"title": "You", "description": "", "fields": [field]});
    let open = json!({"status": 4, "status_data": {"limit": LIMIT}, "sections": [section]});
    let path = format!("/guilds/{REST}/form?actor={MIA}");
    let form = pair.a.send("PUT", &path, Some(open)).await;

    let mut applicants = Vec::new();
    // Who reviews does not apply.
    let members = pair.members(APPLICANTS + 2).await;
    let members = members.iter().filter(|uid| *uid != MIA && *uid != MAX);
    for (number, uid) in members.take(APPLICANTS).enumerate() {
        let node = [&pair.a, &pair.b][number % 2];
        applicants.push(pair.person(uid).await.connect(node).await);
    }
    let data = json!({"gid": REST, "apv": form["apv"], "answers": {"why": "because"}});
    let tries = applicants
        .iter_mut()
        .map(|applicant| applicant.command("APPLICATION_SUBMIT", data.clone()));
    let answers = join_all(tries).await;
    let ids: BTreeSet<&str> = answers
        .iter()
        .filter_map(|answer| answer["data"]["id"].as_str())
        .collect();
    assert_eq!(ids.len(), LIMIT, "{answers:?}");
    let full = answers
        .iter()
        .filter(|answer| answer["error"]["code"] == "full");
    assert_eq!(full.count(), APPLICANTS - LIMIT, "{answers:?}");
    let path = format!("/guilds/{REST}/submissions?status=pending");
    let listed = pair.b.send("GET", &path, None).await;
    let listed = listed["submissions"].as_array().expect("a list");
    let there: BTreeSet<&str> = listed.iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(there, ids);

    let mut mia = pair.person(MIA).await.connect(&pair.a).await;
    let mut max = pair.person(MAX).await.connect(&pair.b).await;
    for id in ids {
        let by_mia = json!({"gid": REST, "id": id, "proccessed_type": 0});
        let by_max = json!({"gid": REST, "id": id, "proccessed_type": 1});
        let (by_mia, by_max) = tokio::join!(
            mia.command("APPLICATION_REVIEW", by_mia),
            max.command("APPLICATION_REVIEW", by_max),
        );
        let (status, won, lost) = match by_mia["error"].is_null() {
            true => ("accepted", by_mia, by_max),
            false => ("denied", by_max, by_mia),
        };
        assert_eq!(won["data"], json!({"success": true}), "{lost}");
        assert_eq!(lost["error"]["code"], "conflict", "{lost}");
        let path = format!("/guilds/{REST}/submissions/{id}");
        let decided = pair.a.send("GET", &path, None).await;
        assert_eq!(decided["status"], status);
    }
    let path = format!("/guilds/{REST}/audit?limit=1000");
    let trail = pair.b.send("GET", &path, None).await;
    let trail = trail["entries"].as_array().expect("a list");
    let reviews = trail.iter().filter(|entry| entry["action"] == "reviewed");
    assert_eq!(reviews.count(), LIMIT, "the loser left no trace");
}

//! What was answered survives the process, whenever it is killed.

mod load;

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    gateway::{ADA, BEN, Folder, Gateway, MIA, REST},
    process::ADMIN_KEY,
};
use load::{EDITORS, Edit, Load, Made, Record, Site, USES, enter, session};

/// How often the gateway is killed.
const ROUNDS: usize = 8;

#[tokio::test]
async fn what_was_answered_survives_every_kill_under_load() {
    let data = Folder::new();
    let mut random = StdRng::seed_from_u64(0x0dd_ba11);
    let mut gateway = start(&data).await;
    let first = lay_form(&gateway).await;
    let mut done = Record::default();
    for round in 0..ROUNDS {
        let newest = Site(gateway.address).get(&form("")).await["apv"].as_u64();
        let load = Load::start(&gateway, round, newest.expect("a version")).await;
        load.until(random.random_range(30..200)).await;
        // On to somewhere between two answers.
        for _ in 0..random.random_range(0..100) {
            tokio::task::yield_now().await;
        }
        gateway.kill().await;
        let mut told = load.ended().await;
        gateway = start(&data).await;
        repeat(&gateway, &mut told.edits).await;
        take_back_what_is_pending(Site(gateway.address)).await;
        done.add(told);
    }
    check_form(Site(gateway.address), first, &done.edits).await;
    check_inbox(&gateway, &done.notes).await;
    check_tokens(&gateway, &done).await;
    check_submissions(Site(gateway.address), &done).await;
}

async fn start(data: &Folder) -> Gateway {
    let start = Gateway::start_with(data, |command| {
        command
            .env("GUILDGATE_ADMIN_KEY", ADMIN_KEY)
            .env("GUILDGATE_LIMITS__FRAMES", "1000000")
            .env("GUILDGATE_LIMITS__SESSION_FRAMES", "1000000")
    });
    start.await
}

fn form(rest: &str) -> String {
    format!("/guilds/{REST}/form{rest}")
}

/// Opens the form, with a section for each editor; its version.
async fn lay_form(gateway: &Gateway) -> u64 {
    let field = json!({
        "id": "why", "title": "Why?", "description": "", "type": 0,
        "length": [1, 100], "required": true,
    });
    let mut sections = vec![json!({"title": "", "description": "", "fields": []}); EDITORS.len()];
    sections[0]["fields"] = json!([field]);
    let document = json!({"status": 1, "status_data": null, "sections": sections});
    let path = form(&format!("?actor={MIA}"));
    let laid = Site(gateway.address).send("PUT", &path, Some(document));
    let laid = laid.await.expect("an answer");
    laid["apv"].as_u64().expect("a version")
}

/// Each editor sends the last patches of the round again: those that were answered are answered
/// alike, and the one that was under way is taken, if it was not.
async fn repeat(gateway: &Gateway, edits: &mut [Edit]) {
    for (editor, uid) in EDITORS.iter().enumerate() {
        let mut client = session(gateway, uid).await;
        let own: Vec<_> = edits
            .iter_mut()
            .filter(|edit| edit.editor == editor)
            .collect();
        let from = own.len().saturating_sub(3);
        for edit in own.into_iter().skip(from) {
            let again = edit.send(&mut client).await.expect("an answer");
            if let Some(before) = edit.made {
                assert_eq!(again, before, "{}: taken once", edit.nonce);
            }
            edit.made = Some(again);
        }
    }
}

/// One pending submission a user: what was under way would be in the way of the next.
async fn take_back_what_is_pending(site: Site) {
    let path = format!("/guilds/{REST}/submissions?limit=1000&status=pending&user={BEN}");
    let pending = site.list(&path, "submissions").await;
    assert!(pending.len() <= 1, "{pending:?}");
    for submission in pending {
        let id = submission["id"].as_str().expect("an id");
        site.withdraw(id).await.expect("an answer");
    }
}

/// The history is whole, and has every patch once.
async fn check_form(site: Site, first: u64, edits: &[Edit]) {
    let versions = site.list(&form("/versions?limit=1000"), "versions").await;
    let numbers: Vec<u64> = versions
        .iter()
        .rev()
        .map(|version| version["apv"].as_u64().expect("a version"))
        .collect();
    let whole: Vec<u64> = (1..=first + edits.len() as u64).collect();
    assert_eq!(
        numbers, whole,
        "no version is missing, and none is nobody's"
    );

    let sent: BTreeMap<u64, &Edit> = edits
        .iter()
        .map(|edit| (edit.made.expect("each was answered in the end"), edit))
        .collect();
    assert_eq!(
        sent.len(),
        edits.len(),
        "two patches never make one version"
    );
    let mut titles = vec![String::new(); EDITORS.len()];
    for (apv, edit) in sent {
        let version = site.get(&form(&format!("/versions/{apv}"))).await;
        assert_eq!(version["patch"][0]["value"], edit.nonce, "{version}");
        assert_eq!(version["actor"], EDITORS[edit.editor]);
        titles[edit.editor].clone_from(&edit.nonce);
        let sections = version["document"]["sections"].as_array();
        let shown: Vec<&Value> = sections
            .expect("sections")
            .iter()
            .map(|section| &section["title"])
            .collect();
        assert_eq!(shown, titles.iter().collect::<Vec<_>>(), "version {apv}");
    }
}

/// What is there is what was made: all that was answered, once and under the same id, and of
/// the rest no more than was sent.
fn check_made(made: &[Made], there: &[(String, String)]) {
    let ids: BTreeMap<&str, &str> = there
        .iter()
        .map(|(name, id)| (name.as_str(), id.as_str()))
        .collect();
    assert_eq!(ids.len(), there.len(), "nothing is there twice: {there:?}");
    for made in made {
        let found = ids.get(made.name.as_str()).copied();
        if let Some(id) = &made.id {
            assert_eq!(found, Some(id.as_str()), "{} was answered", made.name);
        }
    }
    let sent: BTreeSet<&str> = made.iter().map(|made| made.name.as_str()).collect();
    assert!(ids.keys().all(|name| sent.contains(name)), "{there:?}");
}

async fn check_inbox(gateway: &Gateway, notes: &[Made]) {
    let mut ada = gateway.connect().await;
    let told = ada.authenticate(Some(gateway.token_of(ADA)), Some(ADA));
    let told = told.await["missed_notifications"].take();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let there: Vec<_> = told
        .as_array()
        .expect("a list")
        .iter()
        .map(|note| (text(&note["note"]), text(&note["id"])))
        .collect();
    check_made(notes, &there);
}

async fn check_tokens(gateway: &Gateway, done: &Record) {
    let path = format!("/tokens?limit=1000&for={REST}&kind=gatewayGuild");
    let listed = Site(gateway.address).list(&path, "tokens").await;
    let left: BTreeMap<&str, u64> = listed
        .iter()
        .filter_map(|token| Some((token["id"].as_str()?, token["uses_left"].as_u64()?)))
        .collect();
    let mut client = gateway.connect().await;
    client.authenticate(None, None).await;
    for token in &done.tokens {
        let left = left[token.id.as_str()];
        let bounds = u64::from(USES - token.tried)..=u64::from(USES - token.granted);
        assert!(bounds.contains(&left), "{left} uses left, not {bounds:?}");
        if left == 0 {
            continue;
        }
        for _ in 0..left {
            assert_eq!(enter(&mut client, &token.token).await, Some(true));
        }
        assert_eq!(enter(&mut client, &token.token).await, Some(false));
    }
}

async fn check_submissions(site: Site, done: &Record) {
    let path = format!("/guilds/{REST}/submissions?limit=1000");
    let listed = site.list(&path, "submissions").await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let there: Vec<_> = listed
        .iter()
        .map(|one| (text(&one["answers"]["why"]), text(&one["id"])))
        .collect();
    check_made(&done.submissions, &there);
    for one in &listed {
        assert_eq!(one["user"], BEN);
        let withdrawn = done.withdrawn.iter().any(|id| one["id"] == **id);
        if withdrawn {
            assert_eq!(one["status"], "withdrawn");
        }
    }
}

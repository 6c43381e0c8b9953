//! Coming, staying and going.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use guildgate_model::Permissions;
use guildgate_wire::ErrorCode;
use serde_json::{Value, json};

use super::{
    super::{
        Command, HEARTBEAT_INTERVAL, Input, NotVerified, PRESENCE_USERS_MAX, Reply, Standing,
        StoreFailed, Target,
    },
    stage::{ANN, BOB, GUILD, MANAGER, Said, Stage, client, document, retitle, told},
};

#[test]
fn a_start_brings_the_document_and_who_is_there() {
    let mut stage = Stage::new(Target::Form);
    assert_eq!(stage.start(0, ANN, MANAGER), []);
    assert_eq!(stage.verify(0), []);
    let said = stage.open(document(), Vec::new());
    let data = |participants: Value| {
        json!({
            "gid": GUILD, "apv": 5, "document": document(), "participants": participants,
            "heartbeat_interval": 30_000, "permissions": "32",
        })
    };
    assert_eq!(said, [Said::Done(0, data(json!([])))]);

    assert_eq!(stage.start(1, BOB, MANAGER), []);
    let said = stage.verify(1);
    let ann = json!({"uid": ANN, "tag": "tag10"});
    let joined = json!({"gid": GUILD, "uid": BOB, "tag": "tag11"});
    let expected = [Said::Done(1, data(json!([ann]))), told(0, "JOIN", joined)];
    assert_eq!(said, expected);
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn a_start_that_is_sent_again_brings_how_things_are_by_now() {
    let mut stage = Stage::with(&[ANN]);
    stage.named_start(1, BOB, MANAGER, Some("7"));
    stage.verify(1);
    stage.patch(0, ANN, 5, retitle(0, "Called"));
    stage.keep();
    let said = stage.named_start(1, BOB, MANAGER, Some("7"));
    let [Said::Done(1, data)] = said.as_slice() else {
        panic!("not answered at once, alone: {said:?}");
    };
    assert_eq!(data["apv"], 6);
    assert_eq!(
        data["document"]["sections"][0]["fields"][0]["title"],
        "Called"
    );
    assert_eq!(data["participants"], json!([{"uid": ANN, "tag": "tag10"}]));
    assert_eq!(stage.open_asks(), 0);
    let refused = Said::Refused(1, ErrorCode::SessionExists, Value::Null);
    assert_eq!(stage.named_start(1, BOB, MANAGER, None), [refused]);
}

#[test]
fn who_may_not_is_not_let_in() {
    let weak = Standing::Member(Permissions::VIEW_CHANNEL);
    let refused = |code| vec![Said::Refused(0, code, Value::Null)];
    for standing in [weak, Standing::Outsider] {
        let mut stage = Stage::new(Target::Form);
        assert_eq!(stage.start(0, ANN, standing), refused(ErrorCode::Forbidden));
        assert!(stage.session.is_finished());
    }
    for (why, code) in [
        (NotVerified::NotGood, ErrorCode::InvalidToken),
        (NotVerified::StoreFailed, ErrorCode::Unavailable),
    ] {
        let mut stage = Stage::new(Target::Form);
        stage.start(0, ANN, MANAGER);
        let ticket = stage.asked_to_verify();
        assert_eq!(
            stage.reply(ticket, Reply::Verified(Err(why))),
            refused(code)
        );
        assert!(stage.session.is_finished());
    }
    let mut stage = Stage::new(Target::Answers(BOB));
    assert_eq!(stage.start(0, ANN, MANAGER), refused(ErrorCode::Forbidden));
    assert_eq!(stage.start(0, BOB, weak), []);
}

#[test]
fn rights_that_go_while_the_document_is_opened_count() {
    let mut stage = Stage::new(Target::Form);
    stage.start(0, ANN, MANAGER);
    stage.verify(0);
    assert_eq!(stage.standing(ANN, Standing::Outsider), []);
    let said = stage.open(document(), Vec::new());
    assert_eq!(said, [Said::Refused(0, ErrorCode::Forbidden, Value::Null)]);
}

#[test]
fn a_store_that_stays_away_refuses_the_start() {
    let mut stage = Stage::new(Target::Form);
    stage.start(0, ANN, MANAGER);
    stage.verify(0);
    let ticket = stage.asked_to_open();
    let said = stage.reply(ticket, Reply::Opened(Err(StoreFailed)));
    assert_eq!(
        said,
        [Said::Refused(0, ErrorCode::Unavailable, Value::Null)]
    );
    assert!(stage.session.is_finished());
}

#[test]
fn a_second_start_is_refused() {
    let mut stage = Stage::with(&[ANN]);
    let said = stage.start(0, ANN, MANAGER);
    assert_eq!(
        said,
        [Said::Refused(0, ErrorCode::SessionExists, Value::Null)]
    );
}

#[test]
fn coming_and_going_is_told_once_a_user() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.start(2, BOB, MANAGER);
    assert_eq!(stage.verify(2).len(), 1, "no JOIN for a second connection");
    assert_eq!(stage.input(Input::Closed(client(1))), []);
    let left = json!({"gid": GUILD, "uid": BOB, "tag": "tag11"});
    let said = stage.command(2, BOB, MANAGER, Command::End);
    let expected = [
        Said::Done(2, json!({"success": true})),
        told(2, "END", json!({"gid": GUILD, "reason": "command"})),
        told(0, "LEAVE", left),
    ];
    assert_eq!(said, expected);
    stage.input(Input::Closed(client(0)));
    assert!(stage.session.is_finished());
}

#[test]
fn a_crowd_is_not_told_of_everybody() {
    let mut stage = Stage::with(&[ANN]);
    let users = u32::try_from(PRESENCE_USERS_MAX).expect("small");
    for slot in 1..users {
        stage.start(
            slot,
            guildgate_model::UserId(100 + u64::from(slot)),
            MANAGER,
        );
        assert_eq!(stage.verify(slot).len(), 1 + slot as usize);
    }
    stage.start(users, BOB, MANAGER);
    let said = stage.verify(users);
    let [Said::Done(_, data)] = said.as_slice() else {
        panic!("one too many is told: {}", said.len());
    };
    let listed = data["participants"].as_array().map(Vec::len);
    assert_eq!(listed, Some(PRESENCE_USERS_MAX));
}

/// What each client makes of the lists, JOINs and LEAVEs that it is told.
#[derive(Default)]
struct Lists(BTreeMap<u32, BTreeSet<String>>);

impl Lists {
    fn take(&mut self, said: Vec<Said>) {
        let text = |value: &Value| value["uid"].as_str().expect("an id").to_owned();
        for said in said {
            match said {
                Said::Done(slot, data) if data.get("participants").is_some() => {
                    let list = data["participants"].as_array().expect("a list");
                    self.0.insert(slot, list.iter().map(text).collect());
                }
                Said::Told(slot, name, data) => {
                    let list = self.0.get_mut(&slot).expect("it has a list");
                    match name.as_str() {
                        "APPLICATION_SESSION_JOIN" => {
                            assert!(list.insert(text(&data)), "{slot} is told twice: {data}");
                        }
                        "APPLICATION_SESSION_LEAVE" => {
                            assert!(list.remove(&text(&data)), "{slot} knew nobody: {data}");
                        }
                        _ => {}
                    }
                }
                Said::Done(..) | Said::Refused(..) => {}
            }
        }
    }
}

#[test]
fn a_list_is_brought_up_to_date_once_a_crowd_is_none_any_more() {
    let user = |slot: u32| guildgate_model::UserId(100 + u64::from(slot));
    let many = u32::try_from(PRESENCE_USERS_MAX).expect("small");
    let mut stage = Stage::new(Target::Form);
    let mut lists = Lists::default();
    let mut here = BTreeMap::new();
    let come = |stage: &mut Stage, lists: &mut Lists, here: &mut BTreeMap<_, _>, slot, user| {
        lists.take(stage.named_start(slot, user, MANAGER, Some("once")));
        lists.take(stage.verify(slot));
        if here.is_empty() {
            lists.take(stage.open(document(), Vec::new()));
        }
        here.insert(slot, user);
    };
    // Ids between theirs come later, so that a list leaves out old and new.
    for slot in (0..many).rev() {
        come(&mut stage, &mut lists, &mut here, slot, user(2 * slot));
    }
    for round in 0..3 {
        let first = 1_000 * (round + 1);
        for slot in first..first + 40 {
            // The last is a second connection of the one before.
            let user = user(2 * (slot - first).min(38) + 1 + 100 * round);
            come(&mut stage, &mut lists, &mut here, slot, user);
        }
        lists.take(stage.named_start(0, user(0), MANAGER, Some("once")));
        let gone: Vec<u32> = here.keys().copied().skip(1).step_by(3).take(45).collect();
        for slot in gone {
            lists.take(stage.input(Input::Closed(client(slot))));
            here.remove(&slot);
            lists.0.remove(&slot);
        }
        let users: BTreeSet<String> = here.values().map(ToString::to_string).collect();
        assert!(users.len() <= PRESENCE_USERS_MAX);
        for (slot, user) in &here {
            let own = user.to_string();
            let mut seen = lists.0[slot].clone();
            seen.insert(own);
            assert_eq!(seen, users, "round {round}, client {slot}");
        }
        // Back to where one more makes a crowd.
        let missing = PRESENCE_USERS_MAX - users.len();
        for number in 0..u32::try_from(missing).expect("small") {
            let slot = first + 100 + number;
            come(&mut stage, &mut lists, &mut here, slot, user(slot));
        }
    }
}

#[test]
fn without_a_session_there_is_nothing_to_do() {
    let mut stage = Stage::with(&[ANN]);
    for command in [Command::Heartbeat, Command::End] {
        let said = stage.command(1, BOB, MANAGER, command);
        assert_eq!(said, [Said::Refused(1, ErrorCode::NoSession, Value::Null)]);
    }
    for said in [
        stage.patch(1, BOB, 5, json!([])),
        stage.reauth(1, BOB, MANAGER, "32"),
    ] {
        assert_eq!(said, [Said::Refused(1, ErrorCode::NoSession, Value::Null)]);
    }
}

#[test]
fn a_heartbeat_is_asked_every_interval_and_must_be_answered() {
    let mut stage = Stage::with(&[ANN]);
    let beat = told(0, "HB_P", json!({"gid": GUILD}));
    for _ in 0..3 {
        let said = stage.pass(HEARTBEAT_INTERVAL);
        assert_eq!(said, std::slice::from_ref(&beat));
        let said = stage.command(0, ANN, MANAGER, Command::Heartbeat);
        assert_eq!(said, [Said::Done(0, json!({}))]);
    }
    assert_eq!(stage.pass(HEARTBEAT_INTERVAL), [beat]);
    let ended = told(
        0,
        "END",
        json!({"gid": GUILD, "reason": "heartbeat_timeout"}),
    );
    assert_eq!(stage.pass(HEARTBEAT_INTERVAL), [ended]);
    assert!(stage.session.is_finished());
}

#[test]
fn only_a_heartbeat_is_a_heartbeat() {
    let mut stage = Stage::with(&[ANN]);
    // One that comes unasked does not stand for the next.
    stage.command(0, ANN, MANAGER, Command::Heartbeat);
    stage.pass(HEARTBEAT_INTERVAL);
    stage.patch(0, ANN, 5, json!([]));
    stage.keep();
    let said = stage.pass(HEARTBEAT_INTERVAL);
    let ended = told(
        0,
        "END",
        json!({"gid": GUILD, "reason": "heartbeat_timeout"}),
    );
    assert_eq!(said, [ended]);
}

#[test]
fn who_waits_for_an_answer_is_not_late() {
    let mut stage = Stage::with(&[ANN]);
    stage.patch(0, ANN, 5, json!([]));
    let beat = told(0, "HB_P", json!({"gid": GUILD}));
    assert_eq!(stage.pass(HEARTBEAT_INTERVAL * 3), vec![beat; 3]);
    stage.keep();
    let said = stage.pass(HEARTBEAT_INTERVAL);
    let ended = told(
        0,
        "END",
        json!({"gid": GUILD, "reason": "heartbeat_timeout"}),
    );
    assert_eq!(said, [ended]);
}

#[test]
fn a_session_outlives_its_socket() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.pass(Duration::from_secs(10));
    stage.input(Input::Detached(client(0)));
    let said = stage.pass(Duration::from_secs(20));
    assert_eq!(said, [told(1, "HB_P", json!({"gid": GUILD}))]);
    stage.command(1, BOB, MANAGER, Command::Heartbeat);
    stage.pass(Duration::from_secs(29));
    // What happens meanwhile goes to the client's resume buffer.
    stage.patch(1, BOB, 5, json!([]));
    assert!(
        stage
            .keep()
            .iter()
            .any(|said| matches!(said, Said::Told(0, ..)))
    );
    stage.input(Input::Attached(client(0)));
    stage.pass(Duration::from_secs(1));
    stage.command(1, BOB, MANAGER, Command::Heartbeat);
    assert_eq!(stage.pass(Duration::from_secs(28)), []);
    let said = stage.pass(Duration::from_secs(1));
    assert_eq!(said, [told(0, "HB_P", json!({"gid": GUILD}))]);
}

#[test]
fn a_guild_that_is_gone_ends_every_session() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.start(2, ANN, MANAGER);
    let late = stage.asked_to_verify();
    let end = |slot| told(slot, "END", json!({"gid": GUILD, "reason": "guild_gone"}));
    let said = stage.input(Input::GuildGone);
    let refused = Said::Refused(2, ErrorCode::UnknownGuild, Value::Null);
    assert_eq!(said, [refused, end(0), end(1)]);
    assert!(stage.session.is_finished());
    assert_eq!(
        stage.reply(late, Reply::Verified(Err(NotVerified::NotGood))),
        []
    );
}

//! Rights and tokens that change under a session.

use std::time::Duration;

use guildgate_model::{Permissions, TokenId};
use guildgate_wire::ErrorCode;
use serde_json::{Value, json};

use super::{
    super::{Appended, Input, NotVerified, REAUTH_WITHIN, Reply, Standing},
    stage::{ANN, BOB, GUILD, MANAGER, Said, Stage, client, retitle, told},
};

fn more() -> Standing {
    Standing::Member(Permissions::MANAGE_GUILD | Permissions::VIEW_CHANNEL)
}

fn asks_again(slot: u32, reason: &str) -> Said {
    let data = json!({"gid": GUILD, "reason": reason, "deadline_ms": 20_000});
    told(slot, "REAUTH", data)
}

fn ended(slot: u32, reason: &str) -> Said {
    told(slot, "END", json!({"gid": GUILD, "reason": reason}))
}

fn held(slot: u32) -> Said {
    Said::Refused(slot, ErrorCode::ReauthRequired, Value::Null)
}

#[test]
fn a_change_of_permissions_holds_patches_until_fresh_tokens_come() {
    let mut stage = Stage::with(&[ANN, BOB]);
    assert_eq!(
        stage.standing(ANN, more()),
        [asks_again(0, "permissions_changed")]
    );
    let patch = stage.command(
        0,
        ANN,
        more(),
        super::super::Command::Patch {
            base: guildgate_model::Revision(5),
            patch: retitle(0, "x"),
            nonce: None,
        },
    );
    assert_eq!(patch, [held(0)]);
    assert_eq!(stage.reauth(0, ANN, more(), "1056"), []);
    let said = stage.verify(0);
    let data = json!({"success": true, "permissions": "1056"});
    assert_eq!(said, [Said::Done(0, data)]);
    assert_eq!(stage.pass(REAUTH_WITHIN), []);
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn what_was_told_is_known_and_nothing_else() {
    // The client may have answered before the last change reached it.
    for known in ["32", "1056"] {
        let mut stage = Stage::with(&[ANN]);
        stage.standing(ANN, more());
        assert_eq!(stage.reauth(0, ANN, more(), known), []);
    }
    for unknown in ["0", "33", "", "all", "-1"] {
        let mut stage = Stage::with(&[ANN]);
        stage.standing(ANN, more());
        let said = stage.reauth(0, ANN, more(), unknown);
        let refused = Said::Refused(0, ErrorCode::Forbidden, Value::Null);
        assert_eq!(said, [refused, ended(0, "reauth_failed")], "{unknown}");
        assert!(stage.session.is_finished());
    }
    let mut stage = Stage::with(&[ANN]);
    stage.standing(ANN, more());
    stage.reauth(0, ANN, more(), "32");
    stage.verify(0);
    // Once settled, the set of before is no longer known.
    let said = stage.reauth(0, ANN, more(), "32");
    assert_eq!(said[1], ended(0, "reauth_failed"));
}

#[test]
fn bad_tokens_end_the_session_and_a_silent_store_does_not() {
    let mut stage = Stage::with(&[ANN]);
    stage.standing(ANN, more());
    stage.reauth(0, ANN, more(), "32");
    let ticket = stage.asked_to_verify();
    let said = stage.reply(ticket, Reply::Verified(Err(NotVerified::StoreFailed)));
    assert_eq!(
        said,
        [Said::Refused(0, ErrorCode::Unavailable, Value::Null)]
    );
    stage.reauth(0, ANN, more(), "32");
    let ticket = stage.asked_to_verify();
    let said = stage.reply(ticket, Reply::Verified(Err(NotVerified::NotGood)));
    let refused = Said::Refused(0, ErrorCode::InvalidToken, Value::Null);
    assert_eq!(said, [refused, ended(0, "reauth_failed")]);
}

#[test]
fn no_answer_ends_the_session() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.standing(ANN, more());
    assert_eq!(stage.pass(REAUTH_WITHIN - Duration::from_millis(1)), []);
    // A second change neither asks twice nor gives more time.
    assert_eq!(stage.standing(ANN, MANAGER), []);
    let said = stage.pass(Duration::from_millis(1));
    let left = json!({"gid": GUILD, "uid": ANN, "tag": "tag10"});
    assert_eq!(said, [ended(0, "reauth_failed"), told(1, "LEAVE", left)]);
}

#[test]
fn tokens_under_examination_are_waited_for() {
    let mut stage = Stage::with(&[ANN]);
    stage.standing(ANN, more());
    stage.reauth(0, ANN, more(), "32");
    let said = stage.pass(REAUTH_WITHIN * 4);
    assert!(!said.contains(&ended(0, "reauth_failed")), "{said:?}");
    assert!(matches!(stage.verify(0).as_slice(), [Said::Done(0, _)]));
}

#[test]
fn lost_rights_put_a_manager_out_at_once() {
    let weak = Standing::Member(Permissions::VIEW_CHANNEL);
    for standing in [weak, Standing::Outsider] {
        let mut stage = Stage::with(&[ANN, BOB, ANN]);
        let said = stage.standing(ANN, standing);
        let left = json!({"gid": GUILD, "uid": ANN, "tag": "tag10"});
        let expected = [
            ended(0, "forbidden"),
            ended(2, "forbidden"),
            told(1, "LEAVE", left),
        ];
        assert_eq!(said, expected);
    }
}

#[test]
fn a_command_brings_news_of_its_sender() {
    let mut stage = Stage::with(&[ANN]);
    let command = super::super::Command::Patch {
        base: guildgate_model::Revision(5),
        patch: retitle(0, "x"),
        nonce: None,
    };
    let said = stage.command(0, ANN, Standing::Outsider, command);
    let refused = Said::Refused(0, ErrorCode::NoSession, Value::Null);
    assert_eq!(said, [ended(0, "forbidden"), refused]);
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn a_patch_that_waits_is_looked_at_again_when_its_turn_comes() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.patch(1, BOB, 5, retitle(0, "first"));
    stage.patch(0, ANN, 5, retitle(1, "second"));
    let (ticket, _) = stage.asked_to_append();
    assert_eq!(stage.open_asks(), 0, "one append at a time");
    stage.standing(ANN, more());
    let said = stage.reply(
        ticket,
        Reply::Appended(Appended::Kept(guildgate_model::Revision(6))),
    );
    assert!(said.contains(&held(0)), "{said:?}");
    assert_eq!(stage.open_asks(), 0, "the second is not taken");

    stage.patch(1, BOB, 6, retitle(0, "third"));
    let mut gone = Stage::with(&[ANN, BOB]);
    gone.patch(1, BOB, 5, retitle(0, "first"));
    gone.patch(0, ANN, 5, retitle(1, "second"));
    gone.standing(ANN, Standing::Outsider);
    let said = gone.keep();
    let refused = Said::Refused(0, ErrorCode::NoSession, Value::Null);
    assert!(said.contains(&refused), "{said:?}");
    assert_eq!(gone.open_asks(), 0);
}

#[test]
fn what_the_store_was_asked_to_keep_is_answered_whatever_becomes_of_its_author() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.patch(0, ANN, 5, retitle(0, "x"));
    stage.standing(ANN, Standing::Outsider);
    let said = stage.keep();
    let patch = json!({"gid": GUILD, "uid": ANN, "apv": 6, "patch": retitle(0, "x")});
    let taken = Said::Done(0, json!({"gid": GUILD, "apv": 6}));
    assert_eq!(said, [told(1, "PATCH", patch), taken]);
}

#[test]
fn tokens_that_end_are_asked_for_anew() {
    let mut stage = Stage::with(&[ANN]);
    let in_a_minute = stage.now.after(Duration::from_secs(15)).wall;
    stage.start(1, BOB, MANAGER);
    stage.verify_until(1, Some(in_a_minute));
    assert_eq!(stage.pass(Duration::from_millis(14_999)), []);
    let said = stage.pass(Duration::from_millis(1));
    assert_eq!(said, [asks_again(1, "token_expired")]);

    let said = stage.input(Input::TokenRevoked(TokenId(1)));
    assert_eq!(said, [asks_again(0, "token_revoked")]);
    assert_eq!(stage.input(Input::TokenRevoked(TokenId(77))), []);
}

#[test]
fn a_wall_clock_that_is_set_back_does_not_end_a_token_early() {
    let mut stage = Stage::with(&[]);
    stage.start(0, ANN, MANAGER);
    let at = stage.now.after(Duration::from_secs(10)).wall;
    stage.verify_until(0, Some(at));
    stage.open(super::stage::document(), Vec::new());
    stage.now.wall = guildgate_model::UnixMs(stage.now.wall.0 - 5_000);
    assert_eq!(stage.pass(Duration::from_secs(12)), []);
    assert_eq!(
        stage.pass(Duration::from_secs(3)),
        [asks_again(0, "token_expired")]
    );
}

#[test]
fn a_revocation_that_overtakes_the_examination_counts() {
    let mut stage = Stage::with(&[BOB]);
    stage.start(3, ANN, MANAGER);
    assert_eq!(stage.input(Input::TokenRevoked(TokenId(7))), []);
    let said = stage.verify(3);
    assert_eq!(
        said,
        [Said::Refused(3, ErrorCode::InvalidToken, Value::Null)]
    );
    // It is not remembered for longer than needed: token ids are not used twice.
    stage.start(3, ANN, MANAGER);
    assert!(matches!(stage.verify(3).as_slice(), [Said::Done(3, _), ..]));
}

#[test]
fn a_client_that_closes_is_not_answered() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.patch(0, ANN, 5, retitle(0, "x"));
    stage.input(Input::Closed(client(0)));
    let said = stage.keep();
    let patch = json!({"gid": GUILD, "uid": ANN, "apv": 6, "patch": retitle(0, "x")});
    assert_eq!(said, [told(1, "PATCH", patch)]);
}

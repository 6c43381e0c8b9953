//! Application sessions: whose rights they are bound to, and for how long those are known.

use std::collections::BTreeSet;

use guildgate_model::{
    ApplicationId, Grants, GuildId, Permissions, Revision, RoleId, Secret, TokenId, UpstreamEvent,
    UserId,
};
use proptest::prelude::*;
use serde_json::json;

use super::rig::{ANN, BOB, GUILD, OWNER, Rig, VIEW, changed, client, left, member, role, sample};
use crate::{
    ClientId,
    form_session::{
        Appended, Ask, Command, Credentials, Opened, Reply, SessionsInput, Standing, Target,
        Verified,
    },
    hub::{Input, Query, Rights, SessionCommand},
};

const MANAGE: Permissions = Permissions::MANAGE_GUILD;

fn command(rig: &mut Rig, client: ClientId, user: UserId, command: Command) {
    rig.screens.entry(client).or_default().user_id = Some(user);
    rig.put(Input::Command(SessionCommand {
        client,
        user,
        guild: Some(GUILD),
        target: Target::Form,
        command,
    }));
}

fn start(rig: &mut Rig, client: ClientId, user: UserId) {
    command(rig, client, user, start_command());
}

fn start_command() -> Command {
    Command::Start {
        credentials: Credentials {
            user_token: Secret::new("ggu_test"),
            gateway_token: Secret::new("gggu_test"),
        },
        nonce: None,
    }
}

fn patch(rig: &mut Rig, client: ClientId, user: UserId) {
    let patch = Command::Patch {
        base: Revision(1),
        patch: json!([{"op": "replace", "path": "/status", "value": 1}]),
        nonce: None,
    };
    command(rig, client, user, patch);
}

/// Plays the database: every token is good, and the form is an empty one.
fn answer_asks(rig: &mut Rig) {
    while !rig.session_asks.is_empty() {
        answer_open_asks(rig);
    }
}

/// Plays it for what is asked now.
fn answer_open_asks(rig: &mut Rig) {
    for (key, ticket, ask) in std::mem::take(&mut rig.session_asks) {
        let reply = match ask {
            Ask::Verify { .. } => Reply::Verified(Ok(Verified {
                tokens: [TokenId(1), TokenId(2)],
                expires_at: None,
            })),
            Ask::Open => Reply::Opened(Ok(Box::new(Opened {
                revision: Revision(1),
                document: json!({"status": 0, "status_data": null, "sections": []}),
                versions: vec![],
                answered_fields: BTreeSet::new(),
                form: None,
            }))),
            Ask::Load { .. } => Reply::Loaded(Ok(vec![])),
            Ask::Append(append) => Reply::Appended(Appended::Kept(append.base.next())),
        };
        rig.put(Input::Sessions(SessionsInput::Reply { key, ticket, reply }));
    }
}

/// Ann (role 20) edits the form through client 0, which is not on the guild.
fn editing() -> Rig {
    let mut rig = Rig::up();
    start(&mut rig, client(0), ANN);
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
    answer_asks(&mut rig);
    assert_eq!(rig.answers.len(), 1);
    let (_, answer) = rig.answers.pop().expect("an answer");
    assert_eq!(answer.expect("let in")["apv"], 1);
    rig
}

#[test]
fn whoever_starts_a_session_is_looked_up_first() {
    let mut rig = Rig::up();
    start(&mut rig, client(0), ANN);
    rig.pass(20);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
    assert!(rig.session_asks.is_empty(), "no token is looked at before");
    rig.answer(GUILD, vec![], vec![ANN]);
    assert_eq!(rig.answers, [(client(0), Err("forbidden"))]);
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None, "nothing is kept");
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn an_editors_member_is_kept_until_the_session_ends() {
    let mut rig = editing();
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), Some(VIEW | MANAGE));
    command(&mut rig, client(0), ANN, Command::End);
    assert_eq!(rig.answers.len(), 1);
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None);
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn an_editor_who_goes_is_forgotten() {
    let mut rig = editing();
    rig.put(Input::Gone(client(0)));
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None);
    assert_eq!(rig.hub.deadline(), None);
}

/// `event` takes the right to edit from Ann, in the same breath: her next patch is refused
/// before anything is asked of the database.
fn check_put_out(event: impl FnOnce(&mut Rig)) {
    let mut rig = editing();
    patch(&mut rig, client(0), ANN);
    answer_asks(&mut rig);
    assert!(
        rig.answers.pop().expect("an answer").1.is_ok(),
        "may still edit"
    );
    event(&mut rig);
    let heard = rig.heard(client(0));
    let expected = ["APPLICATION_SESSION_REAUTH", "APPLICATION_SESSION_END"];
    assert!(
        heard.iter().any(|name| expected.contains(&&**name)),
        "{heard:?}"
    );
    patch(&mut rig, client(0), ANN);
    assert!(rig.session_asks.is_empty());
    let (_, answer) = rig.answers.pop().expect("an answer");
    let code = answer.expect_err("refused");
    assert!(
        ["reauth_required", "no_session", "forbidden"].contains(&code),
        "{code}"
    );
}

#[test]
fn every_loss_of_rights_comes_before_the_next_patch() {
    check_put_out(|rig| rig.tell(changed(ANN, &[])));
    check_put_out(|rig| rig.tell(left(ANN)));
    check_put_out(|rig| {
        rig.tell(UpstreamEvent::RoleChanged {
            guild: GUILD,
            role: role(20, VIEW),
        });
    });
    check_put_out(|rig| {
        rig.tell(UpstreamEvent::RoleRemoved {
            guild: GUILD,
            role: RoleId(20),
        });
    });
    check_put_out(|rig| {
        let mut data = member(ANN, &[20]);
        data.timed_out_until = Some(Some(guildgate_model::UnixMs(rig.now.wall.0 + 60_000)));
        rig.tell(UpstreamEvent::MemberChanged {
            guild: GUILD,
            member: data,
        });
    });
    check_put_out(|rig| rig.tell(UpstreamEvent::GuildLeft(GUILD)));
}

#[test]
fn an_owner_who_gives_the_guild_away_is_put_out() {
    let mut rig = Rig::up();
    start(&mut rig, client(0), OWNER);
    rig.pass(20);
    rig.answer(GUILD, vec![member(OWNER, &[])], vec![]);
    answer_asks(&mut rig);
    rig.answers.clear();
    rig.update(|data| data.owner = Some(BOB));
    patch(&mut rig, client(0), OWNER);
    assert!(rig.session_asks.is_empty());
    assert!(rig.answers[0].1.is_err());
}

#[test]
fn others_are_not_disturbed() {
    let mut rig = editing();
    rig.connect_member(client(1), BOB, &[30]);
    start(&mut rig, client(1), BOB);
    answer_asks(&mut rig);
    rig.heard(client(1));
    rig.tell(changed(ANN, &[]));
    let heard = rig.heard(client(1));
    assert!(
        !heard.contains(&"APPLICATION_SESSION_REAUTH".to_owned()),
        "{heard:?}"
    );
}

#[test]
fn a_session_that_cannot_be_started_says_why() {
    let mut rig = Rig::up();
    let unknown = GuildId(77);
    rig.put(Input::Command(SessionCommand {
        client: client(0),
        user: ANN,
        guild: Some(unknown),
        target: Target::Form,
        command: start_command(),
    }));
    start(&mut rig, client(1), ANN);
    rig.pass(10_000);
    patch(&mut rig, client(2), ANN);
    start(&mut rig, client(3), BOB);
    rig.tell(UpstreamEvent::GuildLeft(GUILD));
    let expected = [
        (client(0), Err("unknown_guild")),
        (client(1), Err("unavailable")),
        (client(2), Err("no_session")),
        (client(3), Err("unknown_guild")),
    ];
    assert_eq!(rig.answers, expected);
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn a_client_that_goes_before_its_session_began_leaves_nothing() {
    let mut rig = Rig::up();
    start(&mut rig, client(0), ANN);
    rig.put(Input::Gone(client(0)));
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
    assert!(rig.session_asks.is_empty());
    assert_eq!(rig.hub.deadline(), None);
}

#[test]
fn a_client_that_goes_while_its_session_begins_leaves_nothing_however_far_it_was() {
    let asked = |rig: &Rig| {
        rig.session_asks.first().map(|(_, _, ask)| match ask {
            Ask::Verify { .. } => "tokens",
            Ask::Open => "document",
            Ask::Load { .. } | Ask::Append(_) => "more",
        })
    };
    for (rounds, expected) in [(0, "tokens"), (1, "document")] {
        let mut rig = Rig::up();
        start(&mut rig, client(0), ANN);
        rig.pass(20);
        rig.answer(GUILD, vec![member(ANN, &[20])], vec![]);
        for _ in 0..rounds {
            answer_open_asks(&mut rig);
        }
        assert_eq!(asked(&rig), Some(expected));
        rig.put(Input::Gone(client(0)));
        answer_asks(&mut rig);
        assert_eq!(rig.hub.permissions_of(GUILD, ANN), None);
        assert_eq!(rig.hub.deadline(), None, "nobody takes part");
    }
}

#[test]
fn after_a_gap_an_editor_is_verified_like_everybody() {
    let mut rig = editing();
    rig.ready(&[GUILD]);
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    rig.pass(200);
    assert_eq!(rig.asked, [(GUILD, vec![ANN])]);
    rig.answer(GUILD, vec![member(ANN, &[])], vec![]);
    patch(&mut rig, client(0), ANN);
    assert!(rig.session_asks.is_empty());
    assert!(rig.answers[0].1.is_err());
}

#[test]
fn managers_on_the_guild_hear_of_submissions_and_nobody_else() {
    let mut rig = Rig::up();
    rig.connect_member(client(0), ANN, &[20]);
    rig.connect_member(client(1), BOB, &[]);
    rig.connect(client(2), GUILD, None);
    rig.put(Input::Submitted {
        guild: GUILD,
        id: ApplicationId(5),
        user: BOB,
    });
    assert!(rig.heard(client(1)).is_empty());
    assert!(rig.heard(client(2)).is_empty());
    let (name, data, _) = rig.screen(client(0)).events.last().expect("an event");
    assert_eq!(name, "APPLICATION_SUBMITTED");
    assert_eq!(*data, json!({"gid": "1", "id": "5", "uid": "102"}));
}

#[test]
fn rights_are_told_to_whoever_asks() {
    let mut rig = Rig::up();
    let ask = |rig: &mut Rig, number, guild, user| {
        rig.put(Input::RightsWanted {
            query: Query(number),
            guild,
            user,
        });
    };
    ask(&mut rig, 1, GUILD, ANN);
    ask(&mut rig, 2, GUILD, BOB);
    ask(&mut rig, 3, GuildId(77), BOB);
    rig.pass(20);
    rig.answer(GUILD, vec![member(ANN, &[20])], vec![BOB]);
    let rights = |tag: &str, standing| Rights {
        grants: Grants::none(),
        tag: tag.into(),
        standing,
    };
    let expected = [
        (Query(3), Err("unknown_guild")),
        (
            Query(1),
            Ok(rights("user101", Standing::Member(VIEW | MANAGE))),
        ),
        (Query(2), Ok(rights("", Standing::Outsider))),
    ];
    assert_eq!(rig.rights, expected);
    assert_eq!(rig.hub.permissions_of(GUILD, ANN), None, "nothing is kept");
    assert_eq!(rig.hub.deadline(), None);
}

/// One step of a race between patches and the right to make them.
#[derive(Debug, Clone, Copy)]
enum Step {
    Patch,
    Reauth,
    /// The database answers everything it was asked.
    AnswerAsks,
    /// Ann's role is given or taken.
    ToggleRole,
    /// The role's permissions change.
    EditRole(u64),
    TimeOut(i64),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bits = prop_oneof![Just(0_u64), Just(MANAGE.0), Just(8)];
    let step = prop_oneof![
        6 => Just(Step::Patch),
        3 => Just(Step::Reauth),
        4 => Just(Step::AnswerAsks),
        3 => Just(Step::ToggleRole),
        2 => bits.prop_map(Step::EditRole),
        1 => (0_i64..2_000).prop_map(Step::TimeOut),
        2 => (0_u64..1_500).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    /// However patches and role changes race: a patch by somebody who may not edit is refused
    /// at once, and none is asked to be kept for it.
    #[test]
    fn no_patch_is_taken_from_somebody_who_lost_the_right(steps in steps()) {
        let mut rig = editing();
        let (mut holds, mut bits, mut until) = (true, MANAGE.0, i64::MIN);
        for step in steps {
            match step {
                Step::AnswerAsks => answer_asks(&mut rig),
                Step::Pass(ms) => rig.pass(ms),
                Step::ToggleRole | Step::TimeOut(_) => {
                    match step {
                        Step::TimeOut(ms) => until = rig.now.wall.0 + ms,
                        _ => holds = !holds,
                    }
                    let mut data = member(ANN, if holds { &[20] } else { &[] });
                    data.timed_out_until = Some(Some(guildgate_model::UnixMs(until)));
                    rig.tell(UpstreamEvent::MemberChanged { guild: GUILD, member: data });
                }
                Step::EditRole(to) => {
                    bits = to;
                    let role = role(20, Permissions(bits));
                    rig.tell(UpstreamEvent::RoleChanged { guild: GUILD, role });
                }
                Step::Reauth => {
                    let known = rig.hub.permissions_of(GUILD, ANN).unwrap_or_default();
                    let reauth = Command::Reauth {
                        credentials: Credentials {
                            user_token: Secret::new("ggu_test"),
                            gateway_token: Secret::new("gggu_test"),
                        },
                        known_permissions: known.to_string().into(),
                    };
                    command(&mut rig, client(0), ANN, reauth);
                }
                Step::Patch => {
                    let may = holds && match bits {
                        0 => false,
                        8 => true,
                        _ => until <= rig.now.wall.0,
                    };
                    let (asks, answers) = (rig.session_asks.len(), rig.answers.len());
                    patch(&mut rig, client(0), ANN);
                    if !may {
                        prop_assert_eq!(rig.session_asks.len(), asks);
                        prop_assert_eq!(rig.answers.len(), answers + 1);
                        prop_assert!(rig.answers[answers].1.is_err());
                    }
                }
            }
        }
    }
}

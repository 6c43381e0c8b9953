//! Whether the invite that the site shows still exists.

use guildgate_model::UpstreamEvent;

use super::rig::{GUILD, Rig, client, sample};
use crate::hub::{Config, Input, InviteStanding};

fn rig() -> Rig {
    let mut config = Config::default();
    config.invites.insert(GUILD, "abc".into());
    let mut rig = Rig::up_with(config);
    rig.connect(client(0), GUILD, None);
    rig
}

fn valid(rig: &mut Rig) -> bool {
    rig.pass(1_000);
    rig.screen(client(0)).guild["current_invite_valid"] == true
}

fn answer(code: &str, standing: InviteStanding) -> Input {
    Input::Invite {
        guild: GUILD,
        code: code.into(),
        standing,
    }
}

fn exists(code: &str) -> Input {
    answer(code, InviteStanding::Exists)
}

#[test]
fn invites_are_fetched_only_where_one_is_set() {
    let mut rig = rig();
    assert_eq!(rig.fetches, [GUILD]);
    assert!(!valid(&mut rig));
    rig.put(exists("abc"));
    assert!(valid(&mut rig));
}

#[test]
fn events_keep_it_current() {
    let mut rig = rig();
    let deleted = |code: &str| UpstreamEvent::InviteDeleted {
        guild: GUILD,
        code: code.into(),
    };
    rig.put(exists("abc"));
    rig.tell(deleted("other"));
    assert!(valid(&mut rig));
    rig.tell(deleted("abc"));
    assert!(!valid(&mut rig));
    rig.tell(UpstreamEvent::InviteCreated {
        guild: GUILD,
        code: "abc".into(),
    });
    assert!(valid(&mut rig));
}

#[test]
fn one_that_runs_out_is_asked_for_when_it_is_doubted() {
    let mut rig = rig();
    rig.put(exists("abc"));
    rig.put(Input::InviteDoubted(GUILD));
    assert_eq!(rig.fetches, [GUILD, GUILD]);
    assert!(valid(&mut rig), "it is good until Discord says otherwise");
    rig.put(answer("abc", InviteStanding::Absent));
    assert!(!valid(&mut rig));
}

#[test]
fn until_when_a_new_one_is_good_is_asked() {
    let mut rig = rig();
    let created = |code: &str| UpstreamEvent::InviteCreated {
        guild: GUILD,
        code: code.into(),
    };
    rig.tell(created("other"));
    assert_eq!(rig.fetches, [GUILD]);
    rig.tell(created("abc"));
    assert_eq!(rig.fetches, [GUILD, GUILD]);
    assert!(valid(&mut rig));
}

#[test]
fn another_invite_may_be_set_or_none() {
    let mut rig = rig();
    rig.put(exists("abc"));
    assert!(valid(&mut rig));
    let set = |code: Option<&str>| Input::InviteSet {
        guild: GUILD,
        code: code.map(Into::into),
    };
    rig.put(set(Some("abc")));
    assert_eq!(rig.fetches.len(), 1, "it is the same");
    rig.put(set(Some("new")));
    assert_eq!(rig.fetches, [GUILD, GUILD]);
    assert!(!valid(&mut rig));
    rig.put(exists("new"));
    assert!(valid(&mut rig));
    rig.put(set(None));
    assert!(!valid(&mut rig));
}

#[test]
fn a_vanity_code_is_an_invite() {
    let mut rig = rig();
    rig.update(|data| data.vanity = Some(Some("abc".into())));
    assert!(valid(&mut rig));
    rig.update(|data| data.vanity = Some(None));
    assert!(!valid(&mut rig));
}

#[test]
fn invites_are_fetched_again_after_an_outage() {
    let mut rig = rig();
    rig.tell(UpstreamEvent::GuildUnavailable(GUILD));
    rig.tell(UpstreamEvent::GuildAvailable(Box::new(sample(GUILD))));
    assert_eq!(rig.fetches, [GUILD, GUILD]);
}

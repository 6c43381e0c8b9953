//! Whether the invite that the site shows still exists.

use guildgate_model::UpstreamEvent;

use super::rig::{GUILD, Rig, client, sample};
use crate::hub::{Config, Input};

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

fn list(codes: &[&str]) -> Input {
    Input::Invites {
        guild: GUILD,
        codes: codes.iter().map(|&code| code.into()).collect(),
    }
}

#[test]
fn invites_are_fetched_only_where_one_is_set() {
    let mut rig = rig();
    assert_eq!(rig.fetches, [GUILD]);
    assert!(!valid(&mut rig));
    rig.put(list(&["xyz", "abc"]));
    assert!(valid(&mut rig));
}

#[test]
fn events_keep_it_current() {
    let mut rig = rig();
    let deleted = |code: &str| UpstreamEvent::InviteDeleted {
        guild: GUILD,
        code: code.into(),
    };
    rig.put(list(&["abc"]));
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
fn another_invite_may_be_set_or_none() {
    let mut rig = rig();
    rig.put(list(&["abc"]));
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
    rig.put(list(&["new"]));
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

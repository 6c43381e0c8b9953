//! Wire protocol, "Live application sessions": what concerns the connection.

use guildgate_wire::{ApplicationCommand, EventFrame};

use super::*;

fn start(guild: GuildId) -> Value {
    json!({ "uid": "1234", "gid": guild, "utokh": "u", "uhash": "g" })
}

impl Rig {
    fn start_session(&mut self, guild: GuildId) {
        self.command("APPLICATION_SESSION", start(guild));
        self.feed(Input::Answer(done(json!({ "gid": guild }))));
        assert!(self.client.in_application_session());
    }

    /// How many frames it may send at once.
    fn allowance(&mut self) -> usize {
        let close = Output::Close(CloseCode::RateLimited);
        (0..)
            .find(|_| self.feed(Input::Fragment).first() == Some(&close))
            .expect("there is a limit")
    }
}

#[test]
fn application_commands_are_for_users_alone() {
    let commands = [
        ("APPLICATION_SESSION", start(GUILD)),
        (
            "APPLICATION_SESSION_PATCH",
            json!({ "gid": "7", "base": 1, "patch": [] }),
        ),
        (
            "APPLICATION_SESSION_REAUTH",
            json!({ "utokh": "u", "uhash": "g", "pm": "64" }),
        ),
        ("APPLICATION_SESSION_HB_M", json!(null)),
        ("APPLICATION_SESSION_END", json!({ "gid": "7" })),
        (
            "APPLICATION_SUBMIT",
            json!({ "gid": "7", "answers": {}, "apv": 1 }),
        ),
        (
            "APPLICATION_REVIEW",
            json!({ "gid": "7", "id": "1", "proccessed_type": 0 }),
        ),
    ];
    for (cmd, data) in commands {
        let (code, message) = refusal(&Rig::basic().command(cmd, data.clone()));
        assert_eq!(code, "not_authenticated");
        assert!(message.contains(cmd), "{message}");
        let outputs = Rig::full().command(cmd, data);
        let [Output::Ask(Ask::Application { user, token, .. })] = outputs[..] else {
            panic!("{cmd} is asked about, not {outputs:?}");
        };
        assert_eq!((user, token), (USER, TOKEN));
    }
}

#[test]
fn an_application_command_is_passed_on_as_it_is() {
    let mut rig = Rig::full();
    let outputs = rig.json(json!({
        "op": 7, "cmd": "APPLICATION_SESSION_END", "d": { "gid": "7" },
    }));
    let ask = Ask::Application {
        user: USER,
        token: TOKEN,
        nonce: None,
        command: ApplicationCommand::End { guild: GUILD },
    };
    assert_eq!(outputs, [Output::Ask(ask)]);
    let outputs = rig.feed(Input::Answer(done(json!({ "success": true }))));
    assert_eq!(sent(&outputs)["d"]["data"], json!({ "success": true }));
}

#[test]
fn inside_a_session_frames_may_be_larger_and_more() {
    let mut rig = Rig::full();
    let limits = Limits::default();
    assert_eq!(rig.client.frame_bytes_max(rig.now.mono, &limits), 4 * 1024);
    rig.start_session(GUILD);
    assert_eq!(rig.client.frame_bytes_max(rig.now.mono, &limits), 64 * 1024);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.allowance(), 200);
}

#[test]
fn a_refused_session_is_none() {
    let mut rig = Rig::full();
    rig.command("APPLICATION_SESSION", start(GUILD));
    rig.feed(Input::Answer(refused()));
    assert!(!rig.client.in_application_session());
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.allowance(), 50);
}

#[test]
fn a_session_ends_by_command_or_by_event_or_by_both() {
    enum End {
        Event,
        Command,
    }
    let over = EventFrame::application_session_end(GUILD, "command").ends();
    for ending in [
        vec![End::Event],
        vec![End::Command],
        vec![End::Command, End::Event],
        vec![End::Event, End::Command],
    ] {
        let mut rig = Rig::full();
        rig.start_session(GUILD);
        for end in ending {
            match end {
                End::Event => assert_eq!(rig.feed(Input::Ended(over)), []),
                End::Command => {
                    rig.command("APPLICATION_SESSION_END", json!({ "gid": "7" }));
                    rig.feed(Input::Answer(done(json!({ "success": true }))));
                }
            }
        }
        assert!(!rig.client.in_application_session());
    }
}

#[test]
fn an_end_that_is_refused_ends_nothing() {
    let mut rig = Rig::full();
    rig.start_session(GUILD);
    rig.command("APPLICATION_SESSION_END", json!({ "gid": "7" }));
    rig.feed(Input::Answer(refused()));
    assert!(rig.client.in_application_session());
}

#[test]
fn sessions_in_two_guilds_end_one_by_one() {
    let mut rig = Rig::full();
    rig.start_session(GUILD);
    rig.start_session(OTHER);
    for (guild, still) in [(GUILD, true), (OTHER, false)] {
        let over = EventFrame::application_session_end(guild, "forbidden").ends();
        rig.feed(Input::Ended(over));
        assert_eq!(rig.client.in_application_session(), still);
    }
}

#[test]
fn what_was_sent_inside_a_session_is_not_held_against_the_client_outside() {
    let mut rig = Rig::full();
    rig.start_session(GUILD);
    for _ in 0..150 {
        assert_eq!(rig.feed(Input::Fragment), []);
    }
    let over = EventFrame::application_session_end(GUILD, "forbidden").ends();
    rig.feed(Input::Ended(over));
    rig.pass(rig.limits.session_grace);
    assert_eq!(rig.allowance(), 50);
}

#[test]
fn what_was_under_way_when_a_session_ended_is_answered_and_not_a_reason_to_close() {
    let mut rig = Rig::full();
    rig.start_session(GUILD);
    for _ in 0..150 {
        assert_eq!(rig.feed(Input::Fragment), []);
    }
    let over = EventFrame::application_session_end(GUILD, "forbidden").ends();
    rig.feed(Input::Ended(over));
    let limits = rig.limits.clone();
    let bytes_max = |rig: &Rig| rig.client.frame_bytes_max(rig.now.mono, &limits);
    assert_eq!(bytes_max(&rig), 64 * 1024);
    let patch = json!({ "gid": "7", "base": 1, "patch": [] });
    let outputs = rig.command("APPLICATION_SESSION_PATCH", patch);
    assert!(matches!(
        outputs[..],
        [Output::Ask(Ask::Application { .. })]
    ));
    rig.feed(Input::Answer(refused()));
    rig.pass(limits.session_grace - Duration::from_millis(1));
    assert_eq!(bytes_max(&rig), 64 * 1024);
    rig.pass(Duration::from_millis(1));
    assert_eq!(bytes_max(&rig), 4 * 1024);
    assert_eq!(rig.allowance(), 50);
}

#[test]
fn a_session_that_ended_while_its_client_was_away_leaves_the_grace_to_who_comes_back() {
    let mut rig = Rig::full();
    rig.start_session(GUILD);
    rig.feed(Input::SocketLost);
    let over = EventFrame::application_session_end(GUILD, "forbidden").ends();
    rig.feed(Input::Ended(over));
    rig.pass(Duration::from_secs(60));
    rig.feed(Input::Resume {
        seen: Sequence(0),
        token: TOKEN,
        missed: vec![],
    });
    let limits = rig.limits.clone();
    assert_eq!(rig.client.frame_bytes_max(rig.now.mono, &limits), 64 * 1024);
    rig.start_session(GUILD);
    rig.pass(limits.session_grace);
    assert_eq!(
        rig.client.frame_bytes_max(rig.now.mono, &limits),
        64 * 1024,
        "a new session is no grace"
    );
}

#[test]
fn one_connection_edits_no_more_than_16_applications() {
    let mut rig = Rig::full();
    for guild in 0..APPLICATION_SESSIONS_MAX as u64 {
        rig.start_session(GuildId(guild));
    }
    let outputs = rig.command("APPLICATION_SESSION", start(GuildId(99)));
    assert_eq!(refusal(&outputs).0, "too_large");
    let outputs = rig.command("APPLICATION_SESSION", start(GuildId(3)));
    assert!(
        matches!(outputs[..], [Output::Ask(_)]),
        "whether it has one there already is asked"
    );
}

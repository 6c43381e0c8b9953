//! What is sent through a shard: 24, 35, 36, 38 to 43 through the machine, 62.

use super::*;
use crate::payload::{
    ChannelInfoField, RequestChannelInfo, RequestMembers, RequestSoundboardSounds, VoiceState,
};

fn voice(number: u64) -> Command {
    Command::VoiceState(VoiceState {
        guild_id: guild(number),
        channel_id: None,
        self_mute: false,
        self_deaf: false,
    })
}

fn guilds(sent: &[(Opcode, Value)]) -> Vec<u64> {
    sent.iter()
        .filter_map(|(_, d)| d["guild_id"].as_str())
        .map(|id| id.parse().expect("an id"))
        .collect()
}

#[test]
fn e24_commands_wait_for_ready_and_for_resumed() {
    let mut sim = Sim::new();
    sim.command(voice(1)).expect("taken");
    sim.identify();
    sim.command(voice(2)).expect("taken");
    assert_eq!(sim.take_sent(), []);
    sim.dispatch(1, "READY", &ready(&[]));
    assert_eq!(guilds(&sim.take_sent()), [1, 2]);
    sim.closed(None);
    sim.command(voice(3)).expect("taken");
    sim.open();
    assert_eq!(ops(&sim.take_sent()), [Opcode::Resume]);
    sim.dispatch(2, "RESUMED", &json!({}));
    assert_eq!(guilds(&sim.take_sent()), [3]);
}

#[test]
fn e35_two_hundred_commands_stay_within_the_limit_and_beats_are_on_time() {
    let mut sim = Sim::active();
    for number in 0..200 {
        sim.command(voice(number)).expect("taken");
    }
    let mut sent: Vec<(Mono, Opcode)> = Vec::new();
    let mut last_beat = None;
    for _ in 0..2400 {
        for (op, _) in sim.take_sent() {
            if op == Opcode::Heartbeat
                && let Some(last) = last_beat.replace(sim.now.mono)
            {
                assert_eq!(sim.now.mono.since(last), seconds(45));
            }
            sent.push((sim.now.mono, op));
        }
        sim.live(Duration::from_millis(100));
    }
    let commands = sent
        .iter()
        .filter(|(_, op)| *op == Opcode::VoiceState)
        .count();
    assert_eq!(commands, 200);
    for (index, &(first, _)) in sent.iter().enumerate() {
        let within = sent[index..]
            .iter()
            .filter(|(at, _)| at.since(first) <= seconds(60))
            .count();
        assert!(within <= 120, "{within} payloads from {first:?}");
    }
}

#[test]
fn e36_a_new_connection_has_a_fresh_window_and_the_old_order() {
    let mut sim = Sim::active();
    for number in 0..200 {
        sim.command(voice(number)).expect("taken");
    }
    let mut seen = guilds(&sim.take_sent());
    assert!(seen.len() < 120);
    sim.closed(4000);
    sim.resume(1);
    // `resume` looked at what was sent before RESUMED alone.
    seen.extend(guilds(&sim.take_sent()));
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}

#[test]
fn e37_e42_e43_bad_commands_are_local_errors() {
    let mut config = config();
    config.intents = crate::Intents::GUILDS;
    let mut sim = Sim::active_with(config);
    let refused = sim.command(Command::Presence(presence(&"x".repeat(4096))));
    assert!(
        matches!(refused, Err(CommandError::Encode(_))),
        "{refused:?}"
    );
    let mut long = RequestMembers::users(guild(1), vec![user(1)]);
    long.nonce = Some("n".repeat(33).into());
    let refused = sim.command(Command::RequestMembers(long));
    assert!(
        matches!(refused, Err(CommandError::Request(_))),
        "{refused:?}"
    );
    let refused = sim.command(Command::RequestMembers(RequestMembers::everyone(guild(1))));
    assert!(
        matches!(refused, Err(CommandError::Request(_))),
        "{refused:?}"
    );
    assert_eq!(sim.take(), []);
}

#[test]
fn opcodes_for_user_accounts_are_sent_only_where_allowed() {
    let mut sim = Sim::active();
    for command in [Command::VoicePing, Command::GuildSync(vec![guild(1)])] {
        assert!(matches!(
            sim.command(command),
            Err(CommandError::UserOnly(_))
        ));
    }
    let mut config = config();
    config.user_opcodes = UserOpcodes::Allow;
    let mut sim = Sim::active_with(config);
    for command in [
        Command::VoicePing,
        Command::GuildSync(vec![guild(1)]),
        Command::RequestSoundboardSounds(RequestSoundboardSounds {
            guild_ids: vec![guild(1)],
        }),
        Command::RequestChannelInfo(RequestChannelInfo {
            guild_id: guild(1),
            fields: vec![ChannelInfoField::Status],
        }),
    ] {
        sim.command(command).expect("allowed");
    }
    assert_eq!(
        ops(&sim.take_sent()),
        [
            Opcode::VoicePing,
            Opcode::GuildSync,
            Opcode::RequestSoundboardSounds,
            Opcode::RequestChannelInfo
        ]
    );
}

#[test]
fn too_many_commands_are_refused() {
    let mut sim = Sim::new();
    for number in 0..1024 {
        sim.command(voice(number)).expect("room");
    }
    assert!(matches!(
        sim.command(voice(9)),
        Err(CommandError::Full(1024))
    ));
}

#[test]
fn e38_to_e42_members_are_asked_for_and_told() {
    let mut sim = Sim::active();
    sim.command(Command::WantMembers {
        guild: guild(1),
        users: vec![user(1), user(2), user(3)],
    })
    .expect("taken");
    let sent = sim.take_sent();
    assert_eq!(ops(&sent), [Opcode::RequestMembers]);
    assert_eq!(sent[0].1["user_ids"], json!(["1", "2", "3"]));
    let nonce = sent[0].1["nonce"].clone();
    sim.dispatch(
        2,
        "GUILD_MEMBERS_CHUNK",
        &json!({
            "guild_id": "1", "members": [joined(1, 1)], "not_found": ["2"],
            "chunk_index": 0, "chunk_count": 1, "nonce": nonce,
        }),
    );
    let events = sim.take_events();
    let [
        UpstreamEvent::Members {
            guild: at,
            members,
            not_found,
        },
    ] = &events[..]
    else {
        panic!("one event: {events:?}");
    };
    assert_eq!(*at, guild(1));
    assert_eq!(members.len(), 1);
    assert_eq!(
        *not_found,
        [user(2), user(3)],
        "whom nobody mentions is not there either"
    );

    sim.command(Command::RequestMembers(RequestMembers::everyone(guild(1))))
        .expect("taken");
    sim.take();
    sim.dispatch(
        3,
        "RATE_LIMITED",
        &json!({
            "opcode": 8, "retry_after": 50.0, "meta": {"guild_id": "1"},
        }),
    );
    sim.command(Command::WantMembers {
        guild: guild(2),
        users: vec![user(1)],
    })
    .expect("taken");
    assert_eq!(guilds(&sim.take_sent()), [2]);
    // Past the 30 s that one guild's requests are apart, and still within what was said.
    sim.live(seconds(49));
    let sent = sim.take_sent();
    assert!(!guilds(&sent).contains(&1), "{sent:?}");
    sim.live(seconds(2));
    let sent = sim.take_sent();
    assert!(guilds(&sent).contains(&1), "{sent:?}");

    sim.live(seconds(120));
    let stalled = sim.take().into_iter().any(|output| {
        matches!(
            output,
            Output::Members(crate::MembersOutcome::Partial { .. })
        )
    });
    assert!(stalled, "an answer that never comes is reported");
}

#[test]
fn requests_on_their_way_survive_a_new_session() {
    let mut sim = Sim::active();
    sim.command(Command::WantMembers {
        guild: guild(1),
        users: vec![user(1)],
    })
    .expect("taken");
    sim.take();
    sim.closed(4007);
    sim.next_dial();
    sim.identify();
    sim.dispatch(1, "READY", &ready(&[]));
    assert_eq!(ops(&sim.take_sent()), [Opcode::RequestMembers]);
}

#[test]
fn a_session_of_another_process_shows_the_configured_presence_once_it_goes_on() {
    let mut sim = Sim::active();
    sim.input(Input::Handled { seq: 1 });
    let session = sim.shard.export().expect("a session");
    let mut configured = config();
    configured.presence = Some(presence("chess"));
    for (config, name, status) in [
        (configured, json!("chess"), "online"),
        (config(), Value::Null, "online"),
    ] {
        let mut next = Sim::at_rest(config, Some(session.clone()));
        next.input(Input::Start);
        next.resume(2);
        let sent = next.take_sent();
        assert_eq!(ops(&sent), [Opcode::Presence], "{name}");
        assert_eq!(sent[0].1["activities"][0]["name"], name);
        assert_eq!(sent[0].1["status"], status);
        next.closed(None);
        next.resume(3);
        assert_eq!(next.take_sent(), [], "it is shown already");
    }
}

#[test]
fn a_session_that_cannot_be_taken_over_shows_the_presence_by_identify_alone() {
    let mut sim = Sim::active();
    sim.input(Input::Handled { seq: 1 });
    let session = sim.shard.export().expect("a session");
    let mut next = Sim::at_rest(config(), Some(session));
    next.input(Input::Start);
    next.open();
    next.text(r#"{"op":9,"d":false}"#);
    next.agree();
    next.out.clear();
    next.next_dial();
    next.identify();
    next.dispatch(1, "READY", &ready(&[]));
    assert_eq!(next.take_sent(), []);
}

#[test]
fn e62_a_burst_of_presences_becomes_the_latest() {
    let mut sim = Sim::new();
    for name in ["one", "two", "three"] {
        sim.command(Command::Presence(presence(name)))
            .expect("taken");
    }
    sim.open();
    sim.permit();
    let sent = sim.take_sent();
    assert_eq!(sent[0].1["presence"]["activities"][0]["name"], "three");
    sim.dispatch(1, "READY", &ready(&[]));
    assert_eq!(sim.take_sent(), [], "IDENTIFY carried it");
    for number in 0..200 {
        sim.command(voice(number)).expect("taken");
    }
    sim.take();
    for name in ["four", "five"] {
        sim.command(Command::Presence(presence(name)))
            .expect("taken");
    }
    sim.live(seconds(200));
    let presences: Vec<Value> = sim
        .take_sent()
        .into_iter()
        .filter(|(op, _)| *op == Opcode::Presence)
        .map(|(_, d)| d["activities"][0]["name"].clone())
        .collect();
    assert_eq!(presences, ["five"]);
}

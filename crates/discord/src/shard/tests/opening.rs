//! Dialling, HELLO, identifying: 1, 8 to 11, 14 to 16.

use super::*;
use crate::{Compression, Intents};

#[test]
fn e01_the_url_names_version_encoding_and_compression() {
    let cases = [
        (
            "wss://g.example",
            Compression::None,
            "wss://g.example/?v=10&encoding=json",
        ),
        (
            "wss://g.example/",
            Compression::Payload,
            "wss://g.example/?v=10&encoding=json",
        ),
        (
            "ws://127.0.0.1:7103/gw",
            Compression::ZlibStream,
            "ws://127.0.0.1:7103/gw?v=10&encoding=json&compress=zlib-stream",
        ),
        (
            "wss://g.example/?v=9&encoding=etf&x=1",
            Compression::ZstdStream,
            "wss://g.example/?v=10&encoding=json&compress=zstd-stream&x=1",
        ),
    ];
    for (base, compression, expected) in cases {
        let mut config = config();
        config.gateway_url = base.into();
        config.compression = compression;
        assert_eq!(Sim::with(config).dialled(), Some(expected));
    }
}

#[test]
fn e08_a_peer_that_ignores_our_close_is_dropped_and_redialled() {
    let mut sim = Sim::active();
    sim.text(r#"{"op":7,"d":null}"#);
    let epoch = sim.epoch();
    sim.wait(seconds(4));
    assert_eq!(sim.dialled(), None, "the old socket may still live");
    sim.wait(seconds(2));
    let drop = sim
        .out
        .iter()
        .position(|output| *output == Output::Drop { epoch });
    let dial = sim
        .out
        .iter()
        .position(|output| matches!(output, Output::Dial { .. }));
    assert!(drop.expect("dropped") < dial.expect("redialled"));
}

#[test]
fn e09_without_hello_the_connection_is_given_up() {
    let mut sim = Sim::new();
    sim.input(Input::Opened { epoch: sim.epoch() });
    sim.out.clear();
    sim.wait(seconds(19));
    assert_eq!(sim.close_code(), None);
    sim.wait(seconds(1));
    assert_eq!(sim.close_code(), Some(KEEP));
    sim.agree();
    assert_eq!(sim.dialled(), None, "not without a pause");
    assert_eq!(sim.next_dial(), MAIN);
    let mut sim = Sim::new();
    sim.out.clear();
    sim.wait(seconds(10));
    assert!(
        sim.out.contains(&Output::Drop { epoch: sim.epoch() }),
        "a dial hangs too"
    );
}

#[test]
fn e10_hello_is_answered_by_exactly_one_identify() {
    let mut sim = Sim::new();
    sim.open();
    sim.hello();
    assert_eq!(sim.take_sent(), [], "not before the permit");
    sim.permit();
    sim.permit();
    sim.hello();
    let sent = sim.take_sent();
    assert_eq!(ops(&sent), [Opcode::Identify]);
    let d = &sent[0].1;
    assert_eq!(d["token"], TOKEN);
    assert_eq!(d["shard"], json!([0, 1]));
    assert_eq!(d["intents"], json!(Intents::GATEWAY.0));
    assert_eq!(d["large_threshold"], 50);
    let keys: Vec<&String> = d["properties"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(keys, ["browser", "device", "os"], "and no old `$os`");
}

#[test]
fn e11_a_drop_while_waiting_for_the_permit_gives_it_back() {
    let mut sim = Sim::new();
    sim.open();
    let epoch = sim.epoch();
    assert!(sim.take().contains(&Output::AskPermit { epoch }));
    sim.closed(None);
    assert!(sim.take().contains(&Output::ReleasePermit { epoch }));
    sim.input(Input::Permit { epoch });
    assert_eq!(
        sim.take_sent(),
        [],
        "a permit that comes too late is nobody's"
    );
    sim.next_dial();
    sim.open();
    sim.input(Input::Permit { epoch });
    assert_eq!(sim.take_sent(), [], "nor the next connection's");
}

#[test]
fn e14_a_resume_asks_for_no_permit() {
    let mut sim = Sim::active();
    sim.closed(4000);
    sim.out.clear();
    sim.open();
    let epoch = sim.epoch();
    assert!(!sim.out.contains(&Output::AskPermit { epoch }));
    assert_eq!(ops(&sim.take_sent()), [Opcode::Resume]);
}

#[test]
fn e15_ready_gives_id_url_and_sequence() {
    let mut sim = Sim::new();
    sim.identify();
    sim.dispatch(1, "READY", &ready(&[5, 6]));
    assert_eq!(
        sim.take_events(),
        [UpstreamEvent::SessionStarted {
            bot: user(99),
            guilds: vec![guild(5), guild(6)]
        }]
    );
    assert_eq!(sim.shard.export(), None, "not in safe hands yet");
    sim.input(Input::Handled { seq: 1 });
    let session = sim.shard.export().expect("a session");
    assert_eq!(&*session.session_id, "session-1");
    assert_eq!(session.resume_url.as_deref(), Some(RESUME));
    assert_eq!(session.seq, 1);
}

#[test]
fn e16_without_ready_the_shard_queues_again_after_a_pause() {
    let mut sim = Sim::new();
    sim.identify();
    sim.live(seconds(60));
    assert_eq!(sim.close_code(), Some(KEEP));
    sim.agree();
    assert_eq!(sim.dialled(), None);
    assert_eq!(sim.next_dial(), MAIN);
    sim.open();
    let epoch = sim.epoch();
    assert!(sim.out.contains(&Output::AskPermit { epoch }));
}

#[test]
fn the_pauses_grow_and_never_end() {
    let mut sim = Sim::new();
    sim.out.clear();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let before = sim.now.mono;
        sim.input(Input::DialFailed { epoch: sim.epoch() });
        sim.next_dial();
        pauses.push(sim.now.mono.since(before).as_millis());
    }
    assert_eq!(
        pauses,
        [
            750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000, 45_000, 45_000
        ]
    );
}

#[test]
fn a_server_that_leaves_keys_out_is_served() {
    let mut sim = Sim::new();
    sim.input(Input::Opened { epoch: sim.epoch() });
    sim.text(r#"{"op":10}"#);
    sim.permit();
    sim.take();
    sim.text(r#"{"op":0,"t":"READY","d":{"user":{"id":5},"guilds":[{"id":7}]},"s":0}"#);
    sim.text(r#"{"t":"GUILD_MEMBER_ADD","d":{"guild_id":7,"user":{"id":1}}}"#);
    let events = sim.take_events();
    assert_eq!(events.len(), 2);
    assert_eq!(user_of(&events[1]), Some(1));
    sim.closed(None);
    sim.next_dial();
    sim.open();
    assert_eq!(
        sim.take_sent(),
        [],
        "a session without an id is not resumed"
    );
}

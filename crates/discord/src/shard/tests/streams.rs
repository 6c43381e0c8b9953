//! Compression as the machine sees it: 48, 50, 51.

use super::*;
use crate::Compression;

fn zstd_config() -> ShardConfig {
    let mut config = config();
    config.compression = Compression::ZstdStream;
    config
}

fn packed(text: &str) -> Vec<u8> {
    ::zstd::bulk::compress(text.as_bytes(), 1).expect("small")
}

impl Sim {
    fn binary(&mut self, bytes: &[u8]) {
        let epoch = self.epoch();
        self.input(Input::Binary { epoch, bytes });
    }
}

#[test]
fn e48_e49_each_connection_has_a_decompressor_of_its_own() {
    let mut sim = Sim::with(zstd_config());
    for _ in 0..2 {
        sim.input(Input::Opened { epoch: sim.epoch() });
        let hello = packed(r#"{"op":10,"d":{"heartbeat_interval":45000}}"#);
        sim.binary(&hello);
        let epoch = sim.epoch();
        assert!(sim.take().contains(&Output::AskPermit { epoch }));
        // The beginning of a frame is left in the old context.
        sim.binary(&hello[..5]);
        sim.closed(None);
        sim.next_dial();
    }
}

#[test]
fn e50_a_corrupt_stream_ends_the_connection_and_keeps_the_session() {
    let mut sim = Sim::with(zstd_config());
    sim.identify();
    sim.dispatch(1, "READY", &ready(&[]));
    sim.out.clear();
    sim.binary(b"no zstd at all");
    assert_eq!(sim.close_code(), Some(KEEP));
    sim.agree();
    assert_eq!(sim.next_dial(), RESUME);
    sim.resume(1);
}

#[test]
fn e51_compressed_payloads_and_text_may_be_mixed() {
    use std::io::Write as _;
    let mut config = config();
    config.compression = Compression::Payload;
    let mut sim = Sim::with(config);
    sim.open();
    sim.permit();
    assert_eq!(sim.take_sent()[0].1["compress"], true);
    let frame = json!({"t": "READY", "s": 1, "op": 0, "d": ready(&[5])}).to_string();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(frame.as_bytes()).expect("memory");
    sim.binary(&encoder.finish().expect("memory"));
    sim.dispatch(2, "GUILD_MEMBER_ADD", &joined(5, 1));
    assert_eq!(sim.take_events().len(), 2);
}

#[test]
fn a_binary_frame_where_none_was_agreed_on_ends_the_connection() {
    let mut sim = Sim::active();
    sim.binary(b"{}");
    assert_eq!(sim.close_code(), Some(KEEP));
}

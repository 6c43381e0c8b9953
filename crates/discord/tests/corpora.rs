//! Replays what the fuzzer works from, through the same checks.

#[path = "../../../fuzz/src/discord.rs"]
mod discord;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for file in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = file.expect("a readable folder").path();
        check(&std::fs::read(&path).expect("a readable file"));
        inputs += 1;
    }
    assert!(inputs > 5, "{} has lost its inputs", folder.display());
}

#[test]
fn payloads() {
    replay("discord_payload", discord::payload);
}

#[test]
fn compressed_streams() {
    replay("discord_inflate", discord::inflate);
}

#[test]
fn scripts_for_the_machine() {
    replay("discord_machine", discord::machine);
}

/// Scripts by chance find what no one thought of.
#[test]
fn scripts_by_chance() {
    let mut rng = guildgate_discord::Rng::new(1);
    for _ in 0..2_000 {
        let length = rng.below(400);
        let script: Vec<u8> = (0..length)
            .map(|_| u8::try_from(rng.below(256)).expect("a byte"))
            .collect();
        discord::machine(&script);
    }
}

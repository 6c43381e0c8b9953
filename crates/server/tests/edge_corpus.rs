//! Replays what the fuzzer has found, and what it starts from.

#[path = "../../../fuzz/src/edge_codec.rs"]
mod edge_codec;

use std::path::Path;

#[test]
fn every_input_of_the_corpus_keeps_the_decoders_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/edge_codec");
    let mut replayed = 0;
    for file in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = file.expect("a file").path();
        edge_codec::check(&std::fs::read(&path).expect("it can be read"));
        replayed += 1;
    }
    assert!(replayed >= 10, "only {replayed} inputs in {folder:?}");
}

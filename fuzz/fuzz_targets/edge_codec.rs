//! Any bytes from a client: see `src/edge_codec.rs`.

#![no_main]

#[path = "../src/edge_codec.rs"]
mod edge_codec;

libfuzzer_sys::fuzz_target!(|data: &[u8]| edge_codec::check(data));

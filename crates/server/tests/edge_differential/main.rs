//! The codec against others: the same bytes to each, sound and unsound, both ways.
//!
//! The peers are tungstenite and tokio-websockets. What they may say otherwise, and why, is in
//! `rules`; anything else is a fault of somebody's. node's `ws` reads the same streams in
//! `console/test/websocket.test.js`, and Chromium what the edge writes.

mod frames;
mod ours;
mod peers;
mod receiving;
mod rules;
mod seen;
mod sending;
mod strategies;
mod streams;

use proptest::test_runner::{Config, RngSeed};

/// Longest message that any of them takes, bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

/// The same cases in every run.
fn fixed(cases: u32) -> Config {
    Config {
        rng_seed: RngSeed::Fixed(6455),
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

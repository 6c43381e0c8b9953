//! See `src/discord.rs`.

#![no_main]

#[allow(dead_code, reason = "shared by three targets")]
#[path = "../src/discord.rs"]
mod discord;

libfuzzer_sys::fuzz_target!(|data: &[u8]| discord::machine(data));

//! What deflating one text costs, for all its receivers together, and what it saves of each.

use std::{error::Error, fmt::Write};

use guildgate_server::edge::codec::Deflater;

use crate::proc;

pub fn run() -> Result<(), Box<dyn Error>> {
    let thread = std::fs::read_to_string("/proc/thread-self/comm")?;
    let thread = thread.trim();
    for bytes in [512, 1024, 2048, 4096, 16 * 1024, 64 * 1024] {
        let text = guild(bytes);
        let mut deflater = Deflater::default();
        let mut out = Vec::new();
        let rounds = (ROUNDS_BYTES / bytes) as u64;
        let before = proc::cpu_nanos(thread)?;
        for _ in 0..rounds {
            out.clear();
            deflater.open(text.as_bytes(), &mut out);
        }
        let nanos = proc::cpu_nanos(thread)? - before;
        println!(
            "deflate: {} bytes to {}, {:.1} us",
            text.len(),
            out.len(),
            nanos as f64 / rounds as f64 / 1_000.0
        );
    }
    Ok(())
}

/// A guild as clients are shown it, whose emojis fill it up to `bytes`.
fn guild(bytes: usize) -> String {
    let mut text =
        r#"{"id":"197038439483310086","name":"Sample","member_count":15321,"emojis":["#.to_owned();
    let mut id: u64 = 0x1234_5678_9abc_def1;
    while text.len() < bytes {
        // Ids and names that repeat no more than real ones do.
        id = id.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let name = format!("{:x}", id >> 40);
        write!(
            text,
            r#"{{"id":"{}","name":"{name}","animated":false}},"#,
            id >> 4
        )
        .expect("a string takes all that is written");
    }
    text.push_str("]}");
    text
}

/// Bytes deflated for one figure.
const ROUNDS_BYTES: usize = 64 << 20;

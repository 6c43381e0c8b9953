//! How many instructions the hot functions take, and whether that has grown.
//!
//! Each case is run once under valgrind's callgrind, which counts what one function executes.
//! Unlike times, counts repeat on a busy machine, so that a rise of a few percent is seen. They
//! are of this program's own code; of the C library's, only the calls are counted.

// The codec's own tests would come in with it; they run where it lives.
#![cfg(not(test))]

mod cases;
/// The edge's codec by its path: to depend on the whole server would cost minutes of building.
#[path = "../../server/src/edge/codec"]
#[allow(dead_code, reason = "only its hot functions are called")]
mod codec {
    mod decode;
    mod encode;
    mod header;
    mod mask;

    pub use decode::{Chunk, Decoder, Deflate, Message, Violation};
    pub use encode::frame_header;
    pub use header::Kind;

    /// The mask alone, which nobody outside the codec calls.
    pub fn unmask(bytes: &mut [u8], key: [u8; 4]) -> [u8; 4] {
        mask::unmask(bytes, key)
    }
}

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;

use guildgate_bench::{
    record::{Record, Verdict},
    valgrind,
};

/// Counts the instructions of the hot functions and compares them with the recorded numbers.
///
/// Build it with `--release`: only those numbers say anything. It needs valgrind.
#[derive(Debug, Parser)]
struct Options {
    /// The recorded numbers.
    #[arg(long, default_value = "testdata/instructions.json")]
    record: PathBuf,
    /// Record today's numbers, and why those that rose were let.
    #[arg(long, value_name = "REASON")]
    accept: Option<String>,
    /// Run one case and count nothing: what valgrind is told to run.
    #[arg(long, hide = true)]
    case: Option<String>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(name) = options.case {
        cases::run(&name)?;
        return Ok(ExitCode::SUCCESS);
    }
    let recorded = Record::read(&options.record)?;
    let mut counts = Vec::new();
    for (name, _) in cases::ALL {
        let count = valgrind::count(name).with_context(|| format!("counting {name}"))?;
        counts.push((*name, count));
    }
    if let Some(reason) = options.accept {
        recorded
            .accepting(&counts, &reason)
            .write(&options.record)?;
        println!("{} numbers recorded", counts.len());
        return Ok(ExitCode::SUCCESS);
    }
    let mut passed = 0;
    for &(name, count) in &counts {
        let verdict = recorded.judge(name, count);
        println!(
            "{name:<32} {:>9} instructions {:>6} library calls  {verdict}",
            count.instructions, count.library_calls
        );
        passed += usize::from(!matches!(verdict, Verdict::Risen { .. } | Verdict::Unknown));
    }
    let risen = counts.len() - passed;
    let failed = match recorded.otherness() {
        Some(otherness) if risen > 0 => {
            println!("{risen} rose or are not recorded; {otherness}");
            0
        }
        Some(_) | None => risen,
    };
    if failed > 0 {
        eprintln!("{}", recorded.advice());
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

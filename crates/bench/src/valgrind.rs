//! Running a case under callgrind.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::counted;

/// How many instructions the counted part of a case executes.
///
/// # Errors
/// If valgrind is missing or says something else than expected.
pub fn count(case: &str) -> Result<u64> {
    let file = std::env::temp_dir().join(format!("guildgate-{}-{case}.out", std::process::id()));
    let this = std::env::current_exe().context("finding this program")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={}", counted::PATTERN))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(this)
        .args(["--case", case])
        // The C library picks its copying functions by the processor it finds; the plain ones
        // are the same everywhere.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.hwcaps=-AVX_Usable,-AVX2_Usable,-AVX2,-ERMS,-FSRM",
        )
        .stdin(Stdio::null())
        .output()
        .context("running valgrind; it is a package of that name")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("valgrind ended with {}: {told}", output.status);
    }
    let text = fs::read_to_string(&file).context("reading what valgrind wrote")?;
    fs::remove_file(&file).context("removing what valgrind wrote")?;
    total(&text).context("valgrind's file has no total")
}

/// Source: Callgrind Format Specification, "totals".
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_first_event_of_its_line() {
        let text = "# callgrind format\nevents: Ir\nfn=(1) main\n4 2\n\ntotals: 1207\n";
        assert_eq!(total(text), Some(1207));
        assert_eq!(total("events: Ir\n"), None);
    }
}

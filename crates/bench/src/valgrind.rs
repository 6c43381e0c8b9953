//! Running a case under callgrind.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    counted,
    profile::{self, Counts},
};

/// Counts what the counted part of a case executes.
///
/// # Errors
/// If valgrind is missing or says something else than expected.
pub fn count(case: &str) -> Result<Counts> {
    let file = std::env::temp_dir().join(format!("guildgate-{}-{case}.out", std::process::id()));
    let this = std::env::current_exe().context("finding this program")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .args(["--dump-instr=yes", "--dump-line=no", "--compress-pos=no"])
        .arg(format!("--toggle-collect={}", counted::PATTERN))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(&this)
        .args(["--case", case])
        .stdin(Stdio::null())
        .output()
        .context("running valgrind; it is a package of that name")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("valgrind ended with {}: {told}", output.status);
    }
    let text = fs::read_to_string(&file).context("reading what valgrind wrote")?;
    fs::remove_file(&file).context("removing what valgrind wrote")?;
    let own = this.to_str().context("this program's path is no text")?;
    profile::sum(&text, own).context("what valgrind wrote does not add up")
}

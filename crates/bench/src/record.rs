//! The recorded numbers, and how today's compare.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The file of recorded numbers.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The compiler that the numbers are of, as it names itself.
    compiler: String,
    /// By case.
    cases: BTreeMap<String, Recorded>,
}

/// What is recorded of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    instructions: u64,
    /// Why it is what it is.
    reason: String,
}

/// How a case compares with its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Within [`RISE_MAX`] of its record, by this share.
    Kept(f64),
    /// Lower by more than that: worth recording.
    Fallen(f64),
    /// Higher by more than that.
    Risen {
        /// What is recorded.
        from: u64,
    },
    /// Nothing is recorded.
    Unknown,
}

impl Record {
    /// Reads the file; an absent one holds nothing.
    ///
    /// # Errors
    /// If it cannot be read, or is no such file.
    pub fn read(path: &Path) -> Result<Record> {
        if !path.exists() {
            return Ok(Record::default());
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} reads wrong", path.display()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Today's numbers. A case that hardly moved keeps its number and its reason, so that small
    /// rises cannot add up unseen.
    #[must_use]
    pub fn accepting(&self, counts: &[(&str, u64)], reason: &str) -> Record {
        let accept = |&(name, instructions): &(&str, u64)| {
            let recorded = match (self.judge(name, instructions), self.cases.get(name)) {
                (Verdict::Kept(_), Some(recorded)) => recorded.clone(),
                _ => Recorded {
                    instructions,
                    reason: reason.to_owned(),
                },
            };
            (name.to_owned(), recorded)
        };
        Record {
            compiler: compiler(),
            cases: counts.iter().map(accept).collect(),
        }
    }

    /// How today's number of a case compares.
    #[must_use]
    pub fn judge(&self, name: &str, count: u64) -> Verdict {
        let Some(recorded) = self.cases.get(name) else {
            return Verdict::Unknown;
        };
        let from = recorded.instructions;
        let change = (count as f64 - from as f64) / from as f64;
        if change > RISE_MAX {
            Verdict::Risen { from }
        } else if change < -RISE_MAX {
            Verdict::Fallen(change)
        } else {
            Verdict::Kept(change)
        }
    }

    /// What to do about a number that rose.
    #[must_use]
    pub fn advice(&self) -> String {
        let now = compiler();
        let mut text = "a count rose by more than 5 %, or is not recorded: make it cheaper, or \
                        record it with `./test counts --accept 'why it had to'`"
            .to_owned();
        if self.compiler != now {
            text += &format!(
                "\nthe record is of {}, and this is {now}: that alone can move a count",
                self.compiler
            );
        }
        text
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Kept(change) => write!(f, "{:+.1} %", change * 100.0),
            Verdict::Fallen(change) => write!(f, "{:+.1} %: record it", change * 100.0),
            Verdict::Risen { from } => write!(f, "ROSE from {from}"),
            Verdict::Unknown => write!(f, "NOT RECORDED"),
        }
    }
}

/// The compiler on this machine's path; this program was built by it a moment ago.
fn compiler() -> String {
    std::process::Command::new("rustc")
        .arg("--version")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_else(|_| "an unknown compiler".to_owned())
}

/// By which share a count may rise unexplained.
const RISE_MAX: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(instructions: u64) -> Record {
        Record::default().accepting(&[("case", instructions)], "first")
    }

    #[test]
    fn a_rise_above_five_percent_is_told() {
        let record = recorded(1000);
        assert_eq!(record.judge("case", 1050), Verdict::Kept(0.05));
        assert_eq!(record.judge("case", 1051), Verdict::Risen { from: 1000 });
        assert_eq!(record.judge("case", 900), Verdict::Fallen(-0.1));
        assert_eq!(record.judge("another", 1), Verdict::Unknown);
    }

    #[test]
    fn small_rises_do_not_add_up_unseen() {
        let mut record = recorded(1000);
        for count in [1040, 1080] {
            record = record.accepting(&[("case", count)], "again");
        }
        assert_eq!(record.cases["case"].instructions, 1080);
        assert_eq!(record.cases["case"].reason, "again");
        let kept = recorded(1000).accepting(&[("case", 1040)], "again");
        assert_eq!(kept.cases["case"].instructions, 1000);
        assert_eq!(kept.cases["case"].reason, "first");
    }
}

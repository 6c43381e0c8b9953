//! The recorded numbers, and how today's compare.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::profile::Counts;

/// The file of recorded numbers.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The compiler that the numbers are of, as it names itself.
    compiler: String,
    /// The kind of processor that they are of.
    processor: String,
    /// By case.
    cases: BTreeMap<String, Recorded>,
}

/// What is recorded of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    instructions: u64,
    library_calls: u64,
    /// Why it is what it is.
    reason: String,
}

/// How a case compares with its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Within [`RISE_MAX`] of its record, by this share.
    Kept(f64),
    /// One of the two is lower by more than that: worth recording.
    Fallen(f64),
    /// One of the two is higher by more than that.
    Risen {
        /// What is recorded.
        from: Counts,
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
    pub fn accepting(&self, counts: &[(&str, Counts)], reason: &str) -> Record {
        let accept = |&(name, counts): &(&str, Counts)| {
            let recorded = match (self.judge(name, counts), self.cases.get(name)) {
                (Verdict::Kept(_), Some(recorded)) => recorded.clone(),
                _ => Recorded {
                    instructions: counts.instructions,
                    library_calls: counts.library_calls,
                    reason: reason.to_owned(),
                },
            };
            (name.to_owned(), recorded)
        };
        Record {
            compiler: compiler(),
            processor: processor(),
            cases: counts.iter().map(accept).collect(),
        }
    }

    /// How today's number of a case compares.
    #[must_use]
    pub fn judge(&self, name: &str, counts: Counts) -> Verdict {
        let Some(recorded) = self.cases.get(name) else {
            return Verdict::Unknown;
        };
        let instructions = change(recorded.instructions, counts.instructions);
        let calls = change(recorded.library_calls, counts.library_calls);
        if instructions.max(calls) > RISE_MAX {
            Verdict::Risen {
                from: Counts {
                    instructions: recorded.instructions,
                    library_calls: recorded.library_calls,
                },
            }
        } else if instructions.min(calls) < -RISE_MAX {
            Verdict::Fallen(instructions.min(calls))
        } else {
            Verdict::Kept(instructions)
        }
    }

    /// What to do about a number that rose.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        "a count rose by more than 5 %, or is not recorded: make it cheaper, or record it with \
         `./test counts --accept 'why it had to'`"
    }

    /// Why today's numbers cannot be held against these, if they cannot: another compiler, or
    /// another kind of processor, makes other code of the same source.
    #[must_use]
    pub fn otherness(&self) -> Option<String> {
        let pairs = [(&self.compiler, compiler()), (&self.processor, processor())];
        let (recorded, now) = pairs.into_iter().find(|(recorded, now)| *recorded != now)?;
        Some(format!(
            "the record is of {recorded}, and this is {now}: a rise is told, and fails only there"
        ))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Kept(change) => write!(f, "{:+.1} %", change * 100.0),
            Verdict::Fallen(change) => write!(f, "{:+.1} %: record it", change * 100.0),
            Verdict::Risen { from } => write!(
                f,
                "ROSE from {} and {} calls",
                from.instructions, from.library_calls
            ),
            Verdict::Unknown => write!(f, "NOT RECORDED"),
        }
    }
}

/// By which share a number changed.
fn change(from: u64, to: u64) -> f64 {
    match (from, to) {
        (0, 0) => 0.0,
        (0, _) => f64::INFINITY,
        (from, to) => (to as f64 - from as f64) / from as f64,
    }
}

/// What libraries can tell of the processor and choose their code by.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return "x86_64 without AVX2".to_owned();
    }
    std::env::consts::ARCH.to_owned()
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

    fn counts(instructions: u64, library_calls: u64) -> Counts {
        Counts {
            instructions,
            library_calls,
        }
    }

    fn recorded(counts: Counts) -> Record {
        Record::default().accepting(&[("case", counts)], "first")
    }

    #[test]
    fn numbers_of_another_compiler_or_processor_are_held_against_nobody() {
        let record = recorded(counts(1000, 100));
        assert_eq!(record.otherness(), None);
        let other = Record {
            compiler: "rustc 1.0.0".to_owned(),
            ..recorded(counts(1000, 100))
        };
        let told = other.otherness().expect("another compiler");
        assert!(told.contains("rustc 1.0.0"), "{told}");
    }

    #[test]
    fn a_rise_above_five_percent_is_told() {
        let record = recorded(counts(1000, 100));
        let judge = |instructions, calls| record.judge("case", counts(instructions, calls));
        let from = counts(1000, 100);
        assert_eq!(judge(1050, 100), Verdict::Kept(0.05));
        assert_eq!(judge(1051, 100), Verdict::Risen { from });
        assert_eq!(judge(900, 106), Verdict::Risen { from });
        assert_eq!(judge(1000, 105), Verdict::Kept(0.0));
        assert_eq!(judge(900, 100), Verdict::Fallen(-0.1));
        assert_eq!(judge(1000, 90), Verdict::Fallen(-0.1));
        assert_eq!(record.judge("another", counts(1, 0)), Verdict::Unknown);
    }

    #[test]
    fn the_first_allocation_is_a_rise() {
        let record = recorded(counts(1000, 0));
        assert_eq!(record.judge("case", counts(1000, 0)), Verdict::Kept(0.0));
        let from = counts(1000, 0);
        assert_eq!(
            record.judge("case", counts(1000, 1)),
            Verdict::Risen { from }
        );
    }

    #[test]
    fn small_rises_do_not_add_up_unseen() {
        let mut record = recorded(counts(1000, 10));
        for instructions in [1040, 1080] {
            record = record.accepting(&[("case", counts(instructions, 10))], "again");
        }
        assert_eq!(record.cases["case"].instructions, 1080);
        assert_eq!(record.cases["case"].reason, "again");
        let kept = recorded(counts(1000, 10)).accepting(&[("case", counts(1040, 10))], "again");
        assert_eq!(kept.cases["case"].instructions, 1000);
        assert_eq!(kept.cases["case"].reason, "first");
    }
}

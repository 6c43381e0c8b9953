//! What a run found: a table for people, JSON for programs.

use std::{borrow::Cow, fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Times, kept in microseconds up to a minute, to three digits.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Times {
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3);
        Times(histogram.expect("the bounds are in order"))
    }
}

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.0
            .saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The 99th percentile, milliseconds; no number if nothing was added.
    #[must_use]
    pub fn p99_ms(&self) -> f64 {
        self.quantiles().map_or(f64::NAN, |found| found.p99_ms)
    }

    /// The quantiles that are reported; none if nothing was added.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        let ms = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        (!self.0.is_empty()).then(|| Quantiles {
            samples: self.0.len(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: self.0.max() as f64 / 1000.0,
        })
    }
}

/// Quantiles of times, milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    /// How many times were taken.
    pub samples: u64,
    /// The median.
    pub p50_ms: f64,
    /// 99 of 100 are below.
    pub p99_ms: f64,
    /// 999 of 1,000 are below.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What one scenario found, in the order in which it found it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Names and values.
    pub figures: Vec<Figure>,
    /// What was not measured, and why.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// What went wrong, if anything; a run with failures exits with 1.
    pub failures: Vec<String>,
    /// What is wanted of figures that depend on the machine; asked to, a run that misses one
    /// exits with 1.
    #[serde(default)]
    pub goals: Vec<Goal>,
}

/// A figure and what is wanted of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Goal {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// How much is wanted.
    pub wanted: Wanted,
    /// Of what.
    pub unit: Cow<'static, str>,
}

/// How much is wanted of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Less than this.
    Below(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Goal {
    /// Whether the figure is as wanted; one that is no number is not.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self.wanted {
            Wanted::Below(bound) => self.value < bound,
            Wanted::AtLeast(bound) => self.value >= bound,
        }
    }
}

/// One figure of a report.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Cow<'static, str>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(scenario: &str) -> Report {
        Report {
            scenario: scenario.to_owned(),
            ..Report::default()
        }
    }

    /// Adds one figure.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit: unit.into(),
        });
    }

    /// Adds a set of quantiles under one name.
    pub fn times(&mut self, name: &str, times: &Times) {
        let Some(found) = times.quantiles() else {
            return;
        };
        self.figure(format!("{name}, samples"), found.samples as f64, "");
        for (quantile, ms) in [
            ("p50", found.p50_ms),
            ("p99", found.p99_ms),
            ("p99.9", found.p999_ms),
            ("max", found.max_ms),
        ] {
            self.figure(format!("{name}, {quantile}"), ms, "ms");
        }
    }

    /// Notes what is wanted of a figure.
    pub fn goal(
        &mut self,
        name: impl Into<String>,
        value: f64,
        wanted: Wanted,
        unit: &'static str,
    ) {
        self.goals.push(Goal {
            name: name.into(),
            value,
            wanted,
            unit: unit.into(),
        });
    }

    /// Whether nothing failed; and, if goals are looked at, none was missed.
    #[must_use]
    pub fn is_good(&self, goals: Goals) -> bool {
        let met = || self.goals.iter().all(Goal::is_met);
        self.failures.is_empty()
            && match goals {
                Goals::Told => true,
                Goals::Required => met(),
            }
    }

    /// Notes a failure unless `holds`.
    pub fn expect(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(failure());
        }
    }
}

/// What comes of a goal that is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goals {
    /// The report says so.
    Told,
    /// The run fails.
    Required,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met() { "met" } else { "MISSED" };
        let (relation, bound) = match self.wanted {
            Wanted::Below(bound) => ("below", bound),
            Wanted::AtLeast(bound) => ("at least", bound),
        };
        let Goal {
            name, value, unit, ..
        } = self;
        write!(
            f,
            "{verdict}: {name}, {relation} {bound} {unit}: {value:.3}"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.scenario)?;
        let width = self
            .figures
            .iter()
            .map(|figure| figure.name.len())
            .max()
            .unwrap_or(0);
        for Figure { name, value, unit } in &self.figures {
            let digits = if value.fract() == 0.0 { 0 } else { 3 };
            writeln!(f, "  {name:<width$}  {value:>14.digits$} {unit}")?;
        }
        for goal in &self.goals {
            writeln!(f, "  {goal}")?;
        }
        for skipped in &self.skipped {
            writeln!(f, "  skipped: {skipped}")?;
        }
        for failure in &self.failures {
            writeln!(f, "  FAILED: {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_is_missed_fails_a_run_that_is_asked_to_meet_it() {
        let mut report = Report::new("some");
        report.goal("p99", 249.9, Wanted::Below(250.0), "ms");
        report.goal("rate", 2000.0, Wanted::AtLeast(2000.0), "/s");
        assert!(report.is_good(Goals::Required));
        report.goal("growth", f64::NAN, Wanted::Below(1.0), "MB");
        assert!(report.is_good(Goals::Told));
        assert!(!report.is_good(Goals::Required));
        let text = report.to_string();
        assert!(text.contains("met: p99, below 250 ms: 249.900"), "{text}");
        assert!(text.contains("MISSED: growth, below 1 MB"), "{text}");
        report.expect(false, || "a link was lost".to_owned());
        assert!(!report.is_good(Goals::Told));
    }
}

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
    /// What went wrong, if anything; a run with failures exits with 1.
    pub failures: Vec<String>,
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

    /// Notes a failure unless `holds`.
    pub fn expect(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(failure());
        }
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
        for failure in &self.failures {
            writeln!(f, "  FAILED: {failure}")?;
        }
        Ok(())
    }
}

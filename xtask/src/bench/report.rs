//! The figures as a table for people, or as JSON.

use serde_json::{Value, json};

use super::measure::Sample;

/// What a ratio or figure should be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Budget {
    AtLeast(f64),
    AtMost(f64),
}

impl Budget {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
        }
    }
}

/// Everything that was measured, in order.
#[derive(Debug, Default)]
pub(super) struct Report {
    samples: Vec<(String, Sample)>,
    verdicts: Vec<(String, f64, Budget)>,
}

impl Report {
    pub(super) fn add(&mut self, name: impl Into<String>, sample: Sample) {
        self.samples.push((name.into(), sample));
    }

    pub(super) fn judge(&mut self, what: impl Into<String>, value: f64, budget: Budget) {
        self.verdicts.push((what.into(), value, budget));
    }

    pub(super) fn json(&self) -> Value {
        let samples = self.samples.iter().map(|(name, sample)| {
            json!({
                "name": name, "entries_per_second": sample.rate, "cpu_seconds_per_million": sample.cpu,
                "generator_cpu_seconds_per_million": sample.generator_cpu, "p50_ms": sample.p50, "p99_ms": sample.p99,
                "bytes_per_entry": sample.bytes, "peak_resident_mb": sample.resident_mb,
            })
        });
        let verdicts = self.verdicts.iter().map(|(what, value, budget)| {
            json!({ "what": what, "value": value, "budget": budget.text(), "met": budget.holds(*value) })
        });
        json!({ "samples": samples.collect::<Vec<_>>(), "budgets": verdicts.collect::<Vec<_>>() })
    }

    pub(super) fn print(&self) {
        println!(
            "{:<44} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6}",
            "", "entries/s", "CPU s/M", "load s/M", "p50 ms", "p99 ms", "B/entry", "MB"
        );
        for (name, sample) in &self.samples {
            let shown =
                |value: f64, digits: usize| if value > 0.0 { format!("{value:.digits$}") } else { String::new() };
            println!(
                "{name:<44} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6}",
                shown(sample.rate, 0),
                shown(sample.cpu, 2),
                shown(sample.generator_cpu, 2),
                shown(sample.p50, 2),
                shown(sample.p99, 2),
                shown(sample.bytes, 0),
                shown(sample.resident_mb, 0)
            );
        }
        println!("\n{:<60} {:>8}  {:>8}", "", "value", "budget");
        for (what, value, budget) in &self.verdicts {
            let verdict = if budget.holds(*value) { "ok" } else { "MISSED" };
            println!("{what:<60} {value:>8.2}  {:>8}  {verdict}", budget.text());
        }
    }
}

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

/// One number of a measurement that is no [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) label: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
}

/// Everything that was measured, in order.
#[derive(Debug, Default)]
pub(super) struct Report {
    samples: Vec<(String, Sample)>,
    figures: Vec<(String, Vec<Figure>)>,
    verdicts: Vec<(String, f64, Budget)>,
}

impl Report {
    pub(super) fn add(&mut self, name: impl Into<String>, sample: Sample) {
        self.samples.push((name.into(), sample));
    }

    pub(super) fn figures(&mut self, name: impl Into<String>, figures: Vec<Figure>) {
        self.figures.push((name.into(), figures));
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
        let figures = self.figures.iter().flat_map(|(name, figures)| {
            figures.iter().map(move |figure| {
                json!({ "name": name, "figure": figure.label, "unit": figure.unit, "value": figure.value })
            })
        });
        let verdicts = self.verdicts.iter().map(|(what, value, budget)| {
            json!({ "what": what, "value": value, "budget": budget.text(), "met": budget.holds(*value) })
        });
        json!({
            "samples": samples.collect::<Vec<_>>(), "figures": figures.collect::<Vec<_>>(),
            "budgets": verdicts.collect::<Vec<_>>(),
        })
    }

    pub(super) fn print(&self) {
        if !self.samples.is_empty() {
            self.print_samples();
        }
        self.print_figures();
        println!("\n{:<60} {:>8}  {:>8}", "", "value", "budget");
        for (what, value, budget) in &self.verdicts {
            let verdict = if budget.holds(*value) { "ok" } else { "MISSED" };
            println!("{what:<60} {value:>8.2}  {:>8}  {verdict}", budget.text());
        }
    }

    /// One line for each measurement, and a header wherever its figures are others than those before.
    fn print_figures(&self) {
        let mut header = Vec::new();
        for (name, figures) in &self.figures {
            let labels: Vec<String> =
                figures.iter().map(|figure| format!("{} {}", figure.label, figure.unit)).collect();
            if labels != header {
                print!("\n{:<48}", "");
                for label in &labels {
                    print!(" {label:>14}");
                }
                println!();
                header = labels;
            }
            print!("{name:<48}");
            for figure in figures {
                print!(" {:>14.2}", figure.value);
            }
            println!();
        }
    }

    fn print_samples(&self) {
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
    }
}

//! The Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::kinds::Histogram;

/// How a label's and a sample's text is declared to whoever reads it.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// ns of a second: durations are counted in the one and told in the other.
pub(super) const NANOSECONDS: f64 = 1e9;

/// An answer in the making: a family, then its samples, then the next.
#[derive(Debug, Default)]
pub(super) struct Text {
    out: String,
    family: &'static str,
}

impl Text {
    pub(super) fn counter(&mut self, family: &'static str, help: &str) -> &mut Self {
        self.begin(family, "counter", help)
    }

    pub(super) fn gauge(&mut self, family: &'static str, help: &str) -> &mut Self {
        self.begin(family, "gauge", help)
    }

    pub(super) fn histogram(&mut self, family: &'static str, help: &str) -> &mut Self {
        self.begin(family, "histogram", help)
    }

    fn begin(&mut self, family: &'static str, kind: &str, help: &str) -> &mut Self {
        self.family = family;
        self.write(format_args!("# HELP {family} {help}\n# TYPE {family} {kind}\n"));
        self
    }

    /// A sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.labelled("", labels, None);
        self.write(format_args!(" {value}\n"));
        self
    }

    /// A sample without labels: the whole family.
    pub(super) fn value(&mut self, value: impl Display) -> &mut Self {
        self.sample(&[], value)
    }

    /// The samples of a histogram; what was observed, divided by `unit`, is what is told.
    pub(super) fn distribution<const N: usize>(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &Histogram<N>,
        unit: f64,
    ) -> &mut Self {
        let mut total = 0;
        for (bound, count) in histogram.cumulated() {
            self.labelled("_bucket", labels, Some(bound as f64 / unit));
            self.write(format_args!(" {count}\n"));
            total = count;
        }
        total += histogram.beyond();
        self.labelled("_bucket", labels, Some(f64::INFINITY));
        self.write(format_args!(" {total}\n"));
        self.labelled("_sum", labels, None);
        self.write(format_args!(" {}\n", histogram.sum() as f64 / unit));
        self.labelled("_count", labels, None);
        self.write(format_args!(" {total}\n"));
        self
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<f64>) {
        let family = self.family;
        self.write(format_args!("{family}{suffix}"));
        let mut open = '{';
        for (name, value) in labels {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.write(format_args!("{open}{name}=\"{value}\""));
            open = ',';
        }
        match bound {
            Some(f64::INFINITY) => self.write(format_args!("{open}le=\"+Inf\"")),
            Some(bound) => self.write(format_args!("{open}le=\"{bound}\"")),
            None if open == '{' => return,
            None => {}
        }
        self.out.push('}');
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Memory takes whatever is written.
        let _ = self.out.write_fmt(text);
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_samples_and_distributions_have_their_form() {
        let histogram = Histogram::new(&[500_000, 1_000_000_000]);
        for value in [1_000, 2_000_000, 3_000_000_000] {
            histogram.observe(value);
        }
        let mut text = Text::default();
        text.counter("a_total", "What it is.").sample(&[("x", "1"), ("y", "say \"no\"\n\\")], 2_u64);
        text.gauge("b", "Another.").value(1.5);
        text.histogram("c_seconds", "A third.").distribution(&[("x", "1")], &histogram, NANOSECONDS);
        assert_eq!(
            text.finish(),
            "# HELP a_total What it is.\n# TYPE a_total counter\na_total{x=\"1\",y=\"say \\\"no\\\"\\n\\\\\"} 2\n\
             # HELP b Another.\n# TYPE b gauge\nb 1.5\n\
             # HELP c_seconds A third.\n# TYPE c_seconds histogram\n\
             c_seconds_bucket{x=\"1\",le=\"0.0005\"} 1\nc_seconds_bucket{x=\"1\",le=\"1\"} 2\n\
             c_seconds_bucket{x=\"1\",le=\"+Inf\"} 3\nc_seconds_sum{x=\"1\"} 3.002001\nc_seconds_count{x=\"1\"} 3\n"
        );
    }
}

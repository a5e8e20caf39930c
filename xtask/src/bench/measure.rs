//! What a measurement gives, and where its figures come from: the clock and `/proc`.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

/// Ticks of CPU time per second in `/proc/<pid>/stat`: 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// One run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// Entries per second.
    pub(super) rate: f64,
    /// CPU seconds of the measured process per million entries.
    pub(super) cpu: f64,
    /// CPU seconds of the load generator per million entries; 0 where it is not apart.
    pub(super) generator_cpu: f64,
    /// Answer times in ms: the median and the 99th percentile; 0 where there are no requests.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Bytes of the database per entry; 0 where it is not looked at.
    pub(super) bytes: f64,
    /// The most memory that the measured process had resident, in MB; 0 where it is not looked at.
    pub(super) resident_mb: f64,
}

impl Sample {
    /// So many entries in so many seconds, on the clock and of CPU time.
    pub(super) fn of(entries: usize, elapsed: f64, cpu: f64) -> Self {
        Self { rate: entries as f64 / elapsed, cpu: cpu * 1e6 / entries as f64, ..Self::default() }
    }
}

/// The sample whose rate is the median.
pub(super) fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// A clock and a process's CPU time, read together.
#[derive(Debug)]
pub(super) struct Watch {
    process: String,
    start: Instant,
    cpu: f64,
}

impl Watch {
    /// Starts for a process; `self` is this one.
    pub(super) fn start(process: &dyn ToString) -> Result<Self> {
        let process = process.to_string();
        let cpu = cpu_seconds(&process)?;
        Ok(Self { process, start: Instant::now(), cpu })
    }

    /// Seconds on the clock, and of CPU time, since the start.
    pub(super) fn stop(&self) -> Result<(f64, f64)> {
        let elapsed = self.start.elapsed().as_secs_f64();
        Ok((elapsed, cpu_seconds(&self.process)? - self.cpu))
    }
}

fn cpu_seconds(process: &str) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name in parentheses may hold anything; the numbers come after the last one.
    let (_, numbers) = stat.rsplit_once(')').context("no name in stat")?;
    let field = |place: usize| numbers.split_whitespace().nth(place).and_then(|text| text.parse::<f64>().ok());
    let (user, system) = (field(11), field(12));
    Ok((user.context("no user time")? + system.context("no system time")?) / TICKS_PER_SECOND)
}

/// The most memory that a process had resident, in MB.
pub(super) fn peak_resident_mb(process: u32) -> Result<f64> {
    status_mb(process, "VmHWM:")
}

/// The memory that a process has resident now, in MB.
pub(super) fn resident_mb(process: u32) -> Result<f64> {
    status_mb(process, "VmRSS:")
}

fn status_mb(process: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("cannot read the process's status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{field} no number"))?;
    Ok(kilobytes / 1024.0)
}

/// The value below which a share of the sorted values lies.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list, rounded on purpose"
    )]
    let place = (last as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((percentile(&values, 0.99) - 99.0).abs() < 0.1);
        assert!((percentile(&values, 0.5) - 51.0).abs() < 0.6);
        assert!(percentile(&[], 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let watch = Watch::start(&"self").expect("proc is there");
        assert!(watch.stop().expect("proc is there").0 >= 0.0);
        assert!(peak_resident_mb(std::process::id()).expect("proc is there") > 0.1);
    }
}

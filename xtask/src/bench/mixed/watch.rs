//! The server from outside: its memory, its descriptors, the size of its database's log.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::connection::{Connection, get_request};
use super::super::measure::resident_mb;
use crate::process::Interrupt;

/// How long descriptors of clients that have gone may stay open: that of a stuck listener goes when what it was sent has
/// not been taken for so long.
const PATIENCE: Duration = Duration::from_secs(45);
/// The first part of a measurement in which caches fill.
const WARM_UP: f64 = 0.4;
/// Between two looks at the memory.
const STEP: Duration = Duration::from_secs(1);

/// Memory over time.
#[derive(Debug)]
pub(super) struct Growth {
    start: Instant,
    warm_up: Duration,
    next: Instant,
    /// Minutes since the start, and MB.
    samples: Vec<(f64, f64)>,
    most: f64,
}

impl Growth {
    /// Of a measurement of this length.
    pub(super) fn new(length: Duration) -> Self {
        let now = Instant::now();
        Self { start: now, warm_up: length.mul_f64(WARM_UP), next: now, samples: Vec::new(), most: 0.0 }
    }

    pub(super) fn look(&mut self, process: u32) -> Result<()> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + STEP;
        let (since, resident) = (now - self.start, resident_mb(process)?);
        self.most = self.most.max(resident);
        if since >= self.warm_up {
            self.samples.push((since.as_secs_f64() / 60.0, resident));
        }
        Ok(())
    }

    /// The time that the slope is taken over.
    pub(super) fn measured(&self) -> Duration {
        let (first, last) = (self.samples.first(), self.samples.last());
        let minutes = first.zip(last).map_or(0.0, |(first, last)| last.0 - first.0);
        Duration::from_secs_f64(minutes * 60.0)
    }

    pub(super) fn most(&self) -> f64 {
        self.most
    }

    /// MB a minute: the line that fits the samples best.
    pub(super) fn slope(&self) -> f64 {
        slope(&self.samples)
    }
}

fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (mean_time, mean_size) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let (mut together, mut alone) = (0.0, 0.0);
    for (time, size) in samples {
        together += (time - mean_time) * (size - mean_size);
        alone += (time - mean_time).powi(2);
    }
    if alone > 0.0 { together / alone } else { 0.0 }
}

/// The size of the log beside the database.
#[derive(Debug)]
pub(super) struct LogSize {
    path: PathBuf,
    most: u64,
}

impl LogSize {
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), most: 0 }
    }

    pub(super) fn look(&mut self) {
        // Between two lives of the server there may be none.
        self.most = self.most.max(fs::metadata(&self.path).map_or(0, |metadata| metadata.len()));
    }

    pub(super) fn most_mb(&self) -> f64 {
        self.most as f64 / f64::from(1 << 20)
    }
}

/// Makes the server open what it keeps open: the connections of its readers to the database.
pub(super) fn warm_up(address: &str) -> Result<()> {
    std::thread::scope(|scope| {
        let asking = || -> Result<()> {
            let mut connection = Connection::open(address)?;
            for _ in 0..20 {
                connection.ask(&get_request("/correlations?limit=50"))?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(asking)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

/// How many descriptors a process has open.
pub(super) fn descriptors(process: u32) -> Result<usize> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).context("cannot list the server's descriptors")?;
    Ok(entries.count())
}

/// How many more descriptors are open than before, once its clients have gone and it had time to notice.
pub(super) fn leaked_descriptors(process: u32, before: usize, interrupt: &Interrupt) -> Result<usize> {
    let start = Instant::now();
    loop {
        let leaked = descriptors(process)?.saturating_sub(before);
        if leaked == 0 || start.elapsed() >= PATIENCE {
            return Ok(leaked);
        }
        interrupt.wait(Duration::from_millis(200))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_best_line() {
        let rising: Vec<(f64, f64)> =
            (0..10).map(|minute| (f64::from(minute), 5.0 + 2.0 * f64::from(minute))).collect();
        assert!((slope(&rising) - 2.0).abs() < 1e-9);
        let jagged: Vec<(f64, f64)> = (0..10).map(|minute| (f64::from(minute), f64::from(minute % 2))).collect();
        assert!(slope(&jagged).abs() < 0.1);
        assert!(slope(&[]).abs() < f64::EPSILON && slope(&rising[..1]).abs() < f64::EPSILON);
    }
}

//! Calls on one or more threads, in bursts with pauses, and what one call costs the thread that makes it.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::super::measure::percentile;
use super::clock::{cost_of_cpu_clock, cost_of_wall_clock, nanoseconds_since, thread_cpu};
use super::event::{IDS, ids};

/// How many calls one reading of the wall clock covers: a single call takes about as long as the reading.
const SAMPLE: usize = 16;
/// Bursts that are sent and not measured.
const WARM_UP: usize = 4;

/// How to call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) threads: usize,
    /// Calls of all threads together from one pause to the next.
    pub(super) burst: usize,
    pub(super) bursts: usize,
    pub(super) pause: Duration,
}

impl Pace {
    /// So many calls in a burst that no sender's queue fills up, and a pause in which its worker can empty it.
    pub(super) fn gentle(threads: usize, bursts: usize) -> Self {
        Self { threads, burst: 1_024, bursts, pause: Duration::from_millis(30) }
    }

    /// One call after the other, for where there is no queue, or one that is full.
    pub(super) fn unbroken(threads: usize, bursts: usize) -> Self {
        Self { threads, burst: 64 << 10, bursts, pause: Duration::ZERO }
    }

    /// How many calls that is in all.
    pub(super) fn calls(self) -> usize {
        self.each() * self.threads * (self.bursts + WARM_UP)
    }

    /// The calls of one thread in one burst.
    fn each(self) -> usize {
        self.burst / self.threads / IDS * IDS
    }
}

/// What a call costs its thread, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// CPU time, the mean of all calls.
    pub(super) cpu: f64,
    /// Time on the wall clock. Each value is the mean of 16 calls one after the other.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// Every other burst is measured in CPU time, the others on the wall clock: neither clock's reading is in the other's
/// figures.
pub(super) fn measure(pace: Pace, send: impl Fn(&str) + Sync) -> Result<Cost> {
    let barrier = Barrier::new(pace.threads);
    let of_threads = thread::scope(|scope| {
        let threads: Vec<_> = (0..pace.threads)
            .map(|number| {
                let (barrier, send) = (&barrier, &send);
                scope.spawn(move || call(pace, &ids(number), barrier, send))
            })
            .collect();
        let costs = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a sender's thread panicked")));
        costs.collect::<Result<Vec<_>>>()
    })?;
    let mut samples: Vec<f64> = of_threads.iter().flat_map(|(_, samples)| samples).copied().collect();
    samples.sort_by(f64::total_cmp);
    Ok(Cost {
        cpu: of_threads.iter().map(|(cpu, _)| cpu).sum::<f64>() / of_threads.len() as f64,
        p50: percentile(&samples, 0.5),
        p99: percentile(&samples, 0.99),
    })
}

/// One thread's part: the mean CPU time of its calls, and samples of the wall clock.
fn call(pace: Pace, ids: &[String], barrier: &Barrier, send: impl Fn(&str)) -> (f64, Vec<f64>) {
    let (cpu_clock, wall_clock) = (cost_of_cpu_clock(), cost_of_wall_clock());
    let (mut cpu, mut measured) = (0.0, 0);
    let mut samples = Vec::with_capacity(pace.each() / SAMPLE * pace.bursts);
    for burst in 0..WARM_UP + pace.bursts {
        thread::sleep(pace.pause);
        barrier.wait();
        if burst % 2 == 0 {
            let start = thread_cpu();
            for _ in 0..pace.each() / IDS {
                for id in ids {
                    send(black_box(id));
                }
            }
            if burst >= WARM_UP {
                cpu += thread_cpu() - start - cpu_clock;
                measured += pace.each();
            }
            continue;
        }
        for ids in ids.chunks(SAMPLE).cycle().take(pace.each() / SAMPLE) {
            let start = Instant::now();
            for id in ids {
                send(black_box(id));
            }
            let elapsed = nanoseconds_since(start) - wall_clock;
            if burst >= WARM_UP {
                samples.push(elapsed.max(0.0) / SAMPLE as f64);
            }
        }
    }
    (cpu / measured.max(1) as f64, samples)
}

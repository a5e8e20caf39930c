//! CPU time to the nanosecond, of this thread and of this process.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU time that this thread has used.
pub(super) fn thread_cpu() -> f64 {
    cpu(ClockId::ThreadCPUTime)
}

/// Nanoseconds of CPU time that all threads of this process have used.
pub(super) fn process_cpu() -> f64 {
    cpu(ClockId::ProcessCPUTime)
}

fn cpu(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// What reading the thread's clock twice adds to what lies between.
pub(super) fn cost_of_cpu_clock() -> f64 {
    typical(|| {
        let start = thread_cpu();
        thread_cpu() - start
    })
}

/// What reading the wall clock twice adds to what lies between.
pub(super) fn cost_of_wall_clock() -> f64 {
    typical(|| {
        let start = Instant::now();
        nanoseconds_since(start)
    })
}

/// Nanoseconds on the wall clock.
pub(super) fn nanoseconds_since(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

fn typical(measure: impl Fn() -> f64) -> f64 {
    middle((0..1_000).map(|_| measure()).collect())
}

/// The median.
pub(super) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    super::super::measure::percentile(&values, 0.5)
}

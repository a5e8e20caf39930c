//! How long threads had to wait for a processor although their time had come: what a machine that is busy with other tests,
//! or stands still, adds to every deadline.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a thread looks, by sleeping for so long.
const EVERY: Duration = Duration::from_millis(5);
/// A sleep that is late by less is none of the machine's pauses.
const PUNCTUAL: Duration = Duration::from_millis(10);

struct Watch {
    began: Instant,
    /// What its sleeps took too long, in microseconds.
    late: AtomicU64,
    /// When it woke up last, in microseconds after `began`.
    woke: AtomicU64,
}

static WATCH: LazyLock<Watch> = LazyLock::new(|| {
    thread::spawn(|| {
        loop {
            let slept = Instant::now();
            thread::sleep(EVERY);
            let late = slept.elapsed().saturating_sub(EVERY);
            if late > PUNCTUAL {
                WATCH.late.fetch_add(micros(late), Ordering::SeqCst);
            }
            WATCH.woke.store(micros(WATCH.began.elapsed()), Ordering::SeqCst);
        }
    });
    Watch { began: Instant::now(), late: AtomicU64::new(0), woke: AtomicU64::new(0) }
});

/// All pauses of this process so far. The difference of two is what came between.
pub(crate) fn pauses() -> Duration {
    let woke = WATCH.woke.load(Ordering::SeqCst);
    // It may not have woken up yet from the pause that has just ended.
    let asleep = WATCH.began.elapsed().saturating_sub(Duration::from_micros(woke) + EVERY + PUNCTUAL);
    Duration::from_micros(WATCH.late.load(Ordering::SeqCst)) + asleep
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

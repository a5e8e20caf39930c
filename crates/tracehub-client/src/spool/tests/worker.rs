//! The worker with a spool, against a server in memory and a clock that jumps: outages, disks that fail, ends.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use tracehub_core::redact::Redactor;

use super::*;
use crate::builder::Settings;
use crate::http::BaseUrl;
use crate::item::Item;
use crate::progress::Deadline;
use crate::stats::Stats;
use crate::transport::Outcome;
use crate::transport::double::Double;
use crate::worker::{Shared, run};

const SECOND: Duration = Duration::from_secs(1);

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Up,
    Down,
    Overloaded,
    /// It stores, and its answer is lost.
    Forgetful,
    Hanging,
}

const MODES: [Mode; 5] = [Mode::Up, Mode::Down, Mode::Overloaded, Mode::Forgetful, Mode::Hanging];

/// A client's inside, its spool's folder and its server.
struct Bench {
    shared: Shared,
    folder: TempDir,
    transport: Double,
    mode: Arc<AtomicU8>,
    stored: Arc<Mutex<Vec<usize>>>,
    max_bytes: u64,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let (switch, stored) = (Arc::new(AtomicU8::new(mode as u8)), Arc::new(Mutex::new(Vec::new())));
        let (now, rows) = (Arc::clone(&switch), Arc::clone(&stored));
        let transport = Double::new(move |_, body| {
            let entries = numbers(body);
            let lost = Outcome::Unreachable { reason: String::new() };
            let accepted = entries.len() as u64;
            match MODES[usize::from(now.load(Ordering::SeqCst))] {
                Mode::Up => {
                    rows.lock().unwrap().extend(entries);
                    Some(Outcome::Acknowledged { accepted })
                }
                Mode::Forgetful => {
                    rows.lock().unwrap().extend(entries);
                    Some(lost)
                }
                Mode::Down => Some(lost),
                Mode::Overloaded => {
                    Some(Outcome::Refused { status: 503, retry_after: Some(SECOND), message: String::new() })
                }
                Mode::Hanging => None,
            }
        });
        let shared = Shared::new(2_000, 16 << 20);
        Self { shared, folder: tempfile::tempdir().unwrap(), transport, mode: switch, stored, max_bytes: LARGE }
    }

    fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// Takes the folder away and puts a file in its place, or the other way round.
    fn break_disk(&self, broken: bool) {
        let (root, away) = (self.root(), self.folder.path().join("away"));
        if broken && !away.exists() {
            fs::rename(&root, away).unwrap();
            fs::write(root, b"").unwrap();
        } else if !broken && away.exists() {
            fs::remove_file(&root).unwrap();
            fs::rename(away, root).unwrap();
        }
    }

    fn send(&self, numbers: impl IntoIterator<Item = usize>) -> usize {
        let taken = numbers.into_iter().filter(|number| {
            let entry = TraceEntry::builder("MA", "c1").suffix(number.to_string()).build().unwrap();
            self.shared.queue.offer(Item::Entry(Box::new(entry))).is_ok()
        });
        taken.count()
    }

    async fn work(&self) {
        let settings = Settings {
            trust: crate::trust::Trust::default(),
            url: BaseUrl::parse("http://hub").unwrap(),
            secret: None,
            batch_size: 10,
            flush_interval: SECOND,
            timeout: SECOND,
            retry_count: 2,
            redactor: Redactor::default(),
            on_error: None,
            spool: None,
        };
        let spool = Spool::open(&self.root(), self.max_bytes).unwrap();
        run(&self.shared, &self.transport, &settings, Some(spool)).await;
    }

    /// Works while `script` runs.
    async fn meanwhile(&self, script: impl Future<Output = ()>) {
        tokio::select! {
            () = self.work() => panic!("the worker stopped by itself"),
            () = script => {}
        }
    }

    fn stats(&self) -> Stats {
        let stats = self.shared.stats();
        let counted = stats.delivered + stats.spooled + stats.dropped.total() + stats.pending;
        assert_eq!(stats.accepted, counted, "{stats:?}");
        stats
    }

    fn stored(&self) -> Vec<usize> {
        self.stored.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_outlasted() {
    let bench = Bench::new(Mode::Down);
    bench
        .meanwhile(async {
            for round in 0..100 {
                bench.send(round * 20..round * 20 + 20);
                sleep(SECOND).await;
            }
            assert_eq!((bench.stats().spooled, bench.stats().pending), (2_000, 0));
            bench.set(Mode::Up);
            sleep(60 * SECOND).await;
            assert_eq!((bench.stats().delivered, bench.stats().spooled), (2_000, 0));
            assert_eq!(bench.stored(), (0..2_000).collect::<Vec<_>>());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_close_beside_a_dead_server_ends_early_with_everything_on_disk() {
    let bench = Bench::new(Mode::Down);
    bench.send(0..1_200);
    let start = Instant::now();
    bench.shared.close(Deadline::after(3_600 * SECOND));
    bench.work().await;
    assert!(start.elapsed() < SECOND);
    assert_eq!((bench.stats().spooled, bench.stats().pending), (1_200, 0));
    let mut spool = Spool::open(&bench.root(), LARGE).unwrap();
    assert_eq!(drain(&mut spool).0, (0..1_200).collect::<Vec<_>>());
}

/// What waits in memory when a deadline comes is on disk a moment later.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_leaves_nothing_in_memory() {
    for mode in [Mode::Up, Mode::Hanging] {
        let bench = Bench::new(mode);
        bench.send(0..1_800);
        bench.shared.close(Deadline::after(Duration::ZERO));
        bench.work().await;
        let stats = bench.stats();
        assert_eq!((stats.delivered + stats.spooled, stats.pending), (1_800, 0));
        let mut spool = Spool::open(&bench.root(), LARGE).unwrap();
        let all: BTreeSet<_> = bench.stored().into_iter().chain(drain(&mut spool).0).collect();
        assert_eq!(all.len(), 1_800);
    }
}

/// What is given up early must not stand for older entries that are still on their way.
#[tokio::test(start_paused = true)]
async fn a_flush_is_not_ended_by_the_eviction_of_newer_entries() {
    let mut bench = Bench::new(Mode::Hanging);
    bench.max_bytes = 64 << 10;
    bench
        .meanwhile(async {
            bench.send(0..10);
            sleep(SECOND).await;
            assert_eq!(bench.transport.bodies().len(), 1);
            let mut next = 10;
            while bench.stats().dropped.evicted < 100 {
                next += bench.send(next..next + 100);
                sleep(SECOND).await;
            }
            assert_eq!(bench.shared.progress.finished(), 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_is_done_without() {
    let bench = Bench::new(Mode::Up);
    bench
        .meanwhile(async {
            bench.send(0..10);
            sleep(SECOND).await;
            bench.break_disk(true);
            for round in 1..20 {
                bench.send(round * 10..round * 10 + 10);
                sleep(SECOND).await;
            }
            assert_eq!(bench.stats().delivered, 200);
            bench.break_disk(false);
            bench.set(Mode::Down);
            bench.send(200..210);
            sleep(SECOND).await;
            assert_eq!((bench.stats().spooled, bench.stats().pending), (10, 0), "the disk is used again");
            bench.set(Mode::Up);
            sleep(60 * SECOND).await;
            assert_eq!(bench.stored(), (0..210).collect::<Vec<_>>());
        })
        .await;
}

/// Entries that wait in memory for the server must not keep the worker from hearing it.
#[tokio::test(start_paused = true)]
async fn a_broken_disk_and_a_dead_server_are_outlasted_together() {
    for (mode, heals) in [(Mode::Down, true), (Mode::Down, false), (Mode::Overloaded, true), (Mode::Overloaded, false)]
    {
        let bench = Bench::new(mode);
        bench
            .meanwhile(async {
                sleep(SECOND).await;
                bench.break_disk(true);
                bench.send(0..50);
                sleep(10 * SECOND).await;
                assert_eq!((bench.stats().pending, bench.stats().dropped.total()), (50, 0));
                if heals {
                    bench.break_disk(false);
                    sleep(5 * SECOND).await;
                    assert_eq!((bench.stats().spooled, bench.stats().pending), (50, 0));
                }
                bench.set(Mode::Up);
                sleep(60 * SECOND).await;
                assert_eq!(bench.stored(), (0..50).collect::<Vec<_>>());
                assert_eq!(bench.stats().delivered, 50);
            })
            .await;
    }
}

/// A request from memory that the deadline cuts off is no reason to lose what came after it.
#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_request_from_memory_is_put_on_disk_at_the_deadline() {
    let bench = Bench::new(Mode::Hanging);
    tokio::join!(bench.work(), async {
        sleep(SECOND).await;
        bench.break_disk(true);
        bench.send(0..500);
        sleep(SECOND).await;
        bench.send(500..800);
        bench.break_disk(false);
        bench.shared.close(Deadline::after(20 * SECOND));
    });
    assert_eq!((bench.stats().spooled, bench.stats().pending), (300, 500));
}

/// Closes with a broken disk, for at most 10 s; after 5 s the server may recover.
async fn close_with_a_broken_disk(recovers: bool) -> (Stats, Duration) {
    let bench = Bench::new(Mode::Down);
    let start = Instant::now();
    let ((), took) = tokio::join!(
        async {
            sleep(SECOND).await;
            bench.break_disk(true);
            bench.send(0..700);
            bench.shared.close(Deadline::after(11 * SECOND));
            sleep(5 * SECOND).await;
            if recovers {
                bench.set(Mode::Up);
            }
        },
        async {
            bench.work().await;
            start.elapsed()
        }
    );
    (bench.stats(), took)
}

/// From memory nothing is safe, so a close uses its time.
#[tokio::test(start_paused = true)]
async fn a_close_with_a_broken_disk_waits_for_the_server() {
    let (stats, took) = close_with_a_broken_disk(true).await;
    assert_eq!((stats.delivered, stats.pending), (700, 0));
    assert!(took < 8 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_close_with_neither_disk_nor_server_ends_at_its_deadline() {
    let (stats, took) = close_with_a_broken_disk(false).await;
    assert_eq!((stats.delivered, stats.pending), (0, 700));
    assert!(took > 10 * SECOND && took < 12 * SECOND, "{took:?}");
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Send(usize),
    Server(Mode),
    Disk(bool),
    Wait(u64),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..300).prop_map(Step::Send),
        2 => prop::sample::select(&MODES[..4]).prop_map(Step::Server),
        1 => any::<bool>().prop_map(Step::Disk),
        4 => (1_u64..3_000).prop_map(Step::Wait),
        1 => Just(Step::Flush),
    ]
}

/// Runs the steps, closes, and lets the next process finish. Gives the counts at the end, and how many were taken.
async fn play(bench: &Bench, steps: Vec<Step>, deadline: Duration) -> (Stats, usize) {
    let mut taken = 0;
    let script = async {
        sleep(Duration::from_millis(1)).await;
        for step in steps {
            match step {
                // Numbers of those that are refused are given again.
                Step::Send(count) => taken += bench.send(taken..taken + count),
                Step::Server(mode) => bench.set(mode),
                Step::Disk(broken) => bench.break_disk(broken),
                Step::Wait(millis) => sleep(Duration::from_millis(millis)).await,
                Step::Flush => {
                    let target = bench.shared.queue.accepted();
                    bench.shared.hurry(target);
                    sleep(SECOND).await;
                    if bench.shared.progress.finished() >= target {
                        let rows: HashSet<_> =
                            bench.stored().into_iter().filter(|row| (*row as u64) < target).collect();
                        let gone = bench.stats().dropped.total();
                        assert!(rows.len() as u64 + gone >= target, "{} and {gone} of {target}", rows.len());
                    }
                }
            }
            bench.stats();
        }
        bench.break_disk(false);
        bench.shared.close(Deadline::after(deadline));
    };
    tokio::join!(bench.work(), script);
    (bench.stats(), taken)
}

/// How rows come out that may have come twice: each where it was first.
fn first_ones(rows: &[usize]) -> Vec<usize> {
    let mut seen = HashSet::new();
    rows.iter().copied().filter(|row| seen.insert(*row)).collect()
}

fn check(steps: Vec<Step>, deadline: Duration, max_bytes: u64) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut bench = Bench::new(Mode::Up);
        bench.max_bytes = max_bytes;
        let (stats, taken) = play(&bench, steps, deadline).await;
        assert_eq!(stats.accepted, taken as u64);
        let mut rows = first_ones(&bench.stored());
        assert!(rows.is_sorted(), "in order");
        assert!(rows.len() as u64 >= stats.delivered);
        // The next process finds what is on disk, and it comes after what was sent.
        let mut spool = Spool::open(&bench.root(), LARGE).unwrap();
        let (left, _) = drain(&mut spool);
        assert!(left.is_sorted());
        assert!(left.len() as u64 >= stats.spooled);
        rows.extend(left);
        let rows = first_ones(&rows);
        let lost = taken - rows.len();
        assert!(lost as u64 <= stats.dropped.total() + stats.pending, "{lost} lost: {stats:?}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_each_entry_is_sent_kept_or_counted(
        steps in prop::collection::vec(step(), 1..25),
        deadline in 0_u64..20_000,
        small in any::<bool>(),
    ) {
        check(steps, Duration::from_millis(deadline), if small { 64 << 10 } else { LARGE });
    }
}

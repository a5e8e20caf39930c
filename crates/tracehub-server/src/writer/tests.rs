//! The group commit: each request is answered once and truly, whatever the store does and whoever comes when.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command as Process;
use std::sync::Mutex;

use clap::Parser as _;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::task::JoinHandle as Task;
use tracehub_core::store::{Deleted, EntryId, StoreSize};
use tracehub_core::wire::stats::QueueStats;

use super::*;
use crate::args::Args;
use crate::ingest::Ingest;

/// Set for the process that a test starts to see it end.
const PANIC_VARIABLE: &str = "TRACEHUB_TEST_WRITER_PANIC";
/// The signal of a process that has ended itself.
const SIGABRT: i32 = 6;
/// Longer than any answer may take: then it is none.
const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> Config {
    crate::config::resolve(&Args::parse_from(["tracehub-server"])).unwrap().1
}

fn one_entry(chain: &str) -> IngestBatch {
    let body = format!(
        r#"{{"source_id":"MA","correlation_id":"{chain}","timestamp":1,"suffix":"s","direction":"->","operation":"o","endpoint":"e"}}"#
    );
    IngestBatch::parse_single(body.into_bytes()).unwrap()
}

/// How an attempt to store or to probe ends.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Stored,
    Full,
    Busy,
    Disk,
    ReadOnly,
    Unsynced,
    Panic,
}

impl Outcome {
    fn result(self) -> Result<(), StoreError> {
        Err(match self {
            Self::Stored => return Ok(()),
            Self::Full => StoreError::Full("full".into()),
            Self::Busy => StoreError::Busy("busy".into()),
            Self::Disk => StoreError::Disk("EIO".into()),
            Self::ReadOnly => StoreError::ReadOnly("EROFS".into()),
            Self::Unsynced => StoreError::Unsynced("EIO".into()),
            Self::Panic => panic!("the store is beside itself"),
        })
    }
}

/// A store that does as planned, and stores from then on. It never takes a group with a chain whose name begins with
/// `bad`.
#[derive(Debug, Clone)]
struct Planned {
    plan: Arc<Mutex<VecDeque<Outcome>>>,
    stored: Arc<Mutex<Vec<String>>>,
    /// How many batches each attempt to store had.
    groups: Arc<Mutex<Vec<usize>>>,
}

impl Planned {
    fn new(plan: impl Into<VecDeque<Outcome>>) -> Self {
        Self { plan: Arc::new(Mutex::new(plan.into())), stored: Arc::default(), groups: Arc::default() }
    }

    fn next(&self) -> Outcome {
        self.plan.lock().unwrap().pop_front().unwrap_or(Outcome::Stored)
    }

    fn count(&self, chain: &str) -> usize {
        self.stored.lock().unwrap().iter().filter(|stored| *stored == chain).count()
    }
}

impl StoreWriter for Planned {
    fn ingest(&mut self, batches: &[IngestBatch], _: i64) -> Result<Vec<Receipt>, StoreError> {
        self.groups.lock().unwrap().push(batches.len());
        // So that groups of any size come about.
        std::thread::sleep(Duration::from_micros(fastrand::u64(..300)));
        let chains = batches.iter().flat_map(IngestBatch::entries).map(|entry| entry.correlation_id.to_owned());
        let chains: Vec<String> = chains.collect();
        if chains.iter().any(|chain| chain.starts_with("bad")) {
            return Err(StoreError::Ingest("it is bad".into()));
        }
        self.next().result()?;
        self.stored.lock().unwrap().extend(chains);
        Ok(batches.iter().map(|batch| Receipt { ids: vec![Some(EntryId(1)); batch.len()] }).collect())
    }

    fn adjust_arrivals(&mut self, _: i64, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    fn delete_arrived_before(&mut self, _: i64, _: u32) -> Result<Deleted, StoreError> {
        self.next().result()?;
        Ok(Deleted { entries: 0, more: false })
    }

    fn delete_oldest(&mut self, _: u32) -> Result<Deleted, StoreError> {
        Ok(Deleted { entries: 0, more: false })
    }

    fn give_back(&mut self, _: u64) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn size(&self) -> Result<StoreSize, StoreError> {
        Ok(StoreSize { total_bytes: 0, reusable_bytes: 0, entries: 0, free_disk_bytes: None })
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.next().result()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A writer with this store, and the way to it.
fn start(store: &Planned) -> (Ingest, WriterThread) {
    let (ingest, commands) = Ingest::new();
    let writer =
        spawn(Box::new(store.clone()), commands, Arc::default(), Arc::default(), Arc::default(), &config()).unwrap();
    (ingest, writer)
}

/// Sends a batch of one entry from a task of its own.
fn send(ingest: &Ingest, chain: &str) -> Task<Option<Result<IngestAnswer, ApiError>>> {
    let (ingest, batch) = (ingest.clone(), one_entry(chain));
    let room = ingest.admit(batch.bytes()).unwrap();
    tokio::spawn(async move { tokio::time::timeout(PATIENCE, ingest.store(batch, room)).await.ok() })
}

/// Whoever has the answer may send as much again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_waits_no_more() {
    let (ingest, _writer) = start(&Planned::new([]));
    for number in 0..2_000 {
        let chain = if number % 3 == 0 { "bad" } else { "good" };
        let answer = send(&ingest, chain).await.unwrap().unwrap();
        assert_eq!(answer.is_ok(), chain == "good");
        assert_eq!(ingest.waiting(), QueueStats { entries: 0, bytes: 0 }, "after {number} answers");
    }
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let kinds = [
        Outcome::Stored,
        Outcome::Stored,
        Outcome::Stored,
        Outcome::Full,
        Outcome::Busy,
        Outcome::Disk,
        Outcome::ReadOnly,
        Outcome::Unsynced,
    ];
    proptest::collection::vec(select(kinds.to_vec()), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever fails, and wherever a clean-up or the end falls between: an answer for each request, a 200 for exactly those
    /// that are stored, a refusal for exactly those that are not.
    #[test]
    fn each_request_is_answered_once_and_truly(
        plan in outcomes(),
        requests in proptest::collection::vec(0..10_u32, 1..40),
        clean_up_at in 0..40_usize,
        stop_at in 0..60_usize,
    ) {
        let store = Planned::new(plan);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let answers = runtime.block_on(async {
            let (ingest, writer) = start(&store);
            let mut waiting = Vec::new();
            let mut clean_up = None;
            for (number, kind) in requests.iter().enumerate() {
                if number == stop_at {
                    ingest.stop();
                }
                if number == clean_up_at {
                    let ingest = ingest.clone();
                    clean_up = Some(tokio::spawn(async move { tokio::time::timeout(PATIENCE, ingest.clean_up()).await }));
                }
                let chain = format!("{}{number}", if *kind == 0 { "bad" } else { "good" });
                waiting.push((chain.clone(), send(&ingest, &chain)));
                if *kind > 7 {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            }
            let mut answers = Vec::new();
            for (chain, answer) in waiting {
                answers.push((chain, answer.await.unwrap()));
            }
            if let Some(clean_up) = clean_up {
                assert!(clean_up.await.unwrap().is_ok(), "the clean-up was answered");
            }
            ingest.stop();
            // On a machine that stands still for a second, it may have tried the disk and given up.
            let _ = writer.thread.join().unwrap();
            answers
        });
        for (chain, answer) in answers {
            let count = store.count(&chain);
            match answer {
                Some(Ok(answer)) => prop_assert_eq!((answer.inserted, count), (1, 1), "{}", chain),
                Some(Err(_)) => prop_assert_eq!(count, 0, "{} was refused", chain),
                None => prop_assert!(false, "{} got no answer", chain),
            }
        }
    }
}

/// The batches that wait while a sync fails: all of them are refused, and so are those who come until the writer has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_twice_refuses_everyone_and_ends_the_writer() {
    let store = Planned::new([Outcome::Unsynced, Outcome::Disk]);
    let (ingest, writer) = start(&store);
    let waiting: Vec<_> = (0..20).map(|number| send(&ingest, &format!("c{number}"))).collect();
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Some(Err(ApiError::Storage))), "{answer:?}");
    }
    assert!(tokio::time::timeout(PATIENCE, writer.ended).await.is_ok(), "the writer ends");
    assert!(matches!(writer.thread.join().unwrap(), Err(StoreError::Disk(_))));
    let late = send(&ingest, "late").await.unwrap();
    assert!(matches!(late, Some(Err(ApiError::ShuttingDown))), "{late:?}");
    assert_eq!(store.count("c0"), 0);
}

/// A server that cannot write must not look alive. Its end is seen from outside: this test starts itself again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_writer_ends_the_process() {
    if std::env::var_os(PANIC_VARIABLE).is_some() {
        let (ingest, _writer) = start(&Planned::new([Outcome::Panic]));
        let answer = send(&ingest, "c").await.unwrap();
        panic!("the process goes on: {answer:?}");
    }
    let test = ["--exact", "writer::tests::a_panic_of_the_writer_ends_the_process"];
    let output = Process::new(std::env::current_exe().unwrap()).args(test).env(PANIC_VARIABLE, "1").output().unwrap();
    assert_eq!(output.status.signal(), Some(SIGABRT), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn a_batch_that_fails_fails_alone() {
    let (ingest, commands) = Ingest::new();
    let requests = ["one", "bad", "two"].map(|chain| send(&ingest, chain));
    // Let them all wait before the writer starts.
    tokio::task::yield_now().await;
    let store = Planned::new([]);
    let writer =
        spawn(Box::new(store.clone()), commands, Arc::default(), Arc::default(), Arc::default(), &config()).unwrap();
    let mut inserted = Vec::new();
    for request in requests {
        inserted.push(request.await.unwrap().expect("an answer").map(|answer| answer.inserted));
    }
    assert!(matches!(inserted[..], [Ok(1), Err(ApiError::Storage), Ok(1)]), "{inserted:?}");
    assert_eq!(*store.groups.lock().unwrap(), [3, 1, 1, 1], "one group, then each alone");
    drop(ingest);
    writer.thread.join().unwrap().unwrap();
}

//! The worker thread: takes entries off the queue, cuts batches, has them sent, and stops by a deadline. It does the I/O;
//! `batch.rs` and `retry.rs` decide. With a spool, `spool/worker.rs` takes its place between queue and server.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracehub_core::redact::Redactor;

use crate::batch::{Batch, Cut, Limits};
use crate::builder::Settings;
use crate::complaint::{Complaints, Problem};
use crate::delivery::{Delivery, Owner};
use crate::error::BuildError;
use crate::http::Secret;
use crate::origin::Origin;
use crate::progress::{Deadline, Progress};
use crate::queue::Queue;
use crate::spool::{self, Spool};
use crate::stats::{Counters, Stats};
use crate::transport::{HttpTransport, Transport};

/// How long the worker sleeps while there is traffic. Waking it for each entry would cost every sender microseconds.
pub(crate) const NAP: Duration = Duration::from_millis(20);
/// How long nothing must happen before the worker rests until it is woken.
pub(crate) const IDLE_BEFORE_REST: Duration = Duration::from_secs(1);

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is a worker's: what is logged on it must not become entries, which would be logged again.
#[cfg(feature = "layer")]
pub(crate) fn is_worker() -> bool {
    IS_WORKER.try_with(Cell::get).unwrap_or(true)
}

/// What the handles and the worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) counters: Counters,
    pub(crate) progress: Progress,
    pub(crate) origin: Origin,
    /// Up to which count of accepted entries someone waits for a flush.
    flush_to: AtomicU64,
    /// Set once: by when the worker must have stopped.
    closing: watch::Sender<Option<Deadline>>,
}

impl Shared {
    pub(crate) fn new(capacity: usize, max_bytes: usize) -> Self {
        Self {
            queue: Queue::new(capacity, max_bytes),
            counters: Counters::default(),
            progress: Progress::default(),
            origin: Origin::default(),
            flush_to: AtomicU64::new(0),
            closing: watch::Sender::new(None),
        }
    }

    /// Asks the worker to send the first `accepted` entries without delay.
    pub(crate) fn hurry(&self, accepted: u64) {
        self.flush_to.fetch_max(accepted, Ordering::AcqRel);
        self.queue.ring();
    }

    /// Whether somebody waits for a flush or a close.
    pub(crate) fn is_urgent(&self) -> bool {
        self.queue.is_closed() || self.flush_to.load(Ordering::Acquire) > self.progress.finished()
    }

    /// Takes no more entries and asks the worker to stop by `deadline`. The first call counts.
    pub(crate) fn close(&self, deadline: Deadline) {
        self.queue.close();
        self.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            closing.get_or_insert(deadline);
            first
        });
        self.queue.ring();
    }

    /// Ends when the client is closed; gives the close's deadline.
    pub(crate) async fn closed(&self) {
        self.deadline().await;
    }

    async fn deadline(&self) -> Option<Deadline> {
        let mut closing = self.closing.subscribe();
        closing.wait_for(Option::is_some).await.ok().and_then(|closing| *closing)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counters.snapshot(|| self.queue.accepted())
    }
}

/// Starts the thread. Its runtime and its HTTP client are built, used and dropped on it, so neither can meet a runtime
/// of the host: `connect` is called on it, too.
pub(crate) fn start<T: Transport>(
    settings: &Settings,
    shared: Arc<Shared>,
    connect: impl FnOnce(&Settings) -> io::Result<T> + Send + 'static,
) -> Result<(), BuildError> {
    let (ready, started) = mpsc::sync_channel(1);
    let settings = settings.clone();
    let thread = thread::Builder::new().name("tracehub-client".into());
    let spawned = thread.spawn(move || {
        IS_WORKER.set(true);
        let ending = Ending(shared);
        let shared = &ending.0;
        let (runtime, transport, spool) = match build(&settings, connect) {
            Ok(built) => built,
            Err(err) => {
                let _ = ready.send(Err(err));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        runtime.block_on(run(shared, &transport, &settings, spool));
        drop(transport);
        // Not a plain drop, which would wait for a name look-up that hangs.
        runtime.shutdown_background();
    });
    spawned.map_err(worker_error)?;
    started.recv().unwrap_or_else(|_| Err(worker_error(io::Error::other("the worker thread ended at once"))))
}

fn worker_error(source: io::Error) -> BuildError {
    BuildError::Worker { source }
}

/// The wire that clients have by default.
pub(crate) fn connect_http(settings: &Settings) -> io::Result<HttpTransport> {
    let secret = settings.secret.as_ref().and_then(Secret::header);
    HttpTransport::new(&settings.url, &settings.trust, secret, settings.timeout).map_err(io::Error::other)
}

fn build<T>(
    settings: &Settings,
    connect: impl FnOnce(&Settings) -> io::Result<T>,
) -> Result<(tokio::runtime::Runtime, T, Option<Spool>), BuildError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(worker_error)?;
    let transport = connect(settings).map_err(worker_error)?;
    let spool = settings.spool.as_ref().map(|spool| {
        Spool::open(&spool.folder, spool.max_bytes)
            .map_err(|source| BuildError::Spool { folder: spool.folder.clone(), source })
    });
    Ok((runtime, transport, spool.transpose()?))
}

/// Says that the worker has ended, also when it ends by a panic: nobody may wait for it, nothing may queue up for it.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.progress.end();
    }
}

/// Works until the client is closed and everything is delivered or dropped, or until the close's deadline.
pub(crate) async fn run<T: Transport>(shared: &Shared, transport: &T, settings: &Settings, spool: Option<Spool>) {
    let deadline = async {
        match shared.deadline().await {
            Some(deadline) => deadline.passed().await,
            None => std::future::pending().await,
        }
    };
    let complaints = RefCell::new(Complaints::new(settings.on_error.clone()));
    let intake = Intake::new(shared, settings, &complaints);
    // Dropped at the deadline with the request that is on its way: it holds for hanging servers, too.
    if let Some(spool) = spool {
        let delivery = Delivery::new(shared, transport, None, &complaints);
        spool::worker::work(intake, delivery, spool, deadline).await;
    } else {
        let delivery = Delivery::new(shared, transport, Some(settings.retry_count), &complaints);
        tokio::select! {
            () = work(intake, delivery) => {}
            () = deadline => {}
        }
    }
}

/// The way from the queue into a batch.
pub(crate) struct Intake<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) limits: Limits,
    pub(crate) complaints: &'a RefCell<Complaints>,
    redactor: &'a Redactor,
    /// How many entries were refused when it was last looked.
    refused: u64,
}

impl<'a> Intake<'a> {
    fn new(shared: &'a Shared, settings: &'a Settings, complaints: &'a RefCell<Complaints>) -> Self {
        let limits = Limits { trigger: settings.batch_size, interval: settings.flush_interval };
        Self { shared, limits, complaints, redactor: &settings.redactor, refused: 0 }
    }

    /// Encodes what waits in the queue, as much as one request may carry.
    pub(crate) fn fill(&mut self, waiting: &mut Batch) {
        while !self.limits.is_full(waiting)
            && let Some(item) = self.shared.queue.take()
        {
            waiting.push(item.own_bytes(), |json| item.write(json, &self.shared.origin, self.redactor));
        }
        self.mention_refusals();
    }

    /// Senders do not log; the worker tells of their losses.
    fn mention_refusals(&mut self) {
        let counts = self.shared.counters.refused_counts();
        let new = counts.total() - self.refused;
        if new > 0 {
            self.refused = counts.total();
            self.complaints.borrow_mut().complain(Problem::Refused, new, || counts.reasons());
        }
    }
}

async fn work<T: Transport>(mut intake: Intake<'_>, mut delivery: Delivery<'_, T>) {
    let shared = intake.shared;
    let queue = &shared.queue;
    let mut waiting = Batch::default();
    let mut oldest = Instant::now();
    let mut last_busy = oldest;
    loop {
        if waiting.is_empty() {
            oldest = Instant::now();
        }
        intake.fill(&mut waiting);
        match intake.limits.decide(&waiting, oldest.elapsed(), shared.is_urgent()) {
            Cut::Now => {
                let batch = waiting.cut();
                delivery.deliver(&batch, Owner::Queue).await;
                last_busy = Instant::now();
            }
            Cut::Wait(rest) => {
                queue.nap(rest.min(NAP)).await;
                last_busy = Instant::now();
            }
            Cut::Nothing if queue.is_done() => return,
            Cut::Nothing if last_busy.elapsed() < IDLE_BEFORE_REST => queue.nap(NAP).await,
            Cut::Nothing => {
                queue.rest().await;
                last_busy = Instant::now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Range;

    use bytes::Bytes;
    use proptest::prelude::*;
    use tracehub_core::TraceEntry;
    use tracehub_core::wire::ingest::IngestBatch;

    use super::*;
    use crate::error::Refused;
    use crate::http::BaseUrl;
    use crate::item::Item;
    use crate::transport::Outcome;
    use crate::transport::double::Double;
    use crate::trust::Trust;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings() -> Settings {
        Settings {
            trust: Trust::default(),
            url: BaseUrl::parse("http://hub").unwrap(),
            secret: None,
            batch_size: 10,
            flush_interval: SECOND,
            timeout: SECOND,
            retry_count: 2,
            redactor: Redactor::default(),
            on_error: None,
            spool: None,
        }
    }

    /// A client's inside with entries in the queue; their suffixes count from 0.
    fn holding(entries: usize) -> Shared {
        let shared = Shared::new(2_000, 16 << 20);
        add(&shared, 0..entries);
        shared
    }

    fn add(shared: &Shared, numbers: Range<usize>) {
        for number in numbers {
            let entry = TraceEntry::builder("MA", "c1").suffix(number.to_string()).build().unwrap();
            shared.queue.offer(Item::Entry(Box::new(entry))).unwrap();
        }
    }

    fn numbers(body: &Bytes) -> Vec<usize> {
        let batch = IngestBatch::parse(body.to_vec()).expect("a body is a valid batch");
        batch.entries().map(|entry| entry.suffix.parse().unwrap()).collect()
    }

    fn acknowledged(body: &Bytes) -> Outcome {
        Outcome::Acknowledged { accepted: numbers(body).len() as u64 }
    }

    fn refused(status: u16, retry_after: Option<Duration>) -> Outcome {
        Outcome::Refused { status, retry_after, message: String::new() }
    }

    /// Closes, and works until all is done.
    async fn finish(shared: &Shared, transport: &Double) -> Stats {
        shared.close(Deadline::after(Duration::MAX));
        run(shared, transport, &settings(), None).await;
        assert!(shared.queue.is_done(), "every place and byte is given back");
        shared.stats()
    }

    /// Works while `script` runs.
    async fn meanwhile(shared: &Shared, transport: &Double, script: impl Future<Output = ()>) {
        let settings = settings();
        tokio::select! {
            () = run(shared, transport, &settings, None) => panic!("the worker stopped by itself"),
            () = script => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_entries_wait_for_company_and_enough_do_not() {
        let shared = holding(9);
        let transport = Double::new(|_, body| Some(acknowledged(body)));
        meanwhile(&shared, &transport, async {
            tokio::time::sleep(Duration::from_millis(950)).await;
            assert_eq!(transport.bodies().len(), 0);
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(transport.bodies().len(), 1);
            add(&shared, 9..19);
            tokio::time::sleep(2 * NAP).await;
            assert_eq!(transport.bodies().len(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_resting_worker_hears_the_next_entry_and_a_flush() {
        let shared = holding(0);
        let transport = Double::new(|_, body| Some(acknowledged(body)));
        meanwhile(&shared, &transport, async {
            tokio::time::sleep(100 * SECOND).await;
            add(&shared, 0..1);
            shared.hurry(1);
            tokio::time::sleep(2 * NAP).await;
            assert_eq!(shared.progress.finished(), 1);
            tokio::time::sleep(100 * SECOND).await;
            add(&shared, 1..11);
            tokio::time::sleep(2 * NAP).await;
            assert_eq!(shared.progress.finished(), 11);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn batches_grow_under_load() {
        let shared = holding(1_200);
        let transport = Double::new(|_, body| Some(acknowledged(body)));
        let stats = finish(&shared, &transport).await;
        let sizes: Vec<usize> = transport.bodies().iter().map(|body| numbers(body).len()).collect();
        assert_eq!((sizes, stats.delivered), (vec![500, 500, 200], 1_200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_waits_as_asked_and_sends_the_same_bytes() {
        let shared = holding(3);
        let transport = Double::new(|number, body| {
            Some(match number {
                0 => refused(503, Some(7 * SECOND)),
                1 => Outcome::Unreachable { reason: String::new() },
                _ => acknowledged(body),
            })
        });
        let start = Instant::now();
        let stats = finish(&shared, &transport).await;
        let bodies = transport.bodies();
        assert_eq!((stats.delivered, bodies.len()), (3, 3));
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert!(start.elapsed() >= 7 * SECOND && start.elapsed() < 8 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_fails_for_good_does_not_hold_up_the_next() {
        let shared = holding(600);
        let transport =
            Double::new(|number, body| Some(if number < 3 { refused(503, None) } else { acknowledged(body) }));
        let stats = finish(&shared, &transport).await;
        assert_eq!((stats.dropped.undelivered, stats.delivered), (500, 100));
        assert_eq!(transport.bodies().len(), 4);
        let reports = transport.reports();
        assert!(reports.len() == 1 && reports[0].contains(r#""undelivered":500"#), "{reports:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_costs_no_more_requests_than_there_are_halves() {
        let shared = holding(1_000);
        let transport = Double::new(|_, _| Some(Outcome::TimedOut { reason: String::new() }));
        let stats = finish(&shared, &transport).await;
        assert_eq!(stats.dropped.undelivered, 1_000);
        let sizes: Vec<usize> = transport.bodies().iter().map(|body| numbers(body).len()).collect();
        assert_eq!(sizes[..3], [500, 500, 250]);
        // One entry has its retries, and what is known of the way holds for the next batch.
        assert!(sizes.ends_with(&[1; 5]) && sizes.len() <= 14, "{sizes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_as_much_is_sent_as_arrives_in_time() {
        let shared = holding(1_000);
        let transport = Double::new(|_, body| {
            let fits = numbers(body).len() <= 100;
            Some(if fits { acknowledged(body) } else { Outcome::TimedOut { reason: String::new() } })
        });
        let stats = finish(&shared, &transport).await;
        assert_eq!(stats.delivered, 1_000);
        let sizes: Vec<usize> = transport.bodies().iter().map(|body| numbers(body).len()).collect();
        let late = sizes.iter().filter(|size| **size > 100).count();
        assert_eq!((&sizes[..5], late), (&[500, 500, 250, 125, 62][..], 4), "no other body was too large");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_of_a_close_abandons_a_request_that_hangs() {
        let shared = holding(600);
        let transport = Double::new(|number, body| (number == 0).then(|| acknowledged(body)));
        shared.close(Deadline::after(2 * SECOND));
        shared.close(Deadline::after(Duration::MAX));
        let start = Instant::now();
        run(&shared, &transport, &settings(), None).await;
        assert!(start.elapsed() < 3 * SECOND, "the first deadline counts");
        let stats = shared.stats();
        assert_eq!((stats.delivered, stats.pending, stats.dropped.total()), (500, 100, 0));
    }

    #[test]
    fn a_worker_that_panics_leaves_nobody_waiting() {
        let shared = Arc::new(holding(1));
        let ending = Ending(Arc::clone(&shared));
        let panicked = thread::spawn(move || {
            let _ending = ending;
            std::panic::resume_unwind(Box::new("a fault"));
        });
        assert!(panicked.join().is_err());
        assert!(shared.progress.wait_for(1, Deadline::after(10 * SECOND)).ended);
        let entry = TraceEntry::builder("MA", "c1").build().unwrap();
        assert_eq!(shared.queue.offer(Item::Entry(Box::new(entry))), Err(Refused::Closed));
    }

    /// Runs a future to its end with a clock that jumps.
    fn block_on<F: Future>(future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap().block_on(future)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_bad_entry_costs_itself_alone(
            entries in 1_usize..80,
            bad in prop::collection::btree_set(0_usize..80, 0..10),
            status in prop::sample::select(vec![400_u16, 413, 422]),
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|number| *number < entries).collect();
            let refuses = bad.clone();
            let transport = Double::new(move |_, body| {
                let spoilt = numbers(body).iter().any(|number| refuses.contains(number));
                Some(if spoilt { refused(status, None) } else { acknowledged(body) })
            });
            let stats = block_on(finish(&holding(entries), &transport));
            prop_assert_eq!(stats.dropped.rejected, bad.len() as u64);
            prop_assert_eq!(stats.delivered, (entries - bad.len()) as u64);
            let taken: Vec<usize> = transport
                .bodies()
                .iter()
                .map(numbers)
                .filter(|numbers| !numbers.iter().any(|number| bad.contains(number)))
                .flatten()
                .collect();
            let good: Vec<usize> = (0..entries).filter(|number| !bad.contains(number)).collect();
            prop_assert_eq!(taken, good, "in order, each once");
        }

        #[test]
        fn whatever_the_server_does_the_counts_balance(
            entries in 0_usize..700,
            answers in prop::collection::vec(0_u8..8, 1..40),
        ) {
            let transport = Double::new(move |number, body| {
                Some(match answers[number % answers.len()] {
                    0 => refused(422, None),
                    1 => refused(503, Some(SECOND)),
                    2 => refused(401, None),
                    3 => Outcome::Unknown,
                    4 => Outcome::Unreachable { reason: String::new() },
                    5 => Outcome::TimedOut { reason: String::new() },
                    _ => acknowledged(body),
                })
            });
            let stats = block_on(finish(&holding(entries), &transport));
            prop_assert_eq!((stats.accepted, stats.pending), (entries as u64, 0));
            prop_assert_eq!(stats.accepted, stats.delivered + stats.dropped.total());
        }
    }
}

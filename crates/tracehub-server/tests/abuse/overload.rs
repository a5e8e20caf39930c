//! Three times as many entries as can be stored: as many are stored as before, the rest is refused at once, and what was
//! acknowledged is there.

use std::fmt::Write as _;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;

use crate::probe::Usage;
use crate::raw;
use crate::support::Server;

/// Entries in a batch.
const BATCH: u32 = 500;

/// What the senders saw.
#[derive(Debug, Default)]
struct Outcome {
    /// Milliseconds until a 200.
    accepted: Vec<f64>,
    /// Milliseconds until a 503.
    refused: Vec<f64>,
}

impl Outcome {
    fn rate(&self, time: Duration) -> f64 {
        self.accepted.len() as f64 * f64::from(BATCH) / time.as_secs_f64()
    }
}

/// Sends from so many connections for some time; a connection sends its next batch when it has its answer, and not before
/// `every` has passed since the last.
async fn send(server: &Server, connections: u32, first: u32, time: Duration, every: Duration) -> Outcome {
    let began = Instant::now();
    let outcomes = join_all((0..connections).map(|connection| async move {
        let mut outcome = Outcome::default();
        let mut stream = raw::connect(server).await;
        let mut due = began + every.mul_f64(f64::from(connection) / f64::from(connections));
        let mut batch = Batch::new(first + connection);
        let mut number = 0;
        while began.elapsed() < time {
            tokio::time::sleep_until(due.into()).await;
            due = (due + every).max(Instant::now());
            let request = batch.numbered(number);
            number += 1;
            let began = Instant::now();
            stream.write_all(request).await.expect("the server takes it");
            let answer = raw::answer(&mut stream).await.expect("an answer");
            let took = began.elapsed().as_secs_f64() * 1000.0;
            match answer.status {
                200 => {
                    assert_eq!(answer.body["inserted"], BATCH);
                    outcome.accepted.push(took);
                }
                503 => {
                    assert_eq!((&answer.body["error"], &answer.body["retry_after"]), (&"overloaded".into(), &1.into()));
                    outcome.refused.push(took);
                }
                _ => panic!("{answer:?}"),
            }
        }
        outcome
    }));
    let mut all = Outcome::default();
    for outcome in outcomes.await {
        all.accepted.extend(outcome.accepted);
        all.refused.extend(outcome.refused);
    }
    all.accepted.sort_by(f64::total_cmp);
    all.refused.sort_by(f64::total_cmp);
    all
}

/// A batch of entries in ten chains, encoded once: the sender must cost less than the server.
struct Batch {
    request: Vec<u8>,
    /// Where the number of the batch stands, which makes its entries new.
    places: Vec<usize>,
}

impl Batch {
    const DIGITS: usize = 8;

    fn new(connection: u32) -> Self {
        let mut body = String::from(r#"{"traces":["#);
        let mut places = Vec::new();
        for entry in 0..BATCH {
            let _ = write!(
                body,
                r#"{}{{"source_id":"MA","correlation_id":"c{}-{connection}-"#,
                if entry == 0 { "" } else { "," },
                entry % 10
            );
            places.push(body.len());
            // Time goes on, as it does for those who send: a store in which it stands still is another test.
            body.push_str(r#"00000000","timestamp":1"#);
            places.push(body.len());
            let _ = write!(
                body,
                r#"00000000{entry:03},"suffix":"s","direction":"->","operation":"REST","endpoint":"/api/agents"}}"#
            );
        }
        body.push_str("]}");
        let head = "POST /ingest HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
        let head = format!("{head} {}\r\n\r\n", body.len());
        for place in &mut places {
            *place += head.len();
        }
        Self { request: format!("{head}{body}").into_bytes(), places }
    }

    fn numbered(&mut self, number: u32) -> &[u8] {
        let digits = format!("{number:08}");
        for place in &self.places {
            self.request[*place..place + Self::DIGITS].copy_from_slice(digits.as_bytes());
        }
        &self.request
    }
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let place = (sorted.len().saturating_sub(1) as f64 * share).ceil() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

#[test]
fn three_times_too_much_is_refused_early_and_nothing_acknowledged_is_lost() {
    let _alone = crate::ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    crate::attack::raise_the_limit_of_descriptors();
    let server = crate::start(&[]);
    let time = Duration::from_secs(if crate::is_full() { 60 } else { 2 });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let peak = runtime.block_on(send(&server, 16, 0, time / 4, Duration::ZERO));
    let peak_rate = peak.rate(time / 4);
    let before = Usage::of(&server);
    let connections = if crate::is_full() { 1_200 } else { 200 };
    let every = Duration::from_secs_f64(f64::from(connections * BATCH) / (3.0 * peak_rate));
    let crowded = runtime.block_on(send(&server, connections, 100, time, every));
    let (_, stats) = runtime.block_on(server.get("/stats"));
    let after = Usage::of(&server);
    let (good, p99) = (crowded.rate(time), percentile(&crowded.accepted, 0.99));
    println!(
        "{:<34} {connections:>6} {:>6.1} s   peak {peak_rate:.0} entries/s   stored {good:.0} ({:.2} of it)   refused {} of {} \
         batches, p99 {:.1} ms   accepted p50 {:.1}  p99 {p99:.1} ms   {:.1} MB before, peak {:.1}",
        "three times too much",
        time.as_secs_f64(),
        good / peak_rate,
        crowded.refused.len(),
        crowded.refused.len() + crowded.accepted.len(),
        percentile(&crowded.refused, 0.99),
        percentile(&crowded.accepted, 0.5),
        before.resident_mb,
        after.peak_mb,
    );
    let acknowledged = (peak.accepted.len() + crowded.accepted.len()) as u64 * u64::from(BATCH);
    assert_eq!(stats["stored"]["entries"], acknowledged, "what was acknowledged is stored, and nothing else");
    assert!(after.peak_mb < 300.0, "{} MB", after.peak_mb);
    // How much of the peak is kept, and how soon, is printed: measuring is the business of `cargo xtask bench overload`.
    if crate::is_full() {
        assert!(!crowded.refused.is_empty(), "it was no overload");
    }
}

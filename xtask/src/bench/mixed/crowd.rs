//! The clients: those who send and try again, those who read back, those who ask, those who listen.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use tracehub_core::wire::ingest::IngestAnswer;

use super::super::connection::{Connection, get_request, ingest_request};
use super::ledger::{Acknowledged, Ledger, entries_of};
use super::listeners::{self, Manner};

/// Who there is.
const WRITERS: u64 = 4;
const READERS: u64 = 3;
const LISTENERS: [Manner; 6] =
    [Manner::Steady, Manner::Steady, Manner::ComesAndGoes, Manner::ComesAndGoes, Manner::Slow, Manner::Slow];
const STUCK: usize = 20;
/// How often a writer sends and a reader asks.
const BETWEEN_BATCHES: Duration = Duration::from_millis(20);
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);
/// Entries of a batch.
const BATCH: u64 = 20;
/// How long a client waits before it tries a server again that is not there.
const RETRY: Duration = Duration::from_millis(50);
/// An older batch may have been deleted before it is read back.
const MAX_AGE: Duration = Duration::from_secs(6);
const QUESTIONS: [&str; 5] = [
    "/correlations?limit=50",
    "/recent?limit=100",
    "/stats",
    "/correlations?limit=50&status=complete",
    "/correlations?source=MA&limit=20",
];

/// What the clients saw.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Entries that were acknowledged.
    pub(super) entries: u64,
    /// Answers' times in ms.
    pub(super) ingest_times: Vec<f64>,
    pub(super) read_times: Vec<f64>,
    /// Requests that were sent once more because no answer came.
    pub(super) retried: u64,
    /// Entries that these found stored already.
    pub(super) duplicates: u64,
    /// Requests with an answer that retrying does not change, and batches that were stored in part.
    pub(super) refused: u64,
    /// Batches that were acknowledged and are not there.
    pub(super) missing: u64,
    /// Batches that nobody came to read back before they might be deleted.
    pub(super) late: u64,
    /// Events, and how many of them were not the next.
    pub(super) heard: u64,
    pub(super) broken: u64,
    /// Connections that listeners made.
    pub(super) connections: u64,
    /// Stuck listeners whose connection the server ended.
    pub(super) cut_off: u64,
}

impl Tally {
    fn add(mut self, other: Self) -> Self {
        self.ingest_times.extend(other.ingest_times);
        self.read_times.extend(other.read_times);
        Self {
            entries: self.entries + other.entries,
            retried: self.retried + other.retried,
            duplicates: self.duplicates + other.duplicates,
            refused: self.refused + other.refused,
            missing: self.missing + other.missing,
            late: self.late + other.late,
            heard: self.heard + other.heard,
            broken: self.broken + other.broken,
            connections: self.connections + other.connections,
            cut_off: self.cut_off + other.cut_off,
            ..self
        }
    }
}

/// Everybody at once, until told to stop. What was acknowledged by then is read back before it ends.
pub(super) fn run(address: &str, ledger: &Ledger, stop: &AtomicBool) -> Result<Tally> {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || write(address, writer, started, ledger, stop))).collect();
        let mut others: Vec<_> = (0..READERS).map(|reader| scope.spawn(move || ask(address, reader, stop))).collect();
        others.push(scope.spawn(|| read_back(address, ledger, stop)));
        others.extend(LISTENERS.iter().map(|manner| scope.spawn(|| listeners::listen(address, *manner, stop))));
        others.push(scope.spawn(|| listeners::be_stuck(address, STUCK, stop)));
        writers.into_iter().chain(others).try_fold(Tally::default(), |tally, client| {
            let seen = client.join().map_err(|_| anyhow!("a client's thread panicked"))??;
            Ok(tally.add(seen))
        })
    })
}

/// A connection that is made again when it breaks.
pub(super) struct Client<'a> {
    address: &'a str,
    connection: Option<Connection>,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a str) -> Self {
        Self { address, connection: None }
    }

    fn ask_into(&mut self, request: &[u8], body: &mut Vec<u8>) -> Result<f64> {
        body.clear();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.address)?),
        };
        let answer = connection.ask_into(request, body);
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }
}

/// Whether a request failed for a reason that trying again does not change.
fn is_final(err: &anyhow::Error) -> bool {
    let reason = err.to_string();
    reason.contains("HTTP/1.1 ") && !reason.contains("HTTP/1.1 503")
}

/// Sends batches at its pace; each until it is acknowledged.
fn write(address: &str, writer: u64, started: Instant, ledger: &Ledger, stop: &AtomicBool) -> Result<Tally> {
    let (mut tally, mut client, mut body) = (Tally::default(), Client::new(address), Vec::new());
    // Names that no other part has used.
    let run = fastrand::u32(..);
    for number in 0.. {
        let due = started + BETWEEN_BATCHES * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (chain, entries, names, json) = batch(&format!("soak-{run:x}-{writer}-{number}"), number % 2 == 0);
        let (request, sent, mut attempts) = (ingest_request(&json), Instant::now(), 0);
        while !stop.load(Ordering::Relaxed) {
            match client.ask_into(&request, &mut body) {
                Ok(time) => {
                    tally.ingest_times.push(time);
                    let IngestAnswer { accepted, inserted, duplicates } = serde_json::from_slice(&body)?;
                    // All or nothing, and nothing only where an answer was lost.
                    let is_whole = accepted == BATCH && inserted + duplicates == BATCH;
                    let is_known = duplicates == 0 || (duplicates == BATCH && attempts > 0);
                    tally.refused += u64::from(!is_whole || !is_known);
                    tally.duplicates += duplicates;
                    tally.entries += BATCH;
                    ledger.note(Acknowledged { chain, entries, sent, answered: Instant::now() }, BATCH, names);
                    break;
                }
                Err(err) if is_final(&err) => {
                    eprintln!("a batch is refused: {err:#}");
                    tally.refused += 1;
                    break;
                }
                Err(_) => {
                    attempts += 1;
                    tally.retried += 1;
                    std::thread::sleep(RETRY);
                }
            }
        }
    }
    Ok(tally)
}

/// A batch: one chain, or a chain and a source for each entry. Gives the chain to read back, its entries, and how many
/// names are new.
fn batch(name: &str, is_one_chain: bool) -> (String, u64, u64, String) {
    let mut body = "{\"traces\":[".to_owned();
    for entry in 0..BATCH {
        let comma = if entry == 0 { "" } else { "," };
        let (chain, source) = if is_one_chain {
            (name.to_owned(), "MA".to_owned())
        } else {
            (format!("{name}-{entry}"), format!("source-{name}-{entry}"))
        };
        let direction = if entry % 2 == 0 { "->" } else { "<-" };
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            r#"{comma}{{"source_id":"{source}","correlation_id":"{chain}","timestamp":{entry},"suffix":"{entry}","direction":"{direction}","operation":"REST","endpoint":"/api/{entry}","data":{{"status":200,"note":"abcdefghijklmnopqrstuvwxyz"}},"hostname":"web-1"}}"#
        );
    }
    body.push_str("]}");
    if is_one_chain { (name.to_owned(), BATCH, 1, body) } else { (format!("{name}-7"), 1, 2 * BATCH, body) }
}

/// Reads back every batch a moment after it was acknowledged; in the end all that are left, while the server is there.
fn read_back(address: &str, ledger: &Ledger, stop: &AtomicBool) -> Result<Tally> {
    let (mut tally, mut connection) = (Tally::default(), None);
    let mut waiting: Option<Acknowledged> = None;
    loop {
        let is_end = stop.load(Ordering::Relaxed);
        let Some(batch) = waiting.take().or_else(|| ledger.next_unread(is_end)) else {
            if is_end {
                return Ok(tally);
            }
            std::thread::sleep(RETRY);
            continue;
        };
        if batch.answered.elapsed() > MAX_AGE {
            tally.late += 1;
            ledger.keep(batch);
            continue;
        }
        let open = match &mut connection {
            Some(open) => open,
            none => match Connection::open(address) {
                Ok(opened) => none.insert(opened),
                Err(err) if is_end => return Err(err).context("the server is gone at the end"),
                Err(_) => {
                    waiting = Some(batch);
                    std::thread::sleep(RETRY);
                    continue;
                }
            },
        };
        let start = Instant::now();
        match entries_of(open, &batch.chain) {
            Ok(found) => {
                tally.read_times.push(start.elapsed().as_secs_f64() * 1000.0);
                if found == batch.entries {
                    ledger.keep(batch);
                } else {
                    eprintln!("{} has {found} entries of {}", batch.chain, batch.entries);
                    tally.missing += 1;
                }
            }
            Err(err) => {
                ensure!(!is_final(&err), "{err:#}");
                (connection, waiting) = (None, Some(batch));
                std::thread::sleep(RETRY);
            }
        }
    }
}

/// Asks one question after the other at its pace.
fn ask(address: &str, reader: u64, stop: &AtomicBool) -> Result<Tally> {
    let (mut tally, mut client, mut body) = (Tally::default(), Client::new(address), Vec::new());
    let first = usize::try_from(reader)?;
    for question in QUESTIONS.iter().cycle().skip(first) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match client.ask_into(&get_request(question), &mut body) {
            Ok(time) => tally.read_times.push(time),
            Err(err) if is_final(&err) => {
                eprintln!("{question} is refused: {err:#}");
                tally.refused += 1;
            }
            // Read again, but not counted: only what changes something is worth it.
            Err(_) => {}
        }
        std::thread::sleep(BETWEEN_QUESTIONS);
    }
    Ok(tally)
}

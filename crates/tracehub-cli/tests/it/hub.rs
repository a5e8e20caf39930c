//! A hub in memory that keeps what it is sent, by the rules of the real one, and can be told to refuse first.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use tracehub_client::TraceEntry;
use tracehub_core::store::EntryId;
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch, IngestError};
use tracehub_core::wire::read::{ChainWriter, RecentWriter, write_entry};

/// A refusal to give instead of an answer: status, `Retry-After`, body. 200 refuses nothing; [`CUT_OFF`] is none.
pub(crate) type Refusal = (u16, Option<&'static str>, &'static str);

/// The status of a request whose connection breaks without an answer.
pub(crate) const CUT_OFF: u16 = 0;

#[derive(Default)]
pub(crate) struct Kept {
    /// Entries in the order of their arrival.
    pub(crate) entries: Vec<TraceEntry>,
    /// How many entries each request to `/ingest` had, as far as it was understood.
    pub(crate) requests: Vec<usize>,
    /// Comes with every question for the newest entries: the hub is never still.
    pub(crate) late: Option<TraceEntry>,
    /// What comes before anything is kept or given, one for each request to `/ingest` and `/recent`.
    pub(crate) refusals: VecDeque<Refusal>,
    identities: HashSet<String>,
}

/// Its thread ends with the test process.
pub(crate) struct Hub {
    pub(crate) url: String,
    pub(crate) kept: Arc<Mutex<Kept>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self::refusing_first(&[])
    }

    pub(crate) fn refusing_first(refusals: &[Refusal]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let kept = Arc::new(Mutex::new(Kept { refusals: refusals.iter().copied().collect(), ..Kept::default() }));
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                answer(connection.expect("a connection"), &shared);
            }
        });
        Self { url, kept }
    }

    /// A hub that has these entries.
    pub(crate) fn with(entries: &[TraceEntry]) -> Self {
        let hub = Self::new();
        hub.kept.lock().expect("the hub").entries = entries.to_vec();
        hub
    }

    pub(crate) fn requests(&self) -> Vec<usize> {
        self.kept.lock().expect("the hub").requests.clone()
    }
}

fn answer(mut connection: TcpStream, kept: &Mutex<Kept>) {
    let mut input = BufReader::new(connection.try_clone().expect("a second handle"));
    let (mut request, mut length) = (String::new(), 0);
    input.read_line(&mut request).expect("a request");
    loop {
        let mut line = String::new();
        input.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).expect("the body");
    let (path, query) = request.split(' ').nth(1).map_or(("", ""), |uri| uri.split_once('?').unwrap_or((uri, "")));
    let mut kept = kept.lock().expect("the hub");
    let (status, retry_after, json) = match path {
        "/ingest" => kept.ingest(body),
        "/recent" => kept.recent(query),
        _ => match path.strip_prefix("/traces/") {
            Some(id) => (200, None, kept.chain(&percent_decode_str(id).decode_utf8_lossy())),
            None => (404, None, b"{}".to_vec()),
        },
    };
    if status == CUT_OFF {
        return;
    }
    let retry_after = retry_after.map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{retry_after}content-length: {}\r\nconnection: close\r\n\r\n",
        json.len()
    );
    // The client may have gone away on purpose.
    let _ = connection.write_all(&[head.as_bytes(), &json].concat());
}

impl Kept {
    fn ingest(&mut self, body: Vec<u8>) -> (u16, Option<&'static str>, Vec<u8>) {
        let batch = IngestBatch::parse(body);
        self.requests.push(batch.as_ref().map_or(0, IngestBatch::len));
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let batch = match batch {
            Ok(batch) => batch,
            Err(err) => {
                let detail = if let IngestError::Invalid(faults) = &err { faults.clone() } else { Vec::new() };
                let refusal = serde_json::json!({"error": "invalid", "message": err.to_string(), "detail": detail});
                return (422, None, refusal.to_string().into());
            }
        };
        let before = self.entries.len();
        for entry in batch.entries() {
            let identity = format!(
                "{:?}",
                (entry.correlation_id, entry.timestamp.to_bits(), entry.suffix, entry.source_id, entry.direction)
            );
            if self.identities.insert(identity) {
                let mut json = Vec::new();
                write_entry(&mut json, &entry);
                self.entries.push(serde_json::from_slice(&json).expect("an entry"));
            }
        }
        let (accepted, inserted) = (batch.len() as u64, (self.entries.len() - before) as u64);
        let answer = IngestAnswer { accepted, inserted, duplicates: accepted - inserted };
        (200, None, serde_json::to_vec(&answer).expect("JSON"))
    }

    fn refusal(&mut self) -> Option<(u16, Option<&'static str>, Vec<u8>)> {
        let (status, retry_after, body) = self.refusals.pop_front()?;
        (status != 200).then(|| (status, retry_after, body.into()))
    }

    fn chain(&self, correlation_id: &str) -> Vec<u8> {
        let mut entries: Vec<_> =
            self.entries.iter().filter(|entry| entry.correlation_id() == correlation_id).collect();
        entries.sort_by(|a, b| a.timestamp().total_cmp(&b.timestamp()));
        let mut writer = ChainWriter::new(correlation_id);
        for entry in entries {
            writer.push(&entry.as_ref());
        }
        writer.finish()
    }

    /// Like the real one, but for pages of seven entries, so that a small hub has several.
    fn recent(&mut self, query: &str) -> (u16, Option<&'static str>, Vec<u8>) {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let since = value("since_id").map_or(self.entries.len(), |id| id.parse().expect("an id"));
        let limit = value("limit").map_or(100, |limit| limit.parse().expect("a limit")).min(7);
        let source = value("source");
        let mut writer = RecentWriter::default();
        let mut last = since;
        for (place, entry) in self.entries.iter().enumerate().skip(since).take(limit) {
            last = place + 1;
            if source.is_none_or(|source| source == entry.source_id()) {
                writer.push(id(last), &entry.as_ref());
            }
        }
        self.entries.extend(self.late.clone());
        (200, None, writer.finish(id(last)))
    }
}

fn id(place: usize) -> EntryId {
    EntryId(i64::try_from(place).expect("few entries"))
}

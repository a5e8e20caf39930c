//! Request bodies of `POST /ingest` and `POST /ingest/single`: a body gives valid entries or faults, never both, and the
//! entries are those that a simple reading of the contract finds.

use serde_json::Value;
use tracehub_core::TraceEntry;
use tracehub_core::entry::EntryRef;
use tracehub_core::wire::error::{FieldError, Location};
use tracehub_core::wire::ingest::{IngestBatch, IngestError, MAX_BATCH_ENTRIES};
use tracehub_core::wire::read::write_entry;

use crate::model::{self, Entry, Json};

/// The most faults of one body: those that are listed, and what the last entry that was looked at adds.
const MAX_FAULTS: usize = 110;
/// What the simple reading refuses even where nobody looks: in fields that the contract does not know.
const BEYOND_THE_MODEL: [&str; 4] =
    ["number out of range", "recursion limit exceeded", "surrogate", "unexpected end of hex escape"];

/// Checks any bytes as a body of either kind.
///
/// # Panics
/// Something does not hold.
pub fn check(bytes: &[u8]) {
    let read = read(bytes);
    check_one(bytes, IngestBatch::parse(bytes.to_vec()), read.as_ref().map(model::batch));
    let single = read.as_ref().map(|json| model::entry(json).map(|entry| vec![entry]));
    check_one(bytes, IngestBatch::parse_single(bytes.to_vec()), single);
}

/// The body as a tree, or the reader's complaint.
fn read(bytes: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(bytes).map_err(|err| err.to_string())?;
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|err| err.to_string())
}

fn check_one(bytes: &[u8], parsed: Result<IngestBatch, IngestError>, expected: Result<Option<Vec<Entry>>, &String>) {
    match (parsed, expected) {
        (Ok(batch), Ok(expected)) => {
            let expected = expected.expect("the contract refuses what was taken");
            assert_eq!(batch.entries().map(as_model).collect::<Vec<_>>(), expected);
            check_batch(&batch);
        }
        (Ok(batch), Err(complaint)) => {
            let is_beyond = BEYOND_THE_MODEL.iter().any(|reason| complaint.contains(reason));
            assert!(is_beyond, "taken, but {complaint}");
            check_batch(&batch);
        }
        (Err(err), expected) => {
            let refused = !matches!(expected, Ok(Some(entries)) if entries.len() <= MAX_BATCH_ENTRIES);
            assert!(refused, "the contract takes what was refused: {err}");
            check_refusal(bytes, &err);
        }
    }
}

fn as_model(entry: EntryRef<'_>) -> Entry {
    let EntryRef { source_id, correlation_id, suffix, direction, operation, endpoint, hostname, .. } = entry;
    Entry {
        timestamp: entry.timestamp,
        texts: [source_id, correlation_id, suffix, direction, operation, endpoint, hostname].map(str::to_owned),
        data: entry.data.map(|json| serde_json::from_str(json).expect("kept data is JSON that readers take")),
        raw_line: entry.raw_line.map(str::to_owned),
    }
}

/// What was taken keeps every limit, and comes back as it is from what the server writes.
fn check_batch(batch: &IngestBatch) {
    assert!(batch.len() <= MAX_BATCH_ENTRIES);
    assert!(batch.entries().is_sorted_by(|a, b| a.timestamp <= b.timestamp));
    let mut body = b"{\"traces\":[".to_vec();
    for (place, entry) in batch.entries().enumerate() {
        entry.validate().expect("an entry of a batch is valid");
        assert!(entry.timestamp != 0.0 || entry.timestamp.is_sign_positive(), "one zero");
        if place > 0 {
            body.push(b',');
        }
        let start = body.len();
        write_entry(&mut body, &entry);
        let json = std::str::from_utf8(&body[start..]).expect("an entry's JSON is text");
        assert!(!json.contains(['\n', '\r']), "an event's data is one line");
        let read: TraceEntry = serde_json::from_str(json).expect("clients read what the server writes");
        assert_same(read.as_ref(), entry);
        serde_json::from_str::<Value>(json).expect("so does everybody");
    }
    body.extend_from_slice(b"]}");
    let again = IngestBatch::parse(body).expect("what the server writes can be sent again");
    assert_eq!(again.len(), batch.len());
    again.entries().zip(batch.entries()).for_each(|(again, entry)| assert_same(again, entry));
}

fn assert_same(a: EntryRef<'_>, b: EntryRef<'_>) {
    // Shows floats so that different ones look different.
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    assert_eq!(a.timestamp.to_bits(), b.timestamp.to_bits());
}

/// A refusal says why, briefly, and points into the body.
fn check_refusal(bytes: &[u8], err: &IngestError) {
    match err {
        IngestError::NotUtf8 => assert!(std::str::from_utf8(bytes).is_err()),
        IngestError::TooManyEntries => assert!(bytes.len() > MAX_BATCH_ENTRIES),
        IngestError::Invalid(faults) => {
            assert!(!faults.is_empty() && faults.len() <= MAX_FAULTS, "{} faults", faults.len());
            for fault in faults {
                check_fault(bytes, fault);
            }
        }
    }
}

fn check_fault(bytes: &[u8], fault: &FieldError) {
    assert_eq!(fault.loc.first(), Some(&Location::from("body")), "{fault}");
    assert!(!fault.kind.is_empty() && !fault.msg.is_empty());
    for step in &fault.loc {
        // An entry has at least a byte, so its index is below that too.
        assert!(!matches!(step, Location::Index(index) if *index > bytes.len()), "{fault}");
    }
}

//! What lies in the queue: a checkpoint as few bytes as it takes, or a whole entry. The worker turns it into JSON.

use std::sync::LazyLock;

use tracehub_core::entry::{MAX_NAME_BYTES, UNKNOWN_HOSTNAME};
use tracehub_core::redact::Redactor;
use tracehub_core::wire::read::write_entry;
use tracehub_core::{Direction, EntryRef, InvalidEntry, TraceEntry};

use crate::origin::{Origin, SourceId};

/// What a place of the queue holds without memory of its own: the names of most checkpoints, and small data.
const INLINE_BYTES: usize = 102;

/// The bit of [`Checkpoint::number`] that says that it is a pair's: enter and leave share it, whatever their places are
/// among the client's entries. So calls of one name that overlap are told apart.
pub(crate) const PAIR: u64 = 1 << 63;

/// One accepted entry.
#[derive(Debug)]
pub(crate) enum Item {
    /// What a checkpoint logger took down.
    Checkpoint(Checkpoint),
    /// What the host built itself.
    Entry(Box<TraceEntry>),
}

/// A checkpoint before it is an entry. Host, suffix and the source's name are added by the worker.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// Unix ms.
    pub(crate) timestamp: f64,
    /// Which of the client's entries it is, or which [pair](PAIR): what its suffix is made of.
    pub(crate) number: u64,
    pub(crate) source: SourceId,
    pub(crate) way: Way,
    pub(crate) texts: Texts,
}

/// Which way a checkpoint was passed, in one byte. What is neither enter nor leave is a mark with an event's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Enter,
    Leave,
    #[cfg(feature = "layer")]
    Error,
    #[cfg(feature = "layer")]
    Warn,
    #[cfg(feature = "layer")]
    Info,
    #[cfg(feature = "layer")]
    Debug,
    #[cfg(feature = "layer")]
    Trace,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "->",
            Self::Leave => "<-",
            #[cfg(feature = "layer")]
            Self::Error => "error",
            #[cfg(feature = "layer")]
            Self::Warn => "warn",
            #[cfg(feature = "layer")]
            Self::Info => "info",
            #[cfg(feature = "layer")]
            Self::Debug => "debug",
            #[cfg(feature = "layer")]
            Self::Trace => "trace",
        }
    }
}

/// The correlation id, the operation, the endpoint and the data, one after the other.
#[derive(Debug)]
pub(crate) struct Texts {
    /// Where each of the first three ends.
    ends: [u16; 3],
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Inline(u8, [u8; INLINE_BYTES]),
    Own(Box<[u8]>),
}

impl Texts {
    /// The caller has checked the names' lengths: together they are below 64 KiB. `data` is JSON, or empty for none.
    #[inline]
    pub(crate) fn new(names: [&str; 3], data: &[u8]) -> Self {
        let mut ends = [0_u16; 3];
        let mut end = 0_usize;
        for (place, name) in ends.iter_mut().zip(names) {
            end += name.len();
            *place = u16::try_from(end).unwrap_or(u16::MAX);
        }
        let length = end + data.len();
        let parts = [names[0].as_bytes(), names[1].as_bytes(), names[2].as_bytes(), data];
        let bytes = match u8::try_from(length) {
            Ok(short) if length <= INLINE_BYTES => {
                let mut bytes = [0; INLINE_BYTES];
                let mut at = 0;
                for part in parts {
                    bytes[at..at + part.len()].copy_from_slice(part);
                    at += part.len();
                }
                Bytes::Inline(short, bytes)
            }
            _ => Bytes::Own(parts.concat().into()),
        };
        Self { ends, bytes }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Bytes::Own(bytes) => bytes,
        }
    }

    /// Correlation id, operation, endpoint and data.
    fn parts(&self) -> [&str; 4] {
        let bytes = self.as_bytes();
        let [first, second, third] = self.ends.map(|end| usize::from(end).min(bytes.len()));
        let ranges = [0..first, first..second, second..third, third..bytes.len()];
        // They were text when they came in.
        ranges.map(|range| bytes.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default())
    }

    fn own_bytes(&self) -> usize {
        match &self.bytes {
            Bytes::Inline(..) => 0,
            Bytes::Own(bytes) => bytes.len(),
        }
    }
}

impl Item {
    /// Whether it leaves a call: such entries have a share of the queue of their own.
    pub(crate) fn is_leave(&self) -> bool {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.way == Way::Leave,
            Self::Entry(entry) => *entry.direction() == Direction::Leave,
        }
    }

    /// Which of the client's entries it is, counted from 0.
    pub(crate) fn set_number(&mut self, number: u64) {
        if let Self::Checkpoint(checkpoint) = self
            && checkpoint.number & PAIR == 0
        {
            checkpoint.number = number;
        }
    }

    /// The bytes of memory that it takes beside its place in the queue, about.
    pub(crate) fn own_bytes(&self) -> usize {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.texts.own_bytes(),
            Self::Entry(entry) => {
                let fields = TraceEntry::as_ref(entry);
                size_of::<TraceEntry>()
                    + fields.source_id.len()
                    + fields.correlation_id.len()
                    + fields.suffix.len()
                    + fields.operation.len()
                    + fields.endpoint.len()
                    + fields.hostname.len()
                    + fields.data.map_or(0, str::len)
                    + fields.raw_line.map_or(0, str::len)
            }
        }
    }

    /// Appends its JSON object, without what must not leave the process.
    pub(crate) fn write(&self, out: &mut Vec<u8>, origin: &Origin, redactor: &Redactor) {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.write(out, origin, redactor),
            Self::Entry(entry) => {
                let entry = TraceEntry::as_ref(entry);
                let data = entry.data.map(|json| redactor.redact(json));
                write_entry(out, &EntryRef { data: data.as_deref(), ..entry });
            }
        }
    }
}

impl Checkpoint {
    fn write(&self, out: &mut Vec<u8>, origin: &Origin, redactor: &Redactor) {
        let [correlation_id, operation, endpoint, data] = self.texts.parts();
        let source_id = origin.source(self.source);
        let suffix = origin.suffix(self.number);
        let wrapped;
        let data = match data.as_bytes().first() {
            None => None,
            Some(b'{') => Some(data),
            Some(_) => {
                wrapped = format!("{{\"value\":{data}}}");
                Some(wrapped.as_str())
            }
        };
        let data = data.map(|json| redactor.redact(json));
        let entry = EntryRef {
            source_id: &source_id,
            correlation_id,
            timestamp: self.timestamp,
            suffix: &suffix,
            direction: self.way.as_str(),
            operation,
            endpoint,
            data: data.as_deref(),
            hostname: &HOSTNAME,
            raw_line: None,
        };
        match entry.validate() {
            Ok(()) => write_entry(out, &entry),
            Err(err) => write_repaired(out, &entry, &err),
        }
    }
}

/// An entry that a server would refuse. It is mended, so that its chain stays whole: data is replaced by an object that
/// says why, and of the names, whose lengths were checked when they came in, the character U+0000.
#[cold]
fn write_repaired(out: &mut Vec<u8>, entry: &EntryRef<'_>, err: &InvalidEntry) {
    let [correlation_id, operation, endpoint, source_id] =
        [entry.correlation_id, entry.operation, entry.endpoint, entry.source_id].map(|name| name.replace('\0', " "));
    let data = if err.field == "data" { Some(data_error(err)) } else { entry.data.map(str::to_owned) };
    let mended = EntryRef {
        source_id: &source_id,
        correlation_id: &correlation_id,
        operation: &operation,
        endpoint: &endpoint,
        data: data.as_deref(),
        ..*entry
    };
    match mended.validate() {
        // Both can be wrong at once.
        Err(err) if err.field == "data" => write_entry(out, &EntryRef { data: Some(&data_error(&err)), ..mended }),
        _ => write_entry(out, &mended),
    }
}

/// The object that stands in for data that cannot be logged.
fn data_error(err: &InvalidEntry) -> String {
    serde_json::json!({ "data_error": err.to_string() }).to_string()
}

/// Asked of the system once.
static HOSTNAME: LazyLock<String> = LazyLock::new(|| {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    if name.is_empty() || name.len() > MAX_NAME_BYTES { UNKNOWN_HOSTNAME.to_owned() } else { name }
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_come_out_as_they_went_in(
            correlation_id in "\\PC{1,40}",
            operation in "\\PC{0,20}",
            endpoint in "\\PC{0,60}",
            data in prop::option::of("\\PC{0,100}"),
        ) {
            let data = data.unwrap_or_default();
            let texts = Texts::new([&correlation_id, &operation, &endpoint], data.as_bytes());
            prop_assert_eq!(texts.parts(), [&*correlation_id, &*operation, &*endpoint, &*data]);
            let whole = correlation_id.len() + operation.len() + endpoint.len() + data.len();
            prop_assert_eq!(texts.own_bytes(), if whole <= INLINE_BYTES { 0 } else { whole });
        }
    }

    #[test]
    fn a_place_in_the_queue_is_small() {
        assert!(size_of::<Item>() <= 136, "{}", size_of::<Item>());
    }

    #[test]
    fn what_a_server_would_refuse_is_replaced() {
        let origin = Origin::default();
        let mut deep = "1".to_owned();
        for _ in 0..200 {
            deep = format!("{{\"a\":{deep}}}");
        }
        for (data, expected) in [
            ("[1]", r#""data":{"value":[1]}"#),
            ("", r#""data":null"#),
            (r#"{"token":"x"}"#, r#""data":{"token":"[redacted]"}"#),
            (&deep, r#""data":{"data_error":"data: must nest at most 120 levels deep"}"#),
        ] {
            let checkpoint = Checkpoint {
                timestamp: 1.0,
                number: 35,
                source: origin.register("MA"),
                way: Way::Leave,
                texts: Texts::new(["c", "RE\0ST", "/x"], data.as_bytes()),
            };
            let mut out = Vec::new();
            Item::Checkpoint(checkpoint).write(&mut out, &origin, &Redactor::default());
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(expected) && text.contains("\"direction\":\"<-\",\"operation\":\"RE ST\""), "{text}");
        }
    }
}

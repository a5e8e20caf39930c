//! What the targets in `fuzz/` reach of this crate: the parsers of what strangers send, and the writer of events. Built
//! with the feature `fuzzing` alone, and no part of the API.

use tracehub_core::EntryRef;
use tracehub_core::query::ChainQuery;
use tracehub_core::store::EntryId;

use crate::extract::correlation_id;
use crate::extract::query::Query;
use crate::live::frame::{self, FrameBuilder};
use crate::routes::correlations::chain_query;

/// What the list of chains is asked for by a query string, which has every kind of parameter that there is; none if it
/// is refused.
#[must_use]
pub fn list_query(query: &str) -> Option<ChainQuery> {
    chain_query(&Query::parse(query).ok()?).ok()
}

/// The value of one parameter as text; none if it is not there, or the query string is refused.
#[must_use]
pub fn parameter(query: &str, name: &str) -> Option<String> {
    Query::parse(query).ok()?.text(name).map(str::to_owned)
}

/// The correlation id in a path such as `/traces/a%2Fb`; none if it is refused.
#[must_use]
pub fn correlation_id(path: &str) -> Option<String> {
    correlation_id::decode(path).ok().map(|id| id.0)
}

/// Entries as a stream writes them, and what it ends with when its time is up.
#[must_use]
pub fn stream_of<'a>(entries: impl IntoIterator<Item = (EntryId, EntryRef<'a>)>) -> Vec<u8> {
    let mut frame = FrameBuilder::default();
    for (id, entry) in entries {
        frame.push(id, &entry);
    }
    let mut stream = frame::keepalive().to_vec();
    stream.extend(frame.into_texts().0.iter().flatten());
    stream.extend_from_slice(&frame::timeout());
    stream
}

//! What is counted for `GET /metrics`. Counting is a few relaxed additions, without a lock and without memory.
//!
//! `kinds` is what there is to count with, `requests` the table of requests, `commits` what the writer does, `text` the
//! format, `process` what the system knows about us, `report` all of it as one answer. What belongs to one room alone is
//! counted there: `ingest.rs`, `reader.rs`, `live/`.

pub(crate) mod commits;
pub(crate) mod kinds;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod requests;
mod text;

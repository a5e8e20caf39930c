//! The TraceHub SDK: send checkpoints without blocking, read chains back.
//!
//! One entry's way through this crate: [`checkpoint`](CheckpointLogger) takes a value down as an `item.rs` and hands it
//! to `queue.rs`, which takes or refuses it; `worker.rs`, on a thread of its own, writes it into a batch, which
//! `batch.rs` cuts and `delivery.rs` sends through `transport.rs`, by way of the disk where there is a `spool/`;
//! `retry.rs` decides what follows from the answer and `pace.rs` how much goes at once; `stats.rs` counts what became of
//! it and `progress.rs` wakes who waits in a flush. The way back is `query/`, `stream.rs` over `events.rs` for what is
//! still growing, `resume/` for doing so over broken connections, and `blocking/` for programs without async.
//!
//! Which request an entry belongs to: [`correlation`] keeps the id with the request, and [`middleware`] takes it in
//! and out of HTTP. `layer/` (feature `layer`) turns the spans of `tracing` into checkpoints. [`TestSink`] takes the
//! server's place in the tests of a host.
//!
//! What a host may rely on:
//! - Handing over an entry never blocks and never panics; memory is bounded in entries and in bytes.
//! - Every wait has a deadline that holds while the server hangs.
//! - Every loss is counted by its reason: `accepted = delivered + spooled + dropped + pending`.
//! - The SDK never prints. It logs through `tracing` with the target [`LOG_TARGET`], rarely, from its own thread.
//!
//! ```no_run
//! use std::time::Duration;
//! use serde_json::json;
//! use tracehub_client::{CheckpointLogger, FlushOutcome, TraceHubClient, correlation};
//!
//! let client = TraceHubClient::builder("http://127.0.0.1:8099").build()?;
//! let logger = CheckpointLogger::new(client.clone(), "MA");
//!
//! let id = correlation::new_id();
//! logger.checkpoint_entry(&id, "REST", "/api/orders", &json!({"items": 3}));
//! logger.checkpoint_exit(&id, "REST", "/api/orders", &json!({"status": 201}));
//!
//! match client.flush(Duration::from_secs(2)) {
//!     FlushOutcome::Complete => {}
//!     FlushOutcome::DeadlinePassed { pending } => assert!(pending > 0),
//! }
//! # Ok::<(), tracehub_client::BuildError>(())
//! ```

mod batch;
pub mod blocking;
mod builder;
mod checkpoint;
mod client;
mod complaint;
mod compression;
pub mod correlation;
mod data;
mod delivery;
mod error;
mod events;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod http;
mod item;
#[cfg(feature = "layer")]
mod layer;
pub mod middleware;
mod null_probe;
mod origin;
mod pace;
mod progress;
mod query;
mod queue;
mod resume;
mod retry;
mod scope;
mod spool;
mod stats;
mod stream;
mod test_sink;
mod transport;
mod trust;
mod worker;

pub use builder::TraceHubClientBuilder;
pub use checkpoint::CheckpointLogger;
pub use client::{FlushOutcome, Report, TraceHubClient};
pub use complaint::{Complaint, LOG_TARGET, Problem};
pub use error::{BuildError, QueryError, Refused};
pub use events::{MAX_EVENT_BYTES, StreamEvent};
#[cfg(feature = "layer")]
pub use layer::CheckpointLayer;
pub use query::{
    ChainStatus, Clocks, CorrelationPages, CorrelationQuery, IngestFault, IngestReply, RecentQuery, StreamFilter,
    TraceHubQueryClient,
};
pub use resume::{Interruption, ResumeEvent, ResumingStream};
pub use scope::CheckpointScope;
pub use stats::{Dropped, Recovered, RefusedCounts, Stats};
pub use stream::TraceStream;
pub use test_sink::TestSink;
pub use tracehub_core::chain::CallStatus;
pub use tracehub_core::store::EntryId;
pub use tracehub_core::wire::calls::{CallAnswer, CallsAnswer, GapAnswer, SegmentAnswer, SkewAnswer, SourceAnswer};
pub use tracehub_core::wire::compare::{CompareAnswer, ComparedCall, ComparedChain, ComparedSide};
pub use tracehub_core::wire::ingest::IngestAnswer;
pub use tracehub_core::wire::read::{
    ChainAnswer, CleanupAnswer, CorrelationSummary, CorrelationsAnswer, HealthAnswer, RecentAnswer, RecentEntry,
};
pub use tracehub_core::wire::stats::{IngestStats, QueueStats, StatsAnswer, StoredStats};
pub use tracehub_core::{Direction, InvalidEntry, TraceEntry};

/// The examples of the guide, compiled as tests.
#[cfg(all(doctest, feature = "actix-web", feature = "layer", feature = "reqwest", feature = "tls", feature = "tower"))]
#[doc = include_str!("../../../docs/client.md")]
struct Guide;

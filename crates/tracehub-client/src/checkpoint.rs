//! Checkpoints of one source: names, time and data become an item of the queue, in as few steps as it takes.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tracehub_core::entry::{MAX_ENDPOINT_BYTES, MAX_NAME_BYTES};

use crate::client::TraceHubClient;
use crate::data;
use crate::item::{Checkpoint, Item, Texts, Way};
use crate::origin::SourceId;
use crate::scope::CheckpointScope;

/// Logs the checkpoints of one source. Cheap to clone; keep one, or one for each source.
///
/// No call waits, fails or panics. A checkpoint that cannot be taken is counted in
/// [`Stats::refused`](crate::Stats::refused). With a disabled client, or with
/// [checkpoints switched off](crate::TraceHubClientBuilder::checkpoints), nothing is even built.
///
/// ```no_run
/// use serde_json::json;
/// use tracehub_client::{CheckpointLogger, TraceHubClient, correlation};
///
/// let logger = CheckpointLogger::new(TraceHubClient::from_env()?, "MA");
/// let id = correlation::new_id();
/// logger.checkpoint_entry(&id, "REST", "/api/orders", &json!({"items": 3}));
/// {
///     let _scope = logger.scope(&id, "DB", "orders.insert");
/// } // leaves here, also on an early return or a panic
/// logger.checkpoint_exit(&id, "REST", "/api/orders", &json!({"status": 201}));
/// # Ok::<(), tracehub_client::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CheckpointLogger {
    client: TraceHubClient,
    source_id: Arc<str>,
    source: SourceId,
    /// Whether checkpoints go anywhere.
    is_on: bool,
}

impl CheckpointLogger {
    /// A logger for `source_id`, such as `MA` (at most 256 bytes).
    #[must_use]
    pub fn new(client: TraceHubClient, source_id: &str) -> Self {
        let source = client.shared().map_or(SourceId::NONE, |shared| shared.origin.register(source_id));
        let is_on = client.takes_checkpoints();
        Self { client, source_id: source_id.into(), source, is_on }
    }

    /// The client that takes the checkpoints.
    #[must_use]
    pub fn client(&self) -> &TraceHubClient {
        &self.client
    }

    /// Who logs.
    #[must_use]
    pub fn source_id(&self) -> &str {
        &self.source_id
    }

    /// Whether checkpoints go anywhere.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.is_on
    }

    /// Logs that an operation was entered (`->`).
    ///
    /// `data` is any value: an object is logged as it is, nothing (`()`, `None`) as null, everything else as
    /// `{"value": …}`; what cannot be logged is replaced by `{"data_error": …}`, so that the chain stays whole. Values
    /// of keys that name secrets are [masked](crate::TraceHubClientBuilder::redact), long texts are cut at 64 KiB. A
    /// correlation id or operation has at most 256 bytes, an endpoint 2,048.
    #[inline]
    pub fn checkpoint_entry(
        &self,
        correlation_id: &str,
        operation: &str,
        endpoint: &str,
        data: &(impl Serialize + ?Sized),
    ) {
        if self.is_on {
            self.log(Way::Enter, [correlation_id, operation, endpoint], data);
        }
    }

    /// Logs that an operation was left (`<-`); otherwise like [`checkpoint_entry`](Self::checkpoint_entry).
    #[inline]
    pub fn checkpoint_exit(
        &self,
        correlation_id: &str,
        operation: &str,
        endpoint: &str,
        data: &(impl Serialize + ?Sized),
    ) {
        if self.is_on {
            self.log(Way::Leave, [correlation_id, operation, endpoint], data);
        }
    }

    /// Logs that an operation was entered, and gives a guard whose drop logs that it was left.
    pub fn scope(&self, correlation_id: &str, operation: &str, endpoint: &str) -> CheckpointScope {
        if !self.is_on {
            return CheckpointScope::disabled();
        }
        self.checkpoint_entry(correlation_id, operation, endpoint, &());
        CheckpointScope::entered(self.clone(), [correlation_id, operation, endpoint])
    }

    /// Runs a future as an operation: entered when it is first polled, left when it is ready. If it is dropped before
    /// that, as happens when a client disconnects or a timeout strikes, the leave says `{"cancelled": true}`.
    ///
    /// ```no_run
    /// # async fn insert() {}
    /// # async fn example(logger: tracehub_client::CheckpointLogger, id: &str) {
    /// logger.in_scope(id, "DB", "orders.insert", insert()).await;
    /// # }
    /// ```
    pub async fn in_scope<F: Future>(
        &self,
        correlation_id: &str,
        operation: &str,
        endpoint: &str,
        future: F,
    ) -> F::Output {
        let scope = self.scope(correlation_id, operation, endpoint).cancelled_unless_left();
        let output = future.await;
        scope.leave(&());
        output
    }

    #[inline]
    fn log(&self, way: Way, names: [&str; 3], data: &(impl Serialize + ?Sized)) {
        self.log_stamped(way, 0, unix_ms, names, data);
    }

    /// Logs what was passed at another time than now, or what has a number of its own; 0 is none.
    #[inline(never)]
    pub(crate) fn log_stamped(
        &self,
        way: Way,
        number: u64,
        timestamp: impl FnOnce() -> f64,
        names: [&str; 3],
        data: &(impl Serialize + ?Sized),
    ) {
        let Some(shared) = self.client.shared() else { return };
        // Asked before anything is made: while the queue is full, a checkpoint costs next to nothing.
        if let Err(refused) = shared.queue.check(way == Way::Leave) {
            return shared.counters.refused(refused);
        }
        if !self.is_valid(names) {
            return shared.counters.invalid();
        }
        let timestamp = timestamp();
        let texts = data::with_json(data, |json| Texts::new(names, json));
        let item = Item::Checkpoint(Checkpoint { timestamp, number, source: self.source, way, texts });
        if let Err(refused) = shared.queue.offer(item) {
            shared.counters.refused(refused);
        }
    }

    /// Whether names keep the limits of an entry.
    fn is_valid(&self, [correlation_id, operation, endpoint]: [&str; 3]) -> bool {
        !correlation_id.is_empty()
            && correlation_id.len() <= MAX_NAME_BYTES
            && operation.len() <= MAX_NAME_BYTES
            && endpoint.len() <= MAX_ENDPOINT_BYTES
            && self.source_id.len() <= MAX_NAME_BYTES
    }
}

/// The time in milliseconds since 1970, with what fraction a double can hold. In two parts, because a conversion of
/// 128-bit nanoseconds alone would take as long as the queue.
pub(crate) fn unix_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() as f64 * 1e3 + f64::from(since.subsec_nanos()) / 1e6
}

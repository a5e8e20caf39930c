//! Checkpoints of one source: values become entries with host, time and suffix; a scope leaves what it entered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tracehub_core::entry::{MAX_NAME_BYTES, UNKNOWN_HOSTNAME};
use tracehub_core::{Direction, TraceEntry};

use crate::client::TraceHubClient;
use crate::correlation;

/// Logs the checkpoints of one source. Cheap to clone.
///
/// No call waits, fails or panics. A checkpoint that cannot be taken is counted in
/// [`Stats::refused`](crate::Stats::refused). With a disabled client nothing is even built.
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
}

impl CheckpointLogger {
    /// A logger for `source_id`, such as `MA` (at most 256 bytes).
    #[must_use]
    pub fn new(client: TraceHubClient, source_id: &str) -> Self {
        Self { client, source_id: source_id.into() }
    }

    /// The client that takes the checkpoints.
    #[must_use]
    pub fn client(&self) -> &TraceHubClient {
        &self.client
    }

    /// Logs that an operation was entered (`->`).
    ///
    /// `data` is any value: an object is logged as it is, nothing (`()`, `None`) as null, everything else as
    /// `{"value": …}`; what cannot be logged is replaced by `{"data_error": …}`, so that the chain stays whole. A
    /// correlation id or operation has at most 256 bytes, an endpoint 2,048.
    pub fn checkpoint_entry(
        &self,
        correlation_id: &str,
        operation: &str,
        endpoint: &str,
        data: &(impl Serialize + ?Sized),
    ) {
        self.log(&Direction::Enter, correlation_id, operation, endpoint, data);
    }

    /// Logs that an operation was left (`<-`); otherwise like [`checkpoint_entry`](Self::checkpoint_entry).
    pub fn checkpoint_exit(
        &self,
        correlation_id: &str,
        operation: &str,
        endpoint: &str,
        data: &(impl Serialize + ?Sized),
    ) {
        self.log(&Direction::Leave, correlation_id, operation, endpoint, data);
    }

    /// Logs that an operation was entered, and gives a guard whose drop logs that it was left.
    pub fn scope(&self, correlation_id: &str, operation: &str, endpoint: &str) -> CheckpointScope {
        if !self.client.is_enabled() {
            return CheckpointScope { open: None };
        }
        self.checkpoint_entry(correlation_id, operation, endpoint, &());
        CheckpointScope {
            open: Some(Open {
                logger: self.clone(),
                correlation_id: correlation_id.to_owned(),
                operation: operation.to_owned(),
                endpoint: endpoint.to_owned(),
                panicking_before: thread::panicking(),
            }),
        }
    }

    fn log(
        &self,
        direction: &Direction,
        correlation_id: &str,
        operation: &str,
        endpoint: &str,
        data: &(impl Serialize + ?Sized),
    ) {
        if !self.client.is_enabled() {
            return;
        }
        let entry = || {
            TraceEntry::builder(&*self.source_id, correlation_id)
                .direction(direction.clone())
                .operation(operation)
                .endpoint(endpoint)
                .timestamp(unix_ms())
                .suffix(next_suffix())
                .hostname(&**HOSTNAME)
        };
        let built = match data_json(data) {
            Ok(None) => entry().build(),
            Ok(Some(json)) => match entry().data_json(json).build() {
                Err(err) if err.field == "data" => entry().data_json(data_error(&err.to_string())).build(),
                built => built,
            },
            Err(err) => entry().data_json(data_error(&err.to_string())).build(),
        };
        match built {
            Ok(entry) => {
                // Counted by the client; a checkpoint's caller has nothing better to do about it.
                let _ = self.client.send(entry);
            }
            Err(_) => self.client.count_invalid(),
        }
    }
}

/// An entered operation; dropping it logs the leave, with `{"panicked": true}` if a panic unwinds through it.
#[derive(Debug)]
#[must_use = "dropped at once, the operation is left at once"]
pub struct CheckpointScope {
    /// None: left already, or the client is disabled.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    logger: CheckpointLogger,
    correlation_id: String,
    operation: String,
    endpoint: String,
    /// A scope that is opened while the thread unwinds, by another value's drop, has not panicked itself.
    panicking_before: bool,
}

impl CheckpointScope {
    /// Logs the leave now, with `data`.
    pub fn leave(mut self, data: &(impl Serialize + ?Sized)) {
        if let Some(open) = self.open.take() {
            open.leave(data);
        }
    }
}

impl Drop for CheckpointScope {
    fn drop(&mut self) {
        #[derive(Serialize)]
        struct Panicked {
            panicked: bool,
        }
        if let Some(open) = self.open.take() {
            let panicked = thread::panicking() && !open.panicking_before;
            open.leave(&panicked.then_some(Panicked { panicked }));
        }
    }
}

impl Open {
    fn leave(&self, data: &(impl Serialize + ?Sized)) {
        let Self { logger, correlation_id, operation, endpoint, .. } = self;
        logger.checkpoint_exit(correlation_id, operation, endpoint, data);
    }
}

/// The value as a JSON object, or none for null.
fn data_json(data: &(impl Serialize + ?Sized)) -> Result<Option<String>, serde_json::Error> {
    let json = serde_json::to_string(data)?;
    Ok(match json.as_bytes().first() {
        Some(b'{') => Some(json),
        Some(b'n') => None,
        _ => Some(format!("{{\"value\":{json}}}")),
    })
}

/// The object that stands in for a value that cannot be logged.
fn data_error(reason: &str) -> String {
    serde_json::json!({ "data_error": reason }).to_string()
}

/// The time in milliseconds since 1970, with what fraction a double can hold.
fn unix_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as f64 / 1e6
}

/// Asked of the system once.
static HOSTNAME: LazyLock<String> = LazyLock::new(|| {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    if name.is_empty() || name.len() > MAX_NAME_BYTES { UNKNOWN_HOSTNAME.to_owned() } else { name }
});

/// How many digits of a suffix belong to the process.
const PREFIX_DIGITS: u32 = 6;

/// A suffix that no other checkpoint has: digits of the process, then a count. A count alone would collide between two
/// services of one name.
fn next_suffix() -> String {
    static PREFIX: LazyLock<u64> = LazyLock::new(|| correlation::random_bits() % 36_u64.pow(PREFIX_DIGITS));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut suffix = String::with_capacity(16);
    push_base36(&mut suffix, *PREFIX, PREFIX_DIGITS);
    push_base36(&mut suffix, COUNT.fetch_add(1, Ordering::Relaxed), 1);
    suffix
}

/// Appends `number` in base 36, with at least so many digits.
fn push_base36(text: &mut String, number: u64, least_digits: u32) {
    let digits = number.checked_ilog(36).map_or(1, |log| log + 1).max(least_digits);
    for place in (0..digits).rev() {
        let digit = number / 36_u64.pow(place) % 36;
        // Below 36, so that both conversions hold.
        text.push(char::from_digit(digit as u32, 36).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn values_become_objects() {
        #[derive(Serialize)]
        struct Order {
            id: u32,
        }
        for (json, expected) in [
            (data_json(&()), None),
            (data_json(&None::<Order>), None),
            (data_json(&Order { id: 7 }), Some(r#"{"id":7}"#)),
            (data_json(&[1, 2]), Some(r#"{"value":[1,2]}"#)),
            (data_json("text"), Some(r#"{"value":"text"}"#)),
            (data_json(&f64::NAN), None),
            (data_json(&true), Some(r#"{"value":true}"#)),
        ] {
            assert_eq!(json.unwrap().as_deref(), expected);
        }
    }

    #[test]
    fn suffixes_share_a_prefix_and_differ() {
        let suffixes: HashSet<String> = (0..1_000).map(|_| next_suffix()).collect();
        assert_eq!(suffixes.len(), 1_000);
        let prefixes: HashSet<&str> = suffixes.iter().map(|suffix| &suffix[..6]).collect();
        assert_eq!(prefixes.len(), 1);
    }

    #[test]
    fn base_36_counts_like_numbers_do() {
        for (number, least_digits, expected) in
            [(0, 1, "0"), (35, 1, "z"), (36, 1, "10"), (7, 6, "000007"), (u64::MAX, 1, "3w5e11264sgsf")]
        {
            let mut text = String::new();
            push_base36(&mut text, number, least_digits);
            assert_eq!(text, expected);
        }
    }
}

//! The live stream's own messages, beside the entries themselves.

/// The last event of a stream that has run its time. The original's bytes, space included.
pub const TIMEOUT_MESSAGE: &str = r#"{"type": "timeout"}"#;

/// The comment that keeps an idle stream's connection open.
pub const KEEPALIVE_COMMENT: &str = "keepalive";

/// The name of the last event of a stream that ends because the server stops.
pub const SHUTDOWN_EVENT: &str = "shutdown";

/// How long a stream runs when the request does not say, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: i64 = 60;

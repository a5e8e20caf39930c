//! The server's log: where it goes and how it looks.

use std::io::{IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;

/// The filter cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("--log (TRACEHUB_LOG) {filter:?} is not a log filter: {reason}")]
pub struct LogFilterError {
    filter: String,
    reason: String,
}

/// Starts logging to standard error: one line per event, coloured on a terminal alone.
///
/// # Errors
/// The filter is malformed, or a log was started before.
pub fn init(filter: &str) -> Result<(), LogFilterError> {
    let failed = |reason: String| LogFilterError { filter: filter.to_owned(), reason };
    let env_filter = EnvFilter::builder().parse(filter).map_err(|err| failed(err.to_string()))?;
    tracing_subscriber::fmt()
        .with_env_filter(env_filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|err| failed(err.to_string()))
}

/// Says on standard error why the program ends: the error and its causes in one line, whatever the log filter.
pub fn complain(err: &dyn std::error::Error) {
    let mut line = format!("tracehub-server: {err}");
    let mut cause = err.source();
    while let Some(err) = cause {
        let text = err.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = err.source();
    }
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

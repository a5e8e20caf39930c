//! The server's log: where it goes and how it looks. Whatever an event says, it is one line.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use crate::args::LogFormat;

/// The filter cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("--log (TRACEHUB_LOG) {filter:?} is not a log filter: {reason}")]
pub struct LogFilterError {
    filter: String,
    reason: String,
}

/// Starts logging to standard error: one line per event, coloured on a terminal alone. A panic is an event too.
///
/// # Errors
/// The filter is malformed, or a log was started before.
pub fn init(filter: &str, format: LogFormat) -> Result<(), LogFilterError> {
    let failed = |reason: String| LogFilterError { filter: filter.to_owned(), reason };
    let env_filter = EnvFilter::builder().parse(filter).map_err(|err| failed(err.to_string()))?;
    let log = tracing_subscriber::fmt().with_env_filter(env_filter);
    let outcome = match format {
        LogFormat::Pretty => log.with_ansi(io::stderr().is_terminal()).with_writer(|| OneLine(io::stderr())).try_init(),
        // Line breaks within a JSON text are escaped already.
        LogFormat::Json => log.json().flatten_event(true).with_ansi(false).with_writer(io::stderr).try_init(),
    };
    outcome.map_err(|err| failed(err.to_string()))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What the standard library would print on several lines.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("no text");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    // Asked for by RUST_BACKTRACE, as ever.
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(place, backtrace, "a panic: {said}");
}

/// Passes events on, each written at once, with what could end a line within them escaped: a text that someone sent must
/// not be able to look like an event of its own.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (text, end) = match event.split_last() {
            Some((b'\n', text)) => (text, "\n"),
            _ => (event, ""),
        };
        match std::str::from_utf8(text) {
            Ok(text) if text.contains(ends_line) => {
                let escaped = escape(text);
                self.0.write_all((escaped + end).as_bytes())?;
            }
            // The log writes text alone, and nearly always one line.
            _ => self.0.write_all(event)?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What terminals and log collectors take for the end of a line.
fn ends_line(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if ends_line(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Says on standard error why the program ends: the error and its causes in one line, whatever the log filter.
pub fn complain(err: &dyn std::error::Error, format: LogFormat) {
    let mut line = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        let text = err.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = err.source();
    }
    let line = match format {
        LogFormat::Pretty => format!("tracehub-server: {}", escape(&line)),
        LogFormat::Json => serde_json::json!({
            "timestamp": timestamp(), "level": "ERROR", "message": line, "target": "tracehub_server",
        })
        .to_string(),
    };
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Now, as the log writes it.
fn timestamp() -> String {
    let mut text = String::new();
    // A clock before 1970 has no time to write.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_line_is_escaped_and_the_rest_left_alone() {
        for (event, written) in [
            ("plain\n", "plain\n"),
            ("a\nb\r\u{85}\u{2028}c\n", "a\\nb\\r\\u{85}\\u{2028}c\n"),
            ("no end\x0b", "no end\\u{b}"),
            ("\n", "\n"),
            ("\u{1b}[31mcolour\u{1b}[0m\ttab ü\n", "\u{1b}[31mcolour\u{1b}[0m\ttab ü\n"),
        ] {
            let mut out = OneLine(Vec::new());
            out.write_all(event.as_bytes()).unwrap();
            out.flush().unwrap();
            assert_eq!(String::from_utf8(out.0).unwrap(), written);
        }
        let mut out = OneLine(Vec::new());
        out.write_all(b"\xff\n").unwrap();
        assert_eq!(out.0, b"\xff\n");
    }

    #[test]
    fn the_time_is_written_as_the_log_does() {
        assert!(timestamp().starts_with("20") && timestamp().ends_with('Z'), "{}", timestamp());
    }
}

//! Why the browser did not do what it was asked.

use std::io;
use std::time::Duration;

/// Why the browser did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The driver cannot be started.
    #[error("chromedriver does not start; `cargo xtask setup` installs it")]
    Start(#[source] io::Error),
    /// The driver ended, or does not say where it listens.
    #[error("chromedriver ended, or is not there (`cargo xtask setup` installs it); it said: {0}")]
    Silent(String),
    /// The connection to it failed.
    #[error("{command}: the connection to {address} failed")]
    Connection {
        /// What was asked.
        command: String,
        /// Of whom.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// It refused, as it does when an element is not there or a dialog is open.
    #[error("{command}: {error}: {message}")]
    Refused {
        /// What was asked.
        command: String,
        /// A word of the protocol, such as `no such element`.
        error: String,
        /// A sentence.
        message: String,
    },
    /// What was waited for did not come.
    #[error("`{condition}` was not true within {within:?}; the page shows: {page}")]
    Timeout {
        /// An expression in the page's language.
        condition: String,
        /// How long it had.
        within: Duration,
        /// The beginning of the page's text.
        page: String,
    },
}

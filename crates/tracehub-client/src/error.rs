//! What can go wrong, per operation: building a client, handing it an entry, asking a server.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not `http://host[:port][/prefix]`, or `https` with the feature `tls`.
    #[error("the url {url:?} cannot be used: {reason}")]
    InvalidUrl {
        /// The URL, without user name and password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is outside its range.
    #[error("{setting} must be {expected}, is {value}")]
    InvalidSetting {
        /// The builder's method.
        setting: &'static str,
        /// What was set.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The secret has characters that an HTTP header cannot carry. Its text is not repeated.
    #[error("the secret has characters that an HTTP header cannot carry")]
    InvalidSecret,
    /// A variable of the environment has a value that cannot be used.
    #[error("{variable} must be {expected}{}", shown(.value.as_deref()))]
    InvalidVariable {
        /// The variable's name.
        variable: &'static str,
        /// Its value; none for the secret.
        value: Option<String>,
        /// What was expected.
        expected: String,
    },
    /// The authorities that vouch for the server's certificate cannot be read.
    #[error("the certificates in {} cannot be used", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The spool's folder cannot be made or written.
    #[error("the spool folder {} cannot be used", .folder.display())]
    Spool {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The worker thread could not be started.
    #[error("the worker thread could not be started")]
    Worker {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| format!(", is {value:?}"))
}

/// Why an entry was not taken. It is counted in [`Stats::refused`](crate::Stats::refused), and it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// As many entries wait for the server as may; the last tenth of the places is for leaves.
    #[error("too many entries wait to be sent")]
    QueueFull,
    /// The entries that wait for the server, and this one, have more bytes than they may have.
    #[error("the entries that wait to be sent have too many bytes")]
    OutOfBytes,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// This process was forked from the one that built the client. Threads do not survive a fork, so nothing would send
    /// the entry; the new process needs a client of its own. It is noticed at once if the client had nothing to do for a
    /// second before the fork, and after 63 entries at the latest otherwise; those are lost.
    #[error("the client belongs to the process that this one was forked from")]
    Forked,
}

/// Why a server could not be asked, or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The URL is not `http://host[:port][/prefix]`, or `https` with the feature `tls`, or cannot hold the id that was asked for.
    #[error("the url {url:?} cannot be used: {reason}")]
    InvalidUrl {
        /// The URL, without user name and password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The secret has characters that an HTTP header cannot carry. Its text is not repeated.
    #[error("the secret has characters that an HTTP header cannot carry")]
    InvalidSecret,
    /// The authorities that vouch for the server's certificate cannot be read.
    #[error("the certificates in {} cannot be used: {reason}", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There was no connection, or it broke.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The server's address.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// The server asks for a secret, or for another one.
    #[error("not authorised ({status}): {message}")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// What the server said, shortened.
        message: String,
    },
    /// The server answered with another status than 200.
    #[error("the server answered {status}: {message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What the server said, shortened.
        message: String,
    },
    /// The answer is not what a TraceHub server sends.
    #[error("{url} does not answer like a TraceHub server: {reason}")]
    Malformed {
        /// The server's address.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The answer did not come in time.
    #[error("{url} did not answer within {after:?}")]
    TimedOut {
        /// The server's address.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server lacks what was asked for: it is the Python one or an older one, or the address is another program's.
    #[error("{url} has no {what}; the Python server lacks it, and so does a wrong address")]
    Unsupported {
        /// The server's address.
        url: String,
        /// What it lacks, such as `GET /compare`.
        what: &'static str,
    },
    /// The thread that asks for a blocking caller could not be started, or has died.
    #[error("the thread that asks the server is not there: {reason}")]
    Worker {
        /// The system's reason.
        reason: String,
    },
}

impl QueryError {
    /// Whether the same question may well be answered a little later: there was no connection, it broke, the time was
    /// up, or the server said that it is busy or at fault (408, 429, 5xx).
    ///
    /// ```
    /// use tracehub_client::QueryError;
    ///
    /// assert!(QueryError::Status { status: 503, message: "overloaded".to_owned() }.may_pass());
    /// assert!(!QueryError::Unauthorized { status: 401, message: "who are you?".to_owned() }.may_pass());
    /// ```
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..),
            Self::InvalidUrl { .. }
            | Self::InvalidSecret
            | Self::Authorities { .. }
            | Self::Unauthorized { .. }
            | Self::Malformed { .. }
            | Self::Unsupported { .. }
            | Self::Worker { .. } => false,
        }
    }
}

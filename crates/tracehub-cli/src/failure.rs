//! Why a command failed: a sentence for people, with the next step, and an exit code for programs.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use tracehub_client::{InvalidEntry, QueryError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", explain(.0))]
    Query(#[from] QueryError),
    #[error("there is nothing for correlation id {id:?} at {url}; {}", instead(.nearest))]
    UnknownChain { id: String, url: String, nearest: Vec<String> },
    #[error("{typed:?} begins {}; say more of it{}", if *more { "many ids" } else { "several ids" }, such_as(ids))]
    SeveralChains { typed: String, ids: Vec<String>, more: bool },
    #[error("source {source_id:?} logged nothing for correlation id {id:?}; without --source you see who did")]
    UnknownSource { id: String, source_id: String },
    #[error("the chain has more than {entries} entries and goes on; `tracehub-cli tail` follows chains of any length")]
    TooLongToFollow { entries: usize },
    #[error("this deletes entries and there is no terminal to ask on; say --yes if that is meant")]
    Unconfirmed,
    #[error("nothing was deleted")]
    Declined,
    #[error("cannot read the answer: {0}")]
    Input(io::Error),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("the config file {}{}: {reason}", path.display(), at_line(*line))]
    ConfigFile { path: PathBuf, line: Option<usize>, reason: String },
    #[error("cannot {what} {}: {source}", path.display())]
    File { path: PathBuf, what: &'static str, source: io::Error },
    #[error("this is no entry: {0}")]
    InvalidEntry(InvalidEntry),
    #[error("{refused} of the lines {} refused; what is wrong with each stands above", were(*refused))]
    LinesRefused { refused: u64 },
    #[error(
        "stopped at line {line}, from which on nothing was acknowledged: {}; the same command again goes on, what is \
        stored already counts as duplicate",
        explain(source)
    )]
    SendStopped { line: u64, source: QueryError },
    #[error("the server says that it is {status:?}; its log says why")]
    Unhealthy { status: String },
    #[error(
        "`tracehub-server` is neither beside this program nor on the PATH; `cargo install --path crates/tracehub-server` \
        installs it"
    )]
    NoServerProgram,
    #[error("{} cannot be started: {source}", program.display())]
    ServerProgram { program: PathBuf, source: io::Error },
    #[error("there is no command {name:?}; `tracehub-cli --help` lists them")]
    UnknownCommand { name: String },
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Query(err) | Self::SendStopped { source: err, .. } => code_of(err),
            Self::Unconfirmed | Self::ConfigFile { .. } | Self::InvalidEntry(_) | Self::UnknownCommand { .. } => 2,
            Self::UnknownChain { .. } | Self::SeveralChains { .. } | Self::UnknownSource { .. } => 3,
            Self::Interrupted => 130,
            Self::Declined
            | Self::File { .. }
            | Self::Input(_)
            | Self::LinesRefused { .. }
            | Self::NoServerProgram
            | Self::Output(_)
            | Self::Runtime(_)
            | Self::ServerProgram { .. }
            | Self::TooLongToFollow { .. }
            | Self::Unhealthy { .. } => 1,
        })
    }
}

fn code_of(err: &QueryError) -> u8 {
    match err {
        QueryError::InvalidUrl { .. } | QueryError::InvalidSecret | QueryError::Authorities { .. } => 2,
        QueryError::Unauthorized { .. } => 4,
        QueryError::Unreachable { .. } | QueryError::TimedOut { .. } => 5,
        _ => 1,
    }
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// What there is instead of an id.
fn instead(nearest: &[String]) -> String {
    if nearest.is_empty() {
        "`tracehub-cli correlations` lists the recent ones".to_owned()
    } else {
        format!("nearest: {}", nearest.join(", "))
    }
}

fn such_as(ids: &[String]) -> String {
    if ids.is_empty() { String::new() } else { format!(": {}", ids.join(", ")) }
}

/// The error and what to do about it.
fn explain(err: &QueryError) -> String {
    let next = match err {
        QueryError::Unreachable { reason, .. } if reason.contains("CaUsedAsEndEntity") => {
            "; the server shows the certificate of an authority: one of its own says `CA:FALSE` (docs/operations.md, HTTPS)"
        }
        QueryError::Unreachable { reason, .. } if reason.contains("certificate") => {
            "; --tls-ca names a file with the certificates of those who vouch for the server"
        }
        QueryError::Unreachable { .. } => {
            "; is it running? `tracehub-cli serve` (that is `tracehub-server`) starts one, --url names another"
        }
        QueryError::TimedOut { .. } => "; --request-timeout waits longer",
        QueryError::Unauthorized { .. } => "; --secret or TRACEHUB_SECRET names the server's secret",
        QueryError::Malformed { .. } | QueryError::Status { status: 404 | 405, .. } => "; --url names another server",
        QueryError::Status { status: 408 | 429 | 503, .. } => "; try again in a moment",
        _ => "",
    };
    // An answer may come without a word.
    format!("{}{next}", err.to_string().trim_end_matches([' ', ':']))
}

//! Why a command failed: a sentence for people, with the next step, and an exit code for programs.

use std::io;
use std::process::ExitCode;

use tracehub_client::QueryError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", explain(.0))]
    Query(#[from] QueryError),
    #[error("there is nothing for correlation id {id:?} at {url}; `tracehub-cli correlations` lists the recent ones")]
    UnknownChain { id: String, url: String },
    #[error("source {source_id:?} logged nothing for correlation id {id:?}; without --source you see who did")]
    UnknownSource { id: String, source_id: String },
    #[error("the server at {url} is stopping; `tracehub-cli tail` again once it is back")]
    ServerStopped { url: String },
    #[error("the stream from {url} ended early; `tracehub-cli tail` again goes on")]
    StreamEnded { url: String },
    #[error("this deletes entries and there is no terminal to ask on; say --yes if that is meant")]
    Unconfirmed,
    #[error("nothing was deleted")]
    Declined,
    #[error("cannot read the answer: {0}")]
    Input(io::Error),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Query(QueryError::InvalidUrl { .. } | QueryError::InvalidSecret) | Self::Unconfirmed => 2,
            Self::UnknownChain { .. } | Self::UnknownSource { .. } => 3,
            Self::Query(QueryError::Unauthorized { .. }) => 4,
            Self::Query(QueryError::Unreachable { .. } | QueryError::TimedOut { .. })
            | Self::ServerStopped { .. }
            | Self::StreamEnded { .. } => 5,
            Self::Interrupted => 130,
            Self::Query(_) | Self::Declined | Self::Input(_) | Self::Output(_) | Self::Runtime(_) => 1,
        })
    }
}

/// The error and what to do about it.
fn explain(err: &QueryError) -> String {
    let next = match err {
        QueryError::Unreachable { .. } => "; is it running? `tracehub-server` starts one, --url names another",
        QueryError::TimedOut { .. } => "; --request-timeout waits longer",
        QueryError::Unauthorized { .. } => "; --secret or TRACEHUB_SECRET names the server's secret",
        _ => "",
    };
    format!("{err}{next}")
}

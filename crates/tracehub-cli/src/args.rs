//! The command line and the environment as typed.

mod parse;
mod times;
mod tools;
mod views;

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(crate) use self::parse::{Typed, parse};
pub(crate) use self::times::now;
pub(crate) use self::tools::*;
pub(crate) use self::views::*;

/// Query a TraceHub server: which requests there were, what happened in one, what happens right now.
#[derive(Debug, Parser)]
#[command(name = "tracehub-cli", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    tracehub-cli correlations --incomplete    what is stuck right now\n  \
    tracehub-cli show order-42                what happened to a request\n  \
    tracehub-cli diff order-41 order-42       what is different from the good one\n  \
    tracehub-cli tail --source MA             what happens at this moment\n\n\
    Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not found, 4 refused by the server, 5 server not reached, \
    130 interrupted.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Takes what is short for something else for that.
    pub(crate) fn shorten(&mut self) {
        if let Command::Show(ShowArgs { raw: true, .. }) = self.command {
            self.output.output = Format::Raw;
        }
    }
}

/// Seconds that one may wait for an answer.
pub(crate) const REQUEST_TIMEOUTS: RangeInclusive<u64> = 1..=3600;

/// Where the server is and how to talk to it.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// The server's address
    #[arg(long, global = true, value_name = "URL", env = "TRACEHUB_URL", default_value = "http://127.0.0.1:8099")]
    pub(crate) url: String,

    /// The server's secret
    #[arg(long, global = true, value_name = "SECRET", env = "TRACEHUB_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,

    /// The authorities that vouch for an https server, as PEM, instead of the system's
    #[arg(long, global = true, value_name = "FILE", env = "TRACEHUB_TLS_CA")]
    pub(crate) tls_ca: Option<OsString>,

    /// Seconds to wait for an answer
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(REQUEST_TIMEOUTS))]
    pub(crate) request_timeout: u64,

    /// Settings for what neither a flag nor a variable says [default: tracehub/config.toml where such files are kept]
    #[arg(long, global = true, value_name = "FILE", env = "TRACEHUB_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// How answers are shown.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct OutputArgs {
    /// For people, or for programs
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,

    /// When to use colours; `auto` is on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,

    /// Show times in UTC instead of the local time zone
    #[arg(long, global = true)]
    pub(crate) utc: bool,

    /// Show times in the local time zone, whatever the config file says
    #[arg(long, global = true, conflicts_with = "utc")]
    pub(crate) local: bool,

    /// Show how long ago things were instead of when
    #[arg(long, global = true)]
    pub(crate) relative: bool,

    /// Count ages up to this time instead of now: Unix ms, or such as 2026-02-01T16:00:00Z
    #[arg(long, global = true, value_name = "TIME", value_parser = times::unix_ms)]
    pub(crate) as_of: Option<f64>,

    /// Do not show long output in $PAGER; only a terminal gets it anyway
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
}

/// `--output` as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text, with colours on a terminal
    Table,
    /// The server's JSON, one object
    Json,
    /// JSON, one object a line: a chain, an entry, a call
    Ndjson,
    /// Chains as their ids and entries as the lines that were logged; the rest as JSON
    Raw,
}

/// `--color` as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List chains, the most recently active first: all, or those that are stuck, slow, or of one service
    #[command(visible_alias = "list")]
    Correlations(CorrelationsArgs),
    /// Show one chain as a tree of calls
    Show(ShowArgs),
    /// Follow what comes, of all chains or of one
    Tail(TailArgs),
    /// Show the newest entries of all chains
    Recent(RecentArgs),
    /// Compare two chains call by call: what is missing, what is new, what was slower
    Diff(DiffArgs),
    /// Ask the server whether it is well
    #[command(after_help = "Exit codes: 0 healthy, 1 not healthy, 5 not reached.\n\n\
        Example: tracehub-cli health || tracehub-cli serve")]
    Health,
    /// Show how much there is, what waits, and what came since the server started
    #[command(after_help = "Example: tracehub-cli stats -o json | jq .queue.entries")]
    Stats,
    /// Delete what is older than the server's retention, now
    Cleanup(CleanupArgs),
    /// Send one entry from flags, or many from a file or standard input
    Send(SendArgs),
    /// Write a chain, or everything, as lines of JSON
    Export(ExportArgs),
    /// Bring back what `export` wrote
    Import(ImportArgs),
    /// Start a server: the `tracehub-server` installed with this program
    Serve(ServeArgs),
    /// Print what makes a shell complete this program's commands
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Settings: what holds, and where it came from
    Config(ConfigArgs),
}

/// Which entries, by where they were logged.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Filters")]
pub(crate) struct PlaceArgs {
    /// Only what this source logged
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,

    /// Only what was logged at this endpoint
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) endpoint: Option<String>,

    /// Only what was logged on this host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// Only operations of this kind
    #[arg(long, value_name = "OPERATION")]
    pub(crate) operation: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CleanupArgs {
    /// Do not ask first
    #[arg(short, long)]
    pub(crate) yes: bool,
}

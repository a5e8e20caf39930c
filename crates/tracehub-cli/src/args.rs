//! The command line and the environment as typed.

mod parse;
mod tools;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(crate) use self::parse::{Typed, parse};
pub(crate) use self::tools::*;

/// Query a TraceHub server: which requests there were, what happened in one, what happens right now.
#[derive(Debug, Parser)]
#[command(name = "tracehub-cli", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    tracehub-cli correlations --limit 10\n  \
    tracehub-cli show order-42\n  \
    tracehub-cli tail order-42 -o json | jq .endpoint\n\n\
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

    /// Seconds to wait for an answer
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) request_timeout: u64,

    /// Settings for what neither a flag nor a variable says [default: tracehub/config.toml where such files are kept]
    #[arg(long, global = true, value_name = "FILE", env = "TRACEHUB_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// How answers are shown.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// For people, or for programs: JSON is what the server said (one object per line in `tail`)
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,

    /// When to use colours; `auto` is on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,

    /// Show times in UTC instead of the local time zone
    #[arg(long, global = true)]
    pub(crate) utc: bool,

    /// Do not show long output in $PAGER; only a terminal gets it anyway
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
}

/// `--output` as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text
    Table,
    /// The server's JSON
    Json,
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
    /// List the most recently active chains
    Correlations(CorrelationsArgs),
    /// Show one chain as a tree of calls
    Show(ShowArgs),
    /// Follow one chain: what is stored, then what comes
    Tail(TailArgs),
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

#[derive(Debug, ClapArgs)]
pub(crate) struct CorrelationsArgs {
    /// How many chains to list
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) limit: u32,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    /// The chain's correlation id
    #[arg(value_name = "CORRELATION_ID")]
    pub(crate) correlation_id: String,

    /// Only what this source logged
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TailArgs {
    /// The chain's correlation id; it need not be known yet
    #[arg(value_name = "CORRELATION_ID")]
    pub(crate) correlation_id: String,

    /// End after this many seconds; without it, on Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=31_536_000))]
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CleanupArgs {
    /// Do not ask first
    #[arg(short, long)]
    pub(crate) yes: bool,
}

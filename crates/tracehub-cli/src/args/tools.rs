//! The command lines of what moves, makes and explains things: send, export, import, serve, completions, man, config.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, Subcommand};
use clap_complete::Shell;

use super::PlaceArgs;
use super::times::{since, unix_ms};

#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "tracehub-cli send [OPTIONS] --id <CORRELATION_ID>\n       tracehub-cli send [OPTIONS] <FILE>"
)]
#[command(after_help = "Examples:\n  \
    tracehub-cli send --id order-42 --source MA --endpoint /orders --data '{\"items\":3}'\n  \
    tracehub-cli send --id order-42 --source MA --endpoint /orders --direction leave\n  \
    tracehub-cli send -f entries.ndjson\n  \
    my-program | tracehub-cli send -\n\n\
    Lines are sent as they come, up to 500 entries or 256 KiB a request. A line that is refused costs itself alone and \
    is named on standard error; the exit code is 1 then. Only what the server has acknowledged is counted.")]
pub(crate) struct SendArgs {
    /// Entries to send, one JSON object per line; `-` is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["file", "entry"])]
    pub(crate) input: Option<PathBuf>,

    /// The same as FILE
    #[arg(short, long, value_name = "FILE", conflicts_with = "entry")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,

    #[command(flatten)]
    pub(crate) entry: EntryArgs,
}

/// One entry, from flags.
#[derive(Debug, ClapArgs)]
#[group(id = "entry", multiple = true)]
#[command(next_help_heading = "One entry")]
pub(crate) struct EntryArgs {
    /// The chain that the entry belongs to
    #[arg(long, value_name = "CORRELATION_ID", required_unless_present_any = ["input", "file"])]
    pub(crate) id: Option<String>,

    /// Who logs it [default: cli]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,

    /// `enter`, `leave`, or any other text for a mark [default: enter]
    #[arg(long, value_name = "DIRECTION", allow_hyphen_values = true)]
    pub(crate) direction: Option<String>,

    /// The kind of operation, such as REST [default: CLI]
    #[arg(long, value_name = "TEXT")]
    pub(crate) operation: Option<String>,

    /// The operation's name, such as /orders [default: /]
    #[arg(long, value_name = "TEXT")]
    pub(crate) endpoint: Option<String>,

    /// A JSON object that belongs to it
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Option<String>,

    /// The machine's name [default: this one's]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// When it was: Unix time in ms, or such as 2026-02-01T16:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = unix_ms)]
    pub(crate) timestamp: Option<f64>,

    /// What tells it from others of its source and millisecond [default: random]
    #[arg(long, value_name = "TEXT")]
    pub(crate) suffix: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RetryArgs {
    /// How often a request is sent again while the server cannot take it (408, 429, 502, 503, 504), or is gone after it
    /// has answered; one that was never there is not waited for
    #[arg(long, value_name = "TIMES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) retries: u32,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli export order-42 > order-42.ndjson\n  \
    tracehub-cli export --all --source MA --since 2h --output-file ma.ndjson\n  \
    tracehub-cli export --all | gzip > everything.ndjson.gz\n\n\
    Each line is an entry as the server has it, whatever -o says. A chain comes in the order of its timestamps; --all \
    gives the entries that there are when it begins, in the order of their arrival, and waits half a minute for a \
    server that is gone on the way. `import` brings both back as they were.")]
pub(crate) struct ExportArgs {
    /// The chain's correlation id
    #[arg(value_name = "CORRELATION_ID", required_unless_present = "all",
        value_parser = NonEmptyStringValueParser::new())]
    pub(crate) correlation_id: Option<String>,

    /// Every chain
    #[arg(long, conflicts_with = "correlation_id")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Only chains whose id begins with this
    #[arg(long, value_name = "TEXT", conflicts_with = "correlation_id")]
    pub(crate) prefix: Option<String>,

    /// Only entries with a timestamp of this time or later: 15m, 2h, 3d ago, or such as 2026-02-01T16:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<f64>,

    /// Write to this file instead of standard output; it appears when it is complete
    #[arg(short = 'O', long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli import order-42.ndjson\n  \
    tracehub-cli --url http://old:8099 export --all | tracehub-cli --url http://new:8099 import -\n\n\
    Entries that the server has already are counted as duplicates, so an import that was interrupted may be repeated. \
    The order of arrival is kept: a request ends where a line is older than the one before. `send -f` does not keep it \
    among chains, and is faster.")]
pub(crate) struct ImportArgs {
    /// What `export` wrote; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) retry: RetryArgs,
}

#[derive(Debug, ClapArgs)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:\n  \
    tracehub-cli serve --db traces.db --retention-hours 72\n  \
    tracehub-cli serve --help\n\n\
    Everything after `serve` goes to `tracehub-server` as it is. That program is looked for beside this one first, then \
    on the PATH; it takes this one's place, so signals and the exit code are its own."
)]
pub(crate) struct ServeArgs {
    /// The server's own flags
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli completions bash > ~/.local/share/bash-completion/completions/tracehub-cli\n  \
    tracehub-cli completions fish > ~/.config/fish/completions/tracehub-cli.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell to complete for
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli man | man -l -\n  \
    tracehub-cli man send | man -l -\n  \
    tracehub-cli man --all ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The page of one command instead of the program's
    #[arg(value_name = "COMMAND", conflicts_with = "all")]
    pub(crate) command: Option<String>,

    /// Write all pages into this folder, which is made if need be
    #[arg(long, value_name = "FOLDER")]
    pub(crate) all: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each setting, its value and where that came from
    #[command(after_help = "Example:\n  tracehub-cli --url http://hub:8099 config show\n\n\
        A flag goes before an environment variable, that before the config file, that before the default. The file is \
        TOML with any of the keys url, secret, secret_file, tls_ca, output, color, \
        utc, request_timeout, pager.")]
    Show,
}

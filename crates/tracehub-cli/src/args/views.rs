//! The command lines of what shows traces: correlations, show, tail, recent, diff.

use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;

use super::PlaceArgs;
use super::times::{duration, since};

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli correlations --incomplete --watch\n  \
    tracehub-cli correlations --min-duration 2s --since 1h --source MA\n  \
    tracehub-cli correlations --prefix order- --all -o raw | xargs -n 1 tracehub-cli show\n\n\
    Source, endpoint, host and operation must hold of one entry of the chain.")]
pub(crate) struct CorrelationsArgs {
    /// How many chains to list
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) limit: u32,

    /// List every chain, however many there are
    #[arg(long, conflicts_with_all = ["limit", "watch"])]
    pub(crate) all: bool,

    /// Go on where a list ended, which says so
    #[arg(long, value_name = "CURSOR", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) cursor: Option<i64>,

    /// Show the list again and again, every 2 seconds or every so often
    #[arg(short, long, value_name = "EVERY", value_parser = duration, num_args = 0..=1, require_equals = true,
        default_missing_value = "2s")]
    pub(crate) watch: Option<Duration>,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Only chains with something that has not come back
    #[arg(long, help_heading = "Filters")]
    pub(crate) incomplete: bool,

    /// Only chains in which everything has come back
    #[arg(long, help_heading = "Filters", conflicts_with = "incomplete")]
    pub(crate) complete: bool,

    /// Only chains that took this long, from their first entry to their last: 500ms, 2s
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Filters")]
    pub(crate) min_duration: Option<Duration>,

    /// Only chains whose id begins with this
    #[arg(long, value_name = "TEXT", help_heading = "Filters")]
    pub(crate) prefix: Option<String>,

    /// Only chains of which something arrived since: 15m, 2h, 3d ago, or such as 2026-02-01T16:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since, help_heading = "Filters")]
    pub(crate) since: Option<f64>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli show order-42\n  \
    tracehub-cli show 97fe --log\n  \
    tracehub-cli show order-42 --follow\n\n\
    The beginning of an id is enough where only one chain has it. Bars show when a call ran; what has not come back is \
    red and says since when. Hosts whose clocks are off are drawn where they belong.")]
pub(crate) struct ShowArgs {
    /// The chain's correlation id, or how it begins
    #[arg(value_name = "CORRELATION_ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) correlation_id: String,

    /// Only what this source logged
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,

    /// Show the entries one by one in the order of time
    #[arg(long)]
    pub(crate) log: bool,

    /// Show the lines that the services logged: the same as -o raw
    #[arg(long, conflicts_with = "log")]
    pub(crate) raw: bool,

    /// Go on: on a terminal the tree grows as entries come, elsewhere they come line by line
    #[arg(short, long, conflicts_with = "source")]
    pub(crate) follow: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli tail\n  \
    tracehub-cli tail --source MA --since 5m\n  \
    tracehub-cli tail order-42 -o json | jq .endpoint\n  \
    tracehub-cli tail --since 1h --no-follow --endpoint /orders\n\n\
    A lost connection and a restart of the server are waited for; what came meanwhile comes then, and nothing twice.")]
pub(crate) struct TailArgs {
    /// Only this chain, from its beginning; it need not be known yet
    #[arg(value_name = "CORRELATION_ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) correlation_id: Option<String>,

    /// Begin with what arrived since: 15m, 2h, 3d ago, or such as 2026-02-01T16:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<f64>,

    /// End with what is stored: all of it, or what arrived --since
    #[arg(long)]
    pub(crate) no_follow: bool,

    /// End after this many seconds; without it, on Ctrl-C
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_follow",
        value_parser = clap::value_parser!(u64).range(0..=31_536_000))]
    pub(crate) timeout: Option<u64>,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Only chains whose id begins with this
    #[arg(long, value_name = "TEXT", help_heading = "Filters", conflicts_with = "correlation_id")]
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    tracehub-cli recent -n 100 --source MA\n  \
    tracehub-cli recent --after 1200 -o json | jq .last_id\n\n\
    Entries come in the order in which they arrived. With -o json, `last_id` is what --after goes on from.")]
pub(crate) struct RecentArgs {
    /// How many entries to show
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) limit: u32,

    /// Only what this source logged
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,

    /// The entries that came first after this one instead of the newest
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) after: Option<i64>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  tracehub-cli diff order-41 order-42\n\n\
    In front of a call stands `-` where B lacks it, `+` where only B has it, `!` where it did not come back in B but did \
    in A, `~` where it took at least a tenth and 1 ms longer or shorter. The beginning of an id is enough where only one \
    chain has it.")]
pub(crate) struct DiffArgs {
    /// The chain that is as it should be
    #[arg(value_name = "A", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) a: String,

    /// The chain to compare with it
    #[arg(value_name = "B", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) b: String,
}

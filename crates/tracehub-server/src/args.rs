//! The command line and the environment as typed. What it means is `config.rs`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// The checkpoint-trace hub: collects checkpoints over HTTP, keeps them in one SQLite file, gives chains back, live.
///
/// Services send checkpoints to POST /ingest; `tracehub-cli`, curl or a browser read them. Every setting is a flag and
/// an environment variable; the flag wins.
#[derive(Debug, Clone, Parser)]
#[command(name = "tracehub-server", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 stopped as asked, 1 failed, 2 bad flag or variable, 65 the file is not TraceHub's or \
    damaged, \
    73 the file cannot be used, 74 the address cannot be used or the disk fails, 75 the file is in use, 78 the settings are not safe.\n\n\
    Example: tracehub-server --db /var/lib/tracehub/tracehub.db --retention-hours 72"
)]
pub struct Args {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Database file; made when missing, readable by its owner alone
    #[arg(long, global = true, value_name = "FILE", env = "TRACEHUB_DB", default_value = "/tmp/tracehub.db")]
    pub db: PathBuf,

    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "TRACEHUB_PORT", default_value_t = 8099)]
    pub port: u16,

    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", env = "TRACEHUB_HOST", default_value = "127.0.0.1")]
    pub host: String,

    /// Hours that entries are kept after they arrived
    #[arg(long, value_name = "HOURS", env = "TRACEHUB_RETENTION_HOURS", default_value_t = 24,
        value_parser = clap::value_parser!(u64).range(1..=876_000))]
    pub retention_hours: u64,

    /// Bytes that the database may hold; beyond that the oldest entries go, however young. Unlimited when not given
    #[arg(long, value_name = "BYTES", env = "TRACEHUB_MAX_DB_BYTES",
        value_parser = clap::value_parser!(u64).range(1_048_576..))]
    pub max_db_bytes: Option<u64>,

    /// Bytes that stay free on the database's disk: with less, nothing more is taken in until there is room again
    #[arg(long, value_name = "BYTES", env = "TRACEHUB_MIN_FREE_BYTES", default_value_t = 67_108_864)]
    pub min_free_bytes: u64,

    /// When an entry counts as stored: synced to disk, or handed to the operating system (faster, but a power cut takes
    /// the last moments)
    #[arg(long, value_name = "MODE", env = "TRACEHUB_DURABILITY", default_value = "full")]
    pub durability: DurabilityArg,

    /// What to log: error, warn, info, debug, trace, or per module as in `info,tracehub_server=debug`
    #[arg(long, value_name = "FILTER", env = "TRACEHUB_LOG", default_value = "info,actix_server=warn")]
    pub log: String,

    /// Secret for sending and deleting, and for reading unless that has its own; two, separated by a comma, while one
    /// takes the other's place. Others can see flags: rather use the variable or --secret-file
    #[arg(long, value_name = "SECRET", env = "TRACEHUB_SECRET", hide_env_values = true)]
    pub secret: Option<String>,

    /// File that holds the secret
    #[arg(long, value_name = "FILE", env = "TRACEHUB_SECRET_FILE", conflicts_with = "secret")]
    pub secret_file: Option<PathBuf>,

    /// Secret for reading
    #[arg(long, value_name = "SECRET", env = "TRACEHUB_READ_SECRET", hide_env_values = true)]
    pub read_secret: Option<String>,

    /// File that holds the secret for reading
    #[arg(long, value_name = "FILE", env = "TRACEHUB_READ_SECRET_FILE", conflicts_with = "read_secret")]
    pub read_secret_file: Option<PathBuf>,

    /// Name that this server is reached by, for the `Host` header of requests; may be given more than once
    #[arg(long, value_name = "NAME", env = "TRACEHUB_PUBLIC_HOST", value_delimiter = ',')]
    pub public_host: Vec<String>,

    /// Origin whose pages may use this server from a browser, such as <https://tools.example>; may be given more than once
    #[arg(long, value_name = "ORIGIN", env = "TRACEHUB_CORS_ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<String>,

    /// Listen beyond this machine although anyone who reaches the port can then read, write and delete
    #[arg(long)]
    pub insecure_no_auth: bool,
}

/// What else the program can do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Copy the database to a file, while the server goes on
    ///
    /// The copy is whole and checked, and overwrites nothing. Example: tracehub-server backup --db tracehub.db today.db
    Backup {
        /// The copy; must not exist yet
        #[arg(value_name = "FILE")]
        destination: PathBuf,
    },
}

/// `--durability` as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// Synced to disk before the answer
    Full,
    /// Handed to the operating system before the answer
    Normal,
}

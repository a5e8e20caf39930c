//! The command line and the environment as typed. What it means is `config.rs`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// The checkpoint-trace hub: collects checkpoints over HTTP, keeps them in one SQLite file, gives chains back, live.
///
/// Services send checkpoints to POST /ingest; `tracehub-cli`, curl or a browser read them. Every setting is a flag and
/// an environment variable; the flag wins.
#[derive(Debug, Clone, Parser)]
#[command(name = "tracehub-server", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 stopped as asked, 1 failed or not healthy, 2 bad flag or variable, 65 the file is not TraceHub's or \
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

    /// How the log looks, one line an event: for people, or JSON for programs
    #[arg(long, global = true, value_name = "FORMAT", env = "TRACEHUB_LOG_FORMAT", default_value = "pretty")]
    pub log_format: LogFormat,

    /// Seconds that requests are still answered after the order to stop, while /readyz says no already: time for a load
    /// balancer to look elsewhere
    #[arg(long, value_name = "SECONDS", env = "TRACEHUB_DRAIN_SECONDS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(..=3600))]
    pub drain_seconds: u64,

    /// Secret for sending and deleting, and for reading unless that has its own; two, separated by a comma, while one
    /// takes the other's place. Others can see flags: rather use the variable or --secret-file
    #[arg(long, value_name = "SECRET", env = "TRACEHUB_SECRET", hide_env_values = true)]
    pub secret: Option<Hidden>,

    /// File that holds the secret
    #[arg(long, value_name = "FILE", env = "TRACEHUB_SECRET_FILE", conflicts_with = "secret")]
    pub secret_file: Option<PathBuf>,

    /// Secret for reading
    #[arg(long, value_name = "SECRET", env = "TRACEHUB_READ_SECRET", hide_env_values = true)]
    pub read_secret: Option<Hidden>,

    /// File that holds the secret for reading
    #[arg(long, value_name = "FILE", env = "TRACEHUB_READ_SECRET_FILE", conflicts_with = "read_secret")]
    pub read_secret_file: Option<PathBuf>,

    /// Name that this server is reached by, for the `Host` header of requests; may be given more than once
    #[arg(long, value_name = "NAME", env = "TRACEHUB_PUBLIC_HOST", value_delimiter = ',')]
    pub public_host: Vec<String>,

    /// Origin whose pages may use this server from a browser, such as <https://tools.example>; may be given more than once
    #[arg(long, value_name = "ORIGIN", env = "TRACEHUB_CORS_ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<String>,

    /// Certificate, with those that vouch for it, as PEM: the server then speaks HTTPS alone
    #[arg(long, value_name = "FILE", env = "TRACEHUB_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate, as PEM
    #[arg(long, value_name = "FILE", env = "TRACEHUB_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Connections at a time; beyond them the server answers 503, but still says how it is
    #[arg(long, value_name = "COUNT", env = "TRACEHUB_MAX_CONNECTIONS", default_value_t = 16_384,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Entries a second that one address may send; beyond them it gets 429 and waits. Unlimited when not given
    #[arg(long, value_name = "ENTRIES", env = "TRACEHUB_INGEST_LIMIT_PER_PEER",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub ingest_limit_per_peer: Option<u32>,

    /// Address or network (10.0.0.0/8) of a proxy whose `X-Forwarded-For` is believed; may be given more than once
    #[arg(long, value_name = "NETWORK", env = "TRACEHUB_TRUSTED_PROXY", value_delimiter = ',')]
    pub trusted_proxy: Vec<String>,

    /// Listen beyond this machine although anyone who reaches the port can then read, write and delete
    #[arg(long)]
    pub insecure_no_auth: bool,

    // What systemd says to a service of `Type=notify`. Nobody types these, so the help does not show them.
    /// Socket of the supervisor
    #[arg(long, hide = true, value_name = "SOCKET", env = "NOTIFY_SOCKET")]
    pub notify_socket: Option<OsString>,

    /// Microseconds within which the supervisor wants a sign of life
    #[arg(long, hide = true, value_name = "MICROSECONDS", env = "WATCHDOG_USEC")]
    pub watchdog_usec: Option<u64>,

    /// Process that the supervisor wants it from
    #[arg(long, hide = true, value_name = "PROCESS", env = "WATCHDOG_PID")]
    pub watchdog_pid: Option<u32>,
}

/// Text that is shown to nobody.
#[derive(Clone)]
pub struct Hidden(pub String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
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

    /// Ask the server of this machine whether it is ready; exit code 0 if so, 1 if not
    ///
    /// For the health check of a container, without curl. Asks the port of --port (`TRACEHUB_PORT`) unless --url is given.
    Healthcheck {
        /// What to ask; plain HTTP
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

/// `--log-format` as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people; coloured on a terminal
    Pretty,
    /// A JSON object a line
    Json,
}

/// `--durability` as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// Synced to disk before the answer
    Full,
    /// Handed to the operating system before the answer
    Normal,
}

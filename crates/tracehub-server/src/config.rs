//! The settings as meant: checked, with units, ready to run with.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracehub_core::store::sqlite::Durability;

use crate::args::{Args, DurabilityArg};

/// What [`run`](crate::run()) needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database file.
    pub database: PathBuf,
    /// When an entry counts as stored.
    pub durability: Durability,
    /// How long entries are kept after they arrived; whole hours.
    pub retention: Duration,
    /// Bytes that the database may hold; the oldest entries go beyond that.
    pub max_db_bytes: Option<u64>,
    /// Bytes that stay free on the database's disk; with less, ingest is refused.
    pub min_free_bytes: u64,
}

impl Config {
    /// The retention in hours.
    #[must_use]
    pub fn retention_hours(&self) -> u64 {
        self.retention.as_secs() / 3600
    }
}

/// Settings that cannot be used together, or name nothing that exists.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The host is no address of this machine.
    #[error("--host (TRACEHUB_HOST) {host:?} is not an address: {reason}")]
    Host {
        /// As given.
        host: String,
        /// Why.
        reason: String,
    },
    /// The address can be reached from other machines, and nothing guards it.
    #[error(
        "--host (TRACEHUB_HOST) {0} can be reached from other machines: anyone there could read, write and delete; \
         use 127.0.0.1, or say --insecure-no-auth if that is meant"
    )]
    Exposed(SocketAddr),
}

/// Checks the arguments: the address to listen on, and the rest.
///
/// # Errors
/// [`ConfigError`] names the setting.
pub fn resolve(args: &Args) -> Result<(SocketAddr, Config), ConfigError> {
    let address = resolve_address(&args.host, args.port)?;
    if !address.ip().is_loopback() && !args.insecure_no_auth {
        return Err(ConfigError::Exposed(address));
    }
    let config = Config {
        database: args.db.clone(),
        durability: match args.durability {
            DurabilityArg::Full => Durability::Full,
            DurabilityArg::Normal => Durability::Normal,
        },
        retention: Duration::from_secs(args.retention_hours * 3600),
        max_db_bytes: args.max_db_bytes,
        min_free_bytes: args.min_free_bytes,
    };
    Ok((address, config))
}

fn resolve_address(host: &str, port: u16) -> Result<SocketAddr, ConfigError> {
    let failed = |reason: String| ConfigError::Host { host: host.to_owned(), reason };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses = (host, port).to_socket_addrs().map_err(|err| failed(err.to_string()))?;
    addresses.next().ok_or_else(|| failed("it resolves to nothing".to_owned()))
}

/// Whether a database lies where the system clears up by itself.
#[must_use]
pub fn is_temporary(database: &Path) -> bool {
    database.starts_with("/tmp") || database.starts_with("/dev/shm")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn resolve_args(args: &[&str]) -> Result<(SocketAddr, Config), ConfigError> {
        resolve(&Args::try_parse_from([&["tracehub-server"], args].concat()).unwrap())
    }

    #[test]
    fn loopback_needs_nothing_and_the_world_needs_a_word() {
        assert_eq!(resolve_args(&["--port", "1"]).unwrap().0.to_string(), "127.0.0.1:1");
        assert_eq!(resolve_args(&["--host", "[::1]", "--port", "1"]).unwrap().0.to_string(), "[::1]:1");
        assert!(matches!(resolve_args(&["--host", "0.0.0.0"]), Err(ConfigError::Exposed(_))));
        assert!(resolve_args(&["--host", "0.0.0.0", "--insecure-no-auth"]).is_ok());
        let err = resolve_args(&["--host", "no such host"]).unwrap_err();
        assert!(err.to_string().contains("TRACEHUB_HOST"), "{err}");
    }

    #[test]
    fn durability_and_retention_have_an_effect() {
        let (_, config) = resolve_args(&["--durability", "normal", "--retention-hours", "48"]).unwrap();
        assert_eq!((config.durability, config.retention_hours()), (Durability::Normal, 48));
        let (_, config) = resolve_args(&[]).unwrap();
        assert_eq!((config.durability, config.retention_hours()), (Durability::Full, 24));
    }
}

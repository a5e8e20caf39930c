//! The settings as meant: checked, with units, ready to run with.

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracehub_core::store::sqlite::Durability;

use crate::access::{Hosts, Networks, Secrets, SecretsError};
use crate::args::{Args, DurabilityArg, Hidden};
use crate::connection::{ConnectionConfig, Tls, TlsError};
use crate::notify::Supervisor;

const TLS_CERT: &str = "--tls-cert (TRACEHUB_TLS_CERT)";
const TLS_KEY: &str = "--tls-key (TRACEHUB_TLS_KEY)";

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
    /// How long requests are still answered after the order to stop.
    pub drain: Duration,
    /// Who is let in.
    pub access: AccessConfig,
    /// Who is told how the server is.
    pub supervisor: Arc<Supervisor>,
    /// The entries a second that one address may send.
    pub ingest_limit: Option<u32>,
    /// How many connections there may be, and whether they are encrypted.
    pub connections: ConnectionConfig,
}

/// Who is let in, and by which name.
#[derive(Debug, Clone)]
pub struct AccessConfig {
    /// What opens ingest and deletion; none: nothing is asked.
    pub secret: Option<Secrets>,
    /// What opens reading; none: [`secret`](Self::secret) does.
    pub read_secret: Option<Secrets>,
    /// The names that the server answers to.
    pub hosts: Hosts,
    /// The origins whose pages may use it from a browser.
    pub cors_origins: Vec<String>,
    /// The proxies that are believed when they say whom they speak for.
    pub trusted_proxies: Networks,
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
         set TRACEHUB_SECRET, use 127.0.0.1, or say --insecure-no-auth if that is meant"
    )]
    Exposed(SocketAddr),
    /// A secret cannot be used. Its text is not repeated.
    #[error("{setting} {source}")]
    Secret {
        /// The flag and the variable.
        setting: &'static str,
        /// Why.
        source: SecretsError,
    },
    /// A file with a secret cannot be read.
    #[error("{setting} {}: {source}", file.display())]
    SecretFile {
        /// The flag and the variable.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An origin is not one.
    #[error("--cors-origin (TRACEHUB_CORS_ORIGIN) {0:?} is not an origin such as https://tools.example")]
    Origin(String),
    /// The supervisor's socket is not one.
    #[error("NOTIFY_SOCKET {socket:?} cannot be used: {source}")]
    Supervisor {
        /// As given.
        socket: OsString,
        /// Why.
        source: std::io::Error,
    },
    /// A proxy is not given by its address.
    #[error("--trusted-proxy (TRACEHUB_TRUSTED_PROXY) {0:?} is not an address, nor a network such as 10.0.0.0/8")]
    Network(String),
    /// One of two settings that need each other.
    #[error("{given} needs {missing} too")]
    Alone {
        /// What was given.
        given: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// The certificate or its key cannot be used.
    #[error("{TLS_CERT} {} and {TLS_KEY} {}: {source}", certificate.display(), key.display())]
    Tls {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why, and which of the two.
        source: TlsError,
    },
}

/// Checks the arguments: the address to listen on, and the rest.
///
/// # Errors
/// [`ConfigError`] names the setting.
pub fn resolve(args: &Args) -> Result<(SocketAddr, Config), ConfigError> {
    let address = resolve_address(&args.host, args.port)?;
    let access = resolve_access(args, address)?;
    if !address.ip().is_loopback() && access.secret.is_none() && !args.insecure_no_auth {
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
        drain: Duration::from_secs(args.drain_seconds),
        access,
        supervisor: Arc::new(supervisor(args)?),
        ingest_limit: args.ingest_limit_per_peer,
        connections: ConnectionConfig {
            most: usize::try_from(args.max_connections).unwrap_or(usize::MAX),
            tls: tls(args.tls_cert.as_deref(), args.tls_key.as_deref())?,
        },
    };
    Ok((address, config))
}

/// Who started us and wants to be told. A watchdog of another process is not ours to answer.
fn supervisor(args: &Args) -> Result<Supervisor, ConfigError> {
    let Some(socket) = args.notify_socket.as_deref().filter(|socket| !socket.is_empty()) else {
        return Ok(Supervisor::default());
    };
    let is_ours = args.watchdog_pid.is_none_or(|process| process == std::process::id());
    let patience = args.watchdog_usec.filter(|patience| is_ours && *patience > 0).map(Duration::from_micros);
    Supervisor::at(socket, patience).map_err(|source| ConfigError::Supervisor { socket: socket.to_owned(), source })
}

fn tls(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Tls>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::Alone { given: TLS_CERT, missing: TLS_KEY }),
        (None, Some(_)) => Err(ConfigError::Alone { given: TLS_KEY, missing: TLS_CERT }),
        (Some(certificate), Some(key)) => Tls::load(certificate, key).map(Some).map_err(|source| ConfigError::Tls {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        }),
    }
}

fn resolve_access(args: &Args, address: SocketAddr) -> Result<AccessConfig, ConfigError> {
    if let Some(origin) = args.cors_origin.iter().find(|origin| !is_origin(origin)) {
        return Err(ConfigError::Origin(origin.clone()));
    }
    Ok(AccessConfig {
        secret: secrets(
            ["--secret (TRACEHUB_SECRET)", "--secret-file (TRACEHUB_SECRET_FILE)"],
            args.secret.as_ref(),
            args.secret_file.as_deref(),
        )?,
        read_secret: secrets(
            ["--read-secret (TRACEHUB_READ_SECRET)", "--read-secret-file (TRACEHUB_READ_SECRET_FILE)"],
            args.read_secret.as_ref(),
            args.read_secret_file.as_deref(),
        )?,
        hosts: Hosts::of(address.ip(), &args.public_host),
        cors_origins: args.cors_origin.clone(),
        trusted_proxies: Networks::parse(&args.trusted_proxy).map_err(ConfigError::Network)?,
    })
}

/// Secrets from a value or a file; an empty value is none, which is what `VAR=` in a compose file means.
fn secrets(
    settings: [&'static str; 2],
    value: Option<&Hidden>,
    file: Option<&Path>,
) -> Result<Option<Secrets>, ConfigError> {
    let [by_value, by_file] = settings;
    if let Some(file) = file {
        let failed = |source| ConfigError::SecretFile { setting: by_file, file: file.to_owned(), source };
        let text = std::fs::read_to_string(file).map_err(failed)?;
        let parsed = Secrets::parse(&text);
        return parsed.map(Some).map_err(|source| ConfigError::Secret { setting: by_file, source });
    }
    match value.map(|value| value.0.as_str()).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => {
            Secrets::parse(value).map(Some).map_err(|source| ConfigError::Secret { setting: by_value, source })
        }
    }
}

/// `scheme://host[:port]`, as browsers send it; never `*`.
fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, site)| {
        matches!(scheme, "http" | "https") && !site.is_empty() && !site.contains(['/', '*', '?', '#', '@'])
    })
}

pub(crate) fn resolve_address(host: &str, port: u16) -> Result<SocketAddr, ConfigError> {
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
        assert!(resolve_args(&["--host", "0.0.0.0", "--secret", "a long secret"]).is_err(), "three values");
        assert!(resolve_args(&["--host", "0.0.0.0", "--secret", "a-long-secret"]).is_ok());
        assert!(matches!(resolve_args(&["--host", "0.0.0.0", "--secret", ""]), Err(ConfigError::Exposed(_))));
        let err = resolve_args(&["--host", "no such host"]).unwrap_err();
        assert!(err.to_string().contains("TRACEHUB_HOST"), "{err}");
    }

    #[test]
    fn secrets_come_from_files_too_and_are_never_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "first-secret\nsecond-secret\n").unwrap();
        let (_, config) = resolve_args(&["--secret-file", file.to_str().unwrap()]).unwrap();
        assert!(config.access.secret.is_some_and(|secrets| secrets.accept("second-secret")));
        let err = resolve_args(&["--read-secret", "hunter2"]).unwrap_err().to_string();
        assert!(err.contains("TRACEHUB_READ_SECRET") && !err.contains("hunter2"), "{err}");
        let args =
            Args::try_parse_from(["tracehub-server", "--secret", "a-long-secret", "--read-secret", "another-one"]);
        let shown = format!("{:?}", args.unwrap());
        assert!(!shown.contains("a-long") && !shown.contains("another") && shown.contains("***"), "{shown}");
        let err = resolve_args(&["--secret-file", "/nowhere/secret"]).unwrap_err().to_string();
        assert!(err.contains("/nowhere/secret"), "{err}");
    }

    #[test]
    fn origins_are_exact() {
        assert!(resolve_args(&["--cors-origin", "https://a.example,http://b.example:8080"]).is_ok());
        for origin in ["*", "https://*", "a.example", "https://a.example/", "file://"] {
            assert!(matches!(resolve_args(&["--cors-origin", origin]), Err(ConfigError::Origin(_))), "{origin}");
        }
    }

    #[test]
    fn a_certificate_needs_its_key_and_both_must_be_there() {
        for (flag, other) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
            let err = resolve_args(&[flag, "/nowhere/file"]).unwrap_err().to_string();
            assert!(err.starts_with(flag) && err.contains(other), "{err}");
        }
        let err = resolve_args(&["--tls-cert", "/nowhere/cert", "--tls-key", "/nowhere/key"]).unwrap_err().to_string();
        assert!(
            err.contains("TRACEHUB_TLS_CERT") && err.contains("/nowhere/cert") && err.contains("certificate:"),
            "{err}"
        );
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        assert!(resolve_args(&["--trusted-proxy", "10.0.0.0/8,::1", "--trusted-proxy", "192.0.2.1"]).is_ok());
        for wrong in ["10.0.0.0/33", "proxy.example", "10.0.0.1/", ""] {
            let err = resolve_args(&["--trusted-proxy", wrong]).unwrap_err();
            assert!(matches!(&err, ConfigError::Network(text) if text == wrong), "{wrong}: {err}");
        }
    }

    #[test]
    fn durability_and_retention_have_an_effect() {
        let (_, config) = resolve_args(&["--durability", "normal", "--retention-hours", "48"]).unwrap();
        assert_eq!((config.durability, config.retention_hours()), (Durability::Normal, 48));
        let (_, config) = resolve_args(&[]).unwrap();
        assert_eq!((config.durability, config.retention_hours()), (Durability::Full, 24));
    }
}

//! Who may do what. `gate` is what every request passes, `secrets` compares, `host` knows our names, `attempts` counts
//! who tries to guess.

pub(crate) mod attempts;
pub(crate) mod gate;
mod host;
mod secrets;

pub use self::host::Hosts;
pub use self::secrets::{Secrets, SecretsError};

use self::attempts::Attempts;
use crate::config::AccessConfig;

/// The header that carries the secret, beside `Authorization: Bearer`.
pub(crate) const SECRET_HEADER: &str = "x-tracehub-secret";

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing: it tells nothing.
    Open,
    /// The secret: it changes what is stored.
    Ingest,
    /// The secret for reading.
    Read,
}

impl Guard {
    /// The guard of a route, by its pattern. A route that nobody thought of is guarded like reading.
    pub(crate) fn of(pattern: &str) -> Self {
        match pattern {
            "/ingest" | "/ingest/single" | "/cleanup" => Self::Ingest,
            // The page holds no data; it asks for the secret when it asks for data.
            "/healthz" | "/readyz" | "/" | "/assets/{hash}/{name:.*}" => Self::Open,
            _ => Self::Read,
        }
    }
}

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Access {
    ingest: Option<Secrets>,
    read: Option<Secrets>,
    hosts: Hosts,
    cors_origins: Vec<String>,
    attempts: Attempts,
}

impl Access {
    pub(crate) fn new(config: &AccessConfig) -> Self {
        Self {
            ingest: config.secret.clone(),
            read: config.read_secret.clone().or_else(|| config.secret.clone()),
            hosts: config.hosts.clone(),
            cors_origins: config.cors_origins.clone(),
            attempts: Attempts::default(),
        }
    }
}

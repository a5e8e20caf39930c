//! Who may do what. `gate` is what every request passes, `secrets` compares, `host` knows our names, `attempts` counts
//! who tries to guess, `sessions` who has signed in at the page.

pub(crate) mod attempts;
pub(crate) mod gate;
mod host;
mod secrets;
pub(crate) mod sessions;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

pub use self::host::Hosts;
pub use self::secrets::{Secrets, SecretsError};

use self::attempts::Attempts;
use self::sessions::Sessions;
use crate::config::AccessConfig;
use crate::error::ApiError;

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
            // The page holds no data; it asks for the secret when it asks for data. The secret is in the body of the one;
            // the other takes away what only its caller has.
            "/healthz" | "/readyz" | "/" | "/assets/{hash}/{name:.*}" | "/login" | "/logout" => Self::Open,
            _ => Self::Read,
        }
    }
}

/// The address that a request's failures are counted against.
pub(crate) fn address_of(peer: Option<SocketAddr>) -> IpAddr {
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Access {
    ingest: Option<Secrets>,
    read: Option<Secrets>,
    hosts: Hosts,
    cors_origins: Vec<String>,
    attempts: Attempts,
    sessions: Sessions,
}

impl Access {
    pub(crate) fn new(config: &AccessConfig) -> Self {
        Self {
            ingest: config.secret.clone(),
            read: config.read_secret.clone().or_else(|| config.secret.clone()),
            hosts: config.hosts.clone(),
            cors_origins: config.cors_origins.clone(),
            attempts: Attempts::default(),
            sessions: Sessions::default(),
        }
    }

    /// Signs someone in at the page: the id of a new session, or none if reading asks for nothing.
    pub(crate) fn sign_in(&self, given: &str, address: IpAddr) -> Result<Option<String>, ApiError> {
        let Some(secrets) = &self.read else { return Ok(None) };
        self.check(secrets, given, address)?;
        let id = self.sessions.open(Instant::now()).map_err(|err| {
            tracing::error!(error = %err, "the system gives no random bytes");
            ApiError::Internal
        })?;
        Ok(Some(id))
    }

    /// Ends a session.
    pub(crate) fn sign_out(&self, id: &str) {
        self.sessions.close(id);
    }

    /// Lets a valid secret pass, and counts what is not one against its address.
    fn check(&self, secrets: &Secrets, given: &str, address: IpAddr) -> Result<(), ApiError> {
        // A valid secret is let through whatever others of its address do: a proxy is one address.
        if secrets.accept(given) {
            return Ok(());
        }
        let now = Instant::now();
        if let Some(seconds) = self.attempts.wait(address, now) {
            return Err(ApiError::TooManyAttempts(seconds));
        }
        self.attempts.fail(address, now);
        Err(ApiError::Forbidden)
    }
}

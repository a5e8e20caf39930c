//! Who may do what. `gate` is what every request passes, `secrets` compares, `host` knows our names, `peer` whom a
//! request comes from, `attempts` counts who tries to guess, `sessions` who has signed in at the page.

pub(crate) mod attempts;
pub(crate) mod gate;
mod host;
mod peer;
mod secrets;
pub(crate) mod sessions;

use std::net::IpAddr;
use std::time::Instant;

use actix_web::HttpRequest;

pub use self::host::Hosts;
pub use self::peer::Networks;
pub use self::secrets::{Secrets, SecretsError};

use self::attempts::Attempts;
use self::sessions::Sessions;
use crate::config::Config;
use crate::error::ApiError;

/// The header that carries the secret, beside `Authorization: Bearer`.
pub(crate) const SECRET_HEADER: &str = "X-TraceHub-Secret";

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
            // The page holds no data; it asks for the secret when it asks for data. The description is of the program, not
            // of what it keeps. The secret is in the body of the one; the other takes away what only its caller has.
            "/healthz" | "/readyz" | "/openapi.json" | "/" | "/assets/{hash}/{name:.*}" | "/login" | "/logout" => {
                Self::Open
            }
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
    trusted_proxies: Networks,
    has_tls: bool,
    attempts: Attempts,
    sessions: Sessions,
}

impl Access {
    pub(crate) fn new(config: &Config) -> Self {
        let has_tls = config.connections.tls.is_some();
        let config = &config.access;
        Self {
            ingest: config.secret.clone(),
            read: config.read_secret.clone().or_else(|| config.secret.clone()),
            hosts: config.hosts.clone(),
            cors_origins: config.cors_origins.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            has_tls,
            attempts: Attempts::default(),
            sessions: Sessions::default(),
        }
    }

    /// Whom a request comes from: the key of everything that is counted by address.
    pub(crate) fn address_of(&self, request: &HttpRequest) -> IpAddr {
        self.trusted_proxies.address_of(request.peer_addr().map(|peer| peer.ip()), request.headers())
    }

    /// Signs someone in at the page: the cookie of a new session, or none if reading asks for nothing.
    pub(crate) fn sign_in(&self, given: &str, address: IpAddr) -> Result<Option<String>, ApiError> {
        let Some(secrets) = &self.read else { return Ok(None) };
        self.check(secrets, given, address)?;
        let id = self.sessions.open(Instant::now()).map_err(|err| {
            tracing::error!(error = %err, "the system gives no random bytes");
            ApiError::Internal
        })?;
        Ok(Some(sessions::cookie(&id, self.has_tls)))
    }

    /// Ends sessions; gives the cookie that has a browser forget them.
    pub(crate) fn sign_out<'a>(&self, ids: impl Iterator<Item = &'a str>) -> String {
        ids.for_each(|id| self.sessions.close(id));
        sessions::no_cookie(self.has_tls)
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

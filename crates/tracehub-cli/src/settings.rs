//! The connection as meant: a client that is ready to ask.

use std::time::Duration;

use tracehub_client::TraceHubQueryClient;

use crate::args::ConnectionArgs;
use crate::failure::Failure;

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) client: TraceHubQueryClient,
}

impl Settings {
    /// Checks the address and makes the client. Nothing is sent yet.
    pub(crate) fn resolve(args: &ConnectionArgs) -> Result<Self, Failure> {
        let client = TraceHubQueryClient::new(&args.url)?
            .with_timeout(Duration::from_secs(args.request_timeout))
            .with_secret(args.secret.clone().unwrap_or_default());
        Ok(Self { client })
    }
}

//! Whose word for a server's certificate is taken: that of the system's authorities, or only of those in a file.

#[cfg(feature = "tls")]
use std::{io, path::Path};

#[cfg(feature = "tls")]
use reqwest::Certificate;
use reqwest::ClientBuilder;

use crate::http::BaseUrl;

/// The authorities that vouch for servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// Only these; none: the system's.
    #[cfg(feature = "tls")]
    authorities: Option<Vec<Certificate>>,
}

impl Trust {
    /// Reads authorities from a file of PEM certificates.
    #[cfg(feature = "tls")]
    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let authorities =
            Certificate::from_pem_bundle(&std::fs::read(file)?).map_err(|err| invalid(crate::http::reason(&err)))?;
        if authorities.is_empty() {
            return Err(invalid("there is no `BEGIN CERTIFICATE` in it".to_owned()));
        }
        // What stands between the lines is looked at when a client is made of it.
        let client = reqwest::Client::builder().tls_certs_only(authorities.iter().cloned()).build();
        client.map_err(|err| invalid(crate::http::reason(&err)))?;
        Ok(Self { authorities: Some(authorities) })
    }

    /// Takes nobody's word.
    pub(crate) fn nobody() -> Self {
        #[cfg(feature = "tls")]
        let trust = Self { authorities: Some(Vec::new()) };
        #[cfg(not(feature = "tls"))]
        let trust = Self::default();
        trust
    }

    /// Has a client's certificates checked by these authorities.
    #[cfg(feature = "tls")]
    pub(crate) fn check(&self, base: &BaseUrl, client: ClientBuilder) -> ClientBuilder {
        match &self.authorities {
            // Nobody is asked for, and a machine may have none: those of the system are not looked for.
            _ if !base.is_https() => client.tls_certs_only([]),
            None => client,
            Some(authorities) => client.tls_certs_only(authorities.iter().cloned()),
        }
    }

    /// Without TLS there is nothing to check.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "the same as with TLS")]
    pub(crate) fn check(&self, _: &BaseUrl, client: ClientBuilder) -> ClientBuilder {
        client
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert_eq!(Trust::read(&file).unwrap_err().kind(), io::ErrorKind::NotFound);
        for (text, reason) in [
            ("", "no `BEGIN CERTIFICATE`"),
            ("no PEM", "no `BEGIN CERTIFICATE`"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", ""),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""),
        ] {
            std::fs::write(&file, text).unwrap();
            let err = Trust::read(&file).unwrap_err();
            assert!(err.kind() == io::ErrorKind::InvalidData && err.to_string().contains(reason), "{err}");
        }
    }
}

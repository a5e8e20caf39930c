//! TLS: the certificate that clients check, and its key.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key, ready to agree on TLS 1.2 or 1.3.
#[derive(Clone)]
pub struct Tls(pub(super) Arc<ServerConfig>);

/// Why TLS cannot be spoken with these files. None of it repeats what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate cannot be read.
    #[error("certificate: {0}")]
    Certificate(#[source] PemError),
    /// There is no certificate in its file.
    #[error("certificate: there is no `BEGIN CERTIFICATE` in it")]
    NoCertificate,
    /// The key cannot be read.
    #[error("key: {0}")]
    Key(#[source] PemError),
    /// The two do not belong together, or are of a kind that is not known.
    #[error("certificate and key: {0}")]
    Pair(#[source] tokio_rustls::rustls::Error),
}

impl Tls {
    /// Reads a certificate with those that vouch for it, its own first, and its key; both as PEM.
    ///
    /// # Errors
    /// [`TlsError`] says which of the two it is.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(TlsError::Certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(TlsError::Key)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?;
        let mut config = config.with_no_client_auth().with_single_cert(chain, key).map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Says that it is there, not what the key is.
impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}

//! TLS with certificates that are given.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, PEM; for `*.<domain>`.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

/// A certificate or key that does not read.
#[derive(Debug, thiserror::Error)]
#[error("{file} does not read: {why}")]
pub struct TlsError {
    file: String,
    why: String,
}

impl TlsFiles {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// Where they do not read or do not belong together.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let wrong = |file: &PathBuf, why: String| TlsError { file: file.display().to_string(), why };
        let about_chain = |why: String| wrong(&self.certificate, why);
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| about_chain(error.to_string()))?;
        if chain.is_empty() {
            return Err(about_chain("there is no certificate in it".to_owned()));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| wrong(&self.key, error.to_string()))?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| about_chain(error.to_string()))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|error| about_chain(error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

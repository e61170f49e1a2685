//! The one HTTP client that all providers share: proxies, own certificates, kept-alive connections.
//!
//! Reading the machine's root certificates takes longer than everything else before a first request, so the
//! client for `https` is only built when the first `https` address is asked for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::ModelError;

/// How to reach the outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpConfig {
    /// The proxy for `http` addresses (`HTTP_PROXY`).
    pub http_proxy: Option<String>,
    /// The proxy for `https` addresses (`HTTPS_PROXY`).
    pub https_proxy: Option<String>,
    /// Hosts that are reached directly, as in `NO_PROXY`. Loopback always is.
    pub no_proxy: Option<String>,
    /// A PEM file with certificates to trust beside the machine's own (`SSL_CERT_FILE`).
    pub ca_file: Option<PathBuf>,
}

/// Connecting takes no longer.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// A provider is never silent for longer in an answer. Local servers read a long prompt for minutes.
const SILENCE_LIMIT: Duration = Duration::from_secs(600);
/// What `NO_PROXY` always holds.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The shared client. Clones share connections.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    config: HttpConfig,
    plain: reqwest::Client,
    secure: Mutex<Option<reqwest::Client>>,
}

/// Builds the shared client.
///
/// # Errors
///
/// [`ModelError::NotConfigured`] when a proxy's address does not read.
pub fn http_client(config: &HttpConfig) -> Result<HttpClient, ModelError> {
    // A second installation changes nothing; the first one counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = build(base(config)?.tls_certs_only([]))?;
    Ok(HttpClient(Arc::new(Inner { config: config.clone(), plain, secure: Mutex::new(None) })))
}

impl HttpClient {
    /// The client for `url`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotConfigured`] when the certificates do not read.
    pub fn for_url(&self, url: &str) -> Result<reqwest::Client, ModelError> {
        if url.starts_with("http://") && !self.has_secure_proxy() {
            return Ok(self.0.plain.clone());
        }
        let mut secure = self.0.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*secure {
            return Ok(client.clone());
        }
        let client = build(base(&self.0.config)?.tls_certs_merge(own_certificates(&self.0.config)?))?;
        *secure = Some(client.clone());
        Ok(client)
    }

    fn has_secure_proxy(&self) -> bool {
        self.0.config.http_proxy.as_deref().is_some_and(|proxy| proxy.starts_with("https://"))
    }
}

fn base(config: &HttpConfig) -> Result<reqwest::ClientBuilder, ModelError> {
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(60))
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("journeyman/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    let direct = [LOOPBACK, config.no_proxy.as_deref().unwrap_or_default()].join(",");
    let direct = reqwest::NoProxy::from_string(&direct);
    let proxies = [
        (&config.http_proxy, reqwest::Proxy::http as fn(String) -> reqwest::Result<reqwest::Proxy>),
        (&config.https_proxy, reqwest::Proxy::https),
    ];
    for (address, proxy) in proxies {
        let Some(address) = address.as_ref().filter(|address| !address.is_empty()) else { continue };
        let proxy = proxy(address.clone()).map_err(|error| ModelError::NotConfigured {
            message: format!("the proxy address {address} does not read: {error}"),
            fix: "set HTTP_PROXY and HTTPS_PROXY to addresses like http://proxy.example:3128".into(),
        })?;
        builder = builder.proxy(proxy.no_proxy(direct.clone()));
    }
    Ok(builder)
}

fn own_certificates(config: &HttpConfig) -> Result<Vec<reqwest::Certificate>, ModelError> {
    let Some(path) = &config.ca_file else { return Ok(Vec::new()) };
    let unreadable = |why: String| ModelError::NotConfigured {
        message: format!("the certificates in {} do not read: {why}", path.display()),
        fix: "set SSL_CERT_FILE to a PEM file with your authority's certificate".into(),
    };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.to_string()))?;
    if certificates.is_empty() { Err(unreadable("there is none in it".into())) } else { Ok(certificates) }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ModelError> {
    builder.build().map_err(|error| ModelError::NotConfigured {
        message: format!("the HTTP client cannot be set up: {error}"),
        fix: "run journeyman doctor to see what this machine lacks".into(),
    })
}

//! How the server itself gets out: its own proxy, if it has one, and whose certificates it trusts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::address::Cidr;
use crate::credential::Scheme;
use crate::host::Host;

/// How the server gets out; the same settings that its models' client has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutsideConfig {
    /// The proxy for `http` addresses (`HTTP_PROXY`).
    pub http_proxy: Option<String>,
    /// The proxy for `https` addresses and tunnels (`HTTPS_PROXY`).
    pub https_proxy: Option<String>,
    /// Hosts that are reached directly, as in `NO_PROXY`. Loopback always is.
    pub no_proxy: Option<String>,
    /// A PEM file with certificates to trust beside the machine's own (`SSL_CERT_FILE`).
    pub ca_file: Option<PathBuf>,
}

/// A setting that does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not read: {why}")]
pub struct OutsideError {
    what: String,
    why: String,
}

/// How the server gets out, read.
pub struct Outside {
    http: Option<Upstream>,
    https: Option<Upstream>,
    direct: Vec<Direct>,
    ca_file: Option<PathBuf>,
    tls: Mutex<Option<Arc<ClientConfig>>>,
}

/// A proxy of the server's own network.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) authorization: Option<HeaderValue>,
}

enum Direct {
    All,
    Name(String),
    Range(Cidr),
}

impl Outside {
    /// Reads the settings. Certificates are read when TLS is first wanted: that takes a while.
    ///
    /// # Errors
    ///
    /// Where a proxy's address does not read.
    pub fn new(config: &OutsideConfig) -> Result<Self, OutsideError> {
        let upstream = |address: &Option<String>| {
            address.as_deref().filter(|address| !address.is_empty()).map(Upstream::parse).transpose()
        };
        let direct = config.no_proxy.as_deref().unwrap_or_default().split(',');
        Ok(Self {
            http: upstream(&config.http_proxy)?,
            https: upstream(&config.https_proxy)?,
            direct: direct.filter_map(Direct::parse).collect(),
            ca_file: config.ca_file.clone(),
            tls: Mutex::default(),
        })
    }

    pub(crate) fn upstream(&self, scheme: Scheme, host: &Host) -> Option<&Upstream> {
        let upstream = match scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        };
        upstream.filter(|_| !is_loopback(host) && !self.direct.iter().any(|direct| direct.covers(host)))
    }

    /// Who is trusted, and how TLS is spoken.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, OutsideError> {
        let mut kept = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*kept {
            return Ok(config.clone());
        }
        let wrong = |why: String| OutsideError { what: "the list of trusted certificates".to_owned(), why };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(self.own_roots()?, provider.clone())
            .map_err(|error| wrong(error.to_string()))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        *kept = Some(config.clone());
        Ok(config)
    }

    fn own_roots(&self) -> Result<Vec<CertificateDer<'static>>, OutsideError> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let wrong = |why: String| OutsideError { what: path.display().to_string(), why };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        certificates.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))
    }
}

impl Upstream {
    fn parse(address: &str) -> Result<Self, OutsideError> {
        // The address may hold a password, so it is not repeated.
        let wrong = |why: &str| OutsideError { what: "the proxy's address".to_owned(), why: why.to_owned() };
        let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let uri: Uri = whole.parse().map_err(|_| wrong("expected http://proxy.example:3128"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("only proxies that are spoken to by http:// are supported"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        let authorization = match authority.as_str().rsplit_once('@') {
            Some((login, _)) => Some(basic(login).ok_or_else(|| wrong("its login is no header's value"))?),
            None => None,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: authority.port_u16().unwrap_or(80), authorization })
    }
}

impl Direct {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        match text.as_str() {
            "" => None,
            "*" => Some(Self::All),
            text => Some(text.parse().map_or_else(
                |_| Self::Name(text.trim_start_matches('*').trim_start_matches('.').to_owned()),
                Self::Range,
            )),
        }
    }

    fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Name(name), Host::Name(host)) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Range(range), Host::Address(address)) => range.contains(*address),
            (Self::Name(_), Host::Address(_)) | (Self::Range(_), Host::Name(_)) => false,
        }
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => address.is_loopback(),
    }
}

/// `Basic …` of a login as it stands in a URL.
fn basic(login: &str) -> Option<HeaderValue> {
    let login = STANDARD.encode(decode_percent(login));
    let mut value = HeaderValue::from_str(&format!("Basic {login}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn decode_percent(text: &str) -> Vec<u8> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    let mut decoded = Vec::with_capacity(bytes.len());
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let value = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(http: &str, no_proxy: &str) -> Result<Outside, OutsideError> {
        Outside::new(&OutsideConfig {
            http_proxy: Some(http.to_owned()),
            no_proxy: Some(no_proxy.to_owned()),
            ..OutsideConfig::default()
        })
    }

    #[test]
    fn a_proxy_of_the_network_is_used_but_for_what_is_excepted() {
        let outside = outside("http://me:p%40ss@proxy.example:3128", "corp.example, .x.example,10.0.0.0/8")
            .expect("it reads");
        let upstream = |host: &str| outside.upstream(Scheme::Http, &host.parse().expect("a host"));
        let found = upstream("example.com").expect("a proxy");
        assert_eq!((found.host.as_str(), found.port), ("proxy.example", 3128));
        assert_eq!(
            found.authorization.as_ref().expect("a login"),
            &format!("Basic {}", STANDARD.encode("me:p@ss"))
        );
        for direct in
            ["corp.example", "git.corp.example", "a.x.example", "10.1.1.1", "127.0.0.1", "localhost"]
        {
            assert!(upstream(direct).is_none(), "{direct}");
        }
        assert!(upstream("notcorp.example").is_some() && upstream("11.1.1.1").is_some());
        assert!(outside.upstream(Scheme::Https, &"example.com".parse().expect("a host")).is_none());
    }

    #[test]
    fn a_proxy_that_does_not_read_is_told_without_its_password() {
        let error = outside("socks5://me:secret@proxy", "").err().expect("an error").to_string();
        assert!(error.contains("http://") && !error.contains("secret"), "{error}");
    }
}

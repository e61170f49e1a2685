//! What a request to the proxy asks for. Everything that could be read in two ways is refused here, so that what
//! is checked is what is sent.

use hyper::header::{self, HeaderMap};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Uri, Version};

use crate::credential::Scheme;
use crate::host::Host;
use crate::refusal::Refusal;

/// A host and a port that somebody wants to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// `CONNECT host:port`.
    Tunnel(Target),
    /// `GET http://host/path`, or `GET /https/host/path` of a client that was pointed here.
    Forward {
        /// How the target is spoken to.
        scheme: Scheme,
        /// Where it is.
        target: Target,
        /// What is asked of it.
        path: PathAndQuery,
        /// Whether the client was pointed here.
        is_pointed: bool,
    },
    /// `GET /`: what may be reached.
    Overview,
}

/// The head of a request.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its version.
    pub version: Version,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

impl Wish {
    /// Reads the head of a request.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadRequest`] for what is no request to a proxy.
    pub fn of(head: Head<'_>) -> Result<Self, Refusal> {
        check_framing(head)?;
        if head.method == Method::CONNECT {
            let authority = head.uri.authority().ok_or_else(|| bad("CONNECT names host:port"))?;
            let target = target(authority.as_str(), None)?;
            return Ok(Self::Tunnel(target));
        }
        match (head.uri.scheme_str(), head.uri.authority()) {
            (Some("http"), Some(authority)) => absolute(Scheme::Http, authority, head.uri),
            (Some("https"), Some(authority)) => absolute(Scheme::Https, authority, head.uri),
            (None, None) => pointed(head.uri),
            _ => Err(bad("its address begins neither with http:// nor with https://")),
        }
    }
}

/// A message has one length, told in one way.
fn check_framing(head: Head<'_>) -> Result<(), Refusal> {
    if head.version != Version::HTTP_11 && head.version != Version::HTTP_10 {
        return Err(bad("its version is not HTTP/1.1"));
    }
    let count = |name| head.headers.get_all(name).iter().count();
    if count(header::HOST) > 1 {
        return Err(bad("it has more than one Host"));
    }
    let codings = count(header::TRANSFER_ENCODING);
    if codings > 0 && count(header::CONTENT_LENGTH) > 0 {
        return Err(bad("it has both Transfer-Encoding and Content-Length"));
    }
    let is_chunked =
        |value: &hyper::header::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if codings > 1 || !head.headers.get(header::TRANSFER_ENCODING).is_none_or(is_chunked) {
        return Err(bad("its Transfer-Encoding is not just chunked"));
    }
    if count(header::CONTENT_LENGTH) > 1 {
        return Err(bad("it has more than one Content-Length"));
    }
    if *head.method == Method::TRACE {
        return Err(bad("TRACE would show what was added to it"));
    }
    Ok(())
}

fn absolute(scheme: Scheme, authority: &Authority, uri: &Uri) -> Result<Wish, Refusal> {
    let target = target(authority.as_str(), Some(scheme.port()))?;
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Ok(Wish::Forward { scheme, target, path, is_pointed: false })
}

/// `/https/host[:port]/path`
fn pointed(uri: &Uri) -> Result<Wish, Refusal> {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if whole == "/" {
        return Ok(Wish::Overview);
    }
    let how = "a path here is /https/<host>/<path> or /http/<host>/<path>";
    let (scheme, rest) = match whole[1..].split_once('/') {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => return Err(bad(how)),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let target = target(authority, Some(scheme.port()))?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let path = path.parse().map_err(|_| bad(how))?;
    Ok(Wish::Forward { scheme, target, path, is_pointed: true })
}

/// `host`, `host:port`; nothing before an `@`.
pub(crate) fn target(authority: &str, default_port: Option<u16>) -> Result<Target, Refusal> {
    if authority.contains('@') {
        return Err(bad("its address holds a login; credentials are added by this proxy"));
    }
    let after_host = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match authority[after_host..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_host + colon);
            let digits = Some(&port[1..]).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
            (host, digits.and_then(|port| port.parse().ok()))
        }
        None => (authority, default_port),
    };
    let port = port.filter(|port| *port > 0).ok_or_else(|| bad("its port is none of 1 to 65535"))?;
    let host = host.parse().map_err(|why: String| Refusal::BadRequest { why })?;
    Ok(Target { host, port })
}

fn bad(why: &str) -> Refusal {
    Refusal::BadRequest { why: why.to_owned() }
}

//! Requests that are carried on: what belongs to one connection is taken off, a credential is put on.

use std::error::Error;

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri, Version};

use crate::connect::Way;
use crate::credential::Scheme;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::target::{Target, target};

/// What concerns one connection only.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) scheme: Scheme,
    pub(crate) target: Target,
    pub(crate) path: PathAndQuery,
    pub(crate) is_pointed: bool,
}

impl Route {
    /// With TLS where a credential for the host waits behind it: a client that is to get a header added sends its
    /// request without TLS.
    pub(crate) fn upgraded(mut self, policy: &Policy) -> Self {
        if self.scheme == Scheme::Http && self.target.port == 80 && policy.is_upgraded(&self.target.host) {
            self.scheme = Scheme::Https;
            self.target.port = 443;
        }
        self
    }

    /// The request as it is sent on.
    pub(crate) fn outgoing(
        &self,
        way: &Way,
        policy: &Policy,
        request: Request<Incoming>,
    ) -> Result<Request<Incoming>, Refusal> {
        let (mut head, body) = request.into_parts();
        strip(&mut head.headers);
        head.headers.remove(header::HOST);
        let authority = if self.target.port == self.scheme.port() {
            self.target.host.to_string()
        } else {
            format!("{}:{}", self.target.host, self.target.port)
        };
        head.uri = Uri::builder()
            .scheme(self.scheme.name())
            .authority(authority)
            .path_and_query(self.path.clone())
            .build()
            .map_err(|_| Refusal::BadRequest { why: "its address does not read".to_owned() })?;
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let (host, port) = (&self.target.host, self.target.port);
        if let Some(credential) = policy.credential(self.scheme, host, port, self.path.path()) {
            let (name, value) = credential.header();
            head.headers.insert(name, value);
        }
        let upstream = way.outside.upstream(Scheme::Http, host).filter(|_| self.scheme == Scheme::Http);
        if let Some(authorization) = upstream.and_then(|upstream| upstream.authorization.clone()) {
            head.headers.insert(header::PROXY_AUTHORIZATION, authorization);
        }
        Ok(Request::from_parts(head, body))
    }

    /// The answer as it is given back. A client that was pointed here stays here when it is sent on.
    pub(crate) fn incoming<B>(&self, policy: &Policy, response: Response<B>) -> Response<B> {
        let (mut head, body) = response.into_parts();
        strip(&mut head.headers);
        head.version = Version::HTTP_11;
        if self.is_pointed
            && let Some(place) = head.headers.get(header::LOCATION).and_then(|place| here(policy, place))
        {
            head.headers.insert(header::LOCATION, place);
        }
        Response::from_parts(head, body)
    }
}

/// `https://host/path` as `/https/host/path`, where the host may be reached.
fn here(policy: &Policy, place: &HeaderValue) -> Option<HeaderValue> {
    let uri: Uri = place.to_str().ok()?.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let authority = uri.authority()?.as_str();
    let wanted = target(authority, Some(scheme.port())).ok()?;
    policy.check(&wanted.host, wanted.port).ok()?;
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    HeaderValue::from_str(&format!("/{}/{authority}{path}", scheme.name())).ok()
}

/// Removes what concerns one connection, and what `Connection` names besides.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // What a message's length hangs on is nothing that a sender may take off.
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The refusal that is behind an error of the client, or one that says what went wrong.
pub(crate) fn refusal_of(error: &(dyn Error + 'static), target: &Target) -> Refusal {
    let mut cause = Some(error);
    let mut last = error.to_string();
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return refusal.clone();
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user) {
            return Refusal::BadRequest { why: "its body broke off or does not read".to_owned() };
        }
        last = error.to_string();
        cause = error.source();
    }
    Refusal::Unreachable { host: target.host.clone(), port: target.port, why: last }
}

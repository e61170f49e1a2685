//! Which hosts and origins may reach us. Loopback is no boundary: any page in any browser on this machine
//! can send requests here, and a name that resolves to 127.0.0.1 makes it same-origin.

use axum::http::{HeaderMap, StatusCode, Uri, header};

use crate::problem::{Problem, Result};

/// The accepted hosts.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// With port where the `Host` header must have it: `127.0.0.1:4000`.
    exact: Vec<String>,
    /// Accepted with any port or none, for servers behind a proxy. A `*` stands for letters without a dot.
    names: Vec<String>,
}

impl Hosts {
    /// The loopback names with `port`, and what is configured.
    pub(crate) fn new(port: u16, configured: &[String]) -> Self {
        let loopback = ["127.0.0.1", "localhost", "[::1]"];
        let mut exact: Vec<String> = loopback.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            exact.extend(loopback.map(str::to_owned));
        }
        let configured = configured.iter().map(|host| host.to_ascii_lowercase());
        let (with_port, names): (Vec<_>, Vec<_>) = configured.partition(|host| has_port(host));
        exact.extend(with_port);
        Self { exact, names }
    }

    /// Refuses a request for another host, and one that a page of another origin sends.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<()> {
        let host = host_of(uri, headers).filter(|host| self.accepts(host)).ok_or_else(|| {
            let detail = "this server does not answer for the host that was asked for";
            Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail)
                .with_fix("use http://127.0.0.1 with the server's port, or allow the name: --host NAME")
        })?;
        match headers.get(header::ORIGIN) {
            None => Ok(()),
            Some(origin) if is_same_origin(origin.as_bytes(), &host) => Ok(()),
            Some(_) => {
                let detail = "a page of another origin may not use this server";
                Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
            }
        }
    }

    fn accepts(&self, host: &str) -> bool {
        let name = if has_port(host) { host.rsplit_once(':').map_or(host, |(name, _)| name) } else { host };
        self.exact.iter().any(|exact| exact == host) || self.names.iter().any(|accepted| fits(accepted, name))
    }
}

/// Whether a name is the accepted one, or has something without a dot where that has its `*`.
fn fits(accepted: &str, name: &str) -> bool {
    match accepted.split_once('*') {
        None => accepted == name,
        Some((before, behind)) => name
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(behind))
            .is_some_and(|between| !between.is_empty() && !between.contains('.')),
    }
}

/// HTTP/2 has the host in the address, HTTP/1.1 in the header; where both are given they must agree.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut given = headers.get_all(header::HOST).iter();
    let header = match (given.next(), given.next()) {
        (Some(value), None) => Some(value.to_str().ok()?.to_ascii_lowercase()),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let authority = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    match (header, authority) {
        (Some(header), Some(authority)) if header != authority => None,
        (header, authority) => header.or(authority),
    }
}

fn is_same_origin(origin: &[u8], host: &str) -> bool {
    let origin = origin.to_ascii_lowercase();
    let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    rest == Some(host.as_bytes())
}

fn has_port(host: &str) -> bool {
    let after = host.rsplit_once(':').map(|(_, port)| port);
    after.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(host: Option<&'static str>, origin: Option<&'static str>) -> Result<()> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().expect("a header"));
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        let hosts = Hosts::new(4000, &["Work.example".to_owned(), "localhost:5173".to_owned()]);
        hosts.check(&Uri::from_static("/v1/runs"), &headers)
    }

    #[test]
    fn our_own_names_are_accepted_and_others_refused() {
        let good = [
            "127.0.0.1:4000",
            "LOCALHOST:4000",
            "[::1]:4000",
            "work.example",
            "work.example:8443",
            "localhost:5173",
        ];
        for host in good {
            assert_eq!(outcome(Some(host), None), Ok(()), "{host}");
        }
        let bad = [
            "127.0.0.1",
            "127.0.0.1:4001",
            "evil.example:4000",
            "evil.work.example",
            "[::1]",
            "",
            "localhost:5174",
        ];
        for host in bad {
            let refused = outcome(Some(host), None).expect_err(host);
            assert_eq!(refused.code, "host_not_allowed");
        }
        assert!(outcome(None, None).is_err());
    }

    #[test]
    fn a_star_stands_for_a_part_of_one_label() {
        for (name, good) in [
            ("49983-sbx1.boxes.example", true),
            ("49983-.boxes.example", false),
            ("49983-sbx1.evil.boxes.example", false),
            ("8000-sbx1.boxes.example", false),
            ("49983-sbx1.boxes.example.evil", false),
            ("boxes.example", false),
        ] {
            assert_eq!(fits("49983-*.boxes.example", name), good, "{name}");
        }
    }

    #[test]
    fn an_origin_must_be_the_host_itself() {
        assert_eq!(outcome(Some("localhost:4000"), Some("http://localhost:4000")), Ok(()));
        assert_eq!(outcome(Some("work.example"), Some("https://work.example")), Ok(()));
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:4000",
            "http://localhost:8000",
            "localhost:4000",
        ] {
            let refused = outcome(Some("localhost:4000"), Some(origin)).expect_err(origin);
            assert_eq!(
                (refused.status, refused.code.as_ref()),
                (StatusCode::FORBIDDEN, "origin_not_allowed")
            );
        }
    }
}

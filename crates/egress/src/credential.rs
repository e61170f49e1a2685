//! Credentials that are added on the way out. Their values are kept out of logs, of messages and of the sandbox.

use hyper::header::{HeaderName, HeaderValue};

use crate::host::Host;

/// How the outside is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The port that needs no naming.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// As in a URL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A header for one host, and there for paths that begin with `path`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    scheme: Scheme,
    host: Host,
    port: u16,
    path: String,
    name: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// The header `name: value` for `scheme://host:port` and the paths below `path` (`/` for all). It is never
    /// sent over another scheme, to another host or to another port.
    ///
    /// # Errors
    ///
    /// Where the header's name or value are none, or the path does not begin with `/`.
    pub fn new(
        scheme: Scheme,
        (host, port): (Host, u16),
        path: &str,
        (name, value): (&str, &str),
    ) -> Result<Self, String> {
        let name: HeaderName = name.parse().map_err(|_| "that is no header's name".to_owned())?;
        let mut value: HeaderValue = value.parse().map_err(|_| "that is no header's value".to_owned())?;
        value.set_sensitive(true);
        if !path.starts_with('/') {
            return Err("a credential's path begins with /".to_owned());
        }
        Ok(Self { scheme, host, port, path: path.to_owned(), name, value })
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_for(&self, scheme: Scheme, host: &Host, port: u16, path: &str) -> bool {
        (self.scheme, &self.host, self.port) == (scheme, host, port) && self.covers(path)
    }

    /// Below a whole segment: `/team` covers `/team/x` and not `/teams`. With `.` or an escaped slash in it a path may
    /// mean another one to the server, so that only credentials for the whole host cover it.
    fn covers(&self, path: &str) -> bool {
        if self.path == "/" {
            return true;
        }
        let is_plain = !path.split('/').any(is_dotted) && !contains_escape(path);
        let rest = path.strip_prefix(self.path.trim_end_matches('/'));
        is_plain && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(crate) fn is_upgraded(&self, host: &Host) -> bool {
        self.scheme == Scheme::Https && self.host == *host && self.port == 443
    }

    pub(crate) fn header(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }
}

fn is_dotted(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// `%2e`, `%2f`, `%5c`, `%25` or a backslash.
fn contains_escape(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["%2e", "%2f", "%5c", "%25", "\\"].iter().any(|escape| lower.contains(escape))
}

/// Without the value.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} for {}://{}:{}{}", self.name, self.scheme.name(), self.host, self.port, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(path: &str) -> Credential {
        let place = ("git.example".parse().expect("a host"), 443);
        Credential::new(Scheme::Https, place, path, ("authorization", "Basic c2VjcmV0"))
            .expect("a credential")
    }

    #[test]
    fn a_path_is_covered_by_whole_segments_and_not_by_a_way_around() {
        let team = credential("/team");
        let host: Host = "git.example".parse().expect("a host");
        for path in ["/team", "/team/", "/team/repo.git/info/refs"] {
            assert!(team.is_for(Scheme::Https, &host, 443, path), "{path}");
        }
        for path in
            ["/", "/teams", "/other", "/team/../other", "/team/%2e%2e/other", "/team/..%2fother", "/team\\x"]
        {
            assert!(!team.is_for(Scheme::Https, &host, 443, path), "{path}");
        }
        assert!(!team.is_for(Scheme::Http, &host, 443, "/team"));
        assert!(!team.is_for(Scheme::Https, &host, 8443, "/team"));
        assert!(!team.is_for(Scheme::Https, &"a.git.example".parse().expect("a host"), 443, "/team"));
        assert!(credential("/").is_for(Scheme::Https, &host, 443, "/a/../b"));
    }

    #[test]
    fn its_value_is_not_shown() {
        assert_eq!(format!("{:?}", credential("/team")), "authorization for https://git.example:443/team");
    }
}

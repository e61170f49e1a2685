//! The names of previews: `<port>-<sandbox>.<domain>`, `<port>-<sandbox>.localhost`, and the path `/p/<sandbox>/<port>/…`.
//! A host that is none of ours is refused: a name that somebody else made for our address is no way in.

use domain::SandboxId;

/// Below it browsers find this machine without any name server.
pub const LOCALHOST: &str = "localhost";

/// A port of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PreviewName {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The port inside.
    pub port: u16,
}

/// How a request names its preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// By its host.
    Host,
    /// By the begin of its path.
    Path,
}

/// What a request's host and path say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A preview, and the path and query inside it.
    Preview(PreviewName, Form, String),
    /// A preview's path without the slash at its end, which relative links need.
    WithoutSlash(PreviewName),
    /// The gateway itself.
    Gateway,
}

/// The host names that the gateway answers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Previews lie below these; lower case.
    pub domains: Vec<String>,
}

/// Why a request's name is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// Not a name of ours.
    Host,
    /// A name of ours that names no preview.
    Preview,
}

impl Names {
    /// Names below `domains`, besides `localhost`.
    ///
    /// # Errors
    ///
    /// Where one of them is no domain.
    pub fn new(domains: &[String]) -> Result<Self, String> {
        let read = |domain: &String| {
            let domain = domain.trim_start_matches("*.").to_ascii_lowercase();
            let is_label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            let is_domain = domain.len() <= 200 && domain.split('.').all(is_label);
            if is_domain { Ok(domain) } else { Err(format!("\"{domain}\" is no domain")) }
        };
        Ok(Self { domains: domains.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// What `host` (with or without a port) and `path` (with its query) name.
    ///
    /// # Errors
    ///
    /// [`BadName`] for everything else.
    pub fn read(&self, host: &str, path: &str) -> Result<Named, BadName> {
        let host = without_port(host).ok_or(BadName::Host)?.to_ascii_lowercase();
        let is_own = host == LOCALHOST || is_loopback(&host) || self.domains.contains(&host);
        if is_own {
            return read_path(path);
        }
        let (label, domain) = host.split_once('.').ok_or(BadName::Host)?;
        if domain != LOCALHOST && !self.domains.iter().any(|known| known == domain) {
            return Err(BadName::Host);
        }
        let name = PreviewName::from_label(label).ok_or(BadName::Preview)?;
        Ok(Named::Preview(name, Form::Host, path.to_owned()))
    }
}

impl PreviewName {
    /// `3000-sbx…`
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}-{}", self.port, self.sandbox)
    }

    /// `/p/sbx…/3000`
    #[must_use]
    pub fn path(&self) -> String {
        format!("/p/{}/{}", self.sandbox, self.port)
    }

    fn from_label(label: &str) -> Option<Self> {
        let (port, sandbox) = label.split_once('-')?;
        Self::from_parts(port, sandbox)
    }

    /// Each has one spelling only, so that one preview is one origin.
    fn from_parts(port: &str, sandbox: &str) -> Option<Self> {
        let is_number = (1..=5).contains(&port.len())
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| is_number)?;
        let id: SandboxId = sandbox.parse().ok()?;
        (id.to_string() == sandbox).then_some(Self { sandbox: id, port })
    }
}

/// `/p/<sandbox>/<port>/…`
fn read_path(path: &str) -> Result<Named, BadName> {
    let Some(rest) = path.strip_prefix("/p/") else {
        return Ok(Named::Gateway);
    };
    let (sandbox, rest) = rest.split_once('/').ok_or(BadName::Preview)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (port, inside) = rest.split_at(end);
    let name = PreviewName::from_parts(port, sandbox).ok_or(BadName::Preview)?;
    if inside.starts_with('/') {
        return Ok(Named::Preview(name, Form::Path, inside.to_owned()));
    }
    Ok(Named::WithoutSlash(name))
}

fn without_port(host: &str) -> Option<&str> {
    let after_host = host.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = host[after_host..].find(':') else { return Some(host) };
    let (name, port) = host.split_at(after_host + colon);
    let is_port = port.len() <= 6 && port[1..].bytes().all(|byte| byte.is_ascii_digit()) && port.len() > 1;
    is_port.then_some(name)
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests;

//! Host names and the patterns that allow them. A name is brought into one spelling before anything is
//! compared, and what has no single meaning (`0x7f.1`, `127.1`) is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::Cidr;

/// A host: a name in lower case without a dot at its end, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name.
    Name(String),
    /// An address, as literally asked for.
    Address(IpAddr),
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: Ipv6Addr =
                inner.parse().map_err(|_| format!("[{}] is no IPv6 address", shown(inner)))?;
            return Ok(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if !is_name(&name) {
            return Err(format!("\"{}\" is no host name", shown(text)));
        }
        Ok(Self::Name(name))
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// At most 253 characters in labels of at most 63, and the last label no number: resolvers read `1`, `0x7f.1`
/// and the like as addresses.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

/// What an agent sent, cut and without control characters, for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Which hosts a rule speaks of: `example.com`, `*.example.com` (every name below it, not itself), an address, a
/// range of addresses, or `*`, which is every public host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This one.
    Exact(Host),
    /// Every name below this one.
    Below(String),
    /// Every address in a range, as literally asked for.
    Range(Cidr),
}

impl HostPattern {
    /// Whether the pattern is about addresses and not about names.
    pub(crate) const fn is_address(&self) -> bool {
        matches!(self, Self::Range(_) | Self::Exact(Host::Address(_)))
    }

    /// Whether the pattern speaks of `address` itself, whatever name led to it.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Range(range) => range.contains(address),
            Self::Exact(host) => *host == Host::Address(address),
            Self::Any | Self::Below(_) => false,
        }
    }

    /// Whether the pattern speaks of `host`.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Exact(wanted), host) => wanted == host,
            (Self::Below(parent), Host::Name(name)) => {
                name.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Range(range), Host::Address(address)) => range.contains(*address),
            (Self::Below(_), Host::Address(_)) | (Self::Range(_), Host::Name(_)) => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return match parent.parse()? {
                Host::Name(name) => Ok(Self::Below(name)),
                Host::Address(_) => Err(format!("\"{text}\": there is no name below an address")),
            };
        }
        if text.contains('/') {
            let bare: String = text.chars().filter(|c| !matches!(c, '[' | ']')).collect();
            return bare.parse().map(Self::Range);
        }
        text.parse().map(Self::Exact)
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => write!(f, "{host}"),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Range(range) if range.is_v6() => write!(f, "[{range}]"),
            Self::Range(range) => write!(f, "{range}"),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests;

//! What one sandbox may reach. Nothing, unless it is listed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Kind, kind};
use crate::credential::{Credential, Scheme};
use crate::host::{Host, HostPattern};
use crate::refusal::Refusal;

/// The ports of a permission that names none.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// Hosts and ports, written `example.com`, `*.example.com:443`, `example.com:443,8443`, `9.9.9.0/24:*`. Without a port,
/// a rule that allows names speaks of 80 and 443; one that allows addresses, or denies, of every port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// The hosts.
    pub host: HostPattern,
    /// The ports.
    pub ports: Ports,
}

/// The ports of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ports {
    /// It names none.
    Usual,
    /// `*`
    All,
    /// These.
    Listed(BTreeSet<u16>),
}

impl Rule {
    fn allows_port(&self, port: u16) -> bool {
        match &self.ports {
            Ports::Usual => self.host.is_address() || USUAL_PORTS.contains(&port),
            Ports::All => true,
            Ports::Listed(ports) => ports.contains(&port),
        }
    }

    fn denies_port(&self, port: u16) -> bool {
        match &self.ports {
            Ports::Usual | Ports::All => true,
            Ports::Listed(ports) => ports.contains(&port),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        // An IPv6 range may come without brackets, and then has no port.
        if text.parse::<Cidr>().is_ok_and(|range| range.is_v6()) && text.contains('/') {
            return Ok(Self { host: text.parse()?, ports: Ports::Usual });
        }
        let after_host = text.rfind(']').map_or(0, |end| end + 1);
        let (host, ports) = match text[after_host..].find(':') {
            Some(colon) => {
                let (host, ports) = text.split_at(after_host + colon);
                (host, Some(&ports[1..]))
            }
            None => (text, None),
        };
        let wrong = |port: &str| format!("\"{text}\": \"{port}\" is no port (1 to 65535)");
        let read = |port: &str| {
            port.trim().parse().ok().filter(|number: &u16| *number > 0).ok_or_else(|| wrong(port))
        };
        let ports = match ports {
            None => Ports::Usual,
            Some("*") => Ports::All,
            Some(listed) => Ports::Listed(listed.split(',').map(read).collect::<Result<_, _>>()?),
        };
        Ok(Self { ports, host: host.parse()? })
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.host)?;
        match &self.ports {
            Ports::Usual => Ok(()),
            Ports::All => f.write_str(":*"),
            Ports::Listed(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(f, ":{}", ports.join(","))
            }
        }
    }
}

impl TryFrom<String> for Rule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

/// An administrator's word that a host may have addresses that are not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateRule {
    host: HostPattern,
    range: Cidr,
}

impl PrivateRule {
    /// `host` may have addresses in `range`.
    ///
    /// # Errors
    ///
    /// For `*`: that would open a network to every name, and anybody can make a name for any address.
    pub fn new(host: HostPattern, range: Cidr) -> Result<Self, String> {
        if host == HostPattern::Any {
            return Err(format!("name the hosts that may have addresses in {range}; \"*\" is everybody"));
        }
        Ok(Self { host, range })
    }
}

/// What one sandbox may reach, and what is added to its requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What may be reached.
    pub allow: Vec<Rule>,
    /// What may not, whatever `allow` says.
    pub deny: Vec<Rule>,
    /// Addresses that are not public and yet open. From the server's administrator only.
    pub private: Vec<PrivateRule>,
    /// Headers that are added on the way out.
    pub credentials: Vec<Credential>,
}

impl Policy {
    /// Whether `host` may be asked for at `port`. What it resolves to is another question.
    ///
    /// # Errors
    ///
    /// The refusal, for the agent to read.
    pub fn check(&self, host: &Host, port: u16) -> Result<(), Refusal> {
        if let Host::Address(address) = host
            && kind(*address) == Kind::Metadata
        {
            return Err(Refusal::Address { host: host.clone(), address: *address, kind: Kind::Metadata });
        }
        if self.deny.iter().any(|rule| rule.host.matches(host) && rule.denies_port(port)) {
            return Err(Refusal::Denied { host: host.clone(), port });
        }
        let mut known = self.allow.iter().filter(|rule| rule.host.matches(host)).peekable();
        if known.peek().is_none() {
            return Err(Refusal::NotListed { host: host.clone(), port });
        }
        if known.any(|rule| rule.allows_port(port)) {
            return Ok(());
        }
        Err(Refusal::PortNotListed { host: host.clone(), port })
    }

    /// Whether `address`, which `host` has, may be connected to at `port`.
    ///
    /// # Errors
    ///
    /// The refusal, for the agent to read.
    pub fn check_address(&self, host: &Host, port: u16, address: IpAddr) -> Result<(), Refusal> {
        let kind = kind(address);
        if self.deny.iter().any(|rule| rule.host.holds(address) && rule.denies_port(port)) {
            return Err(Refusal::Denied { host: host.clone(), port });
        }
        let is_open = match kind {
            Kind::Public => true,
            Kind::Metadata | Kind::Embedded | Kind::Multicast => false,
            Kind::Loopback | Kind::Private | Kind::LinkLocal | Kind::Shared | Kind::Reserved => {
                self.is_listed(host, address)
            }
        };
        if is_open { Ok(()) } else { Err(Refusal::Address { host: host.clone(), address, kind }) }
    }

    /// Whether the administrator listed `address` for `host`.
    pub(crate) fn is_listed(&self, host: &Host, address: IpAddr) -> bool {
        self.private.iter().any(|rule| rule.host.matches(host) && rule.range.contains(address))
    }

    /// The credential for a request, the one with the longest path first.
    pub(crate) fn credential(
        &self,
        scheme: Scheme,
        host: &Host,
        port: u16,
        path: &str,
    ) -> Option<&Credential> {
        let fitting = self.credentials.iter().filter(|one| one.is_for(scheme, host, port, path));
        fitting.max_by_key(|one| one.path().len())
    }

    /// Whether a plain request for `host` is to be carried over TLS, because a credential waits for it there.
    pub(crate) fn is_upgraded(&self, host: &Host) -> bool {
        self.credentials.iter().any(|one| one.is_upgraded(host))
    }
}

#[cfg(test)]
mod tests;

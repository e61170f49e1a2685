//! Why something was not let through: one sentence for the agent, with what can be done about it.

use std::net::IpAddr;

use hyper::StatusCode;

use crate::address::Kind;
use crate::host::Host;

/// Why a request of a sandbox did not get through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The host is not on the list.
    #[error("{host}:{port} is not on this sandbox's list of allowed hosts")]
    NotListed {
        /// The host.
        host: Host,
        /// The port.
        port: u16,
    },
    /// The host is on the list, with other ports.
    #[error("{host} is allowed, but not at port {port}")]
    PortNotListed {
        /// The host.
        host: Host,
        /// The port.
        port: u16,
    },
    /// The host is denied.
    #[error("{host}:{port} is denied by a rule, which goes over what is allowed")]
    Denied {
        /// The host.
        host: Host,
        /// The port.
        port: u16,
    },
    /// The host has no address that may be reached.
    #[error("{host} has the address {address}, {}", kind.words())]
    Address {
        /// The host.
        host: Host,
        /// What it resolved to.
        address: IpAddr,
        /// What is wrong with it.
        kind: Kind,
    },
    /// It leads back to the server itself.
    #[error("{host} has the address {address}, which is this server's own")]
    OwnAddress {
        /// The host.
        host: Host,
        /// The address.
        address: IpAddr,
    },
    /// The request cannot be understood, or could be understood in two ways.
    #[error("the request is not one that a proxy takes: {why}")]
    BadRequest {
        /// What is wrong with it.
        why: String,
    },
    /// Too much at once.
    #[error("this sandbox has {limit} connections open already, which is its limit")]
    TooManyConnections {
        /// The limit.
        limit: usize,
    },
    /// The name is unknown.
    #[error("{host} cannot be resolved: {why}")]
    Unresolved {
        /// The host.
        host: Host,
        /// What the resolver said.
        why: String,
    },
    /// Nobody answers there.
    #[error("{host}:{port} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        host: Host,
        /// The port.
        port: u16,
        /// What went wrong.
        why: String,
    },
    /// It took too long.
    #[error("{host}:{port} did not answer in time")]
    TimedOut {
        /// The host.
        host: Host,
        /// The port.
        port: u16,
    },
}

impl Refusal {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotListed { .. } => "egress_not_allowed",
            Self::PortNotListed { .. } => "egress_port_not_allowed",
            Self::Denied { .. } => "egress_denied",
            Self::Address { kind: Kind::Metadata, .. } => "egress_metadata",
            Self::Address { .. } => "egress_address_not_public",
            Self::OwnAddress { .. } => "egress_own_address",
            Self::BadRequest { .. } => "egress_bad_request",
            Self::TooManyConnections { .. } => "egress_too_many_connections",
            Self::Unresolved { .. } => "egress_unresolved",
            Self::Unreachable { .. } => "egress_unreachable",
            Self::TimedOut { .. } => "egress_timed_out",
        }
    }

    /// Whether it was our decision; otherwise the outside did not work.
    #[must_use]
    pub const fn is_decision(&self) -> bool {
        !matches!(self, Self::Unresolved { .. } | Self::Unreachable { .. } | Self::TimedOut { .. })
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotListed { .. }
            | Self::PortNotListed { .. }
            | Self::Denied { .. }
            | Self::Address { .. }
            | Self::OwnAddress { .. } => StatusCode::FORBIDDEN,
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::TooManyConnections { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unresolved { .. } | Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What can be done about it; `sandbox` is the sandbox's id.
    #[must_use]
    pub fn fix(&self, sandbox: &str) -> String {
        match self {
            Self::NotListed { host, port } | Self::PortNotListed { host, port } => format!(
                "do without it, or ask the owner to allow it: journeyman box egress {sandbox} --allow {host}:{port}"
            ),
            Self::Denied { .. } => "do without it; the owner of this sandbox excluded it".to_owned(),
            Self::Address { kind: Kind::Metadata, .. } => {
                "there is no way to allow it: machines' credentials are told there".to_owned()
            }
            Self::Address { host, address, .. } => format!(
                "if it is meant to be reached, the server's administrator lists it in config.toml: \
                 [[egress.private]] host = \"{host}\", range = \"{address}\""
            ),
            Self::OwnAddress { .. } => "a sandbox does not reach the server that it runs on".to_owned(),
            Self::BadRequest { .. } => {
                "use this proxy as HTTP_PROXY and HTTPS_PROXY, with HTTP/1.1 and nothing unusual".to_owned()
            }
            Self::TooManyConnections { .. } => "close some, or wait for them to end".to_owned(),
            Self::Unresolved { .. } => "check the name".to_owned(),
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                "check that the service is up, then try again".to_owned()
            }
        }
    }
}

//! The way out of a sandbox: a filtering proxy in the server, one session for each sandbox.
//!
//! Nothing leaves a sandbox but through a session, and a session lets through only what its [`Policy`] lists.
//! Names are resolved here, the address that was checked is the one that is connected to, and addresses that
//! are not public stay closed unless the server's administrator listed them. Credentials are added here and
//! are never seen inside.

pub mod address;
pub mod audit;
mod connect;
pub mod credential;
mod forward;
pub mod host;
mod outbound;
pub mod outside;
pub mod policy;
pub mod proxy;
pub mod refusal;
pub mod resolve;
mod session;
pub mod target;
pub mod usage;

pub use address::{Cidr, Kind};
pub use audit::{Audit, Refused, SandboxRef};
pub use credential::{Credential, Scheme};
pub use host::{Host, HostPattern};
pub use outside::{Outside, OutsideConfig, OutsideError};
pub use policy::{Policy, Ports, PrivateRule, Rule};
pub use proxy::{Accept, Limits, Parts, Proxy, Serving};
pub use refusal::Refusal;
pub use resolve::{Resolve, SystemResolver};
pub use usage::Usage;

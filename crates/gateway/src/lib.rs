//! Previews: servers inside sandboxes, reached from outside under a name or a path of their own.
//!
//! Only the port of the sandbox that a preview was made for is ever connected to, and only while that preview counts.
//! What is the platform's own (its cookies, its tokens) never reaches a sandbox.

pub mod backends;
pub mod error;
mod gateway;
mod guarded;
mod headers;
pub mod name;
mod outbound;
mod pages;
mod previews;
mod registry;
mod request;
mod store;
mod tls;
mod upgrade;

pub use backends::{BackendStream, Backends, NotThere, Place};
pub use error::{Error, Result};
pub use gateway::{Gateway, GatewayConfig, Limits, Parts};
pub use name::{Form, Names, PreviewName};
pub use previews::{Access, Made, NewPreview, Preview, Previews};
pub use tls::{TlsError, TlsFiles};

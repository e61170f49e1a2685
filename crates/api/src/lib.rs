//! HTTP, SSE and WebSocket: the public API, and the web app's files.
//!
//! Handlers translate and nothing more: what is allowed is decided by `accounts`, what happens by `runs`.

pub mod app;
mod assets;
mod credentials;
mod edge;
mod extract;
mod feed;
mod hosts;
mod idempotency;
mod openapi;
mod problem;
mod router;
mod routes;
mod schema;

pub use app::{ApiSettings, Hooks, Parts, Probe, ProviderSource, Retention};
pub use credentials::SocketPeer;
pub use openapi::document;
pub use router::{router, router_with};

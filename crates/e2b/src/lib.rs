//! The API that E2B's clients speak, over this server's sandboxes.
//!
//! Two planes on one port. The control plane (`/sandboxes`, `/v2/…`) is REST by API key. The data plane
//! (`/process.Process/…`, `/filesystem.Filesystem/…`, `/files`, `/health`) is what E2B's own agent answers inside
//! each of its sandboxes; here the server answers for all of them, and finds the one that is meant by header, by
//! host, or by the signature of a link.

mod access;
mod agent;
mod app;
mod call;
mod caller;
mod connect;
mod control;
mod files;
mod filesystem;
mod fleet;
mod problem;
mod process;
mod target;
mod time;
mod user;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use app::{Parts, Settings};

/// All routes.
pub fn router(parts: Parts) -> Router {
    let app = app::E2b::new(parts);
    let agent = Router::new()
        .route("/process.Process/{method}", post(process::serve))
        .route("/filesystem.Filesystem/{method}", post(filesystem::serve))
        .route("/health", get(agent::health))
        .route("/metrics", get(agent::metrics))
        .layer(DefaultBodyLimit::disable());
    agent.merge(files::route()).merge(control::routes()).with_state(app)
}

//! The API through its routes, on each database.
#![expect(clippy::expect_used, reason = "a test whose rig does not stand cannot go on")]

mod access;
mod artifacts;
mod document;
mod edge;
mod idempotency;
mod login;
mod models;
mod projects;
mod questions;
mod rig;
mod sandboxes;
mod sse;
mod ws;
mod ws_client;

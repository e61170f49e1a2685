//! The gateway as browsers and programs see it, before servers on plain sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the support of tests, where a panic is the failure"
)]

mod access;
mod names;
mod pages;
mod revoking;
mod streams;
mod world;

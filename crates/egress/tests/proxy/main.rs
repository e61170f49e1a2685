//! The proxy as a sandbox sees it: bytes into its listener, bytes out of it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the support of tests, where a panic is the failure"
)]

mod credentials;
mod faults;
mod forwarding;
mod policy;
mod strange;
mod world;

//! The life of sandboxes, through the crate's public surface, on each database, with the fake provider.
#![expect(clippy::expect_used, reason = "a test whose parts are missing cannot go on")]

mod deadlines;
mod making;
mod recovery;
mod rest;
mod rig;

//! The store through its public surface, on SQLite and on Postgres. One program, so that it is linked once.

#![expect(clippy::expect_used, reason = "a test that cannot go on stops here")]
#![expect(clippy::disallowed_methods, reason = "tests start tasks and programs of their own")]

mod blobs;
mod crash;
mod full;
mod log;
mod migrations;
mod outage;
mod ownership;
mod waking;
mod writes;

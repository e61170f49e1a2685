//! The loop as its caller sees it: played on a journal, a sandbox and a model that live in memory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on shall say where")]

mod conversations;
mod resume;
mod world;

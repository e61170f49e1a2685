//! The loop as its caller sees it: played on a journal, a sandbox and a model that live in memory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on shall say where")]

mod compaction;
mod conversations;
mod faults;
mod finish;
mod guards;
mod people;
mod policy;
mod resume;
mod shop;
mod storm;
mod toolbox;
mod world;

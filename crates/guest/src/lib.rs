//! What runs inside a sandbox, and the words in which `sandbox` speaks with it.
//!
//! The library knows nothing of namespaces, models or runs. `journeyman-guest`, the binary, is process 1 of a
//! sandbox; tests run the same [`agent`] inside their own process.

pub mod agent;
pub mod names;
pub mod protocol;

pub use protocol::{Background, Glob, GlobFound, Grep, GrepFound, GrepMatch};

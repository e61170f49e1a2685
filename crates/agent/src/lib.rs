//! The loop: think, act, observe, repeat. It sees neither database nor HTTP: it is driven through ports.
//!
//! `docs/AGENT.md` tells how a run thinks, what it may do and when it stops.

mod act;
mod collect;
mod compaction;
mod context;
mod finish;
mod guard;
pub mod history;
mod label;
mod outcome;
mod output;
pub mod policy;
pub mod port;
mod redact;
mod run_loop;
mod settings;
mod think;
mod tools;
mod wait;

pub use history::History;
pub use outcome::Outcome;
pub use policy::Policy;
pub use run_loop::Loop;
pub use settings::{INSTRUCTION_FILES, INSTRUCTIONS_MAX_BYTES, Instructions, Parts, Settings};
pub use tools::specs as tool_specs;

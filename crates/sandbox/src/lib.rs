//! Sandboxes behind one trait: `native` (namespaces of this host's kernel) and `fake` (for tests).

pub mod error;
pub mod provider;

pub use error::SandboxError;
pub use provider::{
    Background, Exec, ExecEnd, FileRead, FileWritten, Glob, GlobFound, Grep, GrepFound, GrepMatch, Output,
    Sandbox, SandboxLimits, SandboxProvider, SandboxSpec, ShellCommand, ShellEnd,
};

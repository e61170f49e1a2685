//! Sandboxes behind one trait: `native` (namespaces of this host's kernel) and `fake` (for tests).

mod bwrap;
mod client;
#[cfg(feature = "contract")]
pub mod contract;
pub mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod forward;
pub mod launcher;
mod layout;
pub mod native;
pub mod provider;

pub use bwrap::BwrapProvider;
pub use error::{FileFault, SandboxError};
pub use layout::{HOME, WORKSPACE, workspace_folder};
pub use native::{LauncherProgram, NativeConfig, NativeProvider, Probe, probe};
pub use provider::{
    Background, Download, Exec, ExecEnd, FileEvent, FileEventKind, FileInfo, FileKind, FileRead, FileWritten,
    Glob, GlobFound, Grep, GrepFound, GrepMatch, Metrics, Output, PortEvent, PortListener, PortStream,
    Process, ProcessEvent, ProcessRef, PtySize, Sandbox, SandboxLimits, SandboxProvider, SandboxSpec,
    ShellCommand, ShellEnd, StartProcess, Told, UploadOptions,
};

//! The life of sandboxes: who owns which, their limits, what becomes of them, and that none is left behind.
//!
//! Ownership is in the database before a sandbox exists on the host, so that a server which died leaves
//! nothing that the next one does not know of.

mod archive;
mod create;
mod deadlines;
mod delete;
mod digest;
pub mod error;
mod files;
mod life;
mod live;
mod metrics;
mod orchestrator;
mod reading;
mod recover;
mod scratch;
mod snapshot;
mod start;
pub mod state;
mod store;
mod sweep;
pub mod template;
pub mod view;
pub mod wish;

pub use archive::UnpackLimits;
pub use error::{Error, Result};
pub use live::Wake;
pub use orchestrator::{Companion, Orchestrator, Parts, Wanted};
pub use scratch::Scratch;
pub use snapshot::{ForkSandbox, SnapshotView};
pub use state::{SandboxChange, SandboxState, StopCause};
pub use sweep::Swept;
pub use view::{Page, SandboxFilter, SandboxView};
pub use wish::{CreateSandbox, EgressAccess, EgressPolicy, OnTimeout, Resources};

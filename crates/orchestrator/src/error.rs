//! The orchestrator's one error type.

use domain::SandboxId;

use crate::state::InvalidTransition;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a sandbox's life.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such sandbox in this org.
    #[error("there is no sandbox {0}")]
    NotFound(SandboxId),
    /// The provider said no.
    #[error(transparent)]
    Sandbox(#[from] sandbox::SandboxError),
    /// Its state does not allow it.
    #[error(transparent)]
    WrongState(#[from] InvalidTransition),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

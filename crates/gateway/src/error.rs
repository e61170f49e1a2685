//! The gateway's one error type.

use domain::PreviewId;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a preview.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such preview in this org, or no longer.
    #[error("there is no preview {0}")]
    NotFound(PreviewId),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The credential does not reach so far.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

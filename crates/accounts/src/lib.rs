//! Who may do what: organisations, users, credentials, projects, provider keys and settings.
//!
//! Nothing happens for a tenant without a [`Caller`], which only this crate makes, and nothing changes
//! without an [`Allowed`] proof, which only [`Caller::allow`] gives.

pub mod access;
pub mod error;
pub mod scope;

pub use access::{Action, Allowed, Caller, Via};
pub use error::{Error, Result};
pub use scope::{Scope, Scopes};

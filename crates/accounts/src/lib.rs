//! Who may do what: organisations, users, credentials, projects, provider keys and settings.
//!
//! Nothing happens for a tenant without a [`Caller`], which only this crate makes, and nothing changes
//! without an [`Allowed`] proof, which only [`Caller::allow`] gives.

pub mod access;
pub mod accounts;
mod cache;
pub mod error;
pub mod logins;
pub mod projects;
pub mod provider_keys;
pub mod rules;
pub mod scope;
pub mod settings;
mod store;
pub mod tokens;

pub use access::{Action, Allowed, Caller, Via};
pub use accounts::Accounts;
pub use error::{Error, Result};
pub use logins::{Login, Ticket};
pub use projects::Project;
pub use rules::{Rule, RuleEffect};
pub use scope::{Scope, Scopes};
pub use tokens::{NewToken, TokenKind, TokenView};

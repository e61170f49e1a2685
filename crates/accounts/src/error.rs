//! The one error type of accounts: what a caller can act on; the rest is `Internal`, for the log only.

use crate::scope::Scope;

/// What accounts' functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with accounts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential is unknown, expired, revoked or already used.
    #[error("the credential is not valid, or no longer")]
    NotAuthenticated,

    /// The credential does not reach that far.
    #[error("this credential may not do that: it lacks the scope {0}")]
    Forbidden(Scope),

    /// A text that is no scope.
    #[error("there is no scope {0:?}")]
    UnknownScope(String),

    /// A new token wanted more than its maker has.
    #[error("a token cannot be given the scope {0}, which its maker does not have")]
    ScopeNotHeld(Scope),

    /// No such project in this organisation.
    #[error("there is no project {0}")]
    ProjectNotFound(String),

    /// No such token in this organisation.
    #[error("there is no token {0}")]
    TokenNotFound(domain::TokenId),

    /// No such rule in this project.
    #[error("there is no rule {0}")]
    RuleNotFound(String),

    /// A value that cannot be kept as given.
    #[error("{0}")]
    Invalid(String),

    /// The store did not do what it was asked.
    #[error(transparent)]
    Store(#[from] store::StoreError),

    /// Something else on our side.
    #[error("could not {doing}")]
    Internal {
        /// What we were doing.
        doing: &'static str,
        /// Why it did not work.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Adds to a foreign error what we were doing when it came up.
pub(crate) trait WhileDoing<T> {
    /// Wraps the error.
    fn while_doing(self, doing: &'static str) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> WhileDoing<T> for std::result::Result<T, E> {
    fn while_doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| Error::Internal { doing, source: Box::new(source) })
    }
}

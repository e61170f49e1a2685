//! The orchestrator's one error type. It names what a caller can act on; the rest is `Internal`.

use domain::{SandboxId, SnapshotId};

use crate::state::InvalidTransition;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a sandbox's life.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such sandbox in this org.
    #[error("there is no sandbox {0}")]
    NotFound(SandboxId),
    /// No such template in this org.
    #[error("there is no template {0}")]
    TemplateNotFound(String),
    /// No such snapshot in this org.
    #[error("there is no snapshot {0}")]
    SnapshotNotFound(SnapshotId),
    /// A value cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The key was used for another request.
    #[error("this idempotency key was used for another sandbox")]
    KeyConflict,
    /// It rests, and this use may not wake it.
    #[error("the sandbox {id} is {state}")]
    Asleep {
        /// Which.
        id: SandboxId,
        /// How it rests.
        state: &'static str,
    },
    /// It was taken out of use.
    #[error("the sandbox {id} is suspended: {reason}")]
    Suspended {
        /// Which.
        id: SandboxId,
        /// Why.
        reason: String,
    },
    /// The org has as many as it may have.
    #[error("the organisation has {running} of {allowed} sandboxes running")]
    OverQuota {
        /// How many run.
        running: u32,
        /// How many may.
        allowed: u32,
    },
    /// Too many requests in a short time.
    #[error("too many sandboxes were asked for in a short time")]
    RateLimited {
        /// When it may be tried again.
        retry_after_seconds: u64,
    },
    /// The provider said no.
    #[error(transparent)]
    Sandbox(#[from] sandbox::SandboxError),
    /// Its state does not allow it.
    #[error(transparent)]
    WrongState(#[from] InvalidTransition),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// Anything else; the cause is for the log.
    #[error("could not {doing}")]
    Internal {
        /// What we were doing.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Adds to a foreign error what we were doing when it came up.
pub(crate) trait WhileDoing<T> {
    /// Makes it [`Error::Internal`].
    fn while_doing(self, doing: &'static str) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> WhileDoing<T> for Result<T, E> {
    fn while_doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| Error::Internal { doing, source: source.into() })
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

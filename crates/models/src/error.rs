//! What can go wrong between us and a model, as far as a caller acts on it.

/// A failed model call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No such provider, script or configuration.
    #[error("{message}")]
    NotConfigured {
        /// What is missing.
        message: String,
        /// What to do.
        fix: String,
    },
    /// The key was refused (401, 403).
    #[error("{provider} refused the key: {message}")]
    Auth {
        /// The provider.
        provider: String,
        /// Its words.
        message: String,
    },
    /// No such model (404 and its likes).
    #[error("{provider} has no model {model}: {message}")]
    NoSuchModel {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// Its words.
        message: String,
    },
    /// The model cannot call tools.
    #[error("{model} cannot call tools: {message}")]
    NoTools {
        /// The model.
        model: String,
        /// The provider's words.
        message: String,
    },
    /// The conversation is longer than the model's window.
    #[error("the conversation is longer than the window of {model}: {message}")]
    ContextOverflow {
        /// The model.
        model: String,
        /// The provider's words.
        message: String,
    },
    /// Too many requests (429), and waiting did not help.
    #[error("{provider} limits our rate: {message}")]
    RateLimited {
        /// The provider.
        provider: String,
        /// Its words.
        message: String,
        /// How long it asked us to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Overloaded (529, 503, 5xx), and waiting did not help.
    #[error("{provider} is overloaded: {message}")]
    Overloaded {
        /// The provider.
        provider: String,
        /// Its words.
        message: String,
    },
    /// No connection, or the stream was cut again and again.
    #[error("{provider} cannot be reached: {message}")]
    Unreachable {
        /// The provider.
        provider: String,
        /// What the network said.
        message: String,
    },
    /// The provider refused the request for another reason (400).
    #[error("{provider} refused the request: {message}")]
    Refused {
        /// The provider.
        provider: String,
        /// Its words.
        message: String,
    },
    /// The answer was not what the wire promises.
    #[error("{provider} answered nonsense: {message}")]
    BadAnswer {
        /// The provider.
        provider: String,
        /// What was wrong.
        message: String,
    },
    /// A script was asked for something that is not in it.
    #[error("{message}")]
    OffScript {
        /// One sentence that says so.
        message: String,
    },
    /// The caller cancelled.
    #[error("the model call was cancelled")]
    Cancelled,
}

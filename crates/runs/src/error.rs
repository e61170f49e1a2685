//! The one error type of this crate. It names what a caller can act on; the rest is `Internal`, whose
//! cause is for the log only.

use domain::run::InvalidTransition;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with runs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such run in this org.
    #[error("there is no run {0}")]
    RunNotFound(String),
    /// Several projects have a run with this number.
    #[error("several projects have a run {0}; name it by its id")]
    RunAmbiguous(i64),
    /// No such question in this org.
    #[error("there is no question {0}")]
    QuestionNotFound(String),
    /// Somebody else was first.
    #[error("{by} has answered this question already")]
    QuestionAnswered {
        /// Who.
        by: String,
    },
    /// The run ended before the answer came.
    #[error("the run that asked has ended")]
    QuestionVoid,
    /// An approval wants yes or no, a decision wants words.
    #[error("{0}")]
    WrongAnswer(&'static str),
    /// No such artifact in this org.
    #[error("there is no artifact {0}")]
    ArtifactNotFound(String),
    /// No such project in this org.
    #[error("there is no project {0}")]
    ProjectNotFound(String),
    /// A field of the request is not usable.
    #[error("{message}")]
    Invalid {
        /// What is wrong, naming the field.
        message: String,
    },
    /// The repository cannot be worked on.
    #[error("{message}")]
    Repository {
        /// Stable: `not_a_repository`, `repository_empty`, `repository_unreadable` …
        code: &'static str,
        /// What is wrong.
        message: String,
        /// What to do.
        fix: String,
    },
    /// No model was named and none is the default.
    #[error("no model is chosen")]
    NoModel,
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] models::ModelError),
    /// The sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] sandbox::SandboxError),
    /// The run's state does not allow it.
    #[error(transparent)]
    WrongState(#[from] InvalidTransition),
    /// The run has nothing to show or apply yet.
    #[error("run {0} has no result yet")]
    NoResult(i64),
    /// Writing the result would lose work in the working tree.
    #[error("{} would be overwritten: {}", count(paths.len()), paths.join(", "))]
    WouldOverwrite {
        /// The files.
        paths: Vec<String>,
    },
    /// A path of the result cannot be written safely.
    #[error("{path} cannot be written: {message}")]
    UnsafePath {
        /// The path.
        path: String,
        /// Why.
        message: String,
    },
    /// The result could not leave the sandbox.
    #[error("the result could not be taken over: {message}")]
    Delivery {
        /// What was wrong with it.
        message: String,
    },
    /// The same idempotency key came with another request.
    #[error("this idempotency key was used for another request")]
    IdempotencyConflict,
    /// Another worker owns the run now.
    #[error("another worker owns this run now")]
    Lost,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The disk does not work.
    #[error("the disk that holds the data folder does not work")]
    DiskBroken,
    /// Access or accounts said no.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    /// Anything else.
    #[error("could not {doing}")]
    Internal {
        /// What we were doing.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn count(files: usize) -> String {
    if files == 1 {
        "1 file with uncommitted work".to_owned()
    } else {
        format!("{files} files with uncommitted work")
    }
}

/// Adds to a foreign error what we were doing when it came up.
pub(crate) trait WhileDoing<T> {
    fn while_doing(self, doing: &'static str) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> WhileDoing<T> for std::result::Result<T, E> {
    fn while_doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| Error::Internal { doing, source: Box::new(source) })
    }
}

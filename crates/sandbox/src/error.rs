//! What can go wrong with a sandbox, as far as a caller acts on it.

pub use guest::protocol::FileFault;

/// A failed sandbox operation.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This host lacks something that isolation needs.
    #[error("this machine cannot isolate a sandbox: {missing}")]
    Unsupported {
        /// What is missing.
        missing: String,
        /// How to mend it.
        fix: String,
    },
    /// A file does not exist, is a folder, may not be read …: the sandbox's own words.
    #[error("{path}: {message}")]
    File {
        /// The path as it was given.
        path: String,
        /// `no such file or directory` and its likes.
        message: String,
        /// The same, for programs.
        fault: FileFault,
    },
    /// A pattern does not parse.
    #[error("bad pattern: {message}")]
    Pattern {
        /// Why.
        message: String,
    },
    /// A program cannot be started.
    #[error("could not start {program}: {message}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        message: String,
    },
    /// The sandbox is gone: stopped, killed, out of memory or out of time.
    #[error("the sandbox is gone: {cause}")]
    Gone {
        /// Why, where it is known.
        cause: String,
    },
    /// The host's disk is full.
    #[error("the disk that holds {path} is full")]
    DiskFull {
        /// A path on it.
        path: String,
    },
    /// No such process is known, or it does not run any more.
    #[error("there is no {what}")]
    NoProcess {
        /// Which was asked for.
        what: String,
    },
    /// Nothing listens on a port of the sandbox.
    #[error("nothing listens on port {port} of the sandbox")]
    NoPort {
        /// Its number.
        port: u16,
    },
    /// Something else listens on a port of the sandbox.
    #[error("port {port} of the sandbox is in use")]
    PortTaken {
        /// Its number.
        port: u16,
    },
    /// A limit of the sandbox is reached: its own processes leave no room. Later it may work.
    #[error("{message}")]
    Busy {
        /// Which limit.
        message: String,
    },
    /// This kind of sandbox cannot do that.
    #[error("this kind of sandbox offers no {what}")]
    NotOffered {
        /// What was asked for.
        what: &'static str,
    },
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
    /// Makes it [`SandboxError::Internal`].
    fn while_doing(self, doing: &'static str) -> Result<T, SandboxError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> WhileDoing<T> for Result<T, E> {
    fn while_doing(self, doing: &'static str) -> Result<T, SandboxError> {
        self.map_err(|source| SandboxError::Internal { doing, source: source.into() })
    }
}

//! What the guest answers.

use serde::{Deserialize, Serialize};

use super::{Background, FileFault, FileInfo, GlobFound, GrepFound, Metrics, Process};

/// What the guest answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// To [`super::Request::Hello`].
    Ready,
    /// To [`super::Request::Exec`].
    Ended {
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// Whether its time was up.
        timed_out: bool,
    },
    /// To [`super::Request::Shell`].
    ShellEnded {
        /// The command's exit code.
        exit_code: i32,
        /// Whether its time was up.
        timed_out: bool,
        /// Whether the shell was lost and a new one takes its place.
        restarted: bool,
        /// The shell's directory now.
        directory: String,
    },
    /// To [`super::Request::Background`].
    Started(Background),
    /// To [`super::Request::BackgroundList`] and [`super::Request::BackgroundLost`].
    Backgrounds {
        /// By number.
        list: Vec<Background>,
    },
    /// To [`super::Request::Read`], after the bytes.
    Read {
        /// The file's whole size.
        size_bytes: u64,
    },
    /// To [`super::Request::Write`].
    Written {
        /// Whether the file is new.
        created: bool,
    },
    /// To [`super::Request::Grep`].
    Grep(GrepFound),
    /// To [`super::Request::Glob`].
    Glob(GlobFound),
    /// To [`super::Request::Start`].
    Process(Process),
    /// To [`super::Request::Processes`].
    Processes {
        /// By id.
        list: Vec<Process>,
    },
    /// To [`super::Request::Follow`], after the output.
    ProcessEnded {
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Why it is not known how it ended.
        error: Option<String>,
    },
    /// To [`super::Request::Signal`].
    Signalled {
        /// Whether it ran.
        reached: bool,
    },
    /// To [`super::Request::Stat`], [`super::Request::Rename`] and [`super::Request::Upload`].
    File(FileInfo),
    /// To [`super::Request::List`].
    Files {
        /// By path.
        list: Vec<FileInfo>,
    },
    /// To [`super::Request::MakeDir`].
    Made {
        /// Whether it is new.
        new: bool,
    },
    /// To [`super::Request::Connect`] and [`super::Request::Listen`]; the socket comes with it.
    Socket,
    /// To [`super::Request::Ports`].
    Ports {
        /// By number.
        list: Vec<u16>,
    },
    /// To [`super::Request::Metrics`].
    Metrics(Metrics),
    /// It is done, and there is nothing to say.
    Done,
    /// It did not work.
    Failed(Failure),
}

/// Why a request did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Failure {
    /// A file does not exist, may not be read, …
    File {
        /// The path as it was given.
        path: String,
        /// `no such file or directory` and its likes.
        message: String,
        /// The same, for programs.
        fault: FileFault,
    },
    /// A pattern does not parse.
    Pattern {
        /// Why.
        message: String,
    },
    /// A program cannot be started.
    Start {
        /// The program.
        program: String,
        /// Why.
        message: String,
    },
    /// No space is left.
    DiskFull {
        /// A path on that disk.
        path: String,
    },
    /// No such process is known, or it does not run any more.
    NoProcess {
        /// Which was asked for.
        what: String,
    },
    /// Nothing listens on a port.
    NoPort {
        /// Its number.
        port: u16,
    },
    /// Something else listens on a port.
    PortTaken {
        /// Its number.
        port: u16,
    },
    /// A limit of the sandbox is reached; later it may work.
    Busy {
        /// Which.
        message: String,
    },
    /// Anything else.
    Internal {
        /// What and why.
        message: String,
    },
}

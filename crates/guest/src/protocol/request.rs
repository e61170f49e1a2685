//! What the owner of a sandbox asks.

use serde::{Deserialize, Serialize};

use super::{Glob, Grep, ProcessRef, PtySize, StartProcess, UploadOptions};

/// What the owner asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Answers at once; says that the guest is up.
    Hello,
    /// Runs a program; standard input follows as frames.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// The directory; the workspace where empty.
        directory: String,
        /// Added to the environment.
        env: Vec<(String, String)>,
        /// Killed after this long.
        timeout_ms: Option<u64>,
    },
    /// Runs a command line in the persistent shell.
    Shell {
        /// The command line.
        command: String,
        /// Stopped after this long.
        timeout_ms: u64,
    },
    /// Starts a command line in the background.
    Background {
        /// The command line.
        command: String,
    },
    /// The background processes that run.
    BackgroundList,
    /// The background processes that were lost with the sandbox before this one.
    BackgroundLost,
    /// Reads a file; the bytes come as frames before the reply.
    Read {
        /// The file.
        path: String,
        /// Where to start.
        offset: u64,
        /// The most to read.
        max_bytes: u64,
    },
    /// Writes a whole file; the bytes follow as frames.
    Write {
        /// The file.
        path: String,
    },
    /// Searches file contents.
    Grep(Grep),
    /// Lists files.
    Glob(Glob),
    /// Starts a process that goes on by itself.
    Start(StartProcess),
    /// The processes of [`Request::Start`] that run.
    Processes,
    /// Its output and its end, as frames: first [`super::kind::BEGUN`], at last the reply.
    Follow {
        /// Which.
        process: ProcessRef,
        /// Whether to begin with what is kept of its output.
        replay: bool,
    },
    /// Writes to a process; the bytes follow as frames.
    SendInput {
        /// Which.
        process: ProcessRef,
    },
    /// Ends a process's input.
    CloseInput {
        /// Which.
        process: ProcessRef,
    },
    /// Signals a process and its group.
    Signal {
        /// Which.
        process: ProcessRef,
        /// The signal's number.
        signal: i32,
    },
    /// Changes the size of a process's terminal.
    Resize {
        /// Which.
        process: ProcessRef,
        /// The new size.
        size: PtySize,
    },
    /// Looks at a file.
    Stat {
        /// The file.
        path: String,
    },
    /// Lists a folder.
    List {
        /// The folder.
        path: String,
        /// How many levels.
        depth: u32,
    },
    /// Makes a folder.
    MakeDir {
        /// The folder.
        path: String,
    },
    /// Renames a file or folder.
    Rename {
        /// Its name.
        from: String,
        /// Its new name.
        to: String,
    },
    /// Removes a file or folder.
    Remove {
        /// Which.
        path: String,
    },
    /// Tells what happens to a file or in a folder: first [`super::kind::BEGUN`], then [`super::kind::EVENT`] without end.
    Watch {
        /// Which.
        path: String,
        /// Whether to watch what lies deeper too.
        recursive: bool,
    },
    /// Reads a file: first [`super::kind::BEGUN`] with what it is, then the bytes.
    Download {
        /// The file.
        path: String,
        /// Where to start.
        offset: u64,
        /// The most to read.
        max_bytes: u64,
    },
    /// Writes a whole file; the bytes follow as frames.
    Upload {
        /// The file.
        path: String,
        /// How.
        options: UploadOptions,
    },
    /// Connects to a port; the socket comes with the reply.
    Connect {
        /// Its number.
        port: u16,
    },
    /// Listens on a port; the socket comes with the reply.
    Listen {
        /// Its number; 0 takes a free one.
        port: u16,
    },
    /// The ports that something listens on.
    Ports,
    /// Tells which ports are open, and then each change: first [`super::kind::BEGUN`], then [`super::kind::EVENT`] without end.
    WatchPorts,
    /// What the sandbox uses.
    Metrics,
}

//! Processes that are started, left, found again and followed; those in the shell's background.

use serde::{Deserialize, Serialize};

/// A process to start. It goes on when nobody follows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartProcess {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The directory; /workspace where empty.
    pub directory: String,
    /// Added to the sandbox's own small environment.
    pub env: Vec<(String, String)>,
    /// Whose process it is: a name of the sandbox's /etc/passwd, or `user` for the user of commands, who it is
    /// where nobody is named. `root` is the sandbox's root, without power over its mounts or network.
    pub user: Option<String>,
    /// Runs it in a terminal of this size; its output is then one stream.
    pub pty: Option<PtySize>,
    /// Keeps standard input open for [`super::Request::SendInput`]; without it, it is empty. A terminal's always is.
    pub stdin: bool,
    /// A name by which it can be found as well.
    pub tag: Option<String>,
}

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtySize {
    /// Letters per line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id inside the sandbox.
    pub pid: u32,
    /// The name that it was started with.
    pub tag: Option<String>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The directory that it was started in.
    pub directory: String,
    /// What was added to its environment.
    pub env: Vec<(String, String)>,
    /// Whether it has a terminal.
    pub pty: bool,
}

/// Names a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessRef {
    /// By its id.
    Pid(u32),
    /// By its tag: the latest that was started with it.
    Tag(String),
}

impl std::fmt::Display for ProcessRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pid(pid) => write!(formatter, "process {pid}"),
            Self::Tag(tag) => write!(formatter, "process \"{tag}\""),
        }
    }
}

/// A process in the background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// 1, 2, 3 … within the sandbox.
    pub number: u32,
    /// Its process id inside the sandbox.
    pub pid: i32,
    /// The command line.
    pub command: String,
    /// The file inside the sandbox that gets its output.
    pub output_path: String,
}

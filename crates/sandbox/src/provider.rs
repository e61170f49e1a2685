//! The port: what every sandbox provider can do.

mod ports;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::SandboxId;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
pub use guest::protocol::{
    FileEvent, FileEventKind, FileFault, FileInfo, FileKind, Metrics, PortEvent, Process, ProcessRef,
    PtySize, StartProcess, UploadOptions,
};
pub use guest::{Background, Glob, GlobFound, Grep, GrepFound, GrepMatch};
pub use ports::{PortListener, PortStream};
use serde::{Deserialize, Serialize};

use crate::error::SandboxError;

/// An answer that comes.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, SandboxError>>;

/// Something that goes on and is told piece by piece; dropping it ends the telling.
pub type Told<T> = BoxStream<'static, Result<T, SandboxError>>;

/// What a new sandbox shall be.
#[derive(Debug, Clone)]
pub struct SandboxSpec {
    /// Its id; every resource on the host is labelled with it. Never used twice at a time.
    pub id: SandboxId,
    /// The folder on the host that holds what survives the sandbox (the workspace's upper layer, the home,
    /// the shell's saved state). Made where it is missing; a new sandbox on the same folder sees the same files.
    pub state_dir: PathBuf,
    /// A read-only tree under /workspace (a prepared clone); what the sandbox writes goes to `state_dir`.
    pub workspace_base: Option<PathBuf>,
    /// State folders of sandboxes that have stopped (snapshots), which this one goes on from, the newest first. They are
    /// read and never written; they must not change while a sandbox lives over them.
    pub layers: Vec<PathBuf>,
    /// A folder with a whole Linux tree to run instead of the host's programs. It is read and never written.
    pub rootfs: Option<PathBuf>,
    /// Whether root inside may write outside /workspace, the home and /tmp; kept in `state_dir`. Always so with
    /// a `rootfs`.
    pub writable_root: bool,
    /// Host paths to show read-only at the same path, besides the template.
    pub include: Vec<PathBuf>,
    /// Host paths to show at another path, read-only: (host, inside).
    pub binds: Vec<(PathBuf, PathBuf)>,
    /// Added to the environment of its commands; a name that is there already gets the new value.
    pub env: Vec<(String, String)>,
    /// The port of its loopback address where a proxy to the outside will listen: clients that honour the usual
    /// variables (`http_proxy` and so on) are pointed there.
    pub egress_port: Option<u16>,
    /// Limits.
    pub limits: SandboxLimits,
}

impl SandboxSpec {
    /// A sandbox with the default limits and nothing besides the template; set what differs.
    #[must_use]
    pub fn new(id: SandboxId, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            id,
            state_dir: state_dir.into(),
            workspace_base: None,
            layers: Vec::new(),
            rootfs: None,
            writable_root: false,
            include: Vec::new(),
            binds: Vec::new(),
            env: Vec::new(),
            egress_port: None,
            limits: SandboxLimits::default(),
        }
    }

    /// The environment of its commands over `usual`, which a provider gives to all.
    pub(crate) fn environment(&self, usual: &[(String, String)]) -> Vec<(String, String)> {
        let mut environment = usual.to_vec();
        let proxy = self.egress_port.map(|port| format!("http://127.0.0.1:{port}"));
        let none = || "localhost,127.0.0.1,::1".to_owned();
        let proxies = proxy.iter().flat_map(|proxy| {
            let names = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"];
            let pointed = names.map(|name| (name.to_owned(), proxy.clone()));
            let local = ["no_proxy", "NO_PROXY"].map(|name| (name.to_owned(), none()));
            pointed.into_iter().chain(local)
        });
        for (name, value) in proxies.chain(self.env.iter().cloned()) {
            environment.retain(|(other, _)| *other != name);
            environment.push((name, value));
        }
        environment
    }
}

/// What a sandbox may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxLimits {
    /// Memory of all processes together.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// The largest file that may be written.
    pub file_size_bytes: u64,
    /// Open files per process.
    pub open_files: u64,
    /// CPU time per second of wall time, in thousandths of a core.
    pub cpu_millis: u32,
    /// How long the sandbox may live.
    pub wall: Duration,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            processes: 512,
            file_size_bytes: 8 << 30,
            open_files: 4_096,
            cpu_millis: 2_000,
            wall: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Makes sandboxes.
pub trait SandboxProvider: Send + Sync + 'static {
    /// `native`, `fake` …
    fn name(&self) -> &'static str;

    /// What isolates its sandboxes, in a few words for people; says that namespaces share the host's kernel.
    fn isolation(&self) -> String;

    /// Makes a sandbox and starts its guest.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Unsupported`] where this host lacks what isolation needs; never with less isolation.
    fn create(&self, spec: SandboxSpec) -> Answer<'_, Arc<dyn Sandbox>>;

    /// Kills and removes what carries our label and is not among `keep`; says what it removed.
    fn reap(&self, keep: Vec<SandboxId>) -> Answer<'_, Vec<SandboxId>>;
}

/// One live sandbox.
pub trait Sandbox: Send + Sync + 'static {
    /// Its id.
    fn id(&self) -> SandboxId;

    /// Runs a program to its end.
    ///
    /// `output` is called with each piece as it comes and must not block. Dropping the future kills the program.
    fn exec<'a>(
        &'a self,
        command: Exec,
        output: &'a (dyn Fn(Output<'_>) + Send + Sync),
    ) -> Answer<'a, ExecEnd>;

    /// Runs a command line in the persistent shell: directory and exported environment survive to the next call.
    /// Calls queue behind each other. Dropping the future stops the command; the shell goes on.
    fn shell<'a>(
        &'a self,
        command: ShellCommand,
        output: &'a (dyn Fn(Output<'_>) + Send + Sync),
    ) -> Answer<'a, ShellEnd>;

    /// Starts a command line in the background, in the persistent shell's directory and environment; its output
    /// goes to the file that is named in the answer.
    fn background(&self, command: String) -> Answer<'_, Background>;

    /// The background processes that still run.
    fn background_list(&self) -> Answer<'_, Vec<Background>>;

    /// The background processes that were lost with the sandbox before this one on the same `state_dir`.
    fn background_lost(&self) -> Answer<'_, Vec<Background>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Reads a file, at most `max_bytes` from `offset`. Relative paths are relative to /workspace.
    fn read<'a>(&'a self, path: &'a str, offset: u64, max_bytes: u64) -> Answer<'a, FileRead>;

    /// Writes a whole file (atomically: a reader sees the old or the new one), making folders as needed.
    /// Keeps the mode of a file that exists.
    fn write<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> Answer<'a, FileWritten>;

    /// Searches file contents; honours .gitignore, skips binary files and .git, never follows links.
    fn grep(&self, query: Grep) -> Answer<'_, GrepFound>;

    /// Lists files whose path matches a pattern, newest first; honours .gitignore.
    fn glob(&self, query: Glob) -> Answer<'_, GlobFound>;

    /// Starts a process that goes on by itself; [`Sandbox::follow`] gives its output from the beginning.
    fn start(&self, _process: StartProcess) -> Answer<'_, Process> {
        not_offered("processes that go on by themselves")
    }

    /// The processes of [`Sandbox::start`] that run.
    fn processes(&self) -> Answer<'_, Vec<Process>> {
        not_offered("processes that go on by themselves")
    }

    /// The output and the end of a process; `replay` begins with what is kept of its output so far.
    ///
    /// Any number may follow at once, also shortly after its end. Who is slow holds the process for a few seconds
    /// at most and misses output then, which it is told. Dropping the stream does not end the process.
    fn follow(&self, _process: ProcessRef, _replay: bool) -> Answer<'_, Told<ProcessEvent>> {
        not_offered("processes that go on by themselves")
    }

    /// Writes to the standard input or the terminal of a process; waits while that is full.
    fn send_input(&self, _process: ProcessRef, _bytes: Vec<u8>) -> Answer<'_, ()> {
        not_offered("processes that go on by themselves")
    }

    /// Ends the standard input of a process; a terminal gets an end-of-file letter.
    fn close_input(&self, _process: ProcessRef) -> Answer<'_, ()> {
        not_offered("processes that go on by themselves")
    }

    /// Signals a process and its group; `false` where it has ended. SIGKILL reaches all its descendants.
    fn signal(&self, _process: ProcessRef, _signal: i32) -> Answer<'_, bool> {
        not_offered("processes that go on by themselves")
    }

    /// Changes the size of a process's terminal.
    fn resize(&self, _process: ProcessRef, _size: PtySize) -> Answer<'_, ()> {
        not_offered("terminals")
    }

    /// Looks at a file, a folder or a link (which is not followed).
    fn stat<'a>(&'a self, _path: &'a str) -> Answer<'a, FileInfo> {
        not_offered("view of its files")
    }

    /// What lies in a folder, by path, `depth` levels deep (1: the folder alone). Links are not followed.
    fn list<'a>(&'a self, _path: &'a str, _depth: u32) -> Answer<'a, Vec<FileInfo>> {
        not_offered("view of its files")
    }

    /// Makes a folder and those above it; says whether it is new.
    fn make_dir<'a>(&'a self, _path: &'a str) -> Answer<'a, bool> {
        not_offered("change of its files")
    }

    /// Renames a file or a folder, making the folders above the new name; a file that is there is replaced.
    fn rename<'a>(&'a self, _from: &'a str, _to: &'a str) -> Answer<'a, FileInfo> {
        not_offered("change of its files")
    }

    /// Removes a file, a link, or a folder with all that is in it.
    fn remove<'a>(&'a self, _path: &'a str) -> Answer<'a, ()> {
        not_offered("change of its files")
    }

    /// Tells what happens to a file or in a folder, and below it where `recursive`. It watches once this answers.
    fn watch<'a>(&'a self, _path: &'a str, _recursive: bool) -> Answer<'a, Told<FileEvent>> {
        not_offered("watch of its files")
    }

    /// Reads a file, or a range of it, piece by piece.
    fn download<'a>(&'a self, _path: &'a str, _range: Option<Range<u64>>) -> Answer<'a, Download> {
        not_offered("view of its files")
    }

    /// Writes a whole file from a stream, atomically, making folders as needed. Where the stream ends with an
    /// error, nothing has changed.
    fn upload<'a>(
        &'a self,
        _path: &'a str,
        _bytes: BoxStream<'static, io::Result<Bytes>>,
        _options: UploadOptions,
    ) -> Answer<'a, FileInfo> {
        not_offered("change of its files")
    }

    /// Connects to a TCP port that something in the sandbox listens on, at its loopback address.
    fn connect(&self, _port: u16) -> Answer<'_, PortStream> {
        not_offered("connection to its ports")
    }

    /// Listens on a TCP port of the sandbox's loopback address; 0 takes a free one.
    fn listen(&self, _port: u16) -> Answer<'_, PortListener> {
        not_offered("connection to its ports")
    }

    /// The TCP ports that something in the sandbox listens on.
    fn ports(&self) -> Answer<'_, Vec<u16>> {
        not_offered("view of its ports")
    }

    /// Tells which ports are open, and then each that opens or closes.
    fn watch_ports(&self) -> Answer<'_, Told<PortEvent>> {
        not_offered("view of its ports")
    }

    /// What it uses now.
    fn metrics(&self) -> Answer<'_, Metrics> {
        not_offered("figures")
    }

    /// Stops all its processes where they are.
    fn freeze(&self) -> Answer<'_, ()> {
        not_offered("freezing")
    }

    /// Lets frozen processes go on.
    fn thaw(&self) -> Answer<'_, ()> {
        not_offered("freezing")
    }

    /// Kills every process and frees the host's resources; `state_dir` stays. Calling twice is calling once.
    fn stop(&self) -> Answer<'_, ()>;
}

/// A program to run.
#[derive(Debug, Clone, Default)]
pub struct Exec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The directory; /workspace where empty.
    pub directory: String,
    /// Added to the sandbox's own small environment.
    pub env: Vec<(String, String)>,
    /// Given on standard input, which is then closed.
    pub stdin: Vec<u8>,
    /// Killed after this long.
    pub timeout: Option<Duration>,
}

/// A command line for the persistent shell.
#[derive(Debug, Clone)]
pub struct ShellCommand {
    /// The command line, as for `bash -c`.
    pub command: String,
    /// Stopped after this long.
    pub timeout: Duration,
}

/// A piece of output.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// From standard output.
    Stdout(&'a [u8]),
    /// From standard error.
    Stderr(&'a [u8]),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecEnd {
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// Whether we stopped it because its time was up.
    pub timed_out: bool,
}

/// How a command of the persistent shell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellEnd {
    /// Its exit code.
    pub exit_code: i32,
    /// Whether we stopped it because its time was up.
    pub timed_out: bool,
    /// Whether the shell itself was lost (`exit`, a kill, or the end of a command whose time was up, so that
    /// nothing behind it runs) and a new one stands ready in the saved directory with the saved environment.
    pub restarted: bool,
    /// The shell's directory now.
    pub directory: String,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The file's whole size.
    pub size_bytes: u64,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileWritten {
    /// Whether the file is new.
    pub created: bool,
}

/// What [`Sandbox::follow`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessEvent {
    /// From standard output.
    Stdout(Bytes),
    /// From standard error.
    Stderr(Bytes),
    /// From the terminal.
    Pty(Bytes),
    /// So much output is not kept any more: the follower came late or was slow.
    Missed {
        /// How much.
        bytes: u64,
    },
    /// It has ended; the last event.
    Ended {
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Why it is not known how it ended, where it is not.
        error: Option<String>,
    },
}

/// A file on its way out.
pub struct Download {
    /// What it is.
    pub info: FileInfo,
    /// Its bytes.
    pub bytes: Told<Bytes>,
}

/// What a provider answers that cannot do something at all.
fn not_offered<T: Send + 'static>(what: &'static str) -> Answer<'static, T> {
    Box::pin(async move { Err(SandboxError::NotOffered { what }) })
}

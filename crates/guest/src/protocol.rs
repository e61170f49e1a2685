//! The protocol between a sandbox's owner and the guest agent: one connection per request over a unix socket.
//!
//! A frame is the payload's length (4 bytes, little endian), a type byte and the payload. Control is JSON
//! ([`Request`] one way, [`Reply`] the other way and last); output and file contents are raw bytes. Closing the
//! connection before the reply stops what the request started.

mod files;
mod machine;
mod process;

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

pub use files::{FileEvent, FileEventKind, FileFault, FileInfo, FileKind, UploadOptions};
pub use machine::{Metrics, PortEvent};
pub use process::{Process, ProcessRef, PtySize, StartProcess};

/// Frame types.
pub mod kind {
    /// A [`super::Request`]; the first frame of a connection.
    pub const REQUEST: u8 = 1;
    /// Bytes for standard input or for a file.
    pub const INPUT: u8 = 2;
    /// No more input.
    pub const INPUT_END: u8 = 3;
    /// A [`super::Reply`]; the last frame of a connection.
    pub const REPLY: u8 = 16;
    /// Bytes from standard output.
    pub const STDOUT: u8 = 17;
    /// Bytes from standard error.
    pub const STDERR: u8 = 18;
    /// Bytes of a file.
    pub const DATA: u8 = 19;
}

/// Length and type.
pub const HEADER_BYTES: usize = 5;

/// The longest payload. A command line may carry a long here-document; output comes in smaller pieces.
pub const MAX_PAYLOAD_BYTES: usize = 32 << 20;

/// The size of a piece of output or of a file.
pub const CHUNK_BYTES: usize = 64 << 10;

/// How the agent is set up; process 1 reads it as JSON from descriptor 4.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    /// The directory of the work; relative paths start here.
    pub workspace: String,
    /// What survives the sandbox: the shell's saved state, the list and the output of background processes.
    pub state: String,
    /// The uid and gid of commands and file access, where the sandbox has more than one id.
    pub run_as: Option<(u32, u32)>,
    /// The whole environment of a command.
    pub environment: Vec<(String, String)>,
}

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
}

/// What the guest answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Hello`].
    Ready,
    /// To [`Request::Exec`].
    Ended {
        /// Its exit code; 128 + n after signal n.
        exit_code: i32,
        /// Whether its time was up.
        timed_out: bool,
    },
    /// To [`Request::Shell`].
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
    /// To [`Request::Background`].
    Started(Background),
    /// To [`Request::BackgroundList`] and [`Request::BackgroundLost`].
    Backgrounds {
        /// By number.
        list: Vec<Background>,
    },
    /// To [`Request::Read`], after the bytes.
    Read {
        /// The file's whole size.
        size_bytes: u64,
    },
    /// To [`Request::Write`].
    Written {
        /// Whether the file is new.
        created: bool,
    },
    /// To [`Request::Grep`].
    Grep(GrepFound),
    /// To [`Request::Glob`].
    Glob(GlobFound),
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
    /// Anything else.
    Internal {
        /// What and why.
        message: String,
    },
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

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grep {
    /// A regular expression (Rust's `regex`).
    pub pattern: String,
    /// A file or folder; /workspace where empty.
    pub path: String,
    /// Only files whose path matches this glob.
    pub glob: Option<String>,
    /// Whether case matters not.
    pub ignore_case: bool,
    /// The most lines to return.
    pub max_matches: u32,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepFound {
    /// The lines, by file and line number.
    pub matches: Vec<GrepMatch>,
    /// Whether there are more than `max_matches`, or time was up before the end.
    pub more: bool,
}

/// One line that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepMatch {
    /// The file, relative to /workspace where it lies in it.
    pub path: String,
    /// From 1.
    pub line: u64,
    /// The line, cut at 500 characters.
    pub text: String,
}

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glob {
    /// A pattern: `**/*.rs`.
    pub pattern: String,
    /// A folder; /workspace where empty.
    pub path: String,
    /// The most paths to return.
    pub max_paths: u32,
}

/// What a listing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobFound {
    /// Paths, relative to /workspace where they lie in it.
    pub paths: Vec<String>,
    /// Whether there are more than `max_paths`, or time was up before the end.
    pub more: bool,
}

/// Appends a frame to `buffer`.
pub fn push_frame(buffer: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.push(kind);
    buffer.extend_from_slice(payload);
}

/// Appends a frame whose payload is JSON.
///
/// # Errors
///
/// Where `value` has no JSON form.
pub fn push_json<T: Serialize>(buffer: &mut Vec<u8>, kind: u8, value: &T) -> io::Result<()> {
    push_frame(buffer, kind, &serde_json::to_vec(value)?);
    Ok(())
}

/// The payload's length and the type, from a header; refuses a length beyond [`MAX_PAYLOAD_BYTES`].
///
/// # Errors
///
/// `InvalidData` for a payload that is too long.
pub fn parse_header(header: [u8; HEADER_BYTES]) -> io::Result<(usize, u8)> {
    let [a, b, c, d, kind] = header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX_PAYLOAD_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of {length} bytes")));
    }
    Ok((length, kind))
}

/// Writes a frame.
///
/// # Errors
///
/// Those of the writer.
pub fn write_frame(mut writer: impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    push_frame(&mut frame, kind, payload);
    writer.write_all(&frame)
}

/// Reads a frame.
///
/// # Errors
///
/// `UnexpectedEof` where the other side has closed, `InvalidData` for a frame that is too long.
pub fn read_frame(mut reader: impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; HEADER_BYTES];
    reader.read_exact(&mut header)?;
    let (length, kind) = parse_header(header)?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload)?;
    Ok((kind, payload))
}

#[cfg(test)]
mod tests;

//! The protocol between a sandbox's owner and the guest agent: requests over unix sockets, one after the other on each.
//!
//! A frame is the payload's length (4 bytes, little endian), a type byte and the payload. Control is JSON
//! ([`Request`] one way, [`Reply`] the other way and last); output and file contents are raw bytes. After the reply
//! the connection takes the next request, once the input of the one before has been sent whole. Closing the
//! connection before the reply stops what the request started, but for processes of [`Request::Start`].

mod files;
mod machine;
mod process;
mod reply;
mod request;
mod search;

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

pub use files::{FileEvent, FileEventKind, FileFault, FileInfo, FileKind, UploadOptions};
pub use machine::{Metrics, PortEvent};
pub use process::{Background, Process, ProcessRef, PtySize, StartProcess};
pub use reply::{Failure, Reply};
pub use request::Request;
pub use search::{Glob, GlobFound, Grep, GrepFound, GrepMatch};

/// Frame types.
pub mod kind {
    /// A [`super::Request`].
    pub const REQUEST: u8 = 1;
    /// Bytes for standard input or for a file.
    pub const INPUT: u8 = 2;
    /// No more input.
    pub const INPUT_END: u8 = 3;
    /// A [`super::Reply`]; the last frame of an answer.
    pub const REPLY: u8 = 16;
    /// Bytes from standard output.
    pub const STDOUT: u8 = 17;
    /// Bytes from standard error.
    pub const STDERR: u8 = 18;
    /// Bytes of a file.
    pub const DATA: u8 = 19;
    /// Bytes from a terminal.
    pub const PTY: u8 = 20;
    /// Says that what was asked for is under way; JSON of what there is to say of it.
    pub const BEGUN: u8 = 21;
    /// Something happened; JSON.
    pub const EVENT: u8 = 22;
    /// So many bytes of output are not kept any more: 8 bytes, little endian.
    pub const MISSED: u8 = 23;
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

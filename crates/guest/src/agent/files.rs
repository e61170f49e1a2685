//! Reads and writes files with the rights of a command.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Agent;
use crate::protocol::{CHUNK_BYTES, Failure, FileFault, Reply, kind, read_frame, write_frame};

/// Streams a part of a file.
pub(super) fn read(
    agent: &Agent,
    connection: &UnixStream,
    path: &str,
    range: Range<u64>,
) -> Result<Reply, Failure> {
    let fail = |error: io::Error| failure(path, &error);
    // Opening a named pipe must not wait for its writer.
    let file =
        File::options().read(true).custom_flags(libc::O_NONBLOCK).open(agent.resolve(path)).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        let message = "is not a regular file".to_owned();
        return Err(Failure::File { path: path.to_owned(), message, fault: FileFault::Other });
    }
    let mut file = file;
    file.seek(io::SeekFrom::Start(range.start)).map_err(fail)?;
    let mut limited = file.take(range.end - range.start);
    let mut piece = vec![0; CHUNK_BYTES];
    loop {
        match limited.read(&mut piece) {
            Ok(0) => return Ok(Reply::Read { size_bytes: metadata.len() }),
            Ok(count) => write_frame(connection, kind::DATA, &piece[..count]).map_err(gone)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail(error)),
        }
    }
}

/// Writes a file: into a new one beside it, which then takes its place.
pub(super) fn write(agent: &Agent, connection: &UnixStream, path: &str) -> Result<Reply, Failure> {
    let target = agent.resolve(path);
    // A link stays; what it names is replaced.
    let target = fs::canonicalize(&target).unwrap_or(target);
    let result = write_beside(connection, &target);
    match result {
        Ok((temporary, mode)) => {
            let created = mode.is_none();
            match replace(&temporary, &target, mode) {
                Ok(()) => Ok(Reply::Written { created }),
                Err(error) => {
                    let _ = fs::remove_file(&temporary);
                    Err(failure(path, &error))
                }
            }
        }
        Err(error) => {
            // The owner waits for an answer only after it has sent everything.
            skip_input(connection);
            Err(failure(path, &error))
        }
    }
}

/// Takes the frames into a temporary file; gives its path and the mode of the file that will be replaced.
fn write_beside(connection: &UnixStream, target: &Path) -> io::Result<(PathBuf, Option<u32>)> {
    let mode = match fs::metadata(target) {
        Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) => Some(metadata.permissions().mode() & 0o7777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let temporary = folder.join(temporary_name());
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(&temporary)?;
    match take_input(connection, &mut file) {
        Ok(()) => Ok((temporary, mode)),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

fn take_input(connection: &UnixStream, file: &mut File) -> io::Result<()> {
    loop {
        match read_frame(connection)? {
            (kind::INPUT, bytes) => file.write_all(&bytes)?,
            (kind::INPUT_END, _) => return Ok(()),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn replace(temporary: &Path, target: &Path, mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        fs::set_permissions(temporary, fs::Permissions::from_mode(mode))?;
    }
    fs::rename(temporary, target)
}

/// A name that no other write of this agent uses and that says whose it is, should it ever be left behind.
fn temporary_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!(".journeyman-write-{}-{number}", std::process::id())
}

fn skip_input(connection: &UnixStream) {
    while let Ok((kind, _)) = read_frame(connection) {
        if kind != kind::INPUT {
            return;
        }
    }
}

/// A failure of the file at `path`, as the owner may act on it.
pub(super) fn failure(path: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::DiskFull { path: path.to_owned() }
        }
        _ => Failure::File { path: path.to_owned(), message: words(error), fault: fault(error) },
    }
}

fn fault(error: &io::Error) -> FileFault {
    match error.kind() {
        io::ErrorKind::NotFound => FileFault::NotFound,
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => FileFault::Exists,
        io::ErrorKind::NotADirectory => FileFault::NotAFolder,
        io::ErrorKind::IsADirectory => FileFault::IsAFolder,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FileFault::Denied,
        io::ErrorKind::FileTooLarge => FileFault::TooLarge,
        _ => FileFault::Other,
    }
}

fn gone(error: io::Error) -> Failure {
    Failure::Internal { message: error.to_string() }
}

/// The error in the system's words, lower case and without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

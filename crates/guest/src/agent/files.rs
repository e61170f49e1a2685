//! Reads and writes files with the rights of a command.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::Connection;
use super::{Agent, attributes};
use crate::protocol::{CHUNK_BYTES, Failure, FileFault, Reply, UploadOptions, kind};

/// Streams a part of a file.
pub(super) fn read(
    agent: &Agent,
    connection: &mut Connection,
    path: &str,
    range: Range<u64>,
) -> Result<Reply, Failure> {
    let file = open(&agent.resolve(path), path)?;
    send(connection, file, path, range)
}

/// Opens a regular file; `path` is its name for the owner.
pub(super) fn open(resolved: &Path, path: &str) -> Result<File, Failure> {
    let fail = |error: io::Error| failure(path, &error);
    // Opening a named pipe must not wait for its writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(resolved).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        let message = "is not a regular file".to_owned();
        return Err(Failure::File { path: path.to_owned(), message, fault: FileFault::Other });
    }
    Ok(file)
}

/// Sends a part of a file.
pub(super) fn send(
    connection: &mut Connection,
    mut file: File,
    path: &str,
    range: Range<u64>,
) -> Result<Reply, Failure> {
    let fail = |error: io::Error| failure(path, &error);
    let size_bytes = file.metadata().map_err(fail)?.len();
    if range.start > 0 {
        file.seek(io::SeekFrom::Start(range.start)).map_err(fail)?;
    }
    let mut limited = file.take(range.end.saturating_sub(range.start));
    let room = usize::try_from(limited.limit().min(size_bytes.saturating_add(1))).unwrap_or(CHUNK_BYTES);
    let mut piece = vec![0; room.clamp(1, CHUNK_BYTES)];
    loop {
        match limited.read(&mut piece) {
            Ok(0) => return Ok(Reply::Read { size_bytes }),
            Ok(count) => connection.frame(kind::DATA, &piece[..count]).map_err(gone)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail(error)),
        }
    }
}

/// Writes a file: into a new one beside it, which then takes its place.
pub(super) fn write(agent: &Agent, connection: &mut Connection, path: &str) -> Result<Reply, Failure> {
    let created = write_whole(connection, &target_of(agent, path), &UploadOptions::default());
    created.map(|created| Reply::Written { created }).map_err(|error| failure(path, &error))
}

/// The file that a write to `path` replaces: a link stays, what it names is replaced.
pub(super) fn target_of(agent: &Agent, path: &str) -> PathBuf {
    let target = agent.resolve(path);
    fs::canonicalize(&target).unwrap_or(target)
}

/// Takes the input into a temporary file and puts that in the place of `target`; says whether that is new. Its mode
/// is the wanted one, or that of the file that it replaces, or 644.
pub(super) fn write_whole(
    connection: &mut Connection,
    target: &Path,
    options: &UploadOptions,
) -> io::Result<bool> {
    let before = match fs::metadata(target) {
        Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) => Some(metadata.permissions().mode() & 0o7777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folders(folder)?;
    let temporary = folder.join(temporary_name());
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(&temporary)?;
    let written = take_input(connection, &mut file).and_then(|()| {
        attributes::set(&file, &options.attributes)?;
        if let Some(mode) = options.mode.or(before) {
            file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
        }
        fs::rename(&temporary, target)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map(|()| before.is_none())
}

fn take_input(connection: &mut Connection, file: &mut File) -> io::Result<()> {
    while let Some(bytes) = connection.next_input()? {
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// Makes a folder and those above it, where they are missing.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| match error.kind() {
        // A file stands where a folder should.
        io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
        _ => error,
    })
}

/// What the names of files that are being written begin with; nobody is told of them.
pub(super) const TEMPORARY: &str = ".journeyman-write-";

/// A name that no other write of this agent uses and that says whose it is, should it ever be left behind.
fn temporary_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{TEMPORARY}{}-{number}", std::process::id())
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

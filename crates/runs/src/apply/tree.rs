//! The working tree, reached through `openat2`: no path leaves it and no link is followed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::change::{FileMode, unsafe_path};
use crate::error::{Error, Result, WhileDoing};

/// The most that is looked at in a folder that a file shall replace.
const ENTRIES_MAX: usize = 100_000;

/// What lies at a path now.
#[derive(PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Folder,
    /// A file or a link, byte for byte.
    File {
        mode: FileMode,
        bytes: Vec<u8>,
    },
    /// A device, a socket: nothing that git knows.
    Other,
}

/// Opens a folder of the tree; `None` where it does not exist. With `make`, missing folders are made.
fn open_folder(root: &OwnedFd, folder: &str, make: bool) -> Result<Option<OwnedFd>> {
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS,
    );
    let folder = if folder.is_empty() { "." } else { folder };
    match openat2(root, folder, how) {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::ENOENT) if make => {
            let (parent, name) = split(folder);
            let parent =
                open_folder(root, parent, true)?.ok_or_else(|| unsafe_path(folder, "its folder vanished"))?;
            match mkdirat(&parent, name, Mode::from_bits_truncate(0o777)) {
                Ok(()) => {
                    let made = open_folder(root, folder, false)?;
                    if let Some(made) = &made {
                        give_to_owner(root, made.as_fd());
                    }
                    Ok(made)
                }
                Err(Errno::EEXIST) => open_folder(root, folder, false),
                Err(error) => Err(unsafe_path(folder, error.desc())),
            }
        }
        Err(Errno::ENOENT | Errno::ENOTDIR) if !make => Ok(None),
        Err(Errno::ELOOP | Errno::EXDEV) => Err(unsafe_path(folder, "a link stands in the way")),
        Err(error) => Err(unsafe_path(folder, error.desc())),
    }
}

/// The folders above `path`, the nearest first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/'))
        .map(|(folder, _)| folder)
}

/// Everything in a folder that is none, and those of its folders, deepest last.
pub(super) fn list(root: &OwnedFd, path: &str) -> Result<(Vec<String>, Vec<String>)> {
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        let Some(opened) = open_folder(root, &folder, false)? else { continue };
        let doing = "read a folder of the working tree";
        let entries =
            std::fs::read_dir(format!("/proc/self/fd/{}", opened.as_raw_fd())).while_doing(doing)?;
        for entry in entries {
            let entry = entry.while_doing(doing)?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().while_doing(doing)?.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
            if files.len() + folders.len() > ENTRIES_MAX {
                return Err(unsafe_path(
                    &folder,
                    "it stands where a file belongs, and holds too much to look at",
                ));
            }
        }
    }
    Ok((files, folders))
}

/// Removes a folder of empty folders.
pub(super) fn remove_empty(root: &OwnedFd, path: &str) -> Result<()> {
    for folder in list(root, path)?.1.iter().rev() {
        let (above, name) = split(folder);
        let Some(opened) = open_folder(root, above, false)? else { continue };
        unlinkat(&opened, name, UnlinkatFlags::RemoveDir)
            .map_err(|error| unsafe_path(folder, error.desc()))?;
    }
    Ok(())
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// What lies at `path`. A link on the way is nothing where `is_leaving` says that it goes away.
pub(super) fn look(root: &OwnedFd, path: &str, is_leaving: &dyn Fn(&str) -> bool) -> Result<Found> {
    let (folder, name) = split(path);
    let folder = match open_folder(root, folder, false) {
        Ok(Some(folder)) => folder,
        Ok(None) => return Ok(Found::Nothing),
        Err(_) if above(path).any(is_leaving) => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let status = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(status) => status,
        Err(Errno::ENOENT) => return Ok(Found::Nothing),
        Err(error) => return Err(unsafe_path(path, error.desc())),
    };
    match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => {
            let mut bytes = Vec::new();
            let doing = "read a file of the working tree";
            let mut file = File::from(open_at(&folder, name, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
            file.read_to_end(&mut bytes).while_doing(doing)?;
            let mode = if status.st_mode & 0o100 == 0 { FileMode::Plain } else { FileMode::Executable };
            Ok(Found::File { mode, bytes })
        }
        SFlag::S_IFLNK => {
            let target =
                nix::fcntl::readlinkat(&folder, name).map_err(|error| unsafe_path(path, error.desc()))?;
            Ok(Found::File { mode: FileMode::Link, bytes: target.into_encoded_bytes() })
        }
        SFlag::S_IFDIR => Ok(Found::Folder),
        _ => Ok(Found::Other),
    }
}

fn open_at(folder: &OwnedFd, name: &str, path: &str, flags: OFlag) -> Result<OwnedFd> {
    let mut how = OpenHow::new()
        .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH);
    if flags.contains(OFlag::O_CREAT) {
        how = how.mode(Mode::from_bits_truncate(0o666));
    }
    openat2(folder, name, how).map_err(|error| unsafe_path(path, error.desc()))
}

/// Writes beside and renames, so that a reader or a crash sees the old file or the new one.
pub(super) fn write_file(root: &OwnedFd, path: &str, mode: FileMode, bytes: &[u8]) -> Result<()> {
    let (folder, name) = split(path);
    let folder = open_folder(root, folder, true)?.ok_or_else(|| unsafe_path(path, "its folder vanished"))?;
    let beside = format!(".journeyman-{}-{name}", std::process::id());
    let beside = if beside.len() > 200 { format!(".journeyman-{}", std::process::id()) } else { beside };
    let result = write_beside(root, (&folder, &beside), path, (mode, bytes)).and_then(|()| {
        renameat(&folder, beside.as_str(), &folder, name).map_err(|error| full_or_unsafe(path, error))
    });
    if result.is_err() {
        let _ = unlinkat(&folder, beside.as_str(), UnlinkatFlags::NoRemoveDir);
    }
    result
}

fn write_beside(
    root: &OwnedFd,
    (folder, beside): (&OwnedFd, &str),
    path: &str,
    (mode, bytes): (FileMode, &[u8]),
) -> Result<()> {
    if mode == FileMode::Link {
        let target = std::ffi::OsStr::new(std::str::from_utf8(bytes).unwrap_or(""));
        return symlinkat(Path::new(target), folder, beside).map_err(|error| full_or_unsafe(path, error));
    }
    let mut file =
        File::from(open_at(folder, beside, path, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?);
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| match error.raw_os_error() {
        Some(code) => full_or_unsafe(path, Errno::from_raw(code)),
        None => unsafe_path(path, &error.to_string()),
    })?;
    give_to_owner(root, file.as_fd());
    // The file that was there keeps its mode, but for who may run it, which is as git does it: whoever may read.
    let before = fstatat(folder, split(path).1, AtFlags::AT_SYMLINK_NOFOLLOW).ok().filter(is_regular);
    let now = nix::sys::stat::fstat(file.as_fd()).map_err(|error| unsafe_path(path, error.desc()))?;
    let plain = before.map_or(now.st_mode, |before| before.st_mode) & 0o666;
    let mode = if mode == FileMode::Executable { plain | ((plain & 0o444) >> 2) } else { plain };
    nix::sys::stat::fchmod(file.as_fd(), Mode::from_bits_truncate(mode))
        .map_err(|error| unsafe_path(path, error.desc()))
}

fn is_regular(status: &nix::sys::stat::FileStat) -> bool {
    SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG
}

/// Root must not leave files in a user's tree that the user cannot change.
fn give_to_owner(root: &OwnedFd, file: BorrowedFd<'_>) {
    if nix::unistd::geteuid().is_root()
        && let Ok(owner) = nix::sys::stat::fstat(root)
        && owner.st_uid != 0
    {
        let _ = nix::unistd::fchown(file, Some(owner.st_uid.into()), Some(owner.st_gid.into()));
    }
}

fn full_or_unsafe(path: &str, error: Errno) -> Error {
    if matches!(error, Errno::ENOSPC | Errno::EDQUOT) {
        Error::DiskFull
    } else {
        unsafe_path(path, error.desc())
    }
}

/// Removes a file and the folders that it leaves empty.
pub(super) fn remove_file(root: &OwnedFd, path: &str) -> Result<()> {
    let (mut folder, name) = split(path);
    let Some(opened) = open_folder(root, folder, false)? else { return Ok(()) };
    match unlinkat(&opened, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(unsafe_path(path, error.desc())),
    }
    while !folder.is_empty() {
        let (above, name) = split(folder);
        let Some(opened) = open_folder(root, above, false)? else { break };
        if unlinkat(&opened, name, UnlinkatFlags::RemoveDir).is_err() {
            break;
        }
        folder = above;
    }
    Ok(())
}

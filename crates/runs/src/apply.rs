//! Writes a delivered change to the user's working tree.
//!
//! No git writes here: every file is compared with what the run started from, then written by our own
//! code through `openat2`, which cannot leave the tree or follow a link. Either no file stands in the way
//! and all are written, or nothing is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use crate::error::{Error, Result, WhileDoing};
use crate::host_git;
use crate::repository::Source;
use crate::view::{Applied, AppliedFile, FileStatus};

/// From what to what.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The commit that the run started from.
    pub(crate) base: String,
    /// What the run has delivered before: the working tree may hold any of it.
    pub(crate) earlier: Vec<String>,
    /// The commit to write.
    pub(crate) tip: String,
}

/// What one file may be now and shall be.
struct Change {
    path: String,
    status: FileStatus,
    /// What the run started from, or has delivered before.
    ours: Vec<Option<Blob>>,
    new: Option<Blob>,
}

/// A file's content and sort.
#[derive(PartialEq, Eq)]
struct Blob {
    mode: FileMode,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileMode {
    Plain,
    Executable,
    Link,
}

/// The most content that one apply compares and writes; the branch has everything all the same.
const BYTES_MAX: u64 = 256 << 20;

/// Writes what leads from the base, or from an earlier delivery, to the tip to the working tree of `source`.
///
/// Files that already hold the new content are left alone, so that applying twice is applying once. Blocks.
///
/// # Errors
///
/// - [`Error::WouldOverwrite`]: files hold something that is not ours; nothing was written.
/// - [`Error::UnsafePath`]: a path of the change cannot be written safely; nothing was written.
/// - [`Error::Repository`]: the repository has no working tree.
pub(crate) fn apply(source: &Source, route: &Route) -> Result<Applied> {
    if source.bare {
        return Err(Error::Repository {
            code: "repository_bare",
            message: format!("{} is a bare repository without a working tree", source.path.display()),
            fix: "use the branch instead: git log <branch>".to_owned(),
        });
    }
    let root = OwnedFd::from(File::open(&source.path).while_doing("open the working tree")?);
    let changes = read_changes(source, route)?;
    let (mut in_the_way, mut kept, mut written) = (Vec::new(), Vec::new(), Vec::new());
    // Judge all before writing any.
    for change in changes.into_values() {
        let now = read_file(&root, &change.path)?;
        written.push(AppliedFile { path: change.path.clone(), status: change.status });
        if now == change.new {
            continue;
        }
        if change.ours.contains(&now) { kept.push(change) } else { in_the_way.push(change.path) }
    }
    if !in_the_way.is_empty() {
        return Err(Error::WouldOverwrite { paths: in_the_way });
    }
    // Deletions first: a file may make room for a folder of the same name.
    kept.sort_by_key(|change| change.new.is_some());
    for change in &kept {
        match &change.new {
            Some(blob) => write_file(&root, &change.path, blob)?,
            None => remove_file(&root, &change.path)?,
        }
    }
    Ok(Applied { applied: written })
}

/// Every path that differs between the tip and the base or an earlier delivery, in order.
fn read_changes(source: &Source, route: &Route) -> Result<BTreeMap<String, Change>> {
    let mut raw = Vec::new();
    for from in
        std::iter::once(&route.base).chain(route.earlier.iter().filter(|earlier| **earlier != route.tip))
    {
        raw.extend(read_raw(source, from, &route.tip)?);
    }
    check_size(source, &raw)?;
    let mut changes = BTreeMap::new();
    for entry in raw {
        let old = read_blob(source, &entry.path, &entry.old_mode, &entry.old_id)?;
        let new = read_blob(source, &entry.path, &entry.new_mode, &entry.new_id)?;
        let status = match (&old, &new) {
            (None, _) => FileStatus::Added,
            (_, None) => FileStatus::Deleted,
            _ => FileStatus::Modified,
        };
        let path = entry.path.clone();
        let change = changes.entry(entry.path).or_insert(Change { path, status, ours: Vec::new(), new });
        change.ours.push(old);
    }
    Ok(changes)
}

/// One line of `git diff-tree`.
struct RawChange {
    path: String,
    old_mode: String,
    new_mode: String,
    old_id: String,
    new_id: String,
}

fn read_raw(source: &Source, from: &str, to: &str) -> Result<Vec<RawChange>> {
    let raw =
        host_git::ask(&source.git_dir, &["diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", from, to])?;
    let text = String::from_utf8(raw).map_err(|_| unsafe_path("a file name", "it is not UTF-8"))?;
    let mut fields = text.split('\0');
    let mut changes = Vec::new();
    while let (Some(head), Some(path)) = (fields.next().filter(|head| !head.is_empty()), fields.next()) {
        let parts: Vec<String> = head.trim_start_matches(':').split(' ').map(str::to_owned).collect();
        let Ok([old_mode, new_mode, old_id, new_id, _]) = <[String; 5]>::try_from(parts) else {
            return Err(Error::Delivery { message: format!("git diff-tree said {head:?}") });
        };
        check_path(path)?;
        changes.push(RawChange { path: path.to_owned(), old_mode, new_mode, old_id, new_id });
    }
    Ok(changes)
}

/// Refuses before anything is read into memory: a small pack can hold huge files.
fn check_size(source: &Source, changes: &[RawChange]) -> Result<()> {
    let is_blob = |mode: &str| mode.starts_with("10") || mode.starts_with("12");
    let ids: BTreeSet<&str> = changes
        .iter()
        .flat_map(|change| [(&change.old_mode, &change.old_id), (&change.new_mode, &change.new_id)])
        .filter(|(mode, _)| is_blob(mode))
        .map(|(_, id)| id.as_str())
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let wanted: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let ask = ["cat-file", "--batch-check=%(objectsize)"];
    let sizes = host_git::run(&source.git_dir, &ask, Stdio::null(), wanted.as_bytes())?;
    let total: u64 =
        String::from_utf8_lossy(&sizes).lines().filter_map(|line| line.parse::<u64>().ok()).sum();
    if total > BYTES_MAX {
        return Err(Error::Repository {
            code: "too_large_to_apply",
            message: format!(
                "the changed files hold {} MiB; at most {} are applied",
                total >> 20,
                BYTES_MAX >> 20
            ),
            fix: "merge the branch instead: git merge <branch>".to_owned(),
        });
    }
    Ok(())
}

fn read_blob(source: &Source, path: &str, mode: &str, id: &str) -> Result<Option<Blob>> {
    let mode = match mode {
        "000000" => return Ok(None),
        "100644" => FileMode::Plain,
        "100755" => FileMode::Executable,
        "120000" => FileMode::Link,
        "160000" => return Err(unsafe_path(path, "it is a submodule; update it from the branch")),
        other => return Err(unsafe_path(path, &format!("its mode {other} is unknown"))),
    };
    let bytes = host_git::ask(&source.git_dir, &["cat-file", "blob", id])?;
    if mode == FileMode::Link && link_leaves(path, &bytes) {
        return Err(unsafe_path(
            path,
            "it is a link that leads out of the repository; take it from the branch",
        ));
    }
    Ok(Some(Blob { mode, bytes }))
}

/// Whether a link at `path` names something outside the tree.
fn link_leaves(path: &str, target: &[u8]) -> bool {
    let Ok(target) = std::str::from_utf8(target) else { return true };
    if target.starts_with('/') {
        return true;
    }
    let mut depth = path.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            "" | "." => {}
            _ => depth += 1,
        }
    }
    false
}

/// Refuses paths that leave the tree or reach git's own folder by any of its aliases on any file system.
fn check_path(path: &str) -> Result<()> {
    for part in path.split('/') {
        // Unicode characters that HFS+ ignores, trailing dots and spaces that NTFS ignores.
        let folded: String = part
            .chars()
            .filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'))
            .flat_map(char::to_lowercase)
            .collect();
        let folded = folded.split(':').next().unwrap_or("").trim_end_matches(['.', ' ']);
        if part.is_empty() || part == "." || part == ".." || part.contains('\\') {
            return Err(unsafe_path(path, "it leads out of the repository"));
        }
        if folded == ".git" || folded == "git~1" {
            return Err(unsafe_path(path, "it is git's own folder"));
        }
    }
    Ok(())
}

fn unsafe_path(path: &str, message: &str) -> Error {
    Error::UnsafePath { path: path.to_owned(), message: message.to_owned() }
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

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn read_file(root: &OwnedFd, path: &str) -> Result<Option<Blob>> {
    let (folder, name) = split(path);
    let Some(folder) = open_folder(root, folder, false)? else { return Ok(None) };
    let status = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(status) => status,
        Err(Errno::ENOENT) => return Ok(None),
        Err(error) => return Err(unsafe_path(path, error.desc())),
    };
    match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => {
            let mut bytes = Vec::new();
            let doing = "read a file of the working tree";
            let mut file = File::from(open_at(&folder, name, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
            file.read_to_end(&mut bytes).while_doing(doing)?;
            let mode = if status.st_mode & 0o100 == 0 { FileMode::Plain } else { FileMode::Executable };
            Ok(Some(Blob { mode, bytes }))
        }
        SFlag::S_IFLNK => {
            let target =
                nix::fcntl::readlinkat(&folder, name).map_err(|error| unsafe_path(path, error.desc()))?;
            Ok(Some(Blob { mode: FileMode::Link, bytes: target.into_encoded_bytes() }))
        }
        // An empty folder stands for nothing in git; anything in it shows up as not removable.
        _ => Err(Error::WouldOverwrite { paths: vec![path.to_owned()] }),
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
fn write_file(root: &OwnedFd, path: &str, blob: &Blob) -> Result<()> {
    let (folder, name) = split(path);
    let folder = open_folder(root, folder, true)?.ok_or_else(|| unsafe_path(path, "its folder vanished"))?;
    let beside = format!(".journeyman-{}-{name}", std::process::id());
    let beside = if beside.len() > 200 { format!(".journeyman-{}", std::process::id()) } else { beside };
    let result = write_beside(root, (&folder, &beside), path, blob).and_then(|()| {
        renameat(&folder, beside.as_str(), &folder, name).map_err(|error| full_or_unsafe(path, error))
    });
    if result.is_err() {
        let _ = unlinkat(&folder, beside.as_str(), UnlinkatFlags::NoRemoveDir);
    }
    result
}

fn write_beside(root: &OwnedFd, (folder, beside): (&OwnedFd, &str), path: &str, blob: &Blob) -> Result<()> {
    if blob.mode == FileMode::Link {
        let target = std::ffi::OsStr::new(std::str::from_utf8(&blob.bytes).unwrap_or(""));
        return symlinkat(Path::new(target), folder, beside).map_err(|error| full_or_unsafe(path, error));
    }
    let mut file =
        File::from(open_at(folder, beside, path, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?);
    let written = file.write_all(&blob.bytes).and_then(|()| file.sync_all());
    written.map_err(|error| match error.raw_os_error() {
        Some(code) => full_or_unsafe(path, Errno::from_raw(code)),
        None => unsafe_path(path, &error.to_string()),
    })?;
    give_to_owner(root, file.as_fd());
    // The file that was there keeps its mode, but for who may run it, which is as git does it: whoever may read.
    let before = fstatat(folder, split(path).1, AtFlags::AT_SYMLINK_NOFOLLOW).ok().filter(is_regular);
    let now = nix::sys::stat::fstat(file.as_fd()).map_err(|error| unsafe_path(path, error.desc()))?;
    let plain = before.map_or(now.st_mode, |before| before.st_mode) & 0o666;
    let mode = if blob.mode == FileMode::Executable { plain | ((plain & 0o444) >> 2) } else { plain };
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
fn remove_file(root: &OwnedFd, path: &str) -> Result<()> {
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

#[cfg(test)]
mod tests;

//! Looks at files and folders, makes, renames and removes them, with the rights of a command. Links are never
//! followed but on the way to what is named.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::accounts::Names;
use super::files::failure;
use super::{Agent, attributes, files};
use crate::names::to_text;
use crate::protocol::{Failure, FileFault, FileInfo, FileKind};

/// The most entries that one listing gives.
const LISTED: usize = 50_000;

/// The most bytes that their paths have together: the answer is one frame.
const LISTED_BYTES: usize = 8 << 20;

/// Looks at one.
pub(super) fn stat(agent: &Agent, path: &str) -> Result<FileInfo, Failure> {
    let resolved = agent.resolve(path);
    look(&resolved, &Names::load()).map_err(|error| failure(path, &error))
}

/// Looks at one whose path is known.
pub(super) fn look(path: &Path, names: &Names) -> io::Result<FileInfo> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(info(path, &metadata, names))
}

/// Tells of a file whose metadata are known.
pub(super) fn info(path: &Path, metadata: &Metadata, names: &Names) -> FileInfo {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Folder,
        kind if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    };
    let link_target = (kind == FileKind::Link)
        .then(|| fs::read_link(path).ok())
        .flatten()
        .map(|target| to_text(target.as_os_str()));
    let path = normal(path);
    FileInfo {
        name: path.file_name().map_or_else(|| "/".to_owned(), to_text),
        path: to_text(path.as_os_str()),
        kind,
        size_bytes: metadata.size(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        owner: names.user(metadata.uid()),
        group: names.group(metadata.gid()),
        modified_at_ms: metadata
            .mtime()
            .saturating_mul(1_000)
            .saturating_add(metadata.mtime_nsec() / 1_000_000),
        link_target,
        attributes: match kind {
            FileKind::File | FileKind::Folder => attributes::of(&path),
            FileKind::Link | FileKind::Other => BTreeMap::new(),
        },
    }
}

/// The path without dots and doubled slashes. `..` goes: a folder that is a link shows the path that was asked for.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Lists a folder, `depth` levels deep, by path.
pub(super) fn list(agent: &Agent, path: &str, depth: u32) -> Result<Vec<FileInfo>, Failure> {
    let base = agent.resolve(path);
    let names = Names::load();
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut open = vec![(base.clone(), depth.max(1))];
    while let Some((folder, depth)) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if folder == base => return Err(failure(path, &error)),
            // It has gone meanwhile, or may not be looked into: it stands in the list all the same.
            Err(_) => continue,
        };
        for entry in entries.filter_map(Result::ok) {
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += entry.path().as_os_str().len();
            if found.len() >= LISTED || bytes > LISTED_BYTES {
                let message =
                    format!("holds more than {LISTED} entries or very long paths; list fewer levels");
                return Err(Failure::File { path: path.to_owned(), message, fault: FileFault::TooLarge });
            }
            if metadata.is_dir() && depth > 1 {
                open.push((entry.path(), depth - 1));
            }
            found.push(info(&entry.path(), &metadata, &names));
        }
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Makes a folder and those above it; says whether it is new.
pub(super) fn make_dir(agent: &Agent, path: &str) -> Result<bool, Failure> {
    let resolved = agent.resolve(path);
    let make = || -> io::Result<bool> {
        if let Some(parent) = resolved.parent() {
            files::make_folders(parent)?;
        }
        match fs::create_dir(&resolved) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && resolved.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    };
    make().map_err(|error| failure(path, &error))
}

/// Renames, making the folders above the new name.
pub(super) fn rename(agent: &Agent, from: &str, to: &str) -> Result<FileInfo, Failure> {
    let (old, new) = (agent.resolve(from), agent.resolve(to));
    fs::symlink_metadata(&old).map_err(|error| failure(from, &error))?;
    let rename = || -> io::Result<FileInfo> {
        if let Some(parent) = new.parent() {
            files::make_folders(parent)?;
        }
        fs::rename(&old, &new)?;
        look(&new, &Names::load())
    };
    rename().map_err(|error| files::failure(to, &error))
}

/// Removes a file, a link, or a folder with all that is in it. No link is followed, not even one that is put in
/// the place of a folder meanwhile.
pub(super) fn remove(agent: &Agent, path: &str) -> Result<(), Failure> {
    let resolved = agent.resolve(path);
    let remove = || -> io::Result<()> {
        let metadata = fs::symlink_metadata(&resolved)?;
        if metadata.is_dir() { fs::remove_dir_all(&resolved) } else { fs::remove_file(&resolved) }
    };
    remove().map_err(|error| failure(path, &error))
}

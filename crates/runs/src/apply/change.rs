//! What leads from one commit to another, read as plumbing tells it, with unsafe paths refused.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use super::Route;
use crate::error::{Error, Result};
use crate::host_git;
use crate::repository::Source;
use crate::view::FileStatus;

/// What one file may be now and shall be.
pub(super) struct Change {
    pub(super) path: String,
    pub(super) status: FileStatus,
    /// What the run started from, or has delivered before.
    pub(super) ours: Vec<Option<Blob>>,
    pub(super) new: Option<Blob>,
}

/// A file's content and sort, as git keeps it.
#[derive(PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) mode: FileMode,
    pub(super) id: String,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileMode {
    Plain,
    Executable,
    Link,
}

/// The most content that one apply compares and writes; the branch has everything all the same.
const BYTES_MAX: u64 = 256 << 20;

/// Every path that differs between the tip and the base or an earlier delivery, in order.
pub(super) fn read_changes(source: &Source, route: &Route) -> Result<BTreeMap<String, Change>> {
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
    Ok(Some(Blob { mode, id: id.to_owned(), bytes }))
}

/// Whether a link at `path` names something outside the tree.
pub(super) fn link_leaves(path: &str, target: &[u8]) -> bool {
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
pub(super) fn check_path(path: &str) -> Result<()> {
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

pub(super) fn unsafe_path(path: &str, message: &str) -> Error {
    Error::UnsafePath { path: path.to_owned(), message: message.to_owned() }
}

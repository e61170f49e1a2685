//! A file as E2B's clients see it.

use std::collections::BTreeMap;

use sandbox::{FileInfo, FileKind, Sandbox};
use serde::Serialize;

use crate::connect::proto::timestamp;

/// How many links are followed to say what stands behind one.
const LINKS_MAX: usize = 16;

/// What clients keep beside a file is an attribute of this name and the key.
pub(crate) const ATTRIBUTE: &str = "e2b.";

/// A file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Of a link: what stands behind it.
    #[serde(rename = "type")]
    pub(crate) kind: FileType,
    pub(crate) path: String,
    /// Text, as protobuf writes numbers of 64 bits.
    size: String,
    mode: u32,
    permissions: String,
    owner: String,
    group: String,
    modified_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    symlink_target: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_symlink: bool,
}

/// What stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum FileType {
    #[serde(rename = "FILE_TYPE_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "FILE_TYPE_FILE")]
    File,
    #[serde(rename = "FILE_TYPE_DIRECTORY")]
    Directory,
    #[serde(rename = "FILE_TYPE_SYMLINK")]
    Symlink,
}

impl Entry {
    /// The entry of a file; of a link, with the end of its chain.
    pub(crate) async fn of(sandbox: &dyn Sandbox, info: FileInfo) -> Self {
        if info.kind != FileKind::Link {
            return Self::plain(info);
        }
        let (target, kind) = behind(sandbox, &info).await;
        Self { kind, symlink_target: Some(target), is_symlink: true, ..Self::plain(info) }
    }

    fn plain(info: FileInfo) -> Self {
        Self {
            kind: FileType::of(info.kind),
            size: info.size_bytes.to_string(),
            mode: info.mode & 0o777,
            permissions: permissions(info.kind, info.mode),
            owner: info.owner,
            group: info.group,
            modified_time: timestamp(info.modified_at_ms),
            symlink_target: None,
            metadata: metadata(info.attributes),
            is_symlink: false,
            name: info.name,
            path: info.path,
        }
    }
}

/// Other programs' attributes are none of it.
fn metadata(attributes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = |(name, value): (String, String)| Some((name.strip_prefix(ATTRIBUTE)?.to_owned(), value));
    attributes.into_iter().filter_map(ours).collect()
}

impl FileType {
    const fn of(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::File,
            FileKind::Folder => Self::Directory,
            FileKind::Link => Self::Symlink,
            FileKind::Other => Self::Unspecified,
        }
    }
}

/// Where a chain of links ends, and what is there; a chain that ends nowhere is itself.
async fn behind(sandbox: &dyn Sandbox, link: &FileInfo) -> (String, FileType) {
    let mut at = link.clone();
    for _ in 0..LINKS_MAX {
        let Some(target) = &at.link_target else { break };
        let path = absolute(&at.path, target);
        match sandbox.stat(&path).await {
            Ok(next) if next.kind == FileKind::Link => at = next,
            Ok(next) => return (path, FileType::of(next.kind)),
            Err(_) => return (path, FileType::Symlink),
        }
    }
    (link.path.clone(), FileType::Symlink)
}

/// What a link at `path` names, as an absolute path.
fn absolute(path: &str, target: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    crate::user::clean(&if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("{folder}/{target}")
    })
}

/// `drwxr-xr-x`
fn permissions(kind: FileKind, mode: u32) -> String {
    let first = match kind {
        FileKind::Folder => 'd',
        FileKind::Link => 'L',
        FileKind::File | FileKind::Other => '-',
    };
    let letter =
        |bit: u32| if mode & (1 << (8 - bit)) == 0 { '-' } else { ['r', 'w', 'x'][(bit % 3) as usize] };
    std::iter::once(first).chain((0..9).map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_ls_writes_them() {
        assert_eq!(permissions(FileKind::File, 0o100_644), "-rw-r--r--");
        assert_eq!(permissions(FileKind::Folder, 0o755), "drwxr-xr-x");
        assert_eq!(permissions(FileKind::Link, 0o777), "Lrwxrwxrwx");
        assert_eq!(permissions(FileKind::File, 0o4711), "-rwx--x--x");
    }

    #[test]
    fn targets_are_absolute() {
        assert_eq!(absolute("/home/user/link", "file"), "/home/user/file");
        assert_eq!(absolute("/home/user/link", "../x/./y"), "/home/x/y");
        assert_eq!(absolute("/link", "/etc/passwd"), "/etc/passwd");
    }
}

//! What is told of files.
//!
//! Names that are not UTF-8 are written with one letter of U+EF80 to U+EFFF for each byte that fits nowhere, so
//! that every name has a text and every text names one file; see [`crate::names`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// The last part of its path.
    pub name: String,
    /// Its absolute path inside the sandbox.
    pub path: String,
    /// What it is; a link is not followed.
    pub kind: FileKind,
    /// Its size.
    pub size_bytes: u64,
    /// Its permissions, as `chmod` takes them.
    pub mode: u32,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Its owner's name, or the number.
    pub owner: String,
    /// Its group's name, or the number.
    pub group: String,
    /// When its content changed last.
    pub modified_at_ms: i64,
    /// What a link names.
    pub link_target: Option<String>,
    /// What users keep beside its content: extended attributes, by their name without `user.`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// What stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// Why something could not be done with a file, as far as callers act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFault {
    /// There is none.
    NotFound,
    /// There is one already.
    Exists,
    /// A part of its path, or itself, is not a folder.
    NotAFolder,
    /// It is a folder.
    IsAFolder,
    /// The user may not.
    Denied,
    /// It is larger than a file may be.
    TooLarge,
    /// Anything else.
    Other,
}

/// How to write an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadOptions {
    /// Whose file it becomes; the user of commands where nobody is named.
    pub user: Option<String>,
    /// Its permissions; those of the file that it replaces, or 644, where not given.
    pub mode: Option<u32>,
    /// What is kept beside its content; what was kept beside the file that it replaces is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Something that happened below a watched folder, or to a watched file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvent {
    /// The path relative to what is watched; empty for that itself.
    pub path: String,
    /// What happened.
    pub kind: FileEventKind,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileEventKind {
    /// It is new, or has come from elsewhere.
    Created,
    /// Its content has changed.
    Written,
    /// It is gone.
    Removed,
    /// It has gone to another name, which gets [`FileEventKind::Created`] where that is watched too.
    Renamed,
    /// Its permissions, owner or times have changed.
    ModeChanged,
    /// More happened than could be kept: look at everything anew. The path is empty.
    Missed,
}

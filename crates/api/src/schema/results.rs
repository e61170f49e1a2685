//! The shapes of differences and artifacts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What changed, file by file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Diff {
    /// The commit that it is against.
    base: String,
    /// The delivered commit; null while the run works.
    #[schema(required = true)]
    tip: Option<String>,
    /// The files.
    files: Vec<FileDiff>,
}

/// What changed in one file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FileDiff {
    /// Its path (of the new side, but for a deleted file).
    path: String,
    /// Where it was, if it was renamed.
    #[schema(required = true)]
    old_path: Option<String>,
    /// What happened to it.
    status: FileStatus,
    /// Lines added; null for a binary file.
    #[schema(required = true)]
    added: Option<u32>,
    /// Lines removed; null for a binary file.
    #[schema(required = true)]
    removed: Option<u32>,
    /// Whether it is binary.
    binary: bool,
    /// Whether its hunks were left out because they are too large; the patch has them.
    too_large: bool,
    /// The hunks.
    hunks: Vec<Hunk>,
}

/// What happened to a file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileStatus {
    Added,
    Modified,
    Deleted,
    Renamed,
}

/// A run of changed lines with context.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Hunk {
    /// What follows the second `@@`.
    header: String,
    /// First line on the old side.
    old_start: u32,
    /// First line on the new side.
    new_start: u32,
    /// The lines.
    lines: Vec<DiffLine>,
}

/// One line of a hunk.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DiffLine {
    /// A space, `+` or `-`.
    kind: DiffLineKind,
    /// The line, without its end.
    text: String,
}

/// Whether a line stayed, came or went.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) enum DiffLineKind {
    #[serde(rename = " ")]
    Same,
    #[serde(rename = "+")]
    Added,
    #[serde(rename = "-")]
    Removed,
}

/// What an apply wrote.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Applied {
    /// The files, in order of their paths.
    applied: Vec<AppliedFile>,
}

/// One file that an apply wrote.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AppliedFile {
    /// Its path from the repository's root.
    path: String,
    /// What happened to it.
    status: FileStatus,
}

/// Something that a run produced and that can be downloaded.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Artifact {
    /// Its id.
    id: String,
    /// `output`, `patch`, `file`, `log`.
    sort: String,
    /// A file name for people.
    name: String,
    /// The content type.
    media_type: String,
    /// Its size.
    size_bytes: u64,
    /// Where its bytes lie.
    blob: String,
}

/// A run's artifacts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ArtifactPage {
    /// The artifacts.
    items: Vec<Artifact>,
    /// Always null.
    #[schema(required = true)]
    next: Option<String>,
}

//! Searches and listings.

use serde::{Deserialize, Serialize};

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grep {
    /// A regular expression (Rust's `regex`).
    pub pattern: String,
    /// A file or folder; /workspace where empty.
    pub path: String,
    /// Only files whose path matches this glob.
    pub glob: Option<String>,
    /// Whether case matters not.
    pub ignore_case: bool,
    /// The most lines to return.
    pub max_matches: u32,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepFound {
    /// The lines, by file and line number.
    pub matches: Vec<GrepMatch>,
    /// Whether there are more than `max_matches`, or time was up before the end.
    pub more: bool,
}

/// One line that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepMatch {
    /// The file, relative to /workspace where it lies in it.
    pub path: String,
    /// From 1.
    pub line: u64,
    /// The line, cut at 500 characters.
    pub text: String,
}

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glob {
    /// A pattern: `**/*.rs`.
    pub pattern: String,
    /// A folder; /workspace where empty.
    pub path: String,
    /// The most paths to return.
    pub max_paths: u32,
}

/// What a listing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobFound {
    /// Paths, relative to /workspace where they lie in it.
    pub paths: Vec<String>,
    /// Whether there are more than `max_paths`, or time was up before the end.
    pub more: bool,
}

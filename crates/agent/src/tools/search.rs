//! `grep` and `glob`: looking for lines and for files.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{Hands, Ran};
use crate::label::count;
use crate::output::clean;

/// The most lines of one search.
const MAX_MATCHES: u32 = 500;
/// The most paths of one listing.
const MAX_PATHS: u32 = 500;

/// A search for lines.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Grep {
    pub(crate) pattern: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    glob: Option<String>,
    #[serde(default)]
    ignore_case: Option<bool>,
}

impl Grep {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let query = sandbox::Grep {
            pattern: self.pattern.clone(),
            path: self.path.clone().unwrap_or_default(),
            glob: self.glob.clone(),
            ignore_case: self.ignore_case.unwrap_or(false),
            max_matches: MAX_MATCHES,
        };
        let found = match hands.sandbox.grep(query).await {
            Ok(found) => found,
            Err(error) => return Ran::from_error(error),
        };
        if found.matches.is_empty() {
            return Ran::done("no line matches".to_owned(), "nothing found".to_owned());
        }
        let mut text = String::new();
        for line in &found.matches {
            let _ = writeln!(text, "{}:{}:{}", line.path, line.line, clean(line.text.as_bytes()).trim_end());
        }
        let mut summary = count(found.matches.len(), "line", "lines");
        if found.more {
            let _ = writeln!(text, "[more lines match; narrow the pattern, the path or the glob]");
            summary.push_str(" and more");
        }
        Ran::done(text, summary)
    }
}

/// A search for files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Glob {
    pub(crate) pattern: String,
    #[serde(default)]
    path: Option<String>,
}

impl Glob {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let query = sandbox::Glob {
            pattern: self.pattern.clone(),
            path: self.path.clone().unwrap_or_default(),
            max_paths: MAX_PATHS,
        };
        let found = match hands.sandbox.glob(query).await {
            Ok(found) => found,
            Err(error) => return Ran::from_error(error),
        };
        if found.paths.is_empty() {
            return Ran::done("no file matches".to_owned(), "nothing found".to_owned());
        }
        let mut summary = count(found.paths.len(), "file", "files");
        let mut text = found.paths.join("\n");
        text.push('\n');
        if found.more {
            text.push_str("[more files match; narrow the pattern or the path]\n");
            summary.push_str(" and more");
        }
        Ran::done(text, summary)
    }
}

//! Writes a delivered change to the user's working tree.
//!
//! No git writes here: every file is compared with what the run started from, then written by our own
//! code through `openat2`, which cannot leave the tree or follow a link. Either no file stands in the way
//! and all are written, or nothing is.

mod change;
mod content;
mod tree;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;

use change::{Blob, Change, FileMode, unsafe_path};
use content::Forms;
use tree::Found;

use crate::error::{Error, Result, WhileDoing};
use crate::repository::Source;
use crate::view::{Applied, AppliedFile};

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

/// The most files of one folder that are named where they stand in the way.
const NAMED_MAX: usize = 20;

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
    let changes = change::read_changes(source, route)?;
    let paths: Vec<&str> = changes.keys().map(String::as_str).collect();
    let judge = Judge { root: &root, forms: &Forms::read(source, None, &paths)?, changes: &changes };
    // Git before 2.40 tells the attributes of the working tree only.
    let wanted =
        Forms::read(source, Some(&route.tip), &paths).or_else(|_| Forms::read(source, None, &paths))?;
    let (mut in_the_way, mut todo) = (Vec::new(), Vec::new());
    // Judge all before writing any.
    for change in changes.values() {
        match judge.verdict(change)? {
            Verdict::Done => {}
            Verdict::Write => todo.push(change),
            Verdict::InTheWay(paths) => in_the_way.extend(paths),
        }
        if change.new.is_some() && wanted.of(&change.path).encoded {
            return Err(not_converted(&change.path, &wanted));
        }
    }
    if !in_the_way.is_empty() {
        in_the_way.sort();
        in_the_way.dedup();
        return Err(Error::WouldOverwrite { paths: in_the_way });
    }
    // Deletions first: a file may make room for a folder of the same name.
    todo.sort_by_key(|change| change.new.is_some());
    for change in todo {
        match &change.new {
            Some(blob) => write(&root, change, blob, &wanted)?,
            None => tree::remove_file(&root, &change.path)?,
        }
    }
    let told = |change: Change| AppliedFile { path: change.path, status: change.status };
    Ok(Applied { applied: changes.into_values().map(told).collect() })
}

fn write(root: &OwnedFd, change: &Change, blob: &Blob, wanted: &Forms) -> Result<()> {
    if tree::look(root, &change.path, &|_| false)? == Found::Folder {
        tree::remove_empty(root, &change.path)?;
    }
    let form = wanted.of(&change.path);
    let bytes = if blob.mode == FileMode::Link { blob.bytes.clone() } else { form.written(blob) };
    tree::write_file(root, &change.path, blob.mode, &bytes)
}

fn not_converted(path: &str, forms: &Forms) -> Error {
    let what = forms.of(path).foreign.unwrap_or_default();
    unsafe_path(path, &format!("{what}; merge the branch instead: git merge <branch>"))
}

/// Compares the working tree with what a change expects.
struct Judge<'a> {
    root: &'a OwnedFd,
    forms: &'a Forms,
    changes: &'a BTreeMap<String, Change>,
}

/// What becomes of one change.
enum Verdict {
    /// The working tree has it already.
    Done,
    Write,
    /// Files that are not ours.
    InTheWay(Vec<String>),
}

impl Judge<'_> {
    fn verdict(&self, change: &Change) -> Result<Verdict> {
        let mut now = tree::look(self.root, &change.path, &|path| self.is_leaving(path))?;
        if now == Found::Folder {
            // Git knows no folders: one whose files all go away with this change is nothing.
            let (files, _) = tree::list(self.root, &change.path)?;
            let foreign: Vec<String> =
                files.into_iter().filter(|file| !self.is_leaving(file)).take(NAMED_MAX).collect();
            if !foreign.is_empty() && change.new.is_some() {
                return Ok(Verdict::InTheWay(foreign));
            }
            now = Found::Nothing;
        }
        if self.is(&now, change.new.as_ref(), &change.path) {
            return Ok(Verdict::Done);
        }
        if change.ours.iter().any(|ours| self.is(&now, ours.as_ref(), &change.path)) {
            return Ok(Verdict::Write);
        }
        if now != Found::Nothing && self.forms.of(&change.path).foreign.is_some() {
            return Err(not_converted(&change.path, self.forms));
        }
        Ok(Verdict::InTheWay(vec![change.path.clone()]))
    }

    fn is_leaving(&self, path: &str) -> bool {
        self.changes.get(path).is_some_and(|change| change.new.is_none())
    }

    fn is(&self, now: &Found, wanted: Option<&Blob>, path: &str) -> bool {
        match (now, wanted) {
            (Found::Nothing, None) => true,
            (Found::File { mode, bytes }, Some(blob)) if *mode == blob.mode => {
                if *mode == FileMode::Link {
                    *bytes == blob.bytes
                } else {
                    self.forms.of(path).is_same(bytes, blob)
                }
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;

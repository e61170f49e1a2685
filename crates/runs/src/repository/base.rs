//! Bases: clean clones of one commit each, made once and mounted read-only under every run on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use domain::run::Reason;
use orchestrator::{Orchestrator, Scratch};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source::{self, Source, refuse};
use crate::capture;
use crate::error::{Error, Result, WhileDoing};

/// The most repositories inside the working tree that are named.
const LEFT_OUT_MAX: usize = 10;

/// A prepared clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The commit of the user's repository (hex).
    pub head: String,
    /// The commit that the clone has checked out: `head`, or one on top of it with uncommitted changes.
    pub commit: String,
    /// The branch that was checked out; empty when detached.
    pub branch: String,
    /// `sha1` or `sha256`.
    pub format: String,
    /// The repository's own user name, or ours.
    pub author_name: String,
    /// The repository's own mail address, or ours.
    pub author_email: String,
    /// How many files had uncommitted changes.
    pub uncommitted: u32,
    /// Whether it has submodules (left empty).
    pub submodules: bool,
    /// Whether it keeps large files elsewhere (left as pointers).
    pub lfs: bool,
    /// Repositories of their own among the uncommitted changes, which were left out; at most a few are named.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The folder of this base, relative to the folder of bases.
    pub folder: String,
}

/// Where bases are kept and made.
pub struct Bases {
    root: PathBuf,
    orchestrator: Orchestrator,
    making: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Bases {
    /// Bases under `root`.
    #[must_use]
    pub fn new(root: PathBuf, orchestrator: Orchestrator) -> Self {
        Self { root, orchestrator, making: Mutex::default() }
    }

    /// The read-only tree of a base.
    #[must_use]
    pub fn tree(&self, base: &Base) -> PathBuf {
        sandbox::workspace_folder(&self.root.join(&base.folder))
    }

    /// The base for the source's current commit, made where there is none yet. With `dirty`, uncommitted
    /// changes are taken along and the base is made anew.
    ///
    /// The sandbox that read the repository comes with it, for the caller to close when there is time.
    ///
    /// # Errors
    ///
    /// [`Error::Repository`] where the repository cannot be worked on; [`Error::Sandbox`] where no sandbox
    /// can be had.
    pub async fn prepare(&self, source: &Source, dirty: bool) -> Result<(Base, Scratch)> {
        let lock = {
            let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            making.entry(source.path.clone()).or_default().clone()
        };
        let _one_at_a_time = lock.lock().await;
        let scratch = self.orchestrator.scratch(&self.root, |spec| source.bind_into(spec)).await;
        let scratch = scratch.map_err(|error| match error {
            orchestrator::Error::Sandbox(error) => Error::Sandbox(error),
            other => {
                Error::Internal { doing: "open a sandbox to read the repository in", source: Box::new(other) }
            }
        })?;
        match self.prepare_in(&scratch, source, dirty).await {
            Ok(base) => Ok((base, scratch)),
            Err(error) => {
                scratch.close().await;
                Err(error)
            }
        }
    }

    async fn prepare_in(&self, scratch: &Scratch, source: &Source, dirty: bool) -> Result<Base> {
        let mut base = inspect(scratch, source).await?;
        let dirty = dirty && !source.bare;
        base.folder = if dirty { format!("dirty-{}", scratch.id()) } else { key(source, &base) };
        let folder = self.root.join(&base.folder);
        let (uncommitted, made) =
            tokio::join!(count_uncommitted(scratch, source), make(scratch, source, &base, &folder, dirty));
        let mut base = made?;
        base.uncommitted = uncommitted;
        Ok(base)
    }

    /// Removes what a run's own base (one with uncommitted changes) takes up; shared bases stay.
    pub fn forget_own(&self, base: &Base) {
        if base.folder.starts_with("dirty-") {
            // Of our own making, so there is nothing in it that could not be removed.
            let _ = std::fs::remove_dir_all(self.root.join(&base.folder));
        }
    }
}

impl Base {
    /// What a person should know before the run works on it.
    #[must_use]
    pub fn notices(&self) -> Vec<Reason> {
        let mut notices = Vec::new();
        if self.uncommitted > 0 && self.commit == self.head {
            let files = if self.uncommitted == 1 {
                "1 file has"
            } else {
                &format!("{} files have", self.uncommitted)
            };
            let text = format!("{files} uncommitted changes, which this run does not see.");
            notices.push(
                Reason::new("uncommitted_changes", text).with_fix("commit them, or start with --dirty"),
            );
        }
        if !self.left_out.is_empty() {
            let text = format!(
                "{}: a git repository of its own among the uncommitted changes, left out of this run.",
                self.left_out.join(", ")
            );
            notices.push(
                Reason::new("nested_repository", text)
                    .with_fix("add it as a submodule, or remove its .git to take its files along"),
            );
        }
        if self.submodules {
            let text = "The repository has submodules; they are left empty.";
            notices.push(Reason::new("submodules_empty", text));
        }
        if self.lfs {
            let text = "The repository keeps large files with Git LFS; the sandbox sees their pointers only.";
            notices.push(Reason::new("lfs_pointers", text));
        }
        notices
    }
}

/// The base that is kept in `folder`, or a new one.
async fn make(scratch: &Scratch, source: &Source, base: &Base, folder: &Path, dirty: bool) -> Result<Base> {
    if let Some(kept) = read(folder) {
        return Ok(kept);
    }
    let mut base = base.clone();
    let arguments = [
        base.head.as_str(),
        &base.branch,
        &base.format,
        &base.author_name,
        &base.author_email,
        if dirty { "dirty" } else { "" },
    ];
    let environment = source.git_environment();
    let done =
        capture::script(scratch.sandbox(), include_str!("prepare.sh"), &arguments, environment).await?;
    if done.exit_code != 0 {
        return Err(refuse(
            "repository_unreadable",
            format!("{} cannot be cloned: {}", source.path.display(), capture::last_lines(&done.stderr)),
            "check it with `git fsck`; a partial clone needs its objects first (`git fetch --refetch`)",
        ));
    }
    let said = String::from_utf8_lossy(&done.stdout);
    base.commit = value(&said, "commit").to_owned();
    let left_out = said.lines().filter_map(|line| line.strip_prefix("left-out="));
    base.left_out = left_out.take(LEFT_OUT_MAX).map(str::to_owned).collect();
    keep(scratch, folder, &base)?;
    Ok(base)
}

/// How many files have changes that are in no commit; 0 where that cannot be told.
async fn count_uncommitted(scratch: &Scratch, source: &Source) -> u32 {
    if source.bare {
        return 0;
    }
    let script = "git status --porcelain 2>/dev/null | head -n 1000";
    match capture::script(scratch.sandbox(), script, &[], source.git_environment()).await {
        Ok(said) => u32::try_from(String::from_utf8_lossy(&said.stdout).lines().count()).unwrap_or(u32::MAX),
        Err(_) => 0,
    }
}

async fn inspect(scratch: &Scratch, source: &Source) -> Result<Base> {
    let said =
        capture::script(scratch.sandbox(), include_str!("inspect.sh"), &[], source.git_environment()).await?;
    if said.exit_code != 0 {
        return Err(refuse(
            "repository_unreadable",
            format!("{} cannot be read: {}", source.path.display(), capture::last_lines(&said.stderr)),
            "check it with `git fsck`",
        ));
    }
    let text = String::from_utf8_lossy(&said.stdout);
    let head = value(&text, "head");
    if head.is_empty() {
        return Err(source::empty(source));
    }
    let or = |key: &str, default: &str| {
        let value = value(&text, key);
        if value.is_empty() || value.contains(['"', '\\']) { default.to_owned() } else { value.to_owned() }
    };
    Ok(Base {
        head: head.to_owned(),
        commit: head.to_owned(),
        branch: value(&text, "branch").to_owned(),
        format: or("format", "sha1"),
        author_name: or("name", "Journeyman"),
        author_email: or("email", "journeyman@localhost"),
        uncommitted: 0,
        submodules: !value(&text, "submodules").is_empty(),
        lfs: !value(&text, "lfs").is_empty(),
        left_out: Vec::new(),
        folder: String::new(),
    })
}

fn value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or("")
}

/// One base per repository, commit, and what the clone says besides: branch and author.
fn key(source: &Source, base: &Base) -> String {
    let mut hash = Sha256::new();
    hash.update(source.path.as_os_str().as_encoded_bytes());
    for part in [&base.head, &base.branch, &base.author_name, &base.author_email] {
        hash.update([0]);
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

const META: &str = "base.json";

fn read(folder: &Path) -> Option<Base> {
    serde_json::from_slice(&std::fs::read(folder.join(META)).ok()?).ok()
}

/// Moves the scratch folder to its place. The description is written first, so that a folder with a
/// description is whole.
fn keep(scratch: &Scratch, folder: &Path, base: &Base) -> Result<()> {
    let doing = "keep the prepared repository";
    let text = serde_json::to_vec(base).while_doing(doing)?;
    std::fs::write(scratch.folder().join(META), text).while_doing(doing)?;
    match std::fs::rename(scratch.folder(), folder) {
        Ok(()) => Ok(()),
        // Another process was faster with the same commit.
        Err(_) if read(folder).is_some() => Ok(()),
        Err(source) => Err(Error::Internal { doing, source: Box::new(source) }),
    }
}

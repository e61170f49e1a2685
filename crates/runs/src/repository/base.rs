//! Bases: clean clones of one commit each, made once and mounted read-only under every run on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use agent::{INSTRUCTION_FILES, INSTRUCTIONS_MAX_BYTES, Instructions};
use domain::run::Reason;
use orchestrator::{Orchestrator, Scratch};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source::{self, Source, clean_git_environment, refuse};
use crate::capture;
use crate::check::{self, Found};
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

/// What a look at a repository found. Nobody else looks at the same repository while it is held.
pub struct Look {
    base: Base,
    /// Whether the base is there already.
    made: bool,
    source: Source,
    scratch: Scratch,
    /// What the commit says about itself.
    pub(crate) says: Says,
    _one_at_a_time: tokio::sync::OwnedMutexGuard<()>,
}

/// Where bases are kept and made.
pub struct Bases {
    pub(super) root: PathBuf,
    /// Held for reading while a run starts, for writing while bases are taken away.
    pub(super) starting: Arc<tokio::sync::RwLock<()>>,
    orchestrator: Orchestrator,
    making: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Bases {
    /// Bases under `root`.
    #[must_use]
    pub fn new(root: PathBuf, orchestrator: Orchestrator) -> Self {
        Self { root, starting: Arc::default(), orchestrator, making: Mutex::default() }
    }

    /// The read-only tree of a base.
    #[must_use]
    pub fn tree(&self, base: &Base) -> PathBuf {
        sandbox::workspace_folder(&self.root.join(&base.folder))
    }

    /// Looks at a repository's current commit: enough to ask a model, before there is a clone to work on.
    /// With `dirty`, uncommitted changes are taken along, and the clone is made here.
    ///
    /// # Errors
    ///
    /// [`Error::Repository`] where the repository cannot be worked on; [`Error::Sandbox`] where no sandbox
    /// can be had.
    pub async fn look(&self, source: Source, dirty: bool) -> Result<Look> {
        let lock = {
            let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            making.entry(source.path.clone()).or_default().clone()
        };
        let one_at_a_time = lock.lock_owned().await;
        let scratch = self.orchestrator.scratch(&self.root, |spec| source.bind_into(spec)).await;
        let scratch = scratch.map_err(|error| match error {
            orchestrator::Error::Sandbox(error) => Error::Sandbox(error),
            other => {
                Error::Internal { doing: "open a sandbox to read the repository in", source: Box::new(other) }
            }
        })?;
        match self.look_in(&scratch, &source, dirty && !source.bare).await {
            Ok((base, made, says)) => {
                Ok(Look { base, made, says, source, scratch, _one_at_a_time: one_at_a_time })
            }
            Err(error) => {
                scratch.close().await;
                Err(error)
            }
        }
    }

    async fn look_in(&self, scratch: &Scratch, source: &Source, dirty: bool) -> Result<(Base, bool, Says)> {
        let (mut base, says) = inspect(scratch, source).await?;
        if !dirty {
            base.folder = key(source, &base);
            return Ok((base, false, says));
        }
        base.folder = format!("dirty-{}", scratch.id());
        let uncommitted = count_uncommitted(scratch, source).await;
        let mut base = make(scratch, source, &base, &self.root.join(&base.folder), true).await?;
        base.uncommitted = uncommitted;
        let says = told_by(scratch, &base.commit).await?;
        Ok((base, true, says))
    }

    /// The base for the commit that `look` found, made where there is none yet.
    ///
    /// The sandbox that read the repository comes with it, for the caller to close when there is time.
    ///
    /// # Errors
    ///
    /// As [`Bases::look`].
    pub async fn make(&self, look: Look) -> Result<(Base, Scratch)> {
        let Look { base, made, source, scratch, .. } = &look;
        let made = if *made {
            Ok(base.clone())
        } else {
            let folder = self.root.join(&base.folder);
            let (uncommitted, made) =
                tokio::join!(count_uncommitted(scratch, source), make(scratch, source, base, &folder, false));
            made.map(|made| Base { uncommitted, ..made })
        };
        match made {
            Ok(base) => Ok((base, look.scratch)),
            Err(error) => {
                look.scratch.close().await;
                Err(error)
            }
        }
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
        super::sweep::touch(folder);
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

async fn inspect(scratch: &Scratch, source: &Source) -> Result<(Base, Says)> {
    let said = capture::script(scratch.sandbox(), &inspect_script(), &read_first(), source.git_environment())
        .await?;
    if said.exit_code != 0 {
        return Err(refuse(
            "repository_unreadable",
            format!("{} cannot be read: {}", source.path.display(), capture::last_lines(&said.stderr)),
            "check it with `git fsck`",
        ));
    }
    let end = said.stdout.iter().position(|byte| *byte == 0).unwrap_or(said.stdout.len());
    let (text, objects) = said.stdout.split_at(end);
    let text = String::from_utf8_lossy(text);
    let head = value(&text, "head");
    if head.is_empty() {
        return Err(source::empty(source));
    }
    let or = |key: &str, default: &str| {
        let value = value(&text, key);
        if value.is_empty() || value.contains(['"', '\\']) { default.to_owned() } else { value.to_owned() }
    };
    let base = Base {
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
    };
    Ok((base, read_says(objects.get(1..).unwrap_or_default())))
}

fn inspect_script() -> String {
    concat!(include_str!("inspect.sh"), "printf '\\0'\n", include_str!("instructions.sh")).to_owned()
}

/// What the commit that a base has checked out tells agents; asked of the clone itself.
async fn told_by(scratch: &Scratch, commit: &str) -> Result<Says> {
    let mut environment = clean_git_environment();
    environment.push(("GIT_DIR".to_owned(), format!("{}/.git", sandbox::WORKSPACE)));
    let script = concat!("head=$1\nshift\n", include_str!("instructions.sh"));
    let arguments = [&[commit], &read_first()[..]].concat();
    let said = capture::script(scratch.sandbox(), script, &arguments, environment).await?;
    Ok(read_says(&said.stdout))
}

/// What a commit says about itself.
#[derive(Debug, Default)]
pub(crate) struct Says {
    /// To agents.
    pub(crate) instructions: Option<Instructions>,
    /// How it is checked.
    pub(crate) check: Option<Found>,
}

/// The files that are read before there is a clone.
fn read_first() -> Vec<&'static str> {
    let more = check::FILES.into_iter().filter(|file| !INSTRUCTION_FILES.contains(file));
    INSTRUCTION_FILES.into_iter().chain(more).collect()
}

/// Reads what `git cat-file --batch` said of [`read_first`]: for each `<id> blob <size>`, the content and a line end,
/// or one line that says why there is none. Of the instructions, the first file that holds something counts.
fn read_says(mut said: &[u8]) -> Says {
    let (mut instructions, mut files) = (None, Vec::new());
    for file in read_first() {
        let Some(end) = said.iter().position(|byte| *byte == b'\n') else { break };
        let head = String::from_utf8_lossy(&said[..end]).into_owned();
        said = &said[end + 1..];
        // `<id> blob <size>`; `dangling <size>` and its likes, with the link as content; `<name> missing`.
        let Some(size) = head.rsplit(' ').next().and_then(|size| size.parse::<u64>().ok()) else { continue };
        let there = usize::try_from(size).unwrap_or(usize::MAX).min(said.len());
        let kept = there.min(usize::try_from(INSTRUCTIONS_MAX_BYTES).unwrap_or(usize::MAX));
        if head.contains(" blob ") {
            let text = String::from_utf8_lossy(&said[..kept]).into_owned();
            let instructs = INSTRUCTION_FILES.contains(&file) && !text.trim().is_empty();
            if instructs && instructions.is_none() {
                instructions = Some(Instructions { file: file.to_owned(), text, size_bytes: size });
            }
            // A manifest counts as a whole or not at all.
            files.push((file, String::from_utf8_lossy(&said[..there]).into_owned()));
        }
        said = said.get(there + 1..).unwrap_or_default();
    }
    Says { instructions, check: check::find(&files) }
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

pub(super) const META: &str = "base.json";

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

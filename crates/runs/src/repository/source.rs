//! Where a repository lies on the host. No git runs here: the repository's own configuration must not
//! get a chance to run anything outside a sandbox. Links out of the repository that git itself would
//! follow (worktrees, alternates) are followed only where both ends agree.

use std::path::{Path, PathBuf};

use sandbox::SandboxSpec;

use crate::error::{Error, Result};

/// A repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The folder that the user named, canonical: the working tree's root, or a bare repository.
    pub path: PathBuf,
    /// The folder with `HEAD`.
    pub git_dir: PathBuf,
    /// The folder with `objects` and `refs`; differs from `git_dir` in a linked worktree.
    pub common_dir: PathBuf,
    /// Object folders that the repository borrows from.
    pub alternates: Vec<PathBuf>,
    /// Whether it has no working tree.
    pub bare: bool,
}

/// Where the parts of a source are bound inside the sandbox that prepares a base.
pub(crate) const TREE: &str = "/source/tree";
pub(crate) const COMMON: &str = "/source/git";

impl Source {
    /// Finds the repository that `path` lies in.
    ///
    /// # Errors
    ///
    /// [`Error::Repository`] where there is none, or its parts do not belong together.
    pub fn find(path: &Path) -> Result<Self> {
        let start = path.canonicalize().map_err(|error| {
            refuse(
                "repository_unreadable",
                format!("{} cannot be read: {error}", path.display()),
                "name a folder that exists",
            )
        })?;
        for folder in start.ancestors() {
            let dot_git = folder.join(".git");
            // A link to somewhere else's git folder is none of this folder.
            if dot_git.is_dir() && !dot_git.is_symlink() {
                return Self::assemble(folder.to_owned(), dot_git.clone(), dot_git, false);
            }
            if dot_git.is_file() {
                return Self::linked_worktree(folder, &dot_git);
            }
            if looks_like_git_dir(folder) {
                return Self::assemble(folder.to_owned(), folder.to_owned(), folder.to_owned(), true);
            }
        }
        Err(refuse(
            "not_a_repository",
            format!("{} is not a git repository", start.display()),
            "run `git init && git add -A && git commit -m start` there, or name another folder with --repo",
        ))
    }

    /// Refuses a repository whose HEAD names a branch without a commit, as far as its files tell: those of
    /// reftable do not, and are looked at when the run starts.
    ///
    /// # Errors
    ///
    /// [`Error::Repository`] with the code `repository_empty`.
    pub fn check_has_commit(&self) -> Result<()> {
        let head = std::fs::read_to_string(self.git_dir.join("HEAD")).unwrap_or_default();
        let Some(branch) = head.trim().strip_prefix("ref:").map(str::trim) else { return Ok(()) };
        let is_named = |text: String| text.lines().any(|line| line.split(' ').nth(1) == Some(branch));
        if self.common_dir.join("reftable").is_dir()
            || self.common_dir.join(branch).is_file()
            || std::fs::read_to_string(self.common_dir.join("packed-refs")).is_ok_and(is_named)
        {
            return Ok(());
        }
        Err(empty(self))
    }

    /// A worktree's `.git` is a file that names a folder of the main repository, which names the file back.
    /// Without that second half a hostile file could point anywhere.
    fn linked_worktree(folder: &Path, dot_git: &Path) -> Result<Self> {
        let broken = |what: &str| {
            refuse(
                "repository_unreadable",
                format!("{}: {what}", dot_git.display()),
                "run `git worktree repair` there",
            )
        };
        let text = std::fs::read_to_string(dot_git).map_err(|error| broken(&error.to_string()))?;
        let named =
            text.strip_prefix("gitdir:").map(str::trim).ok_or_else(|| broken("it names no git folder"))?;
        let git_dir = folder
            .join(named)
            .canonicalize()
            .map_err(|_| broken("the folder that it names does not exist"))?;
        if git_dir.join("commondir").is_file() {
            let back = std::fs::read_to_string(git_dir.join("gitdir")).unwrap_or_default();
            // Relative since git 2.48, where that is configured.
            if git_dir.join(back.trim()).canonicalize().ok().as_deref() != Some(dot_git) {
                return Err(broken("the worktree that it belongs to does not name it back"));
            }
            let common = std::fs::read_to_string(git_dir.join("commondir")).unwrap_or_default();
            let common_dir = git_dir
                .join(common.trim())
                .canonicalize()
                .ok()
                .filter(|common| git_dir.starts_with(common))
                .ok_or_else(|| broken("its main repository does not exist"))?;
            return Self::assemble(folder.to_owned(), git_dir, common_dir, false);
        }
        // A submodule, or `git init --separate-git-dir`: the git folder's own configuration names the tree,
        // which we would have to trust.
        Err(refuse(
            "repository_unsupported",
            format!("{} is a submodule or has its git folder elsewhere", folder.display()),
            "name the repository that contains it, or a clone of it",
        ))
    }

    fn assemble(path: PathBuf, git_dir: PathBuf, common_dir: PathBuf, bare: bool) -> Result<Self> {
        let unreadable = |what: &str| {
            refuse(
                "repository_unreadable",
                format!("{}: {what}", git_dir.display()),
                "check the repository with `git fsck`",
            )
        };
        if !git_dir.join("HEAD").is_file() || !common_dir.join("objects").is_dir() {
            return Err(unreadable("it has no HEAD or no objects"));
        }
        let alternates = borrowed(&common_dir.join("objects"))
            .ok_or_else(|| unreadable("it borrows objects from a folder that is not there"))?;
        Ok(Self { path, git_dir, common_dir, alternates, bare })
    }

    /// Binds the source read-only into the sandbox that `spec` describes.
    pub(crate) fn bind_into(&self, spec: &mut SandboxSpec) {
        spec.binds.push((self.path.clone(), PathBuf::from(TREE)));
        spec.binds.push((self.common_dir.clone(), PathBuf::from(COMMON)));
        for (index, folder) in self.alternates.iter().enumerate() {
            spec.binds.push((folder.clone(), PathBuf::from(format!("/source/alternate{index}"))));
        }
    }

    /// The environment that lets git inside that sandbox read the source and nothing else.
    pub(crate) fn git_environment(&self) -> Vec<(String, String)> {
        let inside = self.git_dir.strip_prefix(&self.common_dir).unwrap_or(Path::new(""));
        let alternates: Vec<String> =
            (0..self.alternates.len()).map(|index| format!("/source/alternate{index}")).collect();
        let mut pairs = clean_git_environment();
        pairs.push(("GIT_DIR".to_owned(), Path::new(COMMON).join(inside).display().to_string()));
        pairs.push(("GIT_COMMON_DIR".to_owned(), COMMON.to_owned()));
        if !self.bare {
            pairs.push(("GIT_WORK_TREE".to_owned(), TREE.to_owned()));
        }
        if !alternates.is_empty() {
            pairs.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES".to_owned(), alternates.join(":")));
        }
        pairs
    }
}

/// Settings that keep git to itself: no system or user configuration, no prompts, no hooks, no monitors,
/// no locks in a repository that is not ours.
pub(crate) fn clean_git_environment() -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("LC_ALL", "C.UTF-8"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let settings = [
        ("safe.directory", "*"),
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.untrackedCache", "false"),
        ("commit.gpgSign", "false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("core.quotePath", "false"),
    ];
    pairs.push(("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string()));
    for (index, (key, value)) in settings.iter().enumerate() {
        pairs.push((format!("GIT_CONFIG_KEY_{index}"), (*key).to_owned()));
        pairs.push((format!("GIT_CONFIG_VALUE_{index}"), (*value).to_owned()));
    }
    pairs
}

/// The object folders that `objects` borrows from, and those that they borrow from in turn, five deep as in git.
fn borrowed(objects: &Path) -> Option<Vec<PathBuf>> {
    let (mut found, mut layer) = (Vec::new(), vec![objects.to_owned()]);
    for _ in 0..5 {
        let mut next = Vec::new();
        for folder in layer {
            let listed = std::fs::read_to_string(folder.join("info/alternates")).unwrap_or_default();
            for line in listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let folder = folder.join(line).canonicalize().ok()?;
                if !folder.ends_with("objects") || !folder.join("pack").is_dir() {
                    return None;
                }
                if !found.contains(&folder) {
                    found.push(folder.clone());
                    next.push(folder);
                }
            }
        }
        layer = next;
    }
    Some(found)
}

fn looks_like_git_dir(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}

pub(crate) fn empty(source: &Source) -> Error {
    refuse(
        "repository_empty",
        format!("{} has no commit yet", source.path.display()),
        "make a first commit there: git add -A && git commit --allow-empty -m start",
    )
}

pub(crate) fn refuse(code: &'static str, message: String, fix: &str) -> Error {
    Error::Repository { code, message, fix: fix.to_owned() }
}

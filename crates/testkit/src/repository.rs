//! Git repositories for tests, made by the host's git.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A repository in a folder of its own.
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    /// A repository with `files` in one commit on `main`.
    ///
    /// # Panics
    ///
    /// When git does not do it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its repository cannot go on")]
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["config", "user.name", "Mira"]);
        repository.git(&["config", "user.email", "mira@example.test"]);
        for (path, text) in files {
            repository.write(path, text);
        }
        if !files.is_empty() {
            repository.git(&["add", "--all"]);
            repository.git(&["commit", "--quiet", "-m", "start"]);
        }
        repository
    }

    /// The folder, canonical.
    ///
    /// # Panics
    ///
    /// When it is gone.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its repository cannot go on")]
    pub fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the repository's folder")
    }

    /// Writes a file, making folders.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[expect(clippy::expect_used, reason = "a test without its repository cannot go on")]
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        std::fs::write(path, text).expect("write a file");
    }

    /// Reads a file; empty where there is none.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).unwrap_or_default()
    }

    /// Runs git here and returns what it prints, trimmed.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        git_in(self.folder.path(), arguments)
    }
}

/// Runs git in `folder` and returns what it prints, trimmed.
///
/// # Panics
///
/// When git fails.
#[expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests make their repositories with git itself"
)]
pub fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

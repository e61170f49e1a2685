//! A run's working copy, seen through git inside its sandbox.

use std::sync::Arc;

use agent::port::Workspace;
use domain::event::FileChange;
use futures_util::future::BoxFuture;
use sandbox::{Sandbox, SandboxError};

use crate::capture;
use crate::error::{Error, Result};
use crate::repository::source::clean_git_environment;
use crate::view::FileDiff;

/// Where the base's own repository is shown in a run's sandbox, read-only.
pub(crate) const BASE_GIT: &str = "/base.git";

/// The environment of our own git commands in a run's sandbox: the base's repository, the agent's files, new
/// objects in a folder of ours, and the agent's objects only where the base does not have them.
pub(crate) fn git_environment() -> Vec<(String, String)> {
    let mut pairs = clean_git_environment();
    let own = [
        ("GIT_DIR", BASE_GIT),
        ("GIT_WORK_TREE", "/workspace"),
        ("GIT_OBJECT_DIRECTORY", "/home/user/.journeyman/objects"),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/base.git/objects:/workspace/.git/objects"),
    ];
    pairs.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    pairs
}

/// The working copy of one run.
pub(crate) struct RunWorkspace {
    pub(crate) sandbox: Arc<dyn Sandbox>,
    /// The commit that the clone started from.
    pub(crate) base: String,
}

impl RunWorkspace {
    /// What differs from the base now, file by file with its hunks.
    pub(crate) async fn diff(&self) -> Result<Vec<FileDiff>> {
        Ok(crate::diff::parse(&String::from_utf8_lossy(&self.patch().await?)))
    }

    /// What differs from the base now, as a patch for `git apply`.
    pub(crate) async fn patch(&self) -> Result<Vec<u8>> {
        self.compare("patch").await?.success("compare the working copy")
    }

    async fn compare(&self, how: &str) -> Result<capture::Captured> {
        let script = concat!(include_str!("workspace/stage.sh"), include_str!("workspace/compare.sh"));
        capture::script(&*self.sandbox, script, &[&self.base, how], git_environment()).await
    }

    async fn files(&self) -> Result<Vec<FileChange>> {
        let said = self.compare("files").await?.success("compare the working copy")?;
        Ok(read_numstat(&String::from_utf8_lossy(&said)))
    }
}

impl Workspace for RunWorkspace {
    fn changes(&self) -> BoxFuture<'_, std::result::Result<Vec<FileChange>, SandboxError>> {
        Box::pin(async move {
            self.files().await.map_err(|error| match error {
                Error::Sandbox(error) => error,
                other => {
                    SandboxError::Internal { doing: "compare the working copy", source: Box::new(other) }
                }
            })
        })
    }
}

/// Reads `git diff --numstat -z`: `added TAB removed TAB path NUL`, with `-` for binary files.
fn read_numstat(text: &str) -> Vec<FileChange> {
    let read = |record: &str| {
        let mut parts = record.splitn(3, '\t');
        let (added, removed) = (parts.next()?.parse().ok(), parts.next()?.parse().ok());
        Some(FileChange { path: parts.next()?.to_owned(), added, removed })
    };
    text.split('\0').filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_text_and_binary_files_are_read() {
        let change = |path: &str, added, removed| FileChange { path: path.to_owned(), added, removed };
        assert_eq!(
            read_numstat("3\t1\ta b\tc.sh\0-\t-\tlogo.png\0"),
            [change("a b\tc.sh", Some(3), Some(1)), change("logo.png", None, None)]
        );
        assert!(read_numstat("").is_empty());
    }
}

//! Folders for one measurement, removed afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A new folder beside the results, on the disk that the figures are about.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = results().join("work").join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A git repository with one commit, in a folder of this name.
    pub(crate) fn repository(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        std::fs::write(path.join("README.md"), "# A repository to measure with\n")
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        for line in ["init -q -b main", "add README.md", "commit -q -m first"] {
            let mut git = Command::new("git");
            git.current_dir(&path).args(["-c", "user.name=bench", "-c", "user.email=bench@localhost"]);
            git.args(line.split(' ')).stdin(Stdio::null());
            let status = git.status().map_err(|error| format!("cannot start git: {error}"))?;
            if !status.success() {
                return Err(format!("git {line} ended with {status}"));
            }
        }
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where results are kept; not committed.
pub(crate) fn results() -> PathBuf {
    root().join("bench/results")
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

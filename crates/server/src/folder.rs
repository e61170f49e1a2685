//! The data folder: where things lie in it, and who owns it. One process at a time does.

pub(crate) mod lock;
pub(crate) mod socket;

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runtime::Env;

use crate::error::{Failure, Result};

/// The data folder. Everything in it is found by the functions below, and nothing else joins paths to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// The folder that flag and environment name; nothing is made yet.
    ///
    /// # Errors
    ///
    /// Where no place can be derived, because neither a folder nor a home is named.
    pub(crate) fn locate(flag: Option<&Path>, env: &Env) -> Result<Self> {
        let named = flag.map(Path::to_path_buf).or_else(|| env.path("JOURNEYMAN_DATA"));
        let root = match named {
            Some(root) => root,
            None => default_root(env).ok_or_else(|| {
                Failure::new("data_folder_unknown", "there is no place for the data folder")
                    .why("neither JOURNEYMAN_DATA, XDG_DATA_HOME nor HOME is set")
            })?,
        };
        let root = std::path::absolute(&root).map_err(|error| unusable(&root, &error))?;
        Ok(Self { root })
    }

    /// Makes the folder where it is missing, open to its owner alone, and resolves links in its path.
    ///
    /// # Errors
    ///
    /// Where it cannot be made, is no folder, or belongs to somebody else.
    pub(crate) fn make(self) -> Result<Self> {
        let fail = |error: io::Error| unusable(&self.root, &error);
        if self.holds_something_else() {
            let text = format!("{} is no data folder of Journeyman", self.root.display());
            return Err(Failure::new("data_folder_unusable", text)
                .why("it holds other files")
                .fix("name a folder that is empty or not there yet: --data DIR"));
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root).map_err(fail)?;
        let root = self.root.canonicalize().map_err(fail)?;
        let about = std::fs::metadata(&root).map_err(fail)?;
        if about.uid() != nix::unistd::geteuid().as_raw() {
            return Err(Failure::new(
                "data_folder_foreign",
                format!("the data folder {} belongs to another user", root.display()),
            ));
        }
        if about.permissions().mode() & 0o077 != 0 {
            std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700)).map_err(fail)?;
        }
        Ok(Self { root })
    }

    /// Whether this is somebody's folder for other things, which must not become ours by a slip.
    fn holds_something_else(&self) -> bool {
        let ours = [self.lock(), self.config(), self.database()];
        // A file system of its own begins with this one.
        let counts = |entry: std::fs::DirEntry| entry.file_name() != "lost+found";
        let has_files = std::fs::read_dir(&self.root).is_ok_and(|entries| entries.flatten().any(counts));
        has_files && !ours.iter().any(|path| path.exists())
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The file that names the owner and is locked by it.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The SQLite database.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("journeyman.db")
    }

    /// Passing files; what lies there after a restart is swept away.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Large outputs, patches, files that were kept.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }
}

fn default_root(env: &Env) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let share = env.path("XDG_DATA_HOME").and_then(absolute);
    let share = share.or_else(|| Some(env.path("HOME").and_then(absolute)?.join(".local/share")));
    Some(share?.join("journeyman"))
}

fn unusable(root: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::StorageFull {
        return disk_full(root);
    }
    Failure::new("data_folder_unusable", format!("the data folder {} cannot be used", root.display()))
        .why(error.to_string())
}

/// The disk under `path` is full.
pub(crate) fn disk_full(path: &Path) -> Failure {
    Failure::new("disk_full", format!("the disk that holds {} is full", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_by_flag_then_environment_then_home() -> Result<()> {
        let flag = Path::new("/flag");
        let env = Env::of(&[("JOURNEYMAN_DATA", "/named"), ("HOME", "/home/ada")]);
        assert_eq!(DataFolder::locate(Some(flag), &env)?.root(), flag);
        assert_eq!(DataFolder::locate(None, &env)?.root(), Path::new("/named"));
        let env = Env::of(&[("XDG_DATA_HOME", "relative"), ("HOME", "/home/ada")]);
        let root = DataFolder::locate(None, &env)?;
        assert_eq!(root.root(), Path::new("/home/ada/.local/share/journeyman"));
        let failure = DataFolder::locate(None, &Env::of(&[])).expect_err("no place");
        assert_eq!(failure.code, "data_folder_unknown");
        Ok(())
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() -> Result<()> {
        let place = tempfile::tempdir().map_err(|error| Failure::internal("make a folder", &error))?;
        let folder = DataFolder::locate(Some(place.path()), &Env::of(&[]))?;
        std::fs::create_dir(place.path().join("lost+found"))
            .map_err(|error| unusable(place.path(), &error))?;
        folder.clone().make()?;
        std::fs::write(place.path().join("thesis.tex"), "")
            .map_err(|error| unusable(place.path(), &error))?;
        let refused = folder.clone().make().expect_err("somebody's folder");
        assert_eq!(refused.code, "data_folder_unusable");
        std::fs::write(folder.lock(), "").map_err(|error| unusable(place.path(), &error))?;
        folder.make().map(drop)
    }
}

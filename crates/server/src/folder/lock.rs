//! The lock that makes one process the owner of a data folder. The kernel drops it with the process, so a
//! killed owner never has to be cleaned up after.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DataFolder, disk_full};
use crate::error::{Failure, Result};

/// How the owner is reached; the content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// Its process.
    pub(crate) pid: u32,
    /// Its socket.
    pub(crate) socket: PathBuf,
    /// Its address for browsers, where it has one.
    pub(crate) url: Option<String>,
    /// Whether it ends with the run that it was started for.
    pub(crate) in_process: bool,
}

/// The lock, held by this process until it is dropped.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    file: File,
    folder: DataFolder,
}

/// Who owns the folder.
#[derive(Debug)]
pub(crate) enum Ownership {
    /// This process, from now on.
    Ours(OwnerLock),
    /// Another process; `None` while it starts.
    Theirs(Option<Owner>),
}

/// Becomes the owner of `folder`, or says who is.
///
/// # Errors
///
/// Where the lock file cannot be used.
pub(crate) fn take(folder: &DataFolder) -> Result<Ownership> {
    let fail = |error: io::Error| unusable(folder, &error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.lock())
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {
            // What a dead owner left behind is forgotten before anyone can mistake it for us.
            file.set_len(0).map_err(fail)?;
            Ok(Ownership::Ours(OwnerLock { file, folder: folder.clone() }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(fail)?;
            Ok(Ownership::Theirs(serde_json::from_str(&text).ok()))
        }
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

impl OwnerLock {
    /// Tells others how to reach us.
    ///
    /// # Errors
    ///
    /// Where the lock file cannot be written.
    pub(crate) fn announce(&mut self, owner: &Owner) -> Result<()> {
        let text =
            serde_json::to_string(owner).map_err(|error| Failure::internal("name the owner", &error))?;
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|error| unusable(&self.folder, &error))
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Best effort: a reader that finds the text without the lock does not believe it anyway.
        let _unimportant = self.file.set_len(0);
    }
}

fn unusable(folder: &DataFolder, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::StorageFull {
        return disk_full(folder.root());
    }
    Failure::new("data_folder_unusable", format!("the lock of {} cannot be used", folder.root().display()))
        .why(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use runtime::Env;

    use super::*;

    #[test]
    fn the_second_to_come_learns_who_was_first_and_takes_over_after_it() -> Result<()> {
        let place = tempfile::tempdir().map_err(|error| Failure::internal("make a folder", &error))?;
        let folder = DataFolder::locate(Some(place.path()), &Env::of(&[]))?.make()?;
        let Ownership::Ours(mut lock) = take(&folder)? else { panic!("nobody else is here") };
        assert!(matches!(take(&folder)?, Ownership::Theirs(None)), "the owner has not said a word yet");

        let owner = Owner {
            pid: 7,
            socket: Path::new("/run/x.sock").to_owned(),
            url: Some("http://127.0.0.1:4000".to_owned()),
            in_process: false,
        };
        lock.announce(&owner)?;
        match take(&folder)? {
            Ownership::Theirs(Some(named)) => assert_eq!(named, owner),
            other => panic!("expected the owner's name, got {other:?}"),
        }
        drop(lock);
        assert!(matches!(take(&folder)?, Ownership::Ours(_)));
        Ok(())
    }
}

//! The owner's socket: in a folder that only its user can enter, under a short name, because a socket's path
//! ends at 108 bytes.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use runtime::Env;
use sha2::{Digest, Sha256};

use super::DataFolder;
use crate::error::{Failure, Result};

/// The longest path that the kernel takes.
const PATH_MAX_BYTES: usize = 107;

/// Opens the socket of `folder`'s owner. Call it only while holding the folder's lock: what lies at the path
/// is a dead owner's.
///
/// # Errors
///
/// Where the runtime folder cannot be used or the socket not be opened.
pub(crate) fn listen(folder: &DataFolder, env: &Env) -> Result<(UnixListener, PathBuf)> {
    let path = path_of(folder, env)?;
    let opened = remove_if_there(&path).and_then(|()| {
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    match opened {
        Ok(listener) => Ok((listener, path)),
        Err(error) => Err(unusable(&path, &error)),
    }
}

/// Removes the socket, if it is still there.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = remove_if_there(path) {
        tracing::warn!(socket = %path.display(), %error, "the socket stays behind");
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn path_of(folder: &DataFolder, env: &Env) -> Result<PathBuf> {
    let digest = Sha256::digest(folder.root().as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let user = nix::unistd::geteuid();
    let own = env.path("XDG_RUNTIME_DIR").filter(|path| path.is_absolute() && path.is_dir());
    let choices = [own.map(|path| path.join("journeyman")), Some(format!("/tmp/journeyman-{user}").into())];
    let mut refused = None;
    for parent in choices.into_iter().flatten() {
        let path = parent.join(format!("{name}.sock"));
        if path.as_os_str().len() > PATH_MAX_BYTES {
            continue;
        }
        match make_private(&parent, user.as_raw()) {
            Ok(()) => return Ok(path),
            Err(error) => refused = Some(unusable(&parent, &error)),
        }
    }
    Err(refused
        .unwrap_or_else(|| Failure::new("runtime_folder_unusable", "there is no place for the socket")))
}

/// Makes the folder, or checks that it is ours and closed to others: anybody may make folders in `/tmp`.
fn make_private(folder: &Path, user: u32) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = std::fs::symlink_metadata(folder)?;
    if !about.is_dir() || about.uid() != user {
        return Err(io::Error::other("it is not a folder of yours"));
    }
    if about.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new("runtime_folder_unusable", format!("the socket {} cannot be used", path.display()))
        .why(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_lies_where_only_its_user_can_reach_it_and_replaces_a_dead_one() -> Result<()> {
        let place = tempfile::tempdir().map_err(|error| Failure::internal("make a folder", &error))?;
        let env = Env::of(&[("XDG_RUNTIME_DIR", &place.path().to_string_lossy())]);
        let folder = DataFolder::locate(Some(&place.path().join("data")), &env)?.make()?;
        let (first, path) = listen(&folder, &env)?;
        drop(first);
        let (_second, again) = listen(&folder, &env)?;
        assert_eq!(path, again);
        let mode = |path: &Path| std::fs::metadata(path).map(|about| about.permissions().mode() & 0o777).ok();
        assert_eq!((mode(&path), path.parent().and_then(mode)), (Some(0o600), Some(0o700)));
        Ok(())
    }

    #[test]
    fn a_runtime_folder_whose_path_is_too_long_is_passed_over() -> Result<()> {
        let place = tempfile::tempdir().map_err(|error| Failure::internal("make a folder", &error))?;
        let long = place.path().join("x".repeat(100));
        std::fs::create_dir(&long).map_err(|error| Failure::internal("make a folder", &error))?;
        let env = Env::of(&[("XDG_RUNTIME_DIR", &long.to_string_lossy())]);
        let folder = DataFolder::locate(Some(&place.path().join("data")), &env)?.make()?;
        assert!(path_of(&folder, &env)?.starts_with("/tmp"));
        Ok(())
    }
}

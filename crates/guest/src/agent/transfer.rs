//! Files in and out, piece by piece.

use std::io;
use std::ops::Range;

use super::accounts::{self, Names, User};
use super::connection::Connection;
use super::{Agent, files, tree};
use crate::protocol::{Failure, FileFault, FileInfo, Reply, UploadOptions, kind};

/// Sends what a file is, and then the range of it.
pub(super) fn download(
    agent: &Agent,
    connection: &mut Connection,
    path: &str,
    range: Range<u64>,
) -> Result<Reply, Failure> {
    let resolved = agent.resolve(path);
    let fail = |error: &io::Error| files::failure(path, error);
    let file = files::open(&resolved, path)?;
    // What is opened may stand behind a link: the link's own size would mislead.
    let metadata = file.metadata().map_err(|error| fail(&error))?;
    let info = tree::info(&resolved, &metadata, &Names::load());
    connection.json(kind::BEGUN, &info).map_err(|error| fail(&error))?;
    files::send(connection, file, path, range)
}

/// Takes a file and puts it in its place once it is whole.
pub(super) fn upload(
    agent: &Agent,
    connection: &mut Connection,
    path: &str,
    options: &UploadOptions,
) -> Result<FileInfo, Failure> {
    let user = accounts::user(&agent.setup, options.user.as_deref()).map_err(|message| Failure::File {
        path: path.to_owned(),
        message,
        fault: FileFault::Denied,
    })?;
    let _rights = Rights::of(agent, &user);
    let target = files::target_of(agent, path);
    files::write_whole(connection, &target, options).map_err(|error| files::failure(path, &error))?;
    tree::look(&target, &Names::load()).map_err(|error| files::failure(path, &error))
}

/// Somebody's rights over files, for this thread, until it is dropped.
struct Rights(Option<(u32, u32)>);

impl Rights {
    fn of(agent: &Agent, user: &User) -> Self {
        match (user, agent.setup.run_as) {
            (User::Other { uid, gid, .. }, Some(before)) => {
                super::become_user((*uid, *gid));
                Self(Some(before))
            }
            (User::Usual | User::Other { .. }, _) => Self(None),
        }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            super::become_user(before);
        }
    }
}

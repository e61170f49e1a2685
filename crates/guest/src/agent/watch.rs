//! Watches files and folders for changes, new folders too.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::Agent;
use super::connection::Connection;
use super::files::{TEMPORARY, failure};
use crate::names::to_text;
use crate::protocol::{Failure, FileEvent, FileEventKind, FileFault, Reply, kind};

/// The most folders that one watch covers.
const FOLDERS: usize = 16_384;

/// Watches until the owner leaves or what is watched is gone.
pub(super) fn watch(
    agent: &Agent,
    connection: &mut Connection,
    path: &str,
    recursive: bool,
) -> io::Result<()> {
    let base = agent.resolve(path);
    let mut watch = match Watch::begin(&base, recursive) {
        Ok(watch) => watch,
        Err(error) => return connection.reply(&Reply::Failed(why(path, &error))),
    };
    connection.frame(kind::BEGUN, b"{}")?;
    while watch.goes_on {
        if !sleep(&watch, connection)? {
            continue;
        }
        match watch.read() {
            Ok(events) => {
                for event in events {
                    connection.json(kind::EVENT, &event)?;
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return connection.reply(&Reply::Failed(why(path, &error.into()))),
        }
    }
    connection.reply(&Reply::Done)
}

/// Waits for an event; `false` where only the owner moved.
fn sleep(watch: &Watch, connection: &mut Connection) -> io::Result<bool> {
    let mut polled = [
        PollFd::new(watch.inotify.as_fd(), PollFlags::POLLIN),
        PollFd::new(connection.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut polled, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [happened, asked] = polled.map(|fd| fd.any().unwrap_or(true));
    if asked {
        connection.receive_now()?;
    }
    Ok(happened)
}

/// The limits of watches have errors of their own.
fn why(path: &str, error: &io::Error) -> Failure {
    let message = match error.raw_os_error() {
        Some(libc::ENOSPC) => {
            "more folders than this machine lets a user watch (fs.inotify.max_user_watches)"
        }
        Some(libc::EMFILE) => {
            "more watches than this machine lets a user have (fs.inotify.max_user_instances)"
        }
        _ => return failure(path, error),
    };
    Failure::File { path: path.to_owned(), message: message.to_owned(), fault: FileFault::TooLarge }
}

struct Watch {
    inotify: Inotify,
    base: PathBuf,
    recursive: bool,
    /// What each watch is of, relative to the base.
    places: HashMap<WatchDescriptor, PathBuf>,
    root: WatchDescriptor,
    goes_on: bool,
}

impl Watch {
    fn begin(base: &Path, recursive: bool) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let root = inotify.add_watch(base, of_what())?;
        let places = HashMap::from([(root, PathBuf::new())]);
        let mut watch = Self { inotify, base: base.to_owned(), recursive, places, root, goes_on: true };
        if recursive && base.is_dir() {
            watch.add_below(Path::new(""), None)?;
        }
        Ok(watch)
    }

    /// Watches the folders below `folder`; tells of everything in them to `found`, where that is given.
    fn add_below(&mut self, folder: &Path, mut found: Option<&mut Vec<PathBuf>>) -> io::Result<()> {
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let Ok(entries) = fs::read_dir(self.base.join(&folder)) else { continue };
            for entry in entries.filter_map(Result::ok) {
                let place = folder.join(entry.file_name());
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && self.add(&place)? {
                    open.push(place.clone());
                }
                if let Some(found) = &mut found
                    && !is_ours(&entry.file_name())
                {
                    found.push(place);
                }
            }
        }
        Ok(())
    }

    /// Watches one folder; `false` where it has gone already or may not be looked into.
    fn add(&mut self, place: &Path) -> io::Result<bool> {
        if self.places.len() >= FOLDERS {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let flags = of_what() | AddWatchFlags::IN_ONLYDIR | AddWatchFlags::IN_DONT_FOLLOW;
        match self.inotify.add_watch(&self.base.join(place), flags) {
            Ok(descriptor) => {
                self.places.insert(descriptor, place.to_owned());
                Ok(true)
            }
            Err(Errno::ENOSPC) => Err(Errno::ENOSPC.into()),
            Err(_) => Ok(false),
        }
    }

    /// What has happened.
    fn read(&mut self) -> Result<Vec<FileEvent>, Errno> {
        let mut told = Vec::new();
        // A folder may be found by looking into its parent and by its own event.
        let mut created = HashSet::new();
        for event in self.inotify.read_events()? {
            self.take(event, &mut told, &mut created);
        }
        Ok(told)
    }

    fn take(&mut self, event: InotifyEvent, told: &mut Vec<FileEvent>, created: &mut HashSet<PathBuf>) {
        use AddWatchFlags as Flag;
        if event.mask.contains(Flag::IN_Q_OVERFLOW) {
            told.push(FileEvent { path: String::new(), kind: FileEventKind::Missed });
            self.catch_up();
            return;
        }
        if event.mask.contains(Flag::IN_IGNORED) {
            self.places.remove(&event.wd);
            self.goes_on &= event.wd != self.root;
            return;
        }
        let Some(folder) = self.places.get(&event.wd).cloned() else { return };
        let is_root = event.wd == self.root;
        let place = match event.name {
            Some(name) if is_ours(&name) => return,
            Some(name) => folder.join(name),
            None if is_root => folder,
            // Its parent tells of it too.
            None => return,
        };
        let Some(kind) = kind_of(event.mask) else { return };
        if event.mask.contains(Flag::IN_MOVE_SELF) {
            self.goes_on = false;
        }
        if kind != FileEventKind::Created {
            created.remove(&place);
        } else if !created.insert(place.clone()) {
            return;
        }
        let is_folder = event.mask.contains(Flag::IN_ISDIR);
        told.push(FileEvent { path: to_text(place.as_os_str()), kind });
        match kind {
            FileEventKind::Created if is_folder && self.recursive => self.enter(&place, told, created),
            FileEventKind::Renamed if is_folder => self.leave(&place),
            _ => {}
        }
    }

    /// Watches a new folder; what came into it before the watch did is told as new.
    fn enter(&mut self, place: &Path, told: &mut Vec<FileEvent>, created: &mut HashSet<PathBuf>) {
        let mut found = Vec::new();
        let watched = self.add(place).and_then(|_| self.add_below(place, Some(&mut found)));
        for place in found {
            if created.insert(place.clone()) {
                told.push(FileEvent { path: to_text(place.as_os_str()), kind: FileEventKind::Created });
            }
        }
        if watched.is_err() {
            told.push(FileEvent { path: String::new(), kind: FileEventKind::Missed });
        }
    }

    /// Watches a folder that went elsewhere no more.
    fn leave(&mut self, place: &Path) {
        let gone: Vec<WatchDescriptor> = self
            .places
            .iter()
            .filter(|(_, at)| at.starts_with(place))
            .map(|(descriptor, _)| *descriptor)
            .collect();
        for descriptor in gone {
            self.places.remove(&descriptor);
            let _ = self.inotify.rm_watch(descriptor);
        }
    }

    /// Finds the folders that are new since events were lost.
    fn catch_up(&mut self) {
        if self.recursive {
            let _ = self.add_below(Path::new(""), None);
        }
    }
}

/// Whether a file is one that a write of ours puts beside the real one for a moment.
fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

fn of_what() -> AddWatchFlags {
    use AddWatchFlags as Flag;
    Flag::IN_CREATE
        | Flag::IN_MODIFY
        | Flag::IN_ATTRIB
        | Flag::IN_DELETE
        | Flag::IN_MOVED_FROM
        | Flag::IN_MOVED_TO
        | Flag::IN_DELETE_SELF
        | Flag::IN_MOVE_SELF
}

fn kind_of(mask: AddWatchFlags) -> Option<FileEventKind> {
    use AddWatchFlags as Flag;
    let kinds = [
        (Flag::IN_CREATE | Flag::IN_MOVED_TO, FileEventKind::Created),
        (Flag::IN_MODIFY, FileEventKind::Written),
        (Flag::IN_DELETE | Flag::IN_DELETE_SELF, FileEventKind::Removed),
        (Flag::IN_MOVED_FROM | Flag::IN_MOVE_SELF, FileEventKind::Renamed),
        (Flag::IN_ATTRIB, FileEventKind::ModeChanged),
    ];
    kinds.into_iter().find(|(flags, _)| mask.intersects(*flags)).map(|(_, kind)| kind)
}

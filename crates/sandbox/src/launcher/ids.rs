//! User namespaces and the ids that sandboxes have on the host.
//!
//! With root, each sandbox has 65,536 ids of its own. What it writes to disk is owned by one range that all share
//! (the mounts are id-mapped), so that a later sandbox with other ids finds its files. Without root there is one
//! id: the invoking user's, seen inside as the agent's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, Uid};

use super::sys;

/// The uid and gid of commands, as seen inside.
pub(crate) const AGENT: u32 = 1000;

/// Ids per sandbox.
const RANGE: u32 = 65_536;

/// Above what distributions, subuid files and systemd-nspawn hand out, below 2^31.
const FIRST: u32 = 0x7000_0000;

/// Where ranges are locked.
const LOCKS: &str = "/run/journeyman-ids";

/// How many sandboxes may live at once.
const SLOTS: u32 = 4_000;

/// Who owns on disk what sandboxes write: inside id 0 is this one.
pub(crate) const STORAGE: u32 = FIRST;

/// Who owns on disk what the host's root makes on a storage mount (the overlay's own folders).
const STORAGE_OF_ROOT: u32 = FIRST + (SLOTS + 2) * RANGE;

/// Whether this process can give sandboxes ranges of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The host's root, with all ids at hand.
    Root,
    /// A normal user: one id.
    User,
}

impl Mode {
    /// What this process can do.
    pub(crate) fn of_this_process() -> Self {
        let all_ids = fs::read_to_string("/proc/self/uid_map")
            .ok()
            .and_then(|map| map.split_whitespace().nth(2)?.parse::<u64>().ok())
            .is_some_and(|count| count > u64::from(STORAGE_OF_ROOT));
        if Uid::effective().is_root() && all_ids { Self::Root } else { Self::User }
    }
}

/// Hands out ranges that no other sandbox of this machine has, whoever owns it: each is locked by a file.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    used: BTreeMap<u32, Flock<File>>,
}

impl Slots {
    /// A range that no living sandbox has.
    pub(crate) fn take(&mut self) -> Option<u32> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(LOCKS).ok()?;
        let free = |slot: &u32| !self.used.contains_key(slot);
        let (slot, lock) = (0..SLOTS).filter(free).find_map(|slot| Some((slot, lock(slot)?)))?;
        self.used.insert(slot, lock);
        Some(slot)
    }

    /// Gives a range back.
    pub(crate) fn give_back(&mut self, slot: u32) {
        self.used.remove(&slot);
    }
}

/// Locks a range; nothing where another launcher has it. The kernel unlocks it when we end, however we do.
fn lock(slot: u32) -> Option<Flock<File>> {
    let path = Path::new(LOCKS).join(slot.to_string());
    let file = File::options().write(true).create(true).truncate(false).open(path).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// The host's id of the sandbox's id 0.
pub(crate) fn base_of(slot: u32) -> u32 {
    FIRST + (slot + 1) * RANGE
}

/// The namespaces of one sandbox.
pub(crate) struct Namespaces {
    /// The one that the sandbox's processes live in; also maps the template's owners.
    pub(crate) own: OwnedFd,
    /// Maps ids on disk to ids of the sandbox, for the mounts of its state.
    pub(crate) storage: OwnedFd,
}

/// Makes the namespaces of a sandbox.
pub(crate) fn namespaces(slot: u32) -> io::Result<Namespaces> {
    let base = base_of(slot);
    let own = namespace(&format!("0 {base} {RANGE}\n"))?;
    let storage = namespace(&format!("{STORAGE} {base} {RANGE}\n{STORAGE_OF_ROOT} 0 1\n"))?;
    Ok(Namespaces { own, storage })
}

/// A map that shows the owner of `path` as the agent; `None` where a sandbox of ours wrote it. Called in a new process
/// namespace, with the new root as the current directory: its own /proc knows the helper.
pub(crate) fn base_namespace(path: &Path, base: u32) -> io::Result<Option<OwnedFd>> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path)?;
    if (STORAGE..STORAGE + RANGE).contains(&metadata.uid()) {
        return Ok(None);
    }
    let agent = base + AGENT;
    let helper = Helper::start("proc")?;
    helper.map("uid_map", &format!("{} {agent} 1\n", metadata.uid()))?;
    helper.map("gid_map", &format!("{} {agent} 1\n", metadata.gid()))?;
    helper.namespace().map(Some)
}

fn namespace(map: &str) -> io::Result<OwnedFd> {
    let helper = Helper::start("/proc")?;
    helper.map("uid_map", map)?;
    helper.map("gid_map", map)?;
    helper.namespace()
}

/// A process that holds a new user namespace until it has been opened.
struct Helper {
    pid: i32,
    proc: &'static str,
}

impl Helper {
    fn start(proc: &'static str) -> io::Result<Self> {
        match sys::clone_process(libc::CLONE_NEWUSER)? {
            Some(pid) => Ok(Self { pid, proc }),
            None => loop {
                nix::unistd::pause();
            },
        }
    }

    fn map(&self, file: &str, map: &str) -> io::Result<()> {
        fs::write(format!("{}/{}/{file}", self.proc, self.pid), map)
    }

    fn namespace(&self) -> io::Result<OwnedFd> {
        Ok(File::open(format!("{}/{}/ns/user", self.proc, self.pid))?.into())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.pid);
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, None);
    }
}

/// Maps the invoking user to the agent in the user namespace of `pid`; no group can be dropped there.
pub(crate) fn map_single_id(pid: i32) -> io::Result<()> {
    let (uid, gid) = (Uid::effective(), nix::unistd::Gid::effective());
    fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    fs::write(format!("/proc/{pid}/uid_map"), format!("{AGENT} {uid} 1\n"))?;
    fs::write(format!("/proc/{pid}/gid_map"), format!("{AGENT} {gid} 1\n"))
}

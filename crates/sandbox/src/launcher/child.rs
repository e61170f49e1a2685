//! What the cloned process does until it is the guest: it builds its root, gives up every power, loads the filter
//! and executes the agent. The order matters: each step needs a power that a later one gives up.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use super::ids::{AGENT, Namespaces};
use super::order::{Fault, Order};
use super::root::{self, Parts, at};
use super::seccomp::Instruction;
use super::sys;

/// CAP_KILL, CAP_SETGID, CAP_SETUID: the guest, process 1, runs commands as another user and kills them.
const GUEST_CAPABILITIES: u32 = 1 << 5 | 1 << 6 | 1 << 7;

/// What the launcher prepared for the child.
pub(super) struct Start<'a> {
    pub(super) order: &'a Order,
    /// With root.
    pub(super) namespaces: Option<&'a Namespaces>,
    /// The host's id of the sandbox's root.
    pub(super) owner: u32,
    /// The folder that the root covers while it is built.
    pub(super) root: PathBuf,
    pub(super) temporary_bytes: u64,
    /// Whether the memory of each process is limited because their sum cannot be.
    pub(super) limit_each_process: bool,
    /// The agent's program.
    pub(super) guest: BorrowedFd<'a>,
    /// The guest's listening socket.
    pub(super) listener: BorrowedFd<'a>,
    /// The guest's setup, to be read.
    pub(super) setup: BorrowedFd<'a>,
    pub(super) filter: &'a [Instruction],
}

/// Becomes the guest. `go` gives a byte when the launcher has done its part (maps or control groups); a fault is
/// written to `faults`, which closes when the guest's program has begun.
pub(super) fn run(start: &Start<'_>, go: OwnedFd, faults: OwnedFd) -> ! {
    let Err(fault) = become_guest(start, go);
    let text = serde_json::to_vec(&fault).unwrap_or_default();
    let _ = File::from(faults).write_all(&text);
    sys::exit_now(126)
}

fn become_guest(start: &Start<'_>, go: OwnedFd) -> Result<std::convert::Infallible, Fault> {
    let mut go = File::from(go);
    let mut wait = || go.read_exact(&mut [0]).map_err(at("wait for the launcher"));
    if start.namespaces.is_none() {
        // Nobody is mapped before.
        wait()?;
    }
    sys::bring_loopback_up().map_err(at("bring the loopback interface up"))?;
    root::enter(&Parts {
        order: start.order,
        namespaces: start.namespaces,
        owner: start.owner,
        at: &start.root,
        temporary_bytes: start.temporary_bytes,
    })?;
    nix::unistd::sethostname("sandbox").map_err(at("set the host name"))?;
    if start.namespaces.is_some() {
        wait()?;
    }
    // Only now, as the namespace begins at the group that the process is in.
    unshare(CloneFlags::CLONE_NEWCGROUP).map_err(at("unshare control groups"))?;
    place_descriptors(start)?;
    set_limits(start)?;
    nix::unistd::setsid().map_err(at("begin a session"))?;
    SigSet::empty().thread_set_mask().map_err(at("unblock signals"))?;
    let capabilities = match start.namespaces {
        Some(namespaces) => {
            setns(&namespaces.own, CloneFlags::CLONE_NEWUSER).map_err(at("enter the user namespace"))?;
            sys::become_user(0, 0).map_err(at("become the sandbox's root"))?;
            GUEST_CAPABILITIES
        }
        None => 0,
    };
    sys::keep_capabilities(capabilities).map_err(at("drop capabilities"))?;
    // After the last change of credentials, which would undo it.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("die with the launcher"))?;
    prctl::set_no_new_privs().map_err(at("refuse new privileges"))?;
    sys::load_filter(start.filter).map_err(at("load the filter of system calls"))?;
    Err(at("execute the guest")(sys::execute(start.guest, c"journeyman-guest")))
}

/// 0 to 2 are /dev/null, 3 the socket, 4 the setup; everything else closes with the guest's program.
fn place_descriptors(start: &Start<'_>) -> Result<(), Fault> {
    let null = File::options().read(true).write(true).open("/dev/null").map_err(at("open /dev/null"))?;
    // Before placing: the copies at 0 to 4 must not close.
    sys::close_on_exec_from(3).map_err(at("mark descriptors"))?;
    let sources = [null.as_fd(), null.as_fd(), null.as_fd(), start.listener, start.setup];
    sys::place_descriptors(&sources).map_err(at("place descriptors"))
}

fn set_limits(start: &Start<'_>) -> Result<(), Fault> {
    let limits = &start.order.limits;
    let mut wanted = vec![
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_MEMLOCK, 1 << 20),
        (Resource::RLIMIT_NOFILE, limits.open_files),
        (Resource::RLIMIT_FSIZE, limits.file_size_bytes),
        (Resource::RLIMIT_NPROC, limits.processes.into()),
    ];
    if start.limit_each_process {
        wanted.push((Resource::RLIMIT_DATA, limits.memory_bytes));
    }
    for (resource, value) in wanted {
        // What the host holds lower stays lower.
        let (_, highest) = getrlimit(resource).map_err(at("read a limit"))?;
        let value = value.min(highest);
        setrlimit(resource, value, value).map_err(at("set a limit"))?;
    }
    Ok(())
}

/// The namespaces that the clone gets. With root, the user namespace is joined later, so that it owns none of
/// the others and no process of the sandbox has power over them.
pub(super) fn clone_flags(with_root: bool) -> libc::c_int {
    let all =
        libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if with_root { all } else { all | libc::CLONE_NEWUSER }
}

/// The ids of commands: another user than the guest, where there are several.
pub(super) fn command_user(with_root: bool) -> Option<(u32, u32)> {
    with_root.then_some((AGENT, AGENT))
}

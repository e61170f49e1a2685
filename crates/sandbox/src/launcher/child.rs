//! What the cloned process does until it is the guest: it prepares a root, waits for the order, completes the root,
//! gives up every power, loads the filter and executes the agent. The order matters: each step needs a power that
//! a later one gives up.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use super::cgroups::Group;
use super::ids::{AGENT, Namespaces};
use super::order::{Fault, Order, Template, receive};
use super::root::{Parts, at};
use super::seccomp::Instruction;
use super::{bwrap, state, sys};

/// CAP_KILL, CAP_SETGID, CAP_SETUID: the guest, process 1, runs commands as another user and kills them. CAP_CHOWN,
/// CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID: what the sandbox's root is for where somebody asks for a command as
/// root. They reach files of the sandbox's own ids alone; commands as its user have none of them.
const GUEST_CAPABILITIES: u32 = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4;

/// What the launcher prepared for the child.
pub(super) struct Start<'a> {
    pub(super) template: &'a Template,
    /// With root.
    pub(super) namespaces: Option<&'a Namespaces>,
    /// The host's id of the sandbox's root.
    pub(super) owner: u32,
    /// An empty folder that the root covers while it is built.
    pub(super) root: &'a Path,
    pub(super) group: &'a Group,
    /// Whether the memory of each process is limited because their sum cannot be.
    pub(super) limit_each_process: bool,
    /// The agent's program.
    pub(super) guest: BorrowedFd<'a>,
    pub(super) filter: &'a [Instruction],
}

/// Becomes the guest once an order comes through `orders`; ends where that closes. A fault is written to `faults`,
/// which closes when the guest's program has begun.
pub(super) fn run(start: &Start<'_>, orders: OwnedFd, faults: OwnedFd) -> ! {
    let mut kept = vec![0, 1, 2, orders.as_raw_fd(), faults.as_raw_fd(), start.guest.as_raw_fd()];
    if let Some(namespaces) = start.namespaces {
        kept.extend([namespaces.own.as_raw_fd(), namespaces.storage.as_raw_fd()]);
    }
    // The ways to other children: who holds one keeps it open.
    sys::close_all_but(&mut kept);
    let became = match &start.template.bwrap {
        Some(program) => bwrap::become_guest(start, program, File::from(orders)),
        None => become_guest(start, File::from(orders)),
    };
    let fault = match became {
        Ok(()) => sys::exit_now(0),
        Err(fault) => fault,
    };
    let text = serde_json::to_vec(&fault).unwrap_or_default();
    let _ = File::from(faults).write_all(&text);
    sys::exit_now(126)
}

/// Returns only where there is no order.
fn become_guest(start: &Start<'_>, mut orders: File) -> Result<(), Fault> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("die with the launcher"))?;
    if start.namespaces.is_none() {
        // Nobody is mapped before.
        orders.read_exact(&mut [0]).map_err(at("wait for the launcher"))?;
        prctl::set_dumpable(false).map_err(at("be closed to others"))?;
    }
    // Waits for the kernel's other readers, 7 to 15 ms on an idle machine with version 1.
    start.group.enter().map_err(at("enter the control groups"))?;
    // Only now, as the namespace begins at the group that the process is in.
    unshare(CloneFlags::CLONE_NEWCGROUP).map_err(at("unshare control groups"))?;
    sys::bring_loopback_up().map_err(at("bring the loopback interface up"))?;
    nix::unistd::sethostname("sandbox").map_err(at("set the host name"))?;
    let parts = Parts { template: start.template, namespaces: start.namespaces, owner: start.owner };
    parts.prepare(start.root)?;
    let Some(mut order) = receive::<Order>(&mut orders).map_err(at("wait for the order"))? else {
        return Ok(());
    };
    drop(orders);
    order.setup.run_as = command_user(start.namespaces.is_some());
    state::prepare(&order, start.namespaces.is_some())?;
    let listener = listen(&start.template.runtime.join(order.id.to_string()))?;
    let setup = setup_pipe(&order)?;
    parts.complete(&order)?;
    place_descriptors(&[listener.as_fd(), setup.as_fd()])?;
    set_limits(start, &order, true)?;
    give_up_powers(start)?;
    Err(at("execute the guest")(sys::execute(start.guest, c"journeyman-guest")))
}

fn give_up_powers(start: &Start<'_>) -> Result<(), Fault> {
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
    // Again after the last change of credentials, which has undone it.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("die with the launcher"))?;
    prctl::set_no_new_privs().map_err(at("refuse new privileges"))?;
    sys::scope_by_landlock().map_err(at("restrict by Landlock"))?;
    sys::load_filter(start.filter).map_err(at("load the filter of system calls"))
}

/// Makes the sandbox's folder on the host with the guest's socket in it.
pub(super) fn listen(folder: &Path) -> Result<UnixListener, Fault> {
    use std::os::unix::fs::DirBuilderExt as _;
    let make = || {
        let new = || std::fs::DirBuilder::new().mode(0o700).create(folder);
        if new().is_err() {
            let _ = std::fs::remove_dir_all(folder);
            new()?;
        }
        UnixListener::bind(folder.join(super::SOCKET))
    };
    make().map_err(at("make the sandbox's socket"))
}

/// A pipe that holds the guest's setup.
pub(super) fn setup_pipe(order: &Order) -> Result<OwnedFd, Fault> {
    let json = serde_json::to_vec(&order.setup).map_err(at("encode the guest's setup"))?;
    let (reader, writer) =
        nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(at("make a pipe"))?;
    File::from(writer).write_all(&json).map_err(at("hand the guest's setup over"))?;
    let flags = nix::fcntl::FcntlArg::F_SETFL(OFlag::empty());
    nix::fcntl::fcntl(&reader, flags).map_err(at("hand the guest's setup over"))?;
    Ok(reader)
}

/// 0 to 2 are /dev/null, then `sources`; everything else closes with the guest's program.
pub(super) fn place_descriptors(sources: &[BorrowedFd<'_>]) -> Result<(), Fault> {
    let null = File::options().read(true).write(true).open("/dev/null").map_err(at("open /dev/null"))?;
    // Before placing: the copies must not close.
    sys::close_on_exec_from(3).map_err(at("mark descriptors"))?;
    let mut all = vec![null.as_fd(); 3];
    all.extend(sources);
    sys::place_descriptors(&all).map_err(at("place descriptors"))
}

pub(super) fn set_limits(start: &Start<'_>, order: &Order, with_processes: bool) -> Result<(), Fault> {
    let limits = &order.limits;
    let mut wanted = vec![
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_MEMLOCK, 1 << 20),
        (Resource::RLIMIT_NOFILE, limits.open_files),
        (Resource::RLIMIT_FSIZE, limits.file_size_bytes),
    ];
    if with_processes {
        wanted.push((Resource::RLIMIT_NPROC, limits.processes.into()));
    }
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
fn command_user(with_root: bool) -> Option<(u32, u32)> {
    with_root.then_some((AGENT, AGENT))
}

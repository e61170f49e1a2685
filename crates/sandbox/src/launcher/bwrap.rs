//! The other way to a sandbox: `bwrap` makes the namespaces and the root, with our filter and our guest. For hosts
//! where a user may not do it all and bubblewrap may.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Uid;

use super::child::{self, Start};
use super::ids::{AGENT, STORAGE};
use super::order::{Fault, Order, Template, receive};
use super::root::{FOLDERS, MASKED_FILES, at, path_fault, temporary_bytes};
use super::seccomp::Instruction;
use super::{state, sys};
use crate::layout;

/// Where the guest's program is found inside: its descriptor stays open until it runs.
const GUEST: &str = "/proc/self/fd/7";

/// Where a process of root lays out what bwrap shall show, as it gives up the right to reach it.
const LAID_OUT: &str = "/tmp";

/// Limits the processes of the sandbox alone, which only works inside its user namespace.
const PRLIMIT: &str = "/usr/bin/prlimit";

/// The files that all sandboxes show, and the one that covers what nobody may read.
pub(super) fn prepare(template: &Template) -> io::Result<()> {
    let folder = files_folder(template);
    fs::create_dir_all(&folder)?;
    for (number, (_, content)) in template.files.iter().enumerate() {
        fs::write(folder.join(number.to_string()), content)?;
    }
    let mask = mask(template);
    let _ = fs::remove_file(&mask);
    File::options().write(true).create_new(true).mode(0o000).open(mask).map(drop)
}

/// Becomes bwrap once an order comes; returns only where there is none.
pub(super) fn become_guest(start: &Start<'_>, program: &Path, mut orders: File) -> Result<(), Fault> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("die with the launcher"))?;
    start.group.enter().map_err(at("enter the control groups"))?;
    let Some(mut order) = receive::<Order>(&mut orders).map_err(at("wait for the order"))? else {
        return Ok(());
    };
    drop(orders);
    refuse_what_it_lacks(&order)?;
    // Root of the host stays root for the kernel, whatever its name inside: it is left behind.
    let owner = Uid::effective().is_root().then_some(STORAGE + AGENT);
    // Below a base lies no overlay here: it is copied once.
    if let Some(base) = order.workspace_base.take() {
        let workspace = order.state.join(layout::WORKSPACE_STATE);
        if !workspace.exists() {
            let copied = fs::create_dir_all(&order.state).and_then(|()| copy_tree(&base, &workspace, owner));
            copied.map_err(at("copy the base"))?;
        }
    }
    state::prepare(&order, owner.is_some())?;
    let listener = child::listen(&start.template.runtime.join(order.id.to_string()))?;
    let setup = child::setup_pipe(&order)?;
    let filter = in_memory(&bytes_of(start.filter)).map_err(at("hand the filter over"))?;
    if owner.is_some() {
        unshare(CloneFlags::CLONE_NEWNS).map_err(at("unshare mounts"))?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .map_err(at("make mounts private"))?;
    }
    let mut arguments = Arguments { bytes: Vec::new(), opened: Vec::new(), opens: owner.is_some() };
    arguments.fill(start.template, &order)?;
    arguments.lay_out().map_err(at("lay out what is shown"))?;
    let words = in_memory(&arguments.bytes).map_err(at("hand the arguments over"))?;
    let program = File::open(program).map_err(at("open bwrap"))?;
    let sources = [listener.as_fd(), setup.as_fd(), filter.as_fd(), words.as_fd(), start.guest];
    child::set_limits(start, &order, false)?;
    SigSet::empty().thread_set_mask().map_err(at("unblock signals"))?;
    if let Some(owner) = owner {
        sys::become_user(owner, owner).map_err(at("leave root behind"))?;
        // Again after the change of credentials, which has undone it.
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("die with the launcher"))?;
    }
    let program = sys::duplicate_above(program.as_fd(), 500).map_err(at("keep bwrap"))?;
    child::place_descriptors(&sources)?;
    Err(at("execute bwrap")(execute(program.as_fd(), &order)))
}

fn refuse_what_it_lacks(order: &Order) -> Result<(), Fault> {
    let lacks = |what: &str| {
        Err(Fault::Unsupported {
            missing: format!("{what} with the provider bwrap"),
            fix: "use the provider `native`".to_owned(),
        })
    };
    match order {
        order if !order.layers.is_empty() => lacks("snapshots and forks"),
        order if order.rootfs.is_some() => lacks("trees instead of the host's programs"),
        _ => Ok(()),
    }
}

/// What is visible to others on the host in a list of processes: no path and no name of the sandbox.
fn execute(program: BorrowedFd<'_>, order: &Order) -> io::Error {
    let limit = format!("--nproc={}", order.limits.processes);
    let mut words = vec!["bwrap", "--args", "6", "--"];
    if Path::new(PRLIMIT).exists() {
        words.extend([PRLIMIT, &limit, "--"]);
    }
    words.push(GUEST);
    sys::execute_with(program, &words)
}

/// What bwrap is told.
struct Arguments {
    /// The words, each ended by a zero byte.
    bytes: Vec<u8>,
    /// What is shown and bwrap may not reach where it lies: it goes to [`LAID_OUT`], by number.
    opened: Vec<(OwnedFd, bool)>,
    /// Whether paths are opened here, as bwrap may not reach them.
    opens: bool,
}

impl Arguments {
    fn add(&mut self, words: &[&Path]) {
        use std::os::unix::ffi::OsStrExt as _;
        for word in words {
            self.bytes.extend_from_slice(word.as_os_str().as_bytes());
            self.bytes.push(0);
        }
    }

    fn line(&mut self, line: &str) {
        line.split_whitespace().for_each(|word| self.add(&[Path::new(word)]));
    }

    /// Shows a path of the host; `kind` is `--bind` or `--ro-bind`.
    fn bind(&mut self, kind: &str, host: &Path, inside: &Path) -> Result<(), Fault> {
        if !self.opens {
            self.add(&[Path::new(kind), host, inside]);
            return Ok(());
        }
        let fault = |error: io::Error| path_fault(host, &error);
        let is_folder = fs::metadata(host).map_err(fault)?.is_dir();
        let place = Path::new(LAID_OUT).join(self.opened.len().to_string());
        self.opened.push((sys::open_tree(host).map_err(fault)?, is_folder));
        self.add(&[Path::new(kind), &place, inside]);
        Ok(())
    }

    /// Puts what was opened where bwrap reaches it, in mounts that this process alone has.
    fn lay_out(&self) -> io::Result<()> {
        if !self.opens {
            return Ok(());
        }
        let tmpfs = sys::NewFileSystem::open(c"tmpfs")?;
        tmpfs.option(c"mode", c"0755")?;
        sys::attach(tmpfs.mount(0)?.as_fd(), Path::new(LAID_OUT))?;
        for (number, (tree, is_folder)) in self.opened.iter().enumerate() {
            let place = Path::new(LAID_OUT).join(number.to_string());
            if *is_folder {
                fs::create_dir(&place)?;
            } else {
                fs::write(&place, "")?;
            }
            sys::attach(tree.as_fd(), &place)?;
        }
        Ok(())
    }

    fn fill(&mut self, template: &Template, order: &Order) -> Result<(), Fault> {
        self.line(
            "--unshare-all --unshare-user --die-with-parent --as-pid-1 --new-session --clearenv --hostname sandbox \
             --seccomp 5 --cap-drop ALL",
        );
        self.line(&format!("--uid {AGENT} --gid {AGENT}"));
        for folder in FOLDERS {
            self.add(&[Path::new("--dir"), &Path::new("/").join(folder)]);
        }
        self.line("--proc /proc --dev /dev");
        let size = temporary_bytes(order);
        self.line(&format!(
            "--perms 1777 --size {size} --tmpfs /tmp --perms 1777 --size {size} --tmpfs /dev/shm"
        ));
        let mut shown: Vec<_> = template.shown.iter().chain(&order.shown).collect();
        shown.sort_by_key(|(_, inside)| inside.components().count());
        for (host, inside) in shown {
            self.bind("--ro-bind", host, inside)?;
        }
        for (number, (inside, _)) in template.files.iter().enumerate() {
            self.bind("--ro-bind", &files_folder(template).join(number.to_string()), inside)?;
        }
        for (inside, target) in &template.links {
            self.add(&[Path::new("--symlink"), target, inside]);
        }
        let of_proc = MASKED_FILES.iter().map(|name| Path::new("/proc").join(name));
        for path in of_proc.filter(|path| path.exists()).chain(template.hidden.iter().cloned()) {
            self.bind("--ro-bind", &mask(template), &path)?;
        }
        for place in layout::PLACES {
            self.bind("--bind", &order.state.join(place.plain), Path::new(place.inside))?;
        }
        self.line("--remount-ro / --chdir /");
        Ok(())
    }
}

fn files_folder(template: &Template) -> PathBuf {
    template.runtime.join("files")
}

fn mask(template: &Template) -> PathBuf {
    template.runtime.join("mask")
}

fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"journeyman", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn bytes_of(filter: &[Instruction]) -> Vec<u8> {
    filter.iter().flat_map(|instruction| instruction.bytes()).collect()
}

/// Copies folders, files and links; nothing else.
fn copy_tree(from: &Path, to: &Path, owner: Option<u32>) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target, owner)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        } else {
            continue;
        }
        if owner.is_some() {
            lchown(&target, owner, owner)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    if owner.is_some() { lchown(to, owner, owner) } else { Ok(()) }
}

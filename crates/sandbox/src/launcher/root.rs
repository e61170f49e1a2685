//! Builds the file tree of a sandbox, in its own mount namespace, and makes it the root.
//!
//! A small read-only tmpfs; the host's programs as read-only mounts in it; /proc, /dev and /tmp of its own; and
//! three places that persist: /workspace, /home/user and the guest's state.

use std::ffi::CString;
use std::fmt::Display;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::ids::Namespaces;
use super::order::{Fault, Order};
use super::sys::{self, NewFileSystem, attr};
use crate::layout;

/// Read-only and without power.
const SHOWN: u64 = attr::READ_ONLY | attr::NO_SUID | attr::NO_DEV;
/// Writable and without power.
const KEPT: u64 = attr::NO_SUID | attr::NO_DEV;

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Files of /proc that tell of the host or change it: covered by an empty file that nobody may open.
const MASKED_FILES: [&str; 14] = [
    "kcore",
    "keys",
    "key-users",
    "kallsyms",
    "kmsg",
    "kpagecount",
    "kpageflags",
    "kpagecgroup",
    "latency_stats",
    "sched_debug",
    "sysrq-trigger",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
];
const MASKED_FOLDERS: [&str; 4] = ["acpi", "asound", "scsi", "driver"];
/// Folders of /proc that are made read-only.
const READ_ONLY_FOLDERS: [&str; 4] = ["sys", "bus", "fs", "irq"];

/// Places in the root that exist, besides what is shown.
const FOLDERS: [&str; 9] = ["dev", "proc", "tmp", "run", "mnt", "home", "etc", "var/lib", "var/cache"];

type Result<T> = std::result::Result<T, Fault>;

/// What the root is made of, besides the order.
pub(super) struct Parts<'a> {
    /// What to show and where.
    pub(super) order: &'a Order,
    /// With root: the namespaces that map ids. Without: `None`, and everything belongs to the one id.
    pub(super) namespaces: Option<&'a Namespaces>,
    /// The host's id of the sandbox's root and of the agent's group for terminals.
    pub(super) owner: u32,
    /// An empty folder on the host that the new root covers while it is built.
    pub(super) at: &'a Path,
    /// The size of /tmp and /dev/shm.
    pub(super) temporary_bytes: u64,
}

/// Builds the tree and moves into it. The host's tree is out of reach afterwards.
pub(super) fn enter(parts: &Parts<'_>) -> Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(at("make mounts private"))?;
    let root = parts.new_tmpfs(1 << 20, 4_096, "0755", attr::NO_SUID | attr::NO_DEV)?;
    sys::attach(root.as_fd(), parts.at).map_err(at("attach the root"))?;
    std::env::set_current_dir(parts.at).map_err(at("enter the root"))?;
    parts.make_skeleton()?;
    // Before what is shown, which may lie below /tmp.
    parts.mount_temporary(Path::new("tmp"))?;
    parts.mount_devices()?;
    // Deeper places come later, so that no mount covers one that is already there.
    let mut shown: Vec<&(PathBuf, PathBuf)> = parts.order.shown.iter().collect();
    shown.sort_by_key(|(_, inside)| inside.components().count());
    for (host, inside) in shown {
        parts.show(host, inside)?;
    }
    parts.mount_proc()?;
    parts.mount_state()?;
    sys::make_read_only(Path::new(".")).map_err(at("make the root read-only"))?;
    nix::unistd::pivot_root(".", ".").map_err(at("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(at("leave the host's root"))?;
    std::env::set_current_dir("/").map_err(at("enter the new root"))
}

impl Parts<'_> {
    fn make_skeleton(&self) -> Result<()> {
        for folder in FOLDERS {
            self.make_folder(Path::new(folder))?;
        }
        for (inside, target) in &self.order.links {
            let inside = relative(inside);
            self.make_parent(&inside)?;
            symlink(target, &inside).map_err(|error| path_fault(&inside, &error))?;
        }
        for (inside, content) in &self.order.files {
            let inside = relative(inside);
            self.make_parent(&inside)?;
            fs::write(&inside, content).map_err(|error| path_fault(&inside, &error))?;
            self.own(&inside)?;
        }
        Ok(())
    }

    /// Shows a file or folder of the host, read-only.
    fn show(&self, host: &Path, inside: &Path) -> Result<()> {
        let fault = |error: io::Error| path_fault(host, &error);
        let is_folder = fs::metadata(host).map_err(fault)?.is_dir();
        let tree = sys::open_tree(host).map_err(fault)?;
        // Ids are mapped so that owners look right inside; where the file system cannot, they look like nobody.
        let mapped = self
            .namespaces
            .is_some_and(|own| sys::set_attributes(tree.as_fd(), SHOWN, Some(own.own.as_fd())).is_ok());
        if !mapped {
            sys::set_attributes(tree.as_fd(), SHOWN, None).map_err(fault)?;
        }
        let inside = relative(inside);
        if is_folder {
            self.make_folder(&inside)?;
        } else {
            self.make_file(&inside)?;
        }
        sys::attach(tree.as_fd(), &inside).map_err(|error| path_fault(&inside, &error))
    }

    fn mount_devices(&self) -> Result<()> {
        let tmpfs = self.new_tmpfs(64 << 10, 64, "0755", attr::NO_SUID | attr::NO_EXEC)?;
        sys::attach(tmpfs.as_fd(), Path::new("dev")).map_err(at("mount /dev"))?;
        for device in DEVICES {
            let inside = PathBuf::from("dev").join(device);
            self.make_file(&inside)?;
            let node = sys::open_tree(&Path::new("/dev").join(device)).map_err(at("open a device"))?;
            sys::set_attributes(node.as_fd(), attr::NO_SUID | attr::NO_EXEC, None)
                .map_err(at("limit a device"))?;
            sys::attach(node.as_fd(), &inside).map_err(at("mount a device"))?;
        }
        for (name, target) in [
            ("ptmx", "pts/ptmx"),
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
        ] {
            symlink(target, Path::new("dev").join(name)).map_err(at("link a device"))?;
        }
        self.make_folder(Path::new("dev/pts"))?;
        // Group 5, `tty`, exists only where there is more than one id.
        let group = self.namespaces.map(|_| format!(",gid={}", self.owner + 5)).unwrap_or_default();
        let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
        mount_kind("devpts", "dev/pts", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, &options)?;
        self.make_folder(Path::new("dev/shm"))?;
        self.mount_temporary(Path::new("dev/shm"))?;
        sys::make_read_only(Path::new("dev")).map_err(at("make /dev read-only"))
    }

    fn mount_proc(&self) -> Result<()> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount_kind("proc", "proc", flags, "").map_err(|_| Fault::Unsupported {
            missing: "a /proc of its own (mounting proc in a new process namespace is refused)".to_owned(),
            fix: "inside a container, run it with an unmasked /proc (docker: --security-opt systempaths=unconfined)"
                .to_owned(),
        })?;
        let (file, folder) = (Path::new(".mask"), Path::new(".masks"));
        File::options().write(true).create_new(true).mode(0o000).open(file).map_err(at("make a mask"))?;
        fs::DirBuilder::new().mode(0o000).create(folder).map_err(at("make a mask"))?;
        for (names, mask) in [(&MASKED_FILES[..], file), (&MASKED_FOLDERS[..], folder)] {
            for name in names {
                cover(mask, &Path::new("proc").join(name))?;
            }
        }
        for path in &self.order.hidden {
            cover(file, &relative(path))?;
        }
        fs::remove_file(file).map_err(at("remove a mask"))?;
        fs::remove_dir(folder).map_err(at("remove a mask"))?;
        for name in READ_ONLY_FOLDERS {
            let path = Path::new("proc").join(name);
            cover(&path, &path)?;
        }
        Ok(())
    }

    fn mount_temporary(&self, inside: &Path) -> Result<()> {
        let tmpfs = self.new_tmpfs(self.temporary_bytes, 1 << 18, "1777", KEPT)?;
        sys::attach(tmpfs.as_fd(), inside).map_err(at("mount a temporary folder"))
    }

    /// The places that persist.
    fn mount_state(&self) -> Result<()> {
        let state = &self.order.state;
        self.keep(&state.join(layout::HOME_STATE), layout::HOME)?;
        self.keep(&state.join(layout::GUEST_STATE), layout::GUEST)?;
        match &self.order.workspace_base {
            None => self.keep(&state.join(layout::WORKSPACE_STATE), layout::WORKSPACE),
            Some(base) => self.overlay(base),
        }
    }

    /// Shows a folder of the state, writable.
    fn keep(&self, host: &Path, inside: &str) -> Result<()> {
        let tree = self.storage(host)?;
        let inside = relative(Path::new(inside));
        self.make_folder(&inside)?;
        sys::attach(tree.as_fd(), &inside).map_err(|error| path_fault(host, &error))
    }

    /// A detached mount of a folder of the state, with its owners as the sandbox sees them.
    fn storage(&self, host: &Path) -> Result<OwnedFd> {
        let tree = sys::open_tree(host).map_err(|error| path_fault(host, &error))?;
        self.map_ids(&tree, KEPT, self.namespaces.map(|ids| ids.storage.as_fd()), host)?;
        Ok(tree)
    }

    fn map_ids(&self, tree: &OwnedFd, set: u64, ids: Option<BorrowedFd<'_>>, host: &Path) -> Result<()> {
        sys::set_attributes(tree.as_fd(), set, ids).map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL | libc::EOPNOTSUPP) if ids.is_some() => Fault::Unsupported {
                missing: format!("id-mapped mounts on the file system of {}", host.display()),
                fix: "keep Journeyman's data on ext4, XFS or btrfs and use Linux 5.19 or later".to_owned(),
            },
            _ => path_fault(host, &error),
        })
    }

    /// /workspace: the base below, what the sandbox writes above.
    fn overlay(&self, base: &Path) -> Result<()> {
        let lower = sys::open_tree(base).map_err(|error| path_fault(base, &error))?;
        let ids = self.namespaces.map(|ids| ids.base.as_ref().unwrap_or(&ids.storage).as_fd());
        self.map_ids(&lower, SHOWN, ids, base)?;
        let upper = self.storage(&self.order.state.join(layout::OVERLAY_STATE))?;
        let overlay = self.new_overlay(&lower, &upper).map_err(|error| Fault::Unsupported {
            missing: format!("an overlay for /workspace over {} ({error})", base.display()),
            fix: "use Linux 5.19 or later with overlayfs, and keep Journeyman's data on ext4, XFS or btrfs"
                .to_owned(),
        })?;
        let inside = relative(Path::new(layout::WORKSPACE));
        self.make_folder(&inside)?;
        sys::attach(overlay.as_fd(), &inside).map_err(at("mount /workspace"))
    }

    /// The layers are named by descriptors, so that no path of the host shows in /proc/mounts.
    fn new_overlay(&self, lower: &OwnedFd, upper: &OwnedFd) -> io::Result<OwnedFd> {
        let layer = |fd: &OwnedFd, name: &str| {
            CString::new(format!("/proc/self/fd/{}{name}", fd.as_raw_fd())).map_err(io::Error::other)
        };
        let overlay = NewFileSystem::open(c"overlay")?;
        if overlay.descriptor(c"lowerdir+", lower.as_fd()).is_err() {
            // Before Linux 6.8 (and where that is refused) layers have paths.
            overlay.option(c"lowerdir", &layer(lower, "")?)?;
        }
        overlay.option(c"upperdir", &layer(upper, "/upper")?)?;
        overlay.option(c"workdir", &layer(upper, "/work")?)?;
        if self.namespaces.is_none() {
            overlay.flag(c"userxattr")?;
        } else {
            // Renaming a folder of the base works as anywhere else; without root it is refused as "another device",
            // which `mv` takes for a reason to copy.
            overlay.option(c"redirect_dir", c"on")?;
        }
        overlay.mount(KEPT)
    }

    fn new_tmpfs(&self, bytes: u64, inodes: u64, mode: &str, attributes: u64) -> Result<OwnedFd> {
        let make = || {
            let number = |value: u64| CString::new(value.to_string()).map_err(io::Error::other);
            let tmpfs = NewFileSystem::open(c"tmpfs")?;
            tmpfs.option(c"size", &number(bytes)?)?;
            tmpfs.option(c"nr_inodes", &number(inodes)?)?;
            tmpfs.option(c"mode", &CString::new(mode).map_err(io::Error::other)?)?;
            if self.namespaces.is_some() {
                tmpfs.option(c"uid", &number(self.owner.into())?)?;
                tmpfs.option(c"gid", &number(self.owner.into())?)?;
            }
            tmpfs.mount(attributes)
        };
        make().map_err(at("mount a tmpfs"))
    }

    fn make_parent(&self, inside: &Path) -> Result<()> {
        inside.parent().map_or(Ok(()), |parent| self.make_folder(parent))
    }

    /// Makes a folder and those above it; one that is there stays.
    fn make_folder(&self, inside: &Path) -> Result<()> {
        let mut path = PathBuf::new();
        for part in inside.components() {
            path.push(part);
            match fs::DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => self.own(&path)?,
                Err(_) if path.is_dir() => {}
                Err(error) => return Err(path_fault(&path, &error)),
            }
        }
        Ok(())
    }

    /// Makes an empty file to mount on; one that is there stays.
    fn make_file(&self, inside: &Path) -> Result<()> {
        self.make_parent(inside)?;
        match File::options().write(true).create_new(true).mode(0o644).open(inside) {
            Ok(_) => self.own(inside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(path_fault(inside, &error)),
        }
    }

    /// Gives what we made to the sandbox's root.
    fn own(&self, path: &Path) -> Result<()> {
        if self.namespaces.is_none() {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.owner), Some(self.owner))
            .map_err(at("own a folder of the root"))
    }
}

/// Covers `target` with `mask`, read-only; what does not exist on this kernel needs no cover.
fn cover(mask: &Path, target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    let tree = sys::open_tree(mask).map_err(at("open a mask"))?;
    sys::set_attributes(tree.as_fd(), SHOWN | attr::NO_EXEC, None).map_err(at("limit a mask"))?;
    sys::attach(tree.as_fd(), target).map_err(at("cover a file of /proc"))
}

fn mount_kind(kind: &str, target: &str, flags: MsFlags, options: &str) -> Result<()> {
    mount(Some(kind), target, Some(kind), flags, Some(options)).map_err(at("mount a kernel file system"))
}

/// The path below the root that is being built, which is the current directory.
fn relative(inside: &Path) -> PathBuf {
    inside.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

/// Names the step that did not work.
pub(super) fn at<E: Display>(step: &'static str) -> impl Fn(E) -> Fault {
    move |error| Fault::Other(format!("{step}: {error}"))
}

fn path_fault(path: &Path, error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => Fault::DiskFull { path: path.to_owned() },
        _ => Fault::Path { path: path.to_owned(), message: error.to_string() },
    }
}

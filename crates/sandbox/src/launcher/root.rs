//! Builds the file tree of a sandbox, in its own mount namespace, and makes it the root.
//!
//! A small read-only tmpfs; the host's programs as read-only mounts in it; /proc, /dev and /tmp of its own; and
//! three places that persist: /workspace, /home/user and the guest's state.

use std::ffi::CString;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::ids::Namespaces;
use super::order::{Fault, Order, Template};
use super::state::is_root_kept;
use super::sys::{self, NewFileSystem, attr};

/// Read-only and without power.
pub(super) const SHOWN: u64 = attr::READ_ONLY | attr::NO_SUID | attr::NO_DEV;
/// Writable and without power.
pub(super) const KEPT: u64 = attr::NO_SUID | attr::NO_DEV;

/// The most that /tmp and /dev/shm each may hold.
const TEMPORARY_BYTES: u64 = 2 << 30;

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Files of /proc that tell of the host or change it: covered by an empty file that nobody may open.
pub(super) const MASKED_FILES: [&str; 14] = [
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
pub(super) const FOLDERS: [&str; 10] =
    ["dev", "proc", "tmp", "run", "mnt", "home", "etc", "var/lib", "var/cache", "root"];

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// What the root is made of, before there is an order.
pub(super) struct Parts<'a> {
    pub(super) template: &'a Template,
    /// With root: the namespaces that map ids. Without: `None`, and everything belongs to the one id.
    pub(super) namespaces: Option<&'a Namespaces>,
    /// The host's id of the sandbox's root and of the agent's group for terminals.
    pub(super) owner: u32,
}

/// A detached mount and the path below the root where it goes.
pub(super) struct Tree {
    pub(super) mount: OwnedFd,
    pub(super) is_folder: bool,
    pub(super) inside: PathBuf,
}

impl Parts<'_> {
    /// Builds at `place`, an empty folder of the host, all that needs no order.
    pub(super) fn prepare(&self, place: &Path) -> Result<()> {
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .map_err(at("make mounts private"))?;
        let root = self.new_tmpfs(1 << 20, 4_096, "0755", KEPT)?;
        sys::attach(root.as_fd(), place).map_err(at("attach the root"))?;
        std::env::set_current_dir(place).map_err(at("enter the root"))?;
        self.make_skeleton()?;
        // Before what is shown, which may lie below /tmp.
        self.mount_temporary(Path::new("tmp"))?;
        self.mount_devices()?;
        let shown = self.open_all(&self.template.shown)?;
        shown.iter().try_for_each(|tree| self.attach(tree))?;
        self.mount_proc()
    }

    /// Adds what the order asks for and moves into the root. The host's tree is out of reach afterwards.
    ///
    /// What the sandbox before this one may have written (links!) is walked only once the root is this process's own.
    pub(super) fn complete(&self, order: &Order) -> Result<()> {
        let bytes = temporary_bytes(order);
        if bytes != TEMPORARY_BYTES {
            resize(Path::new("tmp"), bytes)?;
            resize(Path::new("dev/shm"), bytes)?;
        }
        let shown = self.open_all(&order.shown)?;
        let places = self.open_places(order)?;
        let old = is_root_kept(order).then(|| self.keep_root(order)).transpose()?;
        nix::unistd::pivot_root(".", ".").map_err(at("change the root"))?;
        if let Some(old) = &old {
            self.move_over(order, old)?;
        }
        shown.iter().try_for_each(|tree| self.attach(tree))?;
        places.iter().try_for_each(|tree| self.attach(tree))?;
        umount2(".", MntFlags::MNT_DETACH).map_err(at("leave the host's root"))?;
        std::env::set_current_dir("/").map_err(at("enter the new root"))?;
        if old.is_none() {
            sys::make_read_only(Path::new("/")).map_err(at("make the root read-only"))?;
        }
        Ok(())
    }

    /// Puts a root that persists over the one so far, and gives that.
    fn keep_root(&self, order: &Order) -> Result<File> {
        let skeleton = sys::open_mount(Path::new(".")).map_err(at("open the root"))?;
        let root = self.kept_root(order, skeleton)?;
        let old = File::open(".").map_err(at("open the root"))?;
        sys::attach(root.as_fd(), Path::new(".")).map_err(at("mount the root that persists"))?;
        // The current directory lies below what is now mounted on it.
        let new = sys::reopen(root.as_fd()).map_err(at("enter the root that persists"))?;
        nix::unistd::fchdir(&new).map_err(at("enter the root that persists"))?;
        Ok(old)
    }

    /// Moves what is mounted in the old root to the new one.
    fn move_over(&self, order: &Order, old: &File) -> Result<()> {
        let mut moved: Vec<PathBuf> = ["proc", "dev", "tmp"].map(PathBuf::from).to_vec();
        if order.rootfs.is_none() {
            moved.extend(self.template.shown.iter().map(|(_, inside)| relative(inside)));
        }
        moved.sort();
        let mut last: Option<&PathBuf> = None;
        for path in &moved {
            // What lies below one that has moved has moved with it.
            if last.is_some_and(|last| path.starts_with(last)) {
                continue;
            }
            if old_is_folder(old, path) {
                self.make_folder(path)?;
            } else {
                self.make_file(path)?;
            }
            sys::move_mount(old.as_fd(), path).map_err(|error| path_fault(path, &error))?;
            last = Some(path);
        }
        if order.rootfs.is_some() { self.adapt_rootfs() } else { Ok(()) }
    }

    /// What a tree from elsewhere needs to be at home here: our user, our names.
    fn adapt_rootfs(&self) -> Result<()> {
        for (inside, content) in &self.template.files {
            let inside = relative(inside);
            let old = read_small(&inside);
            let new = match inside.to_str() {
                Some("etc/passwd" | "etc/group") => with_missing_lines(&old, content),
                Some("etc/hosts" | "etc/hostname" | "etc/resolv.conf") => content.clone(),
                _ if old.is_empty() => content.clone(),
                _ => continue,
            };
            self.make_parent(&inside)?;
            let _ = fs::remove_file(&inside);
            fs::write(&inside, new).map_err(|error| path_fault(&inside, &error))?;
            self.own(&inside)?;
        }
        Ok(())
    }

    /// Opens paths of the host to be shown; deeper places come later, so that no mount covers one that is already
    /// there.
    fn open_all(&self, paths: &[(PathBuf, PathBuf)]) -> Result<Vec<Tree>> {
        let mut paths: Vec<&(PathBuf, PathBuf)> = paths.iter().collect();
        paths.sort_by_key(|(_, inside)| inside.components().count());
        paths.into_iter().map(|(host, inside)| self.open(host, inside)).collect()
    }

    fn make_skeleton(&self) -> Result<()> {
        for folder in FOLDERS {
            self.make_folder(Path::new(folder))?;
        }
        for (inside, target) in &self.template.links {
            let inside = relative(inside);
            self.make_parent(&inside)?;
            symlink(target, &inside).map_err(|error| path_fault(&inside, &error))?;
        }
        for (inside, content) in &self.template.files {
            let inside = relative(inside);
            self.make_parent(&inside)?;
            fs::write(&inside, content).map_err(|error| path_fault(&inside, &error))?;
            self.own(&inside)?;
        }
        Ok(())
    }

    /// Opens a file or folder of the host to be shown, read-only.
    fn open(&self, host: &Path, inside: &Path) -> Result<Tree> {
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
        Ok(Tree { mount: tree, is_folder, inside: relative(inside) })
    }

    /// Attaches a tree at its place below the current directory.
    fn attach(&self, tree: &Tree) -> Result<()> {
        if tree.is_folder {
            self.make_folder(&tree.inside)?;
        } else {
            self.make_file(&tree.inside)?;
        }
        sys::attach(tree.mount.as_fd(), &tree.inside).map_err(|error| path_fault(&tree.inside, &error))
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
        for path in &self.template.hidden {
            cover(file, &relative(path))?;
        }
        fs::remove_file(file).map_err(at("remove a mask"))?;
        fs::remove_dir(folder).map_err(at("remove a mask"))?;
        for name in READ_ONLY_FOLDERS {
            let path = Path::new("proc").join(name);
            cover(&path, &path)?;
        }
        self.cover_boot_id()
    }

    /// The machine's boot id would tell sandboxes of one machine apart from others, and a sandbox nothing of its
    /// own start. Each start has one of its own.
    fn cover_boot_id(&self) -> Result<()> {
        let (random, file) = (Path::new("proc/sys/kernel/random"), Path::new(".boot_id"));
        let id = fs::read(random.join("uuid")).map_err(at("make a boot id"))?;
        fs::write(file, id).map_err(at("make a boot id"))?;
        self.own(file)?;
        cover(file, &random.join("boot_id"))?;
        fs::remove_file(file).map_err(at("remove a boot id"))
    }

    fn mount_temporary(&self, inside: &Path) -> Result<()> {
        let tmpfs = self.new_tmpfs(TEMPORARY_BYTES, 1 << 18, "1777", KEPT)?;
        sys::attach(tmpfs.as_fd(), inside).map_err(at("mount a temporary folder"))
    }

    pub(super) fn new_tmpfs(&self, bytes: u64, inodes: u64, mode: &str, attributes: u64) -> Result<OwnedFd> {
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
    pub(super) fn make_folder(&self, inside: &Path) -> Result<()> {
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

/// How much /tmp and /dev/shm each may hold.
pub(super) fn temporary_bytes(order: &Order) -> u64 {
    (order.limits.memory_bytes / 2).clamp(1 << 20, TEMPORARY_BYTES)
}

/// Changes the size of a tmpfs.
fn resize(target: &Path, bytes: u64) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = format!("size={bytes}");
    mount(None::<&str>, target, None::<&str>, flags | MsFlags::MS_REMOUNT, Some(options.as_str()))
        .map_err(at("change the size of a temporary folder"))
}

fn old_is_folder(old: &File, path: &Path) -> bool {
    nix::sys::stat::fstatat(old, path, nix::fcntl::AtFlags::empty())
        .is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// A text that should be small; nothing where it is none, cannot be read, or would make us wait.
fn read_small(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(file) = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)
    {
        let _ = file.take(1 << 20).read_to_string(&mut text);
    }
    text
}

/// The lines of `old`, and those of `wanted` whose name or id it lacks.
fn with_missing_lines(old: &str, wanted: &str) -> String {
    let field = |line: &str, number: usize| line.split(':').nth(number).map(str::to_owned);
    let has = |line: &str| {
        old.lines().any(|other| field(other, 0) == field(line, 0) || field(other, 2) == field(line, 2))
    };
    let missing = wanted.lines().filter(|line| !has(line));
    old.lines().chain(missing).map(|line| format!("{line}\n")).collect()
}

fn mount_kind(kind: &str, target: &str, flags: MsFlags, options: &str) -> Result<()> {
    mount(Some(kind), target, Some(kind), flags, Some(options)).map_err(at("mount a kernel file system"))
}

/// The path below the root that is being built, which is the current directory.
pub(super) fn relative(inside: &Path) -> PathBuf {
    inside.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

/// Names the step that did not work.
pub(super) fn at<E: Display>(step: &'static str) -> impl Fn(E) -> Fault {
    move |error| Fault::Other(format!("{step}: {error}"))
}

pub(super) fn path_fault(path: &Path, error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => Fault::DiskFull { path: path.to_owned() },
        _ => Fault::Path { path: path.to_owned(), message: error.to_string() },
    }
}

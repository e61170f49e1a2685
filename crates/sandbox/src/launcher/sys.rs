//! System calls that neither `std` nor `nix` wraps, each as a small safe function.
#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use nix::libc::{self, c_int, c_long};

use super::seccomp::Instruction;

/// Copies the mount, not only the way to it.
const OPEN_TREE_CLONE: libc::c_uint = 1;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_SET_FD: libc::c_uint = 5;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;

/// Mount attributes, as `mount_setattr` and `fsmount` take them.
pub(super) mod attr {
    pub(crate) const READ_ONLY: u64 = 0x1;
    pub(crate) const NO_SUID: u64 = 0x2;
    pub(crate) const NO_DEV: u64 = 0x4;
    pub(crate) const NO_EXEC: u64 = 0x8;
    pub(crate) const ID_MAP: u64 = 0x10_0000;
}

fn check(answer: c_long) -> io::Result<c_int> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        c_int::try_from(answer).map_err(io::Error::other)
    }
}

fn own(answer: c_long) -> io::Result<OwnedFd> {
    let fd = check(answer)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn c_path(path: &Path) -> io::Result<std::ffi::CString> {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// Clones the process with `flags`, as `fork` does; `None` in the child.
///
/// Only the launcher calls it, which has one thread: the child finds every lock of the C library free, and may
/// do what any process may.
pub(super) fn clone_process(flags: c_int) -> io::Result<Option<i32>> {
    let flags = c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has a copy of our memory and stack, so nothing is shared; there is no
    // other thread whose state could be half changed.
    let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    Ok(Some(check(answer)?).filter(|pid| *pid != 0))
}

/// Ends the process at once, without destructors and exit handlers.
pub(super) fn exit_now(code: c_int) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// A detached copy of the mount at `path` (a file or a folder), with what is mounted below it.
pub(super) fn open_tree(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = OPEN_TREE_CLONE | AT_RECURSIVE | libc::O_CLOEXEC as libc::c_uint;
    // SAFETY: the path is a C string that lives through the call.
    own(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// A detached copy of the mount at `path` without what is mounted below it.
pub(super) fn open_mount(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint;
    // SAFETY: the path is a C string that lives through the call.
    own(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// The same folder, opened for reading: the root of a mount that has been attached meanwhile.
pub(super) fn reopen(mount: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: an open descriptor and a C string that lives through the call.
    own(unsafe { c_long::from(libc::openat(mount.as_raw_fd(), c".".as_ptr(), flags)) })
}

/// Moves what is mounted at `path` below the folder `from` to the same path below the current directory.
pub(super) fn move_mount(from: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: open descriptors and a C string that lives through the call.
    check(unsafe {
        libc::syscall(libc::SYS_move_mount, from.as_raw_fd(), path.as_ptr(), libc::AT_FDCWD, path.as_ptr(), 0)
    })
    .map(drop)
}

#[repr(C)]
#[derive(Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Sets attributes of a detached mount and everything below it; maps its ids where a namespace is given.
pub(super) fn set_attributes(mount: BorrowedFd<'_>, set: u64, ids: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let user_namespace = ids.map_or(0, |fd| u64::try_from(fd.as_raw_fd()).unwrap_or(0));
    let set = if ids.is_some() { set | attr::ID_MAP } else { set };
    let attributes = MountAttr { set, user_namespace, ..MountAttr::default() };
    let flags = libc::AT_EMPTY_PATH as libc::c_uint | AT_RECURSIVE;
    // SAFETY: the structure has the kernel's layout and lives through the call; its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// Makes the mount that `path` lies on read-only, and nothing below it.
pub(super) fn make_read_only(path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    let attributes = MountAttr { set: attr::READ_ONLY, ..MountAttr::default() };
    // SAFETY: as above; the path lives through the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            0,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// Attaches a detached mount at `path`.
pub(super) fn attach(mount: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: both paths are C strings that live through the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })
    .map(drop)
}

/// A file system that is being set up.
pub(super) struct NewFileSystem(OwnedFd);

impl NewFileSystem {
    /// Begins one of a kind.
    pub(super) fn open(kind: &CStr) -> io::Result<Self> {
        // SAFETY: the name is a C string that lives through the call.
        own(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), 1) }).map(Self)
    }

    /// Sets an option.
    pub(super) fn option(&self, key: &CStr, value: &CStr) -> io::Result<()> {
        self.configure(FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr(), 0)
    }

    /// Sets an option without a value.
    pub(super) fn flag(&self, key: &CStr) -> io::Result<()> {
        self.configure(FSCONFIG_SET_FLAG, key.as_ptr(), std::ptr::null(), 0)
    }

    /// Sets an option to a descriptor.
    pub(super) fn descriptor(&self, key: &CStr, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.configure(FSCONFIG_SET_FD, key.as_ptr(), std::ptr::null(), fd.as_raw_fd())
    }

    /// Makes the file system and gives it as a detached mount.
    pub(super) fn mount(self, attributes: u64) -> io::Result<OwnedFd> {
        self.configure(FSCONFIG_CMD_CREATE, std::ptr::null(), std::ptr::null(), 0)?;
        // SAFETY: takes integers only.
        own(unsafe { libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), 1, attributes) })
    }

    fn configure(
        &self,
        command: libc::c_uint,
        key: *const libc::c_char,
        value: *const libc::c_char,
        aux: RawFd,
    ) -> io::Result<()> {
        // SAFETY: key and value are null or C strings of our callers that live through the call.
        check(unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), command, key, value, aux) })
            .map(drop)
    }
}

/// Brings the loopback interface of the current network namespace up.
pub(super) fn bring_loopback_up() -> io::Result<()> {
    // SAFETY: takes integers only.
    let socket =
        own(unsafe { c_long::from(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)) })?;
    // SAFETY: an all-zero ifreq is a valid one: a structure of plain integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    // SAFETY: the request lives through the call and has the layout that this ioctl reads.
    check(c_long::from(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }))
        .map(drop)
}

/// Sets the uid, the gid and no groups of this process by raw system calls: the C library's functions would
/// also change other threads, of which a clone has none.
pub(super) fn become_user(uid: libc::uid_t, gid: libc::gid_t) -> io::Result<()> {
    // SAFETY: integers, and a null list of length 0.
    unsafe {
        check(libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()))?;
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// Leaves the process with the capabilities in `keep` (a bit mask below 32) and no others, in every set.
pub(super) fn keep_capabilities(keep: u32) -> io::Result<()> {
    for capability in 0..64 {
        if capability >= 32 || keep >> capability & 1 == 0 {
            // SAFETY: integers only. Numbers that the kernel does not know are refused, which is as good.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
    }
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    // Effective, permitted, inheritable; then the same for the numbers from 32 on.
    let sets: [u32; 6] = [keep, keep, 0, 0, 0, 0];
    // SAFETY: both have the layout of this version of the call and live through it.
    unsafe {
        check(c_long::from(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)))?;
        check(libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr())).map(drop)
    }
}

/// Cuts the process and its children off from abstract sockets and signals of all others, by Landlock; `false` where the
/// kernel cannot (before Linux 6.12, or without Landlock). Namespaces do the same: this is a second wall.
pub(super) fn scope_by_landlock() -> io::Result<bool> {
    const ASK_VERSION: c_long = 1;
    const FIRST_WITH_SCOPES: c_int = 6;
    #[repr(C)]
    struct Rules {
        files: u64,
        network: u64,
        scoped: u64,
    }
    let nothing = std::ptr::null::<Rules>();
    // SAFETY: a null structure of length 0 with this flag asks for the version alone.
    let version = check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, ASK_VERSION) });
    if version.is_err() || version.is_ok_and(|version| version < FIRST_WITH_SCOPES) {
        return Ok(false);
    }
    let rules = Rules { files: 0, network: 0, scoped: 0b11 };
    // SAFETY: the structure has the kernel's layout and lives through the call; its size is given.
    let rules = own(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rules, size_of::<Rules>(), 0)
    })?;
    // SAFETY: integers only.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) }).map(|_| true)
}

/// Loads a filter for system calls; it stays for good and passes to children.
pub(super) fn load_filter(program: &[Instruction]) -> io::Result<()> {
    #[repr(C)]
    struct Program {
        length: libc::c_ushort,
        instructions: *const Instruction,
    }
    let length = libc::c_ushort::try_from(program.len()).map_err(io::Error::other)?;
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: the program has the kernel's layout and lives through the call.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) })
        .map(drop)
}

/// Makes every descriptor from `first` on close with the next program.
pub(super) fn close_on_exec_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: integers only; no descriptor is closed now.
    check(unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    })
    .map(drop)
}

/// Closes every descriptor from `first` on.
pub(super) fn close_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: called when the program starts, before anything owns a descriptor from `first` on.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// Closes every descriptor but these.
///
/// For a clone that never returns from its work: what owned the others is never dropped in it.
pub(super) fn close_all_but(kept: &mut [RawFd]) {
    kept.sort_unstable();
    let mut first = 0;
    for fd in kept.iter().filter_map(|fd| libc::c_uint::try_from(*fd).ok()).chain([libc::c_uint::MAX]) {
        if fd > first {
            let last = if fd == libc::c_uint::MAX { fd } else { fd - 1 };
            // SAFETY: integers only; nobody uses these descriptors in this process any more.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
        first = fd.saturating_add(1);
    }
}

/// A copy of a descriptor, at a number from `least` on, that closes with the next program.
pub(super) fn duplicate_above(fd: BorrowedFd<'_>, least: c_int) -> io::Result<OwnedFd> {
    // SAFETY: integers only.
    own(c_long::from(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) }))
}

/// Puts copies of `sources` at the descriptors 0, 1, 2 …; they stay open in the next program.
pub(super) fn place_descriptors(sources: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut high = Vec::with_capacity(sources.len());
    // Above the targets.
    let least = c_int::try_from(sources.len().max(64)).map_err(io::Error::other)?;
    for source in sources {
        // First out of the way: a source may lie where another one shall go.
        // SAFETY: integers only.
        let fd = unsafe { libc::fcntl(source.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
        high.push(check(c_long::from(fd))?);
    }
    for (target, source) in (0..).zip(&high) {
        // SAFETY: integers only; whoever owned `target` is not used any more in this process, which is about
        // to become another program.
        check(c_long::from(unsafe { libc::dup2(*source, target) }))?;
    }
    Ok(())
}

/// Becomes the program in `file`, with these words (a zero byte in one ends it) and no environment.
pub(super) fn execute_with(file: BorrowedFd<'_>, words: &[&str]) -> io::Error {
    let words: Vec<_> = words.iter().filter_map(|word| std::ffi::CString::new(*word).ok()).collect();
    let arguments: Vec<_> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let environment = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both lists end with a null and live through the call, which returns only on failure.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

/// Becomes the program in `file`, with one argument and no environment.
pub(super) fn execute(file: BorrowedFd<'_>, name: &CStr) -> io::Error {
    let arguments = [name.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both lists end with a null and live through the call, which returns only on failure.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

//! The moment between the agent and the program: a child that shares the agent's memory and stops the thread that
//! made it until it executes. It makes bare system calls and allocates nothing.
#![expect(unsafe_code, reason = "there is no safe way to make a process that shares memory")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use super::Prepared;

/// The child's stack: it calls a handful of functions.
const STACK_BYTES: usize = 32 << 10;

/// What the child needs, as pointers that live until it executes or ends.
struct Start<'a> {
    prepared: &'a Prepared,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// `/bin/sh`, a place, and the arguments but the first: for a script that names no interpreter.
    script: Vec<*const c_char>,
    mask: libc::sigset_t,
    error: AtomicI32,
}

/// Starts the program.
pub(super) fn start(prepared: &Prepared) -> Result<(i32, OwnedFd), (io::Error, Option<i32>)> {
    let mut script = vec![c"/bin/sh".as_ptr(), ptr::null()];
    script.extend(pointers(prepared.arguments.get(1..).unwrap_or_default()));
    // SAFETY: a signal set is plain data, for which zero is a value.
    let mut start = Start {
        prepared,
        arguments: pointers(&prepared.arguments),
        environment: pointers(&prepared.environment),
        script,
        mask: unsafe { std::mem::zeroed() },
        error: AtomicI32::new(0),
    };
    let mut stack = vec![0_u128; STACK_BYTES / size_of::<u128>()];
    let mut pidfd: c_int = -1;
    // SAFETY: the sets live through the calls. No signal may be handled in the child, which shares our memory.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut start.mask);
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK stops this thread until the child has executed or ended, so that what it reads (`start`
    // and all that it points to) and its stack, whose end is aligned to 16, outlive its use of them. The child
    // changes nothing of ours but `error`, the scratch place in `script`, and this thread's errno.
    let pid = unsafe {
        libc::clone(
            child,
            stack.as_mut_ptr_range().end.cast(),
            flags,
            (&raw mut start).cast(),
            &raw mut pidfd,
        )
    };
    let failed = io::Error::last_os_error();
    // SAFETY: the set was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const start.mask, ptr::null_mut()) };
    drop(stack);
    if pid < 0 {
        return Err((failed, None));
    }
    // SAFETY: the kernel has made this descriptor for us together with the process; nobody else owns it.
    let ended = unsafe { OwnedFd::from_raw_fd(pidfd) };
    match start.error.load(Ordering::Acquire) {
        0 => Ok((pid, ended)),
        error => Err((io::Error::from_raw_os_error(error), Some(pid))),
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

extern "C" fn child(start: *mut c_void) -> c_int {
    // SAFETY: see the call of `clone`.
    let start = unsafe { &mut *start.cast::<Start<'_>>() };
    let error = match become_program(start) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    start.error.store(error, Ordering::Release);
    // SAFETY: ends this process alone, without what a normal exit would do to the memory that is not its own.
    unsafe { libc::_exit(127) }
}

fn become_program(start: &mut Start<'_>) -> Result<std::convert::Infallible, c_int> {
    let prepared = start.prepared;
    // SAFETY: bare system calls with integers and with pointers that live through them. Users are changed by
    // `syscall`, for this process alone: the C library's own functions would change the agent's threads too.
    unsafe {
        for (place, stream) in (0..).zip(&prepared.streams) {
            check(libc::dup2(stream.as_raw_fd(), place))?;
        }
        if prepared.with_terminal {
            check(libc::setsid())?;
            check(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
        } else {
            check(libc::setpgid(0, 0))?;
        }
        if let Some((uid, gid)) = prepared.user {
            check(libc::syscall(libc::SYS_setgroups, 0, ptr::null::<libc::gid_t>()) as c_int)?;
            check(libc::syscall(libc::SYS_setresgid, gid, gid, gid) as c_int)?;
            check(libc::syscall(libc::SYS_setresuid, uid, uid, uid) as c_int)?;
        }
        check(libc::chdir(prepared.directory.as_ptr()))?;
        // Rust ignores it, and what is ignored stays so in a program.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const start.mask, ptr::null_mut());
    }
    let mut denied = false;
    for place in &prepared.places {
        // SAFETY: all are lists of C strings that end with a null pointer and live through the call.
        let error = unsafe {
            libc::execve(place.as_ptr(), start.arguments.as_ptr(), start.environment.as_ptr());
            *libc::__errno_location()
        };
        match error {
            libc::ENOENT | libc::ENOTDIR => {}
            libc::EACCES => denied = true,
            libc::ENOEXEC => {
                start.script[1] = place.as_ptr();
                // SAFETY: as above.
                unsafe {
                    libc::execve(start.script[0], start.script.as_ptr(), start.environment.as_ptr());
                    return Err(*libc::__errno_location());
                }
            }
            error => return Err(error),
        }
    }
    Err(if denied { libc::EACCES } else { libc::ENOENT })
}

/// The error of a system call that failed.
fn check(answer: c_int) -> Result<(), c_int> {
    if answer >= 0 {
        return Ok(());
    }
    // SAFETY: the place of this thread's errno.
    Err(unsafe { *libc::__errno_location() })
}

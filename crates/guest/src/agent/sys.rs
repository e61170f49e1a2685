//! The few system calls that neither `std` nor `nix` wraps.
#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::protocol::PtySize;

/// How many bytes lie in a pipe.
pub(super) fn bytes_waiting(fd: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the address, which lives through the call.
    let answer = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if answer < 0 { 0 } else { usize::try_from(count).unwrap_or(0) }
}

/// Hundredths of a second since the machine started: the unit of a process's start in `/proc`.
pub(super) fn ticks_since_boot() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec to the address, which lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 100 + u64::try_from(time.tv_nsec).unwrap_or(0) / 10_000_000
}

/// A counter that becomes readable when it is raised.
pub(super) fn event() -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and touches no memory of ours.
    own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// Raises an [`event`].
pub(super) fn raise(event: BorrowedFd<'_>) {
    // It is full only where it is raised already.
    let _ = nix::unistd::write(event, &1_u64.to_ne_bytes());
}

/// Lowers an [`event`].
pub(super) fn lower(event: BorrowedFd<'_>) {
    let _ = nix::unistd::read(event, &mut [0; 8]);
}

/// A new terminal: our end and the process's.
pub(super) fn open_terminal(size: PtySize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the path is a C string; the answer is a new descriptor or an error.
    let ours = own(unsafe { libc::open(c"/dev/ptmx".as_ptr(), flags) })?;
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int at the address, which lives through the call.
    check(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })?;
    // SAFETY: TIOCGPTPEER takes flags and gives a new descriptor or an error.
    let theirs = own(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    set_terminal_size(ours.as_fd(), size)?;
    Ok((ours, theirs))
}

/// Sets a terminal's size and tells its processes.
pub(super) fn set_terminal_size(terminal: BorrowedFd<'_>, size: PtySize) -> io::Result<()> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize at the address, which lives through the call.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    check(fd)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

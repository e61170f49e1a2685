//! `journeyman-guest`: process 1 of a sandbox. Reads its setup from descriptor 4 and serves the unix socket that
//! it inherits as descriptor 3.
#![expect(
    unsafe_code,
    reason = "takes over the two descriptors that it was started with; sets the allocator up"
)]

use std::fs::File;
use std::io::Read as _;
use std::os::fd::FromRawFd as _;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

use guest::agent::{Agent, Waits};
use guest::protocol::Setup;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> std::io::Result<()> {
    // Commands run in the same sandbox: they must not read or trace this process.
    nix::sys::prctl::set_dumpable(false)?;
    // SAFETY: changes a setting of the allocator before any thread exists. Threads share one heap: many sandboxes
    // idle at once, and a heap for each thread costs more than waiting for each other.
    unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1) };
    // SAFETY: whoever starts this program hands these two descriptors over; nothing else in it uses them.
    let (listener, mut setup) = unsafe { (UnixListener::from_raw_fd(3), File::from_raw_fd(4)) };
    for descriptor in [std::os::fd::AsFd::as_fd(&listener), std::os::fd::AsFd::as_fd(&setup)] {
        fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    // SAFETY: integers only; nothing in this program has opened a descriptor yet. What else was inherited (its own
    // file and folders of the host, where bubblewrap has started it) is nobody's business here.
    if unsafe { nix::libc::close_range(5, nix::libc::c_uint::MAX, 0) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    let mut text = Vec::new();
    setup.read_to_end(&mut text)?;
    drop(setup);
    let setup: Setup = serde_json::from_slice(&text)?;
    Agent::new(setup, Waits::ForAll).serve(&listener)
}

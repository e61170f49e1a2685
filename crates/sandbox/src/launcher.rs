//! The launcher: a process with a single thread that alone clones sandboxes, and whose end is theirs.
//!
//! The product starts itself again in this role, because cloning a process that has other threads is not safe.
//! It gets orders over its standard input, a socket; when that closes, it kills every sandbox and ends.

mod bwrap;
mod cgroups;
mod child;
mod guest_image;
mod ids;
mod order;
mod park;
mod root;
mod sandboxes;
mod seccomp;
mod state;
mod sys;

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use domain::SandboxId;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

pub(crate) use cgroups::Cgroups;
pub(crate) use ids::Mode;
pub(crate) use order::{Command, Fault, Notice, Order, Template, receive, send};
use sandboxes::{Fate, Sandboxes};

/// The argument that asks for this role.
pub(crate) const ROLE: &str = "__launcher";

/// The guest's socket, in the sandbox's folder on the host.
pub(crate) const SOCKET: &str = "guest";

/// Where this process was started as a launcher, does that work and ends the process; otherwise returns.
///
/// Call it first thing in `main`, before any thread exists.
pub fn main_if_launcher() {
    if std::env::args_os().nth(1).is_none_or(|role| role != ROLE) {
        return;
    }
    let code = match serve() {
        Ok(()) => 0,
        Err(error) => {
            complain(&error);
            1
        }
    };
    std::process::exit(code);
}

#[expect(clippy::print_stderr, reason = "the launcher has no log; the server's standard error is its own")]
fn complain(error: &io::Error) {
    eprintln!("sandbox launcher: {error}");
}

fn serve() -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() > 1 {
        return Err(io::Error::other("main_if_launcher is called too late: this process has other threads"));
    }
    sys::close_from(3)?;
    let mut control = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    // A Ctrl-C in the server's terminal is the server's to handle.
    nix::unistd::setsid()?;
    let children = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut sandboxes = Sandboxes::new()?;
    // Nobody looks into this process.
    nix::sys::prctl::set_dumpable(false)?;
    match watch(&mut sandboxes, &mut control, &children) {
        // The server is gone, at whatever moment.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => end(sandboxes),
    }
}

/// Obeys until the server is gone.
fn watch(sandboxes: &mut Sandboxes, control: &mut UnixStream, children: &SignalFd) -> io::Result<()> {
    loop {
        let timeout = sandboxes.idle_for().map_or(PollTimeout::NONE, to_timeout);
        let starting = sandboxes.starting();
        let mut polled = vec![
            PollFd::new(control.as_fd(), PollFlags::POLLIN),
            PollFd::new(children.as_fd(), PollFlags::POLLIN),
        ];
        polled.extend(starting.iter().map(|(_, fd)| PollFd::new(*fd, PollFlags::POLLIN)));
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        let begun: Vec<SandboxId> = starting
            .iter()
            .zip(ready.iter().skip(2))
            .filter_map(|((id, _), ready)| ready.then_some(*id))
            .collect();
        for id in begun {
            match sandboxes.begun(id) {
                Some(Ok(groups)) => send(&mut *control, &Notice::Created(id, groups))?,
                Some(Err(fault)) => send(&mut *control, &Notice::NotCreated(id, fault))?,
                None => {}
            }
        }
        if ready[1] {
            while children.read_signal()?.is_some() {}
            tell_ended(sandboxes, control)?;
        }
        if ready[0] {
            match receive(&mut *control) {
                Ok(Some(command)) => obey(sandboxes, control, command)?,
                // The kernel kills the sandboxes when this process ends.
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        sandboxes.refill();
    }
}

fn obey(sandboxes: &mut Sandboxes, control: &mut UnixStream, command: Command) -> io::Result<()> {
    match command {
        Command::Prepare(template) => {
            // Where this fails, so does every order, and that is told.
            let _ = sandboxes.prepare(*template);
            Ok(())
        }
        Command::Create(order) => match sandboxes.create(&order) {
            Ok(()) => Ok(()),
            Err(fault) => send(control, &Notice::NotCreated(order.id, fault)),
        },
        Command::Stop(id) => {
            if sandboxes.kill(id, "it was stopped") {
                return Ok(());
            }
            send(control, &Notice::Ended(id, "it was stopped".to_owned()))
        }
        Command::Hold { id, frozen } => send(control, &Notice::Held(id, sandboxes.hold(id, frozen))),
        Command::Reap { runtime, keep } => {
            let mut removed = sandboxes.remove_leftovers(&runtime, &keep);
            for id in sandboxes.alive().into_iter().filter(|id| !keep.contains(id)) {
                sandboxes.kill(id, "nobody owns it");
                removed.push(id);
            }
            send(control, &Notice::Reaped(removed))
        }
    }
}

/// Reports every sandbox whose first process has ended.
fn tell_ended(sandboxes: &mut Sandboxes, control: &mut UnixStream) -> io::Result<()> {
    while let Some((pid, status)) = next_ended() {
        match sandboxes.ended(pid, &status) {
            Some((id, Fate::Ended(cause))) => send(&mut *control, &Notice::Ended(id, cause))?,
            Some((id, Fate::NotCreated(fault))) => send(&mut *control, &Notice::NotCreated(id, fault))?,
            None => {}
        }
    }
    Ok(())
}

fn next_ended() -> Option<(i32, String)> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
        WaitStatus::Exited(pid, code) => Some((pid.as_raw(), format!("ended with code {code}"))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid.as_raw(), format!("was killed by {signal}"))),
        _ => None,
    }
}

/// Kills all sandboxes and frees what they held.
fn end(mut sandboxes: Sandboxes) -> io::Result<()> {
    sandboxes.end();
    for id in sandboxes.alive() {
        sandboxes.kill(id, "the server ended");
    }
    while !sandboxes.alive().is_empty() {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => {
                sandboxes.ended(pid.as_raw(), "ended");
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    sandboxes.end();
    Ok(())
}

fn to_timeout(duration: Duration) -> PollTimeout {
    PollTimeout::try_from(duration.as_millis() + 1).unwrap_or(PollTimeout::MAX)
}

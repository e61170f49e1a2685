//! Starts processes and learns how they end. As process 1 one thread waits for everything, orphans too.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::command::Command;
use super::{Waits, lock};

/// The agent's children.
pub(super) struct Children {
    waits: Waits,
    waiting: Mutex<HashMap<i32, Option<Sender<Outcome>>>>,
    spawned: Condvar,
}

/// A process that the agent started; it leads its own process group.
pub(super) struct Running {
    /// Its id.
    pub(super) pid: i32,
    /// Becomes readable when it has ended.
    pub(super) ended: OwnedFd,
    status: Mutex<Receiver<Outcome>>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Its exit code; 128 + n after signal n.
    pub(super) exit_code: i32,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
}

impl Outcome {
    fn exited(exit_code: i32) -> Self {
        Self { exit_code, signal: None }
    }

    fn signalled(signal: i32) -> Self {
        Self { exit_code: 128 + signal, signal: Some(signal) }
    }

    fn of(status: WaitStatus) -> Option<Self> {
        match status {
            WaitStatus::Exited(_, code) => Some(Self::exited(code)),
            WaitStatus::Signaled(_, signal, _) => Some(Self::signalled(signal as i32)),
            _ => None,
        }
    }
}

impl Running {
    /// Waits for the end; 128 + n after signal n.
    pub(super) fn wait(&self) -> i32 {
        self.outcome().exit_code
    }

    /// Waits for the end, which is told once.
    pub(super) fn outcome(&self) -> Outcome {
        lock(&self.status).recv().unwrap_or(Outcome::signalled(libc::SIGKILL))
    }
}

impl Children {
    /// Starts the waiting thread where the agent is process 1.
    pub(super) fn new(waits: Waits) -> Arc<Self> {
        let children = Arc::new(Self { waits, waiting: Mutex::new(HashMap::new()), spawned: Condvar::new() });
        if waits == Waits::ForAll {
            let reaper = Arc::clone(&children);
            std::thread::spawn(move || reaper.reap_forever());
        }
        children
    }

    /// Starts `command`. The lock is held all the while, so that nobody else can wait for the child before
    /// its end is asked for, nor for a child whose program could not be started.
    pub(super) fn spawn(self: &Arc<Self>, command: Command) -> io::Result<Running> {
        let mut waiting = lock(&self.waiting);
        let (pid, ended) = command.start().map_err(|(error, pid)| {
            if let Some(pid) = pid {
                let _ = waitpid(Pid::from_raw(pid), None);
            }
            error
        })?;
        let (sender, status) = channel();
        if self.waits == Waits::ForAll {
            waiting.insert(pid, Some(sender));
            self.spawned.notify_one();
        } else {
            waiting.insert(pid, None);
            let children = Arc::clone(self);
            std::thread::spawn(move || {
                let status = wait_for(pid);
                lock(&children.waiting).remove(&pid);
                let _ = sender.send(status);
            });
        }
        drop(waiting);
        raise_oom_score(pid);
        Ok(Running { pid, ended, status: Mutex::new(status) })
    }

    /// Signals the groups of all children.
    pub(super) fn signal_all(&self, signal: Signal) {
        for pid in lock(&self.waiting).keys() {
            let _ = killpg(Pid::from_raw(*pid), signal);
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }

    fn reap_forever(&self) {
        loop {
            // Only looks, so that a child whose start is under way stays for the one that starts it.
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(status) => {
                    if let Some(pid) = status.pid() {
                        self.reap(pid);
                    }
                }
                Err(Errno::ECHILD) => {
                    let waiting = lock(&self.waiting);
                    if waiting.is_empty() {
                        drop(self.spawned.wait(waiting));
                    }
                }
                Err(_) => {}
            }
        }
    }

    fn reap(&self, pid: Pid) {
        let mut waiting = lock(&self.waiting);
        let Some(outcome) = waitpid(pid, Some(WaitPidFlag::WNOHANG)).ok().and_then(Outcome::of) else {
            return;
        };
        if let Some(Some(sender)) = waiting.remove(&pid.as_raw()) {
            let _ = sender.send(outcome);
        }
    }
}

fn wait_for(pid: i32) -> Outcome {
    loop {
        match waitpid(Pid::from_raw(pid), None) {
            Err(Errno::EINTR) => {}
            Err(_) => return Outcome::signalled(libc::SIGKILL),
            Ok(status) => {
                if let Some(outcome) = Outcome::of(status) {
                    return outcome;
                }
            }
        }
    }
}

/// Makes the kernel prefer commands to the agent where memory runs out.
fn raise_oom_score(pid: i32) {
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "500");
}

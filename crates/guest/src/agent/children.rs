//! Starts processes and learns how they end. As process 1 one thread waits for everything, orphans too.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::{Waits, lock, sys};

/// The agent's children.
pub(super) struct Children {
    waits: Waits,
    waiting: Mutex<HashMap<i32, Option<Sender<i32>>>>,
    spawned: Condvar,
}

/// A process that the agent started; it leads its own process group.
pub(super) struct Running {
    /// Its id.
    pub(super) pid: i32,
    /// Becomes readable when it has ended.
    pub(super) ended: OwnedFd,
    /// Its end of the pipes, where the command asked for pipes.
    pub(super) stdin: Option<ChildStdin>,
    /// See `stdin`.
    pub(super) stdout: Option<ChildStdout>,
    /// See `stdin`.
    pub(super) stderr: Option<ChildStderr>,
    status: Receiver<i32>,
}

impl Running {
    /// Waits for the end; 128 + n after signal n.
    pub(super) fn wait(&self) -> i32 {
        self.status.recv().unwrap_or(128 + libc::SIGKILL)
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
    pub(super) fn spawn(self: &Arc<Self>, command: &mut Command) -> io::Result<Running> {
        let mut waiting = lock(&self.waiting);
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        let (sender, status) = channel();
        let ended = match sys::pidfd_open(pid) {
            Ok(ended) => ended,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        if self.waits == Waits::ForAll {
            waiting.insert(pid, Some(sender));
            self.spawned.notify_one();
        } else {
            waiting.insert(pid, None);
            let children = Arc::clone(self);
            std::thread::spawn(move || {
                let status = child.wait();
                lock(&children.waiting).remove(&pid);
                let _ = sender.send(status.map_or(128 + libc::SIGKILL, exit_code));
            });
        }
        drop(waiting);
        raise_oom_score(pid);
        Ok(Running { pid, ended, stdin, stdout, stderr, status })
    }

    /// Kills the groups of all children.
    pub(super) fn kill_all(&self) {
        for pid in lock(&self.waiting).keys() {
            let _ = killpg(Pid::from_raw(*pid), Signal::SIGKILL);
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
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
        let code = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => code,
            Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
            Ok(_) | Err(_) => return,
        };
        if let Some(Some(sender)) = waiting.remove(&pid.as_raw()) {
            let _ = sender.send(code);
        }
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(128 + libc::SIGKILL)
}

/// Makes the kernel prefer commands to the agent where memory runs out.
fn raise_oom_score(pid: i32) {
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "500");
}

//! The agent: takes requests, starts processes, reads and writes files.
//!
//! Plain threads, one per connection and one per process that goes on by itself. Its one rule: a slow or silent owner can make a command wait, but never
//! makes the agent hold more than a bounded piece of its output.

mod accounts;
mod attributes;
mod background;
mod children;
mod command;
mod connection;
mod dispatch;
mod exec;
mod files;
mod machine;
mod ports;
mod processes;
mod pump;
mod search;
mod shell;
mod started;
mod sys;
mod transfer;
mod tree;
mod watch;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::names;
use crate::protocol::Setup;
use accounts::User;
use background::Backgrounds;
use children::Children;
use command::Command;
use machine::LastFigures;
use shell::Shell;
use started::Started;

/// Who waits for ended processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The agent is process 1 and also waits for every orphan.
    ForAll,
    /// The agent shares its process with others and waits for its own children alone.
    ForOwn,
}

/// The state of the agent.
pub struct Agent {
    setup: Setup,
    children: Arc<Children>,
    shell: Shell,
    backgrounds: Backgrounds,
    started: Started,
    figures: LastFigures,
    connections: Mutex<HashMap<u64, UnixStream>>,
    stopped: Arc<AtomicBool>,
}

impl Agent {
    /// Makes the agent.
    #[must_use]
    pub fn new(setup: Setup, waits: Waits) -> Arc<Self> {
        let state = PathBuf::from(&setup.state);
        Arc::new(Self {
            children: Children::new(waits),
            shell: Shell::new(&state),
            backgrounds: Backgrounds::new(&state),
            started: Started::default(),
            figures: LastFigures::default(),
            connections: Mutex::default(),
            stopped: Arc::default(),
            setup,
        })
    }

    /// Serves connections until [`Agent::stop`].
    ///
    /// # Errors
    ///
    /// Where the listener is broken.
    pub fn serve(self: &Arc<Self>, listener: &UnixListener) -> io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Out of descriptors or memory for a moment: the owner's request fails, the agent stays.
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) =>
                {
                    std::thread::yield_now();
                    continue;
                }
                Err(error) => return Err(error),
            };
            if self.is_stopped() {
                return Ok(());
            }
            self.answer_in_thread(stream);
        }
    }

    /// Kills every process that the agent started and closes all connections; [`Agent::serve`] ends with the next.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.children.signal_all(Signal::SIGKILL);
        for connection in lock(&self.connections).values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Stops every process that the agent started where it is.
    pub fn freeze(&self) {
        self.children.signal_all(Signal::SIGSTOP);
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.children.signal_all(Signal::SIGCONT);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn answer_in_thread(self: &Arc<Self>, stream: UnixStream) {
        let Ok(copy) = stream.try_clone() else { return };
        let mut connections = lock(&self.connections);
        let number = connections.keys().max().map_or(1, |number| number + 1);
        connections.insert(number, copy);
        drop(connections);
        let agent = Arc::clone(self);
        let spawned = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
            become_command_user(&agent.setup);
            // A stop that came before the entry did not see it.
            if !agent.is_stopped() {
                dispatch::serve(&agent, stream);
            }
            lock(&agent.connections).remove(&number);
        });
        if spawned.is_err() {
            let connection = lock(&self.connections).remove(&number);
            if let Some(connection) = connection {
                dispatch::refuse(connection);
            }
        }
    }

    /// A program with the sandbox's environment, as the user of commands.
    fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Command {
        self.command_of(program, directory, &User::Usual)
    }

    /// A program with the sandbox's environment, as somebody.
    fn command_of(&self, program: impl AsRef<OsStr>, directory: &Path, user: &User) -> Command {
        let mut command = Command::new(program, directory);
        for (name, value) in &self.setup.environment {
            command.env(name, value);
        }
        match (user, self.setup.run_as) {
            (User::Usual, Some(user)) => command.user(user),
            (User::Usual, None) => {}
            (User::Other { name, uid, gid, home }, _) => {
                command.user((*uid, *gid));
                command.env("HOME", home).env("USER", name).env("LOGNAME", name);
            }
        }
        command
    }

    /// The path that `path` names: relative ones start in the workspace, an empty one is the workspace.
    fn resolve(&self, path: &str) -> PathBuf {
        Path::new(&self.setup.workspace).join(names::from_text(path))
    }
}

/// Gives the calling thread the file access of commands; the agent's own user may have more. Never the first thread:
/// a process whose first thread changes its user does not die with its parent any more, as a guest must.
fn become_command_user(setup: &Setup) {
    if let Some(user) = setup.run_as {
        become_user(user);
    }
}

/// Gives the calling thread the file access of a user.
fn become_user((uid, gid): (u32, u32)) {
    nix::unistd::setfsgid(gid.into());
    nix::unistd::setfsuid(uid.into());
}

/// Locks; a thread that panicked leaves data that is still whole, as every change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the guest has no runtime; it measures time-outs of processes")]
fn now() -> Instant {
    Instant::now()
}

//! The agent: takes requests, starts processes, reads and writes files.
//!
//! Plain threads, one per connection. Its one rule: a slow or silent owner can make a command wait, but never
//! makes the agent hold more than a bounded piece of its output.

mod background;
mod children;
mod connection;
mod exec;
mod files;
mod processes;
mod pump;
mod search;
mod shell;
mod sys;

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::protocol::Setup;
use background::Backgrounds;
use children::Children;
use shell::Shell;

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
    stopped: Arc<AtomicBool>,
}

impl Agent {
    /// Makes the agent; reads what the sandbox before this one left in the state folder.
    #[must_use]
    pub fn new(setup: Setup, waits: Waits) -> Arc<Self> {
        let state = PathBuf::from(&setup.state);
        let backgrounds = as_command_user(&setup, || Backgrounds::load(&state));
        Arc::new(Self {
            children: Children::new(waits),
            shell: Shell::new(&state),
            backgrounds,
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
            if self.stopped.load(Ordering::Acquire) {
                return Ok(());
            }
            self.answer_in_thread(stream);
        }
    }

    /// Kills every process that the agent started; [`Agent::serve`] ends with the next connection.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.children.kill_all();
    }

    fn answer_in_thread(self: &Arc<Self>, stream: UnixStream) {
        let agent = Arc::clone(self);
        // Where no thread can be had (the process limit is reached), dropping the connection tells the owner.
        let _ = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
            become_command_user(&agent.setup);
            connection::answer(&agent, &stream);
        });
    }

    /// A command with the sandbox's environment, user and directory.
    #[expect(clippy::disallowed_methods, reason = "starting processes is what the agent is for")]
    fn command(&self, program: &str, directory: &Path) -> Command {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(program);
        command.env_clear().envs(self.setup.environment.iter().map(|(key, value)| (key, value)));
        command.current_dir(directory).process_group(0);
        if let Some((uid, gid)) = self.setup.run_as {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// The path that `path` names: relative ones start in the workspace, an empty one is the workspace.
    fn resolve(&self, path: &str) -> PathBuf {
        Path::new(&self.setup.workspace).join(path)
    }
}

/// Does `work` with the file access of commands, in a thread of its own: a process whose first thread changes its
/// user does not die with its parent any more, as a guest must with the launcher.
fn as_command_user<T: Send>(setup: &Setup, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            become_command_user(setup);
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Gives the calling thread the file access of commands; the agent's own user may have more.
fn become_command_user(setup: &Setup) {
    if let Some((uid, gid)) = setup.run_as {
        nix::unistd::setfsgid(gid.into());
        nix::unistd::setfsuid(uid.into());
    }
}

/// Locks; a thread that panicked leaves data that is still whole, as every change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the guest has no runtime; it measures time-outs of processes")]
fn now() -> Instant {
    Instant::now()
}

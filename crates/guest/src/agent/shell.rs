//! The persistent shell: directory and exported environment survive from command to command, from shell to
//! shell, and from sandbox to sandbox.
//!
//! A loop in the shell itself (`shell/loop.bash`) evaluates the commands and reports through a named pipe, so
//! that a background child which keeps standard output open does not delay the end of a command.

mod live;
mod report;

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::connection::Connection;
use super::pump::{Pump, Streams, Wake};
use super::{Agent, lock, now, processes, sys};
use crate::protocol::{Failure, Reply, kind};
use live::Live;
use report::{How, Report};

/// How long a shell whose command was stopped may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// How often the descendants of a stopped command are killed again meanwhile.
const KILL_PERIOD: Duration = Duration::from_millis(20);

/// Where the shell and its callers meet. The lock is held for a whole command: commands queue.
pub(super) struct Shell {
    live: Mutex<Option<Live>>,
    files: Files,
}

/// What the shell keeps in the state folder.
struct Files {
    /// The loop that the shell runs.
    script: PathBuf,
    /// Restores directory and exports; a shell script.
    saved: PathBuf,
    /// A command line, for a shell that cannot take it from a pipe.
    command: PathBuf,
    /// The named pipe of reports.
    reports: PathBuf,
}

/// How a command ended.
struct End {
    exit_code: i32,
    timed_out: bool,
    restarted: bool,
}

impl Shell {
    /// Keeps its state in `state`; the shell itself starts with the first command.
    pub(super) fn new(state: &Path) -> Self {
        let files = Files {
            script: state.join("shell-loop"),
            saved: state.join("shell-state"),
            command: state.join("shell-command"),
            reports: state.join("shell-reports"),
        };
        Self { live: Mutex::new(None), files }
    }

    /// The script that restores directory and exports.
    pub(super) fn saved_state(&self) -> &Path {
        &self.files.saved
    }

    /// Runs a command line, streams its output and sends the reply.
    pub(super) fn run(
        &self,
        agent: &Agent,
        connection: &mut Connection,
        command: &str,
        timeout: Duration,
    ) -> io::Result<()> {
        let mut pump = Pump::new(connection);
        if command.contains('\0') {
            let message = "a command line cannot hold a NUL byte".to_owned();
            return pump.finish(&Reply::Failed(Failure::Start { program: "shell".to_owned(), message }));
        }
        let mut slot = lock(&self.live);
        if !pump.has_peer() {
            // Whoever asked has left while other commands ran.
            return Ok(());
        }
        let live = match self.ready(agent, &mut slot) {
            Ok(live) => live,
            Err(error) => {
                drop(slot);
                let failure = Failure::Start { program: "shell".to_owned(), message: error.to_string() };
                return pump.finish(&Reply::Failed(failure));
            }
        };
        let end = self.run_in(live, &mut pump, command, timeout)?;
        let directory = live.directory().to_owned();
        if end.restarted {
            *slot = None;
        }
        drop(slot);
        let End { exit_code, timed_out, restarted } = end;
        pump.finish(&Reply::ShellEnded { exit_code, timed_out, restarted, directory })
    }

    /// The living shell; starts one where there is none.
    fn ready<'a>(&self, agent: &Agent, slot: &'a mut Option<Live>) -> io::Result<&'a mut Live> {
        if slot.as_ref().is_some_and(Live::has_ended) {
            *slot = None;
        }
        match slot {
            Some(live) => Ok(live),
            None => Ok(slot.insert(Live::start(agent, &self.files)?)),
        }
    }

    fn run_in(
        &self,
        live: &mut Live,
        pump: &mut Pump<'_>,
        command: &str,
        timeout: Duration,
    ) -> io::Result<End> {
        let pipes = live.pipes();
        let mut leftover = lock(&pipes.leftover);
        for (bytes, kind) in leftover.iter_mut().zip([kind::STDOUT, kind::STDERR]) {
            if !bytes.is_empty() {
                pump.push(kind, &std::mem::take(bytes));
            }
        }
        let since = sys::ticks_since_boot();
        live.send(command, &self.files)?;
        let (running, reports) = live.watched();
        let mut streams = Streams {
            outputs: [Some(pipes.stdout.as_fd()), Some(pipes.stderr.as_fd())],
            watched: vec![reports.as_fd(), running.ended.as_fd()],
            input: None,
        };
        let mut report = Report::default();
        let pid = running.pid;
        let mut deadline = now().checked_add(timeout);
        let mut stopping: Option<(Wake, std::time::Instant)> = None;
        let how = loop {
            match pump.run(&mut streams, deadline)? {
                Wake::Watched(0) => {
                    if report.read_from(reports)? == Some(How::Done) {
                        break How::Done;
                    }
                }
                Wake::Watched(_) => {
                    // What it reported last may still lie in the pipe.
                    report.read_from(reports)?;
                    break How::Exit;
                }
                wake => {
                    if wake == Wake::Disconnected {
                        pump.ignore_peer();
                    }
                    let (_, until) = *stopping.get_or_insert_with(|| {
                        stop_command(pid, since);
                        (wake, now() + GRACE)
                    });
                    if now() >= until {
                        signal(pid, Signal::SIGKILL);
                    }
                    processes::kill_descendants(pid, since);
                    deadline = now().checked_add(KILL_PERIOD);
                }
            }
        };
        pump.drain(&streams);
        drop(leftover);
        live.keep(&report, &self.files);
        let timed_out = matches!(stopping, Some((Wake::Deadline, _)));
        Ok(match how {
            How::Done => End { exit_code: report.status(), timed_out, restarted: false },
            How::Exit => End { exit_code: live.wait(), timed_out, restarted: true },
        })
    }
}

/// Kills what the command started and asks the shell to end instead of going on with the next command (SIGUSR1,
/// see `loop.bash`). It stands still meanwhile: were it to end first, its children would not be found any more.
fn stop_command(shell: i32, since: u64) {
    signal(shell, Signal::SIGSTOP);
    processes::kill_descendants(shell, since);
    signal(shell, Signal::SIGUSR1);
    signal(shell, Signal::SIGCONT);
}

fn signal(shell: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(shell), signal);
}

impl Files {
    /// Writes the saved state so that a reader sees the old or the new one.
    fn save(&self, script: &[u8]) -> io::Result<()> {
        let new = self.saved.with_extension("new");
        fs::write(&new, script)?;
        fs::rename(&new, &self.saved)
    }
}

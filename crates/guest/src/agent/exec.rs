//! Runs a program to its end.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::children::Running;
use super::connection::Connection;
use super::pump::{Input, Pump, Streams, Wake, set_nonblocking};
use super::{Agent, now, processes};
use crate::protocol::{Failure, Reply};

/// What to run.
pub(super) struct Exec {
    pub(super) argv: Vec<String>,
    pub(super) directory: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) timeout: Option<Duration>,
}

/// Runs `exec`, streams its output and sends the reply. The program dies with the connection.
pub(super) fn run(agent: &Agent, connection: &mut Connection, exec: &Exec) -> io::Result<()> {
    let mut early = Vec::new();
    connection.take_input(&mut |bytes| early.extend_from_slice(bytes))?;
    // What has no input at all needs no pipe for it.
    let with_input = connection.expects_input() || !early.is_empty();
    let mut pump = Pump::new(connection);
    let (running, input, [stdout, stderr]) = match start(agent, exec, with_input) {
        Ok(started) => started,
        Err(failure) => return pump.finish(&Reply::Failed(failure)),
    };
    let input = input.map(|pipe| Input::new(pipe, early)).transpose()?;
    set_nonblocking(stdout.as_fd())?;
    set_nonblocking(stderr.as_fd())?;
    let mut streams = Streams {
        outputs: [Some(stdout.as_fd()), Some(stderr.as_fd())],
        watched: vec![running.ended.as_fd()],
        input,
    };
    let deadline = exec.timeout.and_then(|timeout| now().checked_add(timeout));
    let wake = pump.run(&mut streams, deadline)?;
    if wake != Wake::Watched(0) {
        kill(&running);
    }
    let exit_code = running.wait();
    pump.drain(&streams);
    pump.finish(&Reply::Ended { exit_code, timed_out: wake == Wake::Deadline })
}

/// Kills the program, its group and its descendants. It stands still first: were it to end, its descendants would
/// not be found any more.
pub(super) fn kill(running: &Running) {
    let _ = nix::sys::signal::kill(Pid::from_raw(running.pid), Signal::SIGSTOP);
    processes::kill_descendants(running.pid, 0);
    let _ = killpg(Pid::from_raw(running.pid), Signal::SIGKILL);
}

/// A program, our end of its input where it has one, and our ends of its output and errors.
type Started = (Running, Option<OwnedFd>, [OwnedFd; 2]);

fn start(agent: &Agent, exec: &Exec, with_input: bool) -> Result<Started, Failure> {
    let Some((program, arguments)) = exec.argv.split_first() else {
        return Err(Failure::Start { program: String::new(), message: "no program is named".to_owned() });
    };
    let directory = agent.resolve(&exec.directory);
    let mut command = agent.command(program, &directory);
    command.args(arguments);
    for (name, value) in &exec.env {
        command.env(name, value);
    }
    let start = || -> io::Result<Started> {
        let input = with_input.then(|| command.pipe_in()).transpose()?;
        let outputs = command.pipes_out()?;
        Ok((agent.children.spawn(command)?, input, outputs))
    };
    start().map_err(|error| start_failure(program, &directory, &error))
}

/// Says whether the directory or the program is what is missing.
pub(super) fn start_failure(program: &str, directory: &Path, error: &io::Error) -> Failure {
    if directory.is_dir() {
        Failure::Start { program: program.to_owned(), message: super::files::words(error) }
    } else {
        let message = format!("the directory {} does not exist", directory.display());
        Failure::Start { program: program.to_owned(), message }
    }
}

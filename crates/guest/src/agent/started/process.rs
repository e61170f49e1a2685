//! One process: its start, its input, its output until the end.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::internal;
use super::log::{Follower, Log, Next};
use crate::agent::children::Running;
use crate::agent::connection::Connection;
use crate::agent::pump::set_nonblocking;
use crate::agent::{Agent, accounts, exec, lock, sys};
use crate::protocol::{CHUNK_BYTES, Failure, Process, PtySize, Reply, StartProcess, kind};

/// End of transmission: what Ctrl-D sends.
const END_OF_INPUT: u8 = 4;

/// How long a terminal may take to give the last output after its process has ended.
const LAST_OUTPUT_MS: u16 = 250;

/// A process and what is kept of it.
pub(in crate::agent) struct Entry {
    process: Process,
    running: Running,
    log: Log,
    /// Where its input goes; `None` once closed.
    input: Mutex<Option<OwnedFd>>,
    /// Where its output comes from, by kind.
    outputs: Vec<(u8, OwnedFd)>,
}

/// Starts a process; its output waits to be read.
pub(super) fn start(agent: &Agent, order: StartProcess) -> Result<Entry, Failure> {
    let Some((program, arguments)) = order.argv.split_first() else {
        return Err(Failure::Start { program: String::new(), message: "no program is named".to_owned() });
    };
    let directory = agent.resolve(&order.directory);
    let user = accounts::user(&agent.setup, order.user.as_deref())
        .map_err(|message| Failure::Start { program: program.clone(), message })?;
    let mut command = agent.command_of(program, &directory, &user);
    command.args(arguments);
    if order.pty.is_some() {
        command.env("TERM", "xterm-256color");
    }
    for (name, value) in &order.env {
        command.env(name, value);
    }
    let broken = |error: io::Error| internal("make a process's terminal or pipes", &error);
    let (input, outputs) = match order.pty {
        Some(size) => {
            let (ours, theirs) = sys::open_terminal(size).map_err(broken)?;
            command.terminal(theirs).map_err(broken)?;
            (Some(ours.try_clone().map_err(broken)?), vec![(kind::PTY, ours)])
        }
        None => {
            let input = order.stdin.then(|| command.pipe_in()).transpose().map_err(broken)?;
            let [stdout, stderr] = command.pipes_out().map_err(broken)?;
            (input, vec![(kind::STDOUT, stdout), (kind::STDERR, stderr)])
        }
    };
    for fd in input.iter().chain(outputs.iter().map(|(_, fd)| fd)) {
        set_nonblocking(fd.as_fd()).map_err(broken)?;
    }
    let running =
        agent.children.spawn(command).map_err(|error| exec::start_failure(program, &directory, &error))?;
    let pid = u32::try_from(running.pid).unwrap_or_default();
    let process = Process {
        pid,
        tag: order.tag,
        pty: order.pty.is_some(),
        directory: crate::names::to_text(directory.as_os_str()),
        argv: order.argv,
        env: order.env,
    };
    Ok(Entry { process, running, log: Log::default(), input: Mutex::new(input), outputs })
}

impl Entry {
    /// What it is.
    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Whether it has not ended.
    pub(super) fn runs(&self) -> bool {
        self.log.outcome().is_none()
    }

    /// How much of its output is kept.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.log.kept_bytes()
    }

    /// Whether somebody reads it.
    pub(super) fn is_followed(&self) -> bool {
        self.log.is_followed()
    }

    /// Reads its output until nobody can write any: after its own end, what its children still write is thrown
    /// away, so that they go on undisturbed.
    pub(super) fn read_output(&self) {
        let mut open: Vec<&(u8, OwnedFd)> = self.outputs.iter().collect();
        let mut piece = vec![0; CHUNK_BYTES];
        let mut ended = false;
        while !ended || !open.is_empty() {
            let mut polled: Vec<PollFd<'_>> =
                open.iter().map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
            if !ended {
                polled.push(PollFd::new(self.running.ended.as_fd(), PollFlags::POLLIN));
            }
            if poll(&mut polled, PollTimeout::NONE).is_err() {
                continue;
            }
            let ready: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(true)).collect();
            let mut places = ready.iter();
            open.retain(|output| {
                !places.next().is_some_and(|ready| *ready) || self.read(output, &mut piece, ended)
            });
            if !ended && ready.last() == Some(&true) {
                self.take_the_rest(&mut open, &mut piece);
                self.log.finish(self.running.outcome());
                *lock(&self.input) = None;
                ended = true;
            }
        }
    }

    /// Reads a piece; `false` at the end of the stream.
    fn read(&self, (kind, fd): &(u8, OwnedFd), piece: &mut [u8], throw_away: bool) -> bool {
        match nix::unistd::read(fd, piece) {
            Ok(0) => false,
            Ok(count) => {
                if !throw_away {
                    self.log.add(*kind, &piece[..count]);
                }
                true
            }
            Err(Errno::EAGAIN | Errno::EINTR) => true,
            // A terminal without a process at its other end.
            Err(_) => false,
        }
    }

    /// Takes what the process wrote before it ended, and no more: its children may write for ever.
    fn take_the_rest(&self, open: &mut Vec<&(u8, OwnedFd)>, piece: &mut [u8]) {
        if self.process.pty {
            // The last letters may still be on their way through the terminal, which then hangs up.
            while let Some((_, terminal)) = open.first() {
                let mut polled = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
                if !poll(&mut polled, PollTimeout::from(LAST_OUTPUT_MS)).is_ok_and(|count| count > 0) {
                    return;
                }
                open.retain(|output| self.read(output, piece, false));
            }
            return;
        }
        open.retain(|output| {
            let mut left = sys::bytes_waiting(output.1.as_fd());
            while left > 0 {
                let most = left.min(piece.len());
                match nix::unistd::read(&output.1, &mut piece[..most]) {
                    Ok(0) => return false,
                    Ok(count) => {
                        self.log.add(output.0, &piece[..count]);
                        left -= count;
                    }
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => break,
                    Err(_) => return false,
                }
            }
            true
        });
    }

    /// Sends output and end to a follower, until one of both is gone.
    pub(in crate::agent) fn follow(&self, connection: &mut Connection, replay: bool) -> io::Result<()> {
        let follower = match self.log.follow(replay) {
            Ok(follower) => follower,
            Err(error) => return connection.reply(&Reply::Failed(internal("follow a process", &error))),
        };
        connection.json(kind::BEGUN, &self.process)?;
        loop {
            match follower.next() {
                Next::Output(kind, bytes) => connection.frame(kind, &bytes)?,
                Next::Missed(bytes) => connection.frame(kind::MISSED, &bytes.to_le_bytes())?,
                Next::Nothing => wait(&follower, connection)?,
                Next::Ended(outcome) => {
                    let (exit_code, signal) = (outcome.exit_code, outcome.signal);
                    drop(follower);
                    return connection.reply(&Reply::ProcessEnded { exit_code, signal, error: None });
                }
            }
        }
    }

    /// Writes the input that comes over the connection; waits while the process takes none.
    pub(in crate::agent) fn send_input(&self, connection: &mut Connection) -> Result<(), Failure> {
        let gone = |error: io::Error| internal("read input", &error);
        let mut input = lock(&self.input);
        while let Some(bytes) = connection.next_input().map_err(gone)? {
            let mut left = bytes.as_slice();
            while !left.is_empty() {
                let Some(fd) = input.as_ref().filter(|_| self.runs()) else {
                    return Err(self.takes_no_input());
                };
                match nix::unistd::write(fd, left) {
                    Ok(count) => left = &left[count..],
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => self.wait_for_room(fd.as_fd(), connection).map_err(gone)?,
                    Err(_) => {
                        *input = None;
                        return Err(self.takes_no_input());
                    }
                }
            }
        }
        if input.is_none() || !self.runs() { Err(self.takes_no_input()) } else { Ok(()) }
    }

    /// Sleeps until the process takes input, has ended, or nobody asks any more.
    fn wait_for_room(&self, fd: BorrowedFd<'_>, connection: &mut Connection) -> io::Result<()> {
        let mut polled = [
            PollFd::new(fd, PollFlags::POLLOUT),
            PollFd::new(self.running.ended.as_fd(), PollFlags::POLLIN),
            PollFd::new(connection.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if polled[2].any().unwrap_or(true) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Ends its input: closes the pipe, or presses Ctrl-D at its terminal.
    pub(in crate::agent) fn close_input(&self) -> Result<(), Failure> {
        let mut input = lock(&self.input);
        let Some(fd) = input.as_ref().filter(|_| self.runs()) else { return Err(self.takes_no_input()) };
        if self.process.pty {
            nix::unistd::write(fd, &[END_OF_INPUT]).map_err(|error| internal("end input", &error.into()))?;
        } else {
            *input = None;
        }
        Ok(())
    }

    fn takes_no_input(&self) -> Failure {
        Failure::NoProcess { what: format!("process {} that takes input", self.process.pid) }
    }

    /// Signals it and its group; `false` where it has ended.
    pub(in crate::agent) fn signal(&self, number: i32) -> Result<bool, Failure> {
        let signal = Signal::try_from(number)
            .map_err(|_| Failure::Internal { message: format!("there is no signal {number}") })?;
        if !self.runs() {
            return Ok(false);
        }
        if signal == Signal::SIGKILL {
            self.kill();
            return Ok(true);
        }
        let pid = Pid::from_raw(self.running.pid);
        match killpg(pid, signal).or_else(|_| kill(pid, signal)) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(internal("signal a process", &error.into())),
        }
    }

    /// Kills it, its group and its descendants.
    pub(super) fn kill(&self) {
        exec::kill(&self.running);
    }

    /// Changes the size of its terminal.
    pub(in crate::agent) fn resize(&self, size: PtySize) -> Result<(), Failure> {
        let Some((_, terminal)) = self.outputs.first().filter(|_| self.process.pty) else {
            return Err(Failure::NoProcess { what: format!("process {} with a terminal", self.process.pid) });
        };
        sys::set_terminal_size(terminal.as_fd(), size).map_err(|error| internal("resize a terminal", &error))
    }
}

/// Sleeps until there is more output or the owner is gone.
fn wait(follower: &Follower<'_>, connection: &mut Connection) -> io::Result<()> {
    let mut polled =
        [PollFd::new(follower.wake(), PollFlags::POLLIN), PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
    match poll(&mut polled, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [woken, asked] = polled.map(|fd| fd.any().unwrap_or(true));
    if woken {
        follower.rest();
    }
    if asked {
        connection.receive_now()?;
    }
    Ok(())
}

//! One shell process and its pipes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use super::Files;
use super::report::Report;
use crate::agent::children::Running;
use crate::agent::pump::set_nonblocking;
use crate::agent::{Agent, lock};

/// The most output that is kept between two commands, per stream: the latest.
const LEFTOVER_BYTES: usize = 64 << 10;

/// What the shell's process begins with; the rest it exports itself.
const FIRST_VARIABLES: [&str; 4] = ["PATH", "HOME", "LC_CTYPE", "TERM"];

/// A shell that runs.
pub(super) struct Live {
    running: Running,
    commands: File,
    kind: Kind,
    reports: File,
    pipes: Arc<Pipes>,
    directory: String,
    saved: Vec<u8>,
}

/// The shell's output. Between commands a thread reads what background children write.
pub(super) struct Pipes {
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// What came between commands; locked while a command runs.
    pub(super) leftover: Mutex<[Vec<u8>; 2]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bash,
    Posix,
}

impl Live {
    /// Starts a shell where the last one was.
    pub(super) fn start(agent: &Agent, files: &Files) -> io::Result<Self> {
        let reports = open_reports(&files.reports)?;
        let (kind, program) = find_shell();
        let mut command = agent.command(program, Path::new(&agent.setup.workspace));
        // Not as an argument: it would fill every listing of processes.
        let script = match kind {
            Kind::Bash => {
                command.args(["--noprofile", "--norc", "-c", r#"eval "$(<"$1")""#, "bash"]);
                include_str!("loop.bash")
            }
            Kind::Posix => {
                command.args(["-c", r#"eval "$(cat "$1")""#, "sh"]);
                include_str!("loop.sh")
            }
        };
        let mut exports = String::new();
        for (name, value) in &agent.setup.environment {
            if !FIRST_VARIABLES.contains(&name.as_str()) {
                command.env_remove(name);
                exports.push_str(&format!("export {name}={}\n", quoted(value)));
            }
        }
        fs::write(&files.script, exports + script)?;
        command.args([&files.script, &files.reports, &files.saved, &files.command]);
        let commands = command.pipe_in()?.into();
        let [stdout, stderr] = command.pipes_out()?;
        let running = agent.children.spawn(command)?;
        set_nonblocking(stdout.as_fd())?;
        set_nonblocking(stderr.as_fd())?;
        let pipes = Arc::new(Pipes { stdout, stderr, leftover: Mutex::default() });
        let idle = Arc::clone(&pipes);
        std::thread::Builder::new().stack_size(128 << 10).spawn(move || idle.read_between_commands())?;
        let saved = fs::read(&files.saved).unwrap_or_default();
        let directory = directory_of(&saved).unwrap_or_else(|| agent.setup.workspace.clone());
        Ok(Self { running, commands, kind, reports, pipes, directory, saved })
    }

    /// The output pipes.
    pub(super) fn pipes(&self) -> Arc<Pipes> {
        Arc::clone(&self.pipes)
    }

    /// What tells that a command is done: the shell's end and its reports.
    pub(super) fn watched(&self) -> (&Running, &File) {
        (&self.running, &self.reports)
    }

    /// Where the shell is.
    pub(super) fn directory(&self) -> &str {
        &self.directory
    }

    /// Whether the process has ended.
    pub(super) fn has_ended(&self) -> bool {
        is_readable(&[self.running.ended.as_fd()], PollTimeout::ZERO)
    }

    /// Waits for the process; gives its exit code.
    pub(super) fn wait(&self) -> i32 {
        self.running.wait()
    }

    /// Hands a command line over.
    pub(super) fn send(&mut self, command: &str, files: &Files) -> io::Result<()> {
        let line = match self.kind {
            // What bash takes for one letter depends on its locale, but not with these.
            Kind::Bash if command.is_ascii() && !command.is_empty() => {
                [command.len().to_string().as_bytes(), b"\n", command.as_bytes()].concat()
            }
            Kind::Bash => [b"z\n", command.as_bytes(), b"\0"].concat(),
            Kind::Posix => {
                fs::write(&files.command, command)?;
                b"\n".to_vec()
            }
        };
        match self.commands.write_all(&line) {
            // It has just ended; the watcher of its end says so.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Keeps the reported directory and exports for the next shell; writes only what has changed.
    pub(super) fn keep(&mut self, report: &Report, files: &Files) {
        let Some((directory, exports)) = report.place() else { return };
        let text = String::from_utf8_lossy(directory).into_owned();
        let script = restore_script(directory, exports);
        if script != self.saved && files.save(&script).is_ok() {
            self.saved = script;
        }
        self.directory = text;
    }
}

impl Pipes {
    /// Keeps background children from filling the pipes while no command runs. Ends with the last writer.
    fn read_between_commands(&self) {
        let mut open = [true, true];
        while open != [false, false] {
            let fds: Vec<BorrowedFd<'_>> = [(open[0], self.stdout.as_fd()), (open[1], self.stderr.as_fd())]
                .into_iter()
                .filter_map(|(open, fd)| open.then_some(fd))
                .collect();
            if !is_readable(&fds, PollTimeout::NONE) {
                continue;
            }
            let mut leftover = lock(&self.leftover);
            for (place, fd) in [self.stdout.as_fd(), self.stderr.as_fd()].into_iter().enumerate() {
                open[place] = open[place] && read_piece(fd, &mut leftover[place]);
            }
        }
    }
}

/// Reads what is there, up to one buffer; `false` at the end of the stream.
fn read_piece(fd: BorrowedFd<'_>, kept: &mut Vec<u8>) -> bool {
    let mut piece = [0; 16 << 10];
    match nix::unistd::read(fd, &mut piece) {
        Ok(0) => false,
        Ok(count) => {
            kept.extend_from_slice(&piece[..count]);
            let surplus = kept.len().saturating_sub(LEFTOVER_BYTES);
            kept.drain(..surplus);
            true
        }
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => true,
        Err(_) => false,
    }
}

fn is_readable(fds: &[BorrowedFd<'_>], timeout: PollTimeout) -> bool {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut polled, timeout).is_ok_and(|count| count > 0)
}

/// Makes the named pipe anew, so that no report of an earlier shell can be left in it. Open for both
/// directions: the shell never waits for a reader, and we see no end of file.
fn open_reports(path: &PathBuf) -> io::Result<File> {
    let _ = fs::remove_file(path);
    nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600))?;
    File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

fn find_shell() -> (Kind, &'static str) {
    for program in ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"] {
        if Path::new(program).exists() {
            return (Kind::Bash, program);
        }
    }
    (Kind::Posix, "/bin/sh")
}

/// A script that any shell reads: the exports, then the directory on the last line.
fn restore_script(directory: &[u8], exports: &[u8]) -> Vec<u8> {
    let mut script = exports.to_vec();
    script.extend_from_slice(b"cd -- ");
    script.extend_from_slice(quoted(&String::from_utf8_lossy(directory)).as_bytes());
    script.push(b'\n');
    script
}

/// A word that any shell reads as this text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The directory that a restore script ends with.
fn directory_of(script: &[u8]) -> Option<String> {
    let start = script.windows(7).rposition(|window| window == b"cd -- '")? + 7;
    let quoted = script.get(start..)?.strip_suffix(b"'\n")?;
    Some(String::from_utf8_lossy(quoted).replace("'\\''", "'"))
}

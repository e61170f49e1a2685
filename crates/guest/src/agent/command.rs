//! A program to start, and its start.
//!
//! Not `std::process::Command`, which copies the agent's memory for every start where the user changes: here the
//! child shares it for the moment until it executes, as `posix_spawn` does.

mod child;

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

/// Where programs are looked for where the environment does not say.
const USUAL_PATH: &str = "/usr/bin:/bin";

/// A program to start.
pub(super) struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    user: Option<(u32, u32)>,
    leads: Leads,
    stdio: [Option<OwnedFd>; 3],
}

/// What a started process leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    /// A group of its own.
    Group,
    /// A session of its own, whose terminal is its standard input.
    Terminal,
}

impl Command {
    /// A program with nothing but what is said of it here; its streams are empty.
    pub(super) fn new(program: impl AsRef<OsStr>, directory: &Path) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            directory: directory.to_owned(),
            user: None,
            leads: Leads::Group,
            stdio: [None, None, None],
        }
    }

    /// Adds arguments.
    pub(super) fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub(super) fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Takes a variable away.
    pub(super) fn env_remove(&mut self, name: &str) {
        self.environment.remove(OsStr::new(name));
    }

    /// Runs it as a user and group, without further groups.
    pub(super) fn user(&mut self, user: (u32, u32)) {
        self.user = Some(user);
    }

    /// Gives it a terminal, which is all of its streams.
    pub(super) fn terminal(&mut self, terminal: OwnedFd) -> io::Result<()> {
        self.stdio = [Some(terminal.try_clone()?), Some(terminal.try_clone()?), Some(terminal)];
        self.leads = Leads::Terminal;
        Ok(())
    }

    /// Makes a pipe to its standard input; our end.
    pub(super) fn pipe_in(&mut self) -> io::Result<OwnedFd> {
        let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
        self.stdio[0] = Some(theirs);
        Ok(ours)
    }

    /// Makes pipes from its standard output and error; our ends.
    pub(super) fn pipes_out(&mut self) -> io::Result<[OwnedFd; 2]> {
        let (stdout, their_stdout) = pipe2(OFlag::O_CLOEXEC)?;
        let (stderr, their_stderr) = pipe2(OFlag::O_CLOEXEC)?;
        (self.stdio[1], self.stdio[2]) = (Some(their_stdout), Some(their_stderr));
        Ok([stdout, stderr])
    }

    /// Sends its output and errors to a file.
    pub(super) fn output_to(&mut self, file: File) -> io::Result<()> {
        (self.stdio[1], self.stdio[2]) = (Some(file.try_clone()?.into()), Some(file.into()));
        Ok(())
    }

    /// Starts it: its id and a descriptor that becomes readable at its end. Its ends of pipes are closed here.
    ///
    /// # Errors
    ///
    /// Why it could not be executed. It has to be waited for in either case, but for an error without a process.
    pub(super) fn start(self) -> Result<(i32, OwnedFd), (io::Error, Option<i32>)> {
        let prepared = self.prepare().map_err(|error| (error, None))?;
        child::start(&prepared)
    }

    /// Everything that needs memory, made before the child is.
    fn prepare(self) -> io::Result<Prepared> {
        let empty = if self.stdio.iter().all(Option::is_some) {
            None
        } else {
            Some(OwnedFd::from(File::options().read(true).write(true).open("/dev/null")?))
        };
        let mut streams = Vec::with_capacity(3);
        for stream in self.stdio {
            streams.push(match (stream, &empty) {
                (Some(stream), _) => stream,
                (None, Some(empty)) => empty.as_fd().try_clone_to_owned()?,
                (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
            });
        }
        let path =
            self.environment.get(OsStr::new("PATH")).map_or(OsStr::new(USUAL_PATH), OsString::as_os_str);
        let places = places(&self.program, path)?;
        let mut arguments = vec![text(&self.program)?];
        for argument in &self.arguments {
            arguments.push(text(argument)?);
        }
        let mut environment = Vec::with_capacity(self.environment.len());
        for (name, value) in &self.environment {
            environment.push(text(OsStr::from_bytes(&[name.as_bytes(), b"=", value.as_bytes()].concat()))?);
        }
        Ok(Prepared {
            places,
            arguments,
            environment,
            directory: text(self.directory.as_os_str())?,
            user: self.user,
            with_terminal: self.leads == Leads::Terminal,
            streams,
        })
    }
}

/// A program whose start needs no more memory.
struct Prepared {
    /// Where the program may be.
    places: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: CString,
    user: Option<(u32, u32)>,
    with_terminal: bool,
    streams: Vec<OwnedFd>,
}

/// The files that a program's name may mean: itself where it has a slash, else one in each folder of the path.
fn places(program: &OsStr, path: &OsStr) -> io::Result<Vec<CString>> {
    if program.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![text(program)?]);
    }
    let folders = path.as_bytes().split(|byte| *byte == b':');
    folders.map(|folder| text(Path::new(OsStr::from_bytes(folder)).join(program).as_os_str())).collect()
}

fn text(text: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

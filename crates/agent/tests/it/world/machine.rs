//! A machine without a machine: files in memory and a few command lines with known effects.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use agent::port::Workspace;
use domain::SandboxId;
use domain::event::FileChange;
use futures_util::future::BoxFuture;
use sandbox::{
    Background, Exec, ExecEnd, FileRead, FileWritten, Glob, GlobFound, Grep, GrepFound, GrepMatch, Output,
    Sandbox, SandboxError, ShellCommand, ShellEnd,
};

type Answer<'a, T> = BoxFuture<'a, Result<T, SandboxError>>;

pub(crate) struct Machine {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    files: BTreeMap<String, Vec<u8>>,
    base: BTreeMap<String, Vec<u8>>,
    ran: Vec<String>,
    counter: u32,
    looks: usize,
    gone: bool,
    blind: bool,
}

impl Default for Machine {
    fn default() -> Self {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        let base = BTreeMap::from([
            file("AGENTS.md", "Keep it POSIX.\n"),
            file("lib/cart.sh", "discount=10\ntotal=1\n"),
            file("test.sh", "exit 0\n"),
        ]);
        let inside = Inside { files: base.clone(), base, ..Inside::default() };
        Self { inside: Mutex::new(inside) }
    }
}

impl Machine {
    /// Command lines that ran, in order; those of the shell as they are, checks after `check: `.
    pub(crate) fn ran(&self) -> Vec<String> {
        self.lock().ran.clone()
    }

    /// How often somebody looked at what differs from the base.
    pub(crate) fn looks(&self) -> usize {
        self.lock().looks
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.lock().files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.lock().files.insert(path.to_owned(), bytes.to_vec());
    }

    /// Makes everything that is there the base of the work.
    pub(crate) fn rebase(&self) {
        let mut inside = self.lock();
        inside.base = inside.files.clone();
    }

    pub(crate) fn set_gone(&self, gone: bool) {
        self.lock().gone = gone;
    }

    /// From now on nobody can say what differs from the base, or again can.
    pub(crate) fn set_blind(&self, blind: bool) {
        self.lock().blind = blind;
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    fn alive(&self) -> Result<(), SandboxError> {
        if self.lock().gone { Err(SandboxError::Gone { cause: "out of memory".to_owned() }) } else { Ok(()) }
    }

    /// The commands of this machine; the exit code, or `None` for one that hangs.
    fn play(
        &self,
        command: &str,
        output: &(dyn Fn(Output<'_>) + Send + Sync),
    ) -> Result<Option<i32>, SandboxError> {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        Ok(Some(match name {
            "echo" => {
                output(Output::Stdout(format!("{rest}\n").as_bytes()));
                0
            }
            "fail" => {
                output(Output::Stderr(b"1 of 6 failed\n"));
                1
            }
            // Passes when the cart has a discount of 12.
            "test" => {
                let good = self.text("lib/cart.sh").is_some_and(|text| text.contains("discount=12"));
                output(Output::Stdout(if good { b"6 passed\n" } else { b"1 of 6 failed\n" }));
                i32::from(!good)
            }
            "count" => {
                let mut inside = self.lock();
                inside.counter += 1;
                output(Output::Stdout(format!("{}\n", inside.counter).as_bytes()));
                0
            }
            "lines" => {
                for number in 1..=rest.parse().unwrap() {
                    output(Output::Stdout(format!("this is line {number}\n").as_bytes()));
                }
                0
            }
            "raw" => {
                output(Output::Stdout(b"\x1b[31mred\x1b[0m \xff\x00\n"));
                0
            }
            "drip" => {
                output(Output::Stdout(b"drip\n"));
                output(Output::Stdout(b"drop\n"));
                return Ok(None);
            }
            "hang" => {
                output(Output::Stdout(b"started\n"));
                return Ok(None);
            }
            "slow" => -1,
            "exit" => -2,
            "vanish" => {
                self.lock().gone = true;
                return Err(SandboxError::Gone { cause: "out of memory".to_owned() });
            }
            "full" => return Err(SandboxError::DiskFull { path: "/data".to_owned() }),
            unknown => {
                output(Output::Stderr(format!("{unknown}: not found\n").as_bytes()));
                127
            }
        }))
    }
}

impl Sandbox for Machine {
    fn id(&self) -> SandboxId {
        SandboxId::from_uuid(uuid::Uuid::from_u128(1))
    }

    fn exec<'a>(
        &'a self,
        command: Exec,
        output: &'a (dyn Fn(Output<'_>) + Send + Sync),
    ) -> Answer<'a, ExecEnd> {
        Box::pin(async move {
            self.alive()?;
            let line = command.argv.last().cloned().unwrap_or_default();
            self.lock().ran.push(format!("check: {line}"));
            match self.play(&line, output)? {
                Some(exit_code) => Ok(ExecEnd { exit_code, timed_out: false }),
                None => std::future::pending().await,
            }
        })
    }

    fn shell<'a>(
        &'a self,
        command: ShellCommand,
        output: &'a (dyn Fn(Output<'_>) + Send + Sync),
    ) -> Answer<'a, ShellEnd> {
        Box::pin(async move {
            self.alive()?;
            self.lock().ran.push(command.command.clone());
            match self.play(&command.command, output)? {
                Some(exit_code) => Ok(ShellEnd {
                    exit_code: exit_code.max(0),
                    timed_out: exit_code == -1,
                    restarted: exit_code == -2,
                    directory: "/workspace".to_owned(),
                }),
                None => std::future::pending().await,
            }
        })
    }

    fn background(&self, command: String) -> Answer<'_, Background> {
        self.lock().ran.push(format!("background: {command}"));
        let output_path = "/tmp/journeyman/background/1.txt".to_owned();
        Box::pin(async move { Ok(Background { number: 1, pid: 42, command, output_path }) })
    }

    fn background_list(&self) -> Answer<'_, Vec<Background>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read<'a>(&'a self, path: &'a str, offset: u64, max_bytes: u64) -> Answer<'a, FileRead> {
        Box::pin(async move {
            self.alive()?;
            if path == "pipe" {
                return std::future::pending().await;
            }
            let inside = self.lock();
            let Some(bytes) = inside.files.get(path) else {
                return Err(SandboxError::File {
                    path: path.to_owned(),
                    message: "no such file or directory".to_owned(),
                    fault: sandbox::FileFault::NotFound,
                });
            };
            let from = usize::try_from(offset).unwrap().min(bytes.len());
            let to = usize::try_from(offset.saturating_add(max_bytes)).unwrap().min(bytes.len());
            Ok(FileRead { bytes: bytes[from..to].to_vec(), size_bytes: bytes.len() as u64 })
        })
    }

    fn write<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> Answer<'a, FileWritten> {
        Box::pin(async move {
            self.alive()?;
            let created = self.lock().files.insert(path.to_owned(), bytes).is_none();
            Ok(FileWritten { created })
        })
    }

    fn grep(&self, query: Grep) -> Answer<'_, GrepFound> {
        Box::pin(async move {
            self.alive()?;
            if query.pattern == "(" {
                return Err(SandboxError::Pattern { message: "unclosed group".to_owned() });
            }
            let mut matches = Vec::new();
            for (path, bytes) in &self.lock().files {
                for (position, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
                    if line.contains(&query.pattern) {
                        let line_number = position as u64 + 1;
                        matches.push(GrepMatch {
                            path: path.clone(),
                            line: line_number,
                            text: line.to_owned(),
                        });
                    }
                }
            }
            let most = query.max_matches as usize;
            let more = matches.len() > most;
            matches.truncate(most);
            Ok(GrepFound { matches, more })
        })
    }

    fn glob(&self, query: Glob) -> Answer<'_, GlobFound> {
        Box::pin(async move {
            self.alive()?;
            let ending = query.pattern.trim_start_matches(['*', '/']).to_owned();
            let paths = self.lock().files.keys().filter(|path| path.ends_with(&ending)).cloned().collect();
            Ok(GlobFound { paths, more: false })
        })
    }

    fn stop(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Workspace for Machine {
    fn changes(&self) -> Answer<'_, Vec<FileChange>> {
        Box::pin(async move {
            self.alive()?;
            let mut inside = self.lock();
            inside.looks += 1;
            if inside.blind {
                return Err(SandboxError::Internal { doing: "compare", source: "no repository".into() });
            }
            let change = |path: &String| FileChange { path: path.clone(), added: Some(1), removed: Some(1) };
            let in_tree = |path: &&String| !path.starts_with('/');
            Ok(inside
                .files
                .iter()
                .filter(|(path, bytes)| inside.base.get(*path) != Some(bytes))
                .map(|(path, _)| path)
                .filter(in_tree)
                .map(change)
                .collect())
        })
    }
}

//! The program itself, started as a person or a script would: arguments in, exit code, output and JSON out.
#![expect(clippy::expect_used, reason = "a test whose program cannot be started cannot go on")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program, and give up waiting by the machine's clock"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program with a home, a data folder and an environment of its own.
pub struct Program {
    binary: PathBuf,
    place: TempDir,
    data: PathBuf,
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// What it printed as data.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// A command that runs.
pub struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    stdout: String,
    stderr: Option<std::thread::JoinHandle<String>>,
}

impl Program {
    /// The program at `binary` with nothing of this machine's user.
    #[must_use]
    pub fn new(binary: &str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let data = place.path().join("data");
        for folder in ["home", "run"] {
            std::fs::create_dir(place.path().join(folder)).expect("a folder");
        }
        Self { binary: binary.into(), place, data, environment: Vec::new() }
    }

    /// Sets a variable for all commands that follow.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another data folder.
    #[must_use]
    pub fn with_data(mut self, data: &Path) -> Self {
        data.clone_into(&mut self.data);
        self
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// Writes a scenario and returns the model's name.
    #[must_use]
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.place.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).expect("write a scenario");
        format!("scripted/{}", path.display())
    }

    /// Runs a command to its end, with nothing on standard input.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// As [`Program::run`], with text on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        use std::io::Write;

        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("start the program");
        let mut stdin = child.stdin.take().expect("standard input");
        stdin.write_all(input.as_bytes()).expect("give the input");
        drop(stdin);
        Running::of(child).end()
    }

    /// Runs a script of a shell in the program's surroundings, to its end.
    pub fn shell(&self, shell: &str, script: &str) -> Ended {
        let mut command = self.command(&[]);
        let mut other = Command::new(shell);
        other.arg("-c").arg(script).env_clear().current_dir(self.place.path());
        other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        other.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command = other;
        Running::of(command.spawn().expect("start a shell")).end()
    }

    /// Starts a command.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::of(self.command(arguments).spawn().expect("start the program"))
    }

    /// Starts `up` and returns it with the line that it announces itself with.
    pub fn up(&self) -> (Running, Value) {
        let mut server = self.start(&["up", "--json", "--listen", "127.0.0.1:0"]);
        let line = server.line_with("ticket_url");
        (server, serde_json::from_str(&line).expect("one JSON line"))
    }

    /// The command, with nothing on standard input and its output in pipes.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env_clear().current_dir(self.place.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.home()).env("USER", "mira");
        command.env("JOURNEYMAN_DATA", &self.data).env("XDG_RUNTIME_DIR", self.place.path().join("run"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Running {
    fn of(mut child: Child) -> Self {
        let stdout = child.stdout.take().expect("standard output");
        let mut stderr = child.stderr.take().expect("standard error");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _until_closed = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, lines, stdout: String::new(), stderr: Some(stderr) }
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of standard output that holds `part`.
    ///
    /// # Panics
    ///
    /// When the program ends without it, or takes too long.
    pub fn line_with(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                let _gone = self.child.kill();
                let said = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
                panic!("no line with {part:?} in:\n{}\nand it said:\n{said}", self.stdout);
            };
            self.stdout.push_str(&line);
            self.stdout.push('\n');
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Sends a signal by its name: `INT`, `TERM`, `KILL`, `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill").success(), "the signal could not be sent");
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.stdout.push_str(&line);
                    self.stdout.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _gone = self.child.kill();
                    panic!("it did not end; it printed:\n{}", self.stdout);
                }
            }
        }
        let status = self.child.wait().expect("the end");
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Ended { code: status.code().unwrap_or(-1), stdout: std::mem::take(&mut self.stdout), stderr }
    }
}

/// A test that fails leaves nothing behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

impl Ended {
    /// The same, having ended with `code`.
    ///
    /// # Panics
    ///
    /// When it ended otherwise.
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "it printed:\n{}\nand said:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as one JSON value a line.
    ///
    /// # Panics
    ///
    /// When a line is none.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        self.stdout.lines().map(line).collect()
    }

    /// The last JSON value on standard output.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn last_json(&self) -> Value {
        self.json_lines()
            .pop()
            .unwrap_or_else(|| panic!("nothing on standard output; it said:\n{}", self.stderr))
    }

    /// The error on standard error, as JSON.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        let value: Value =
            serde_json::from_str(last).unwrap_or_else(|_| panic!("no JSON error in:\n{}", self.stderr));
        value["error"].clone()
    }
}

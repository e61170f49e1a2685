//! The programs under measurement: the product by its command line, and the bare loop.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::{MARK, Model};

/// Longer than any run that is worth a figure.
const PATIENCE: Duration = Duration::from_secs(300);

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Player {
    /// `journeyman do` with a model of this name.
    Journeyman(&'static str),
    /// The bare loop.
    Bare,
}

/// The release program.
pub(crate) fn journeyman() -> Result<PathBuf, String> {
    let path = std::env::var_os("JOURNEYMAN_BIN")
        .map_or_else(|| crate::folder::root().join("target/release/journeyman"), PathBuf::from);
    if path.is_file() { Ok(path) } else { Err(format!("{} does not exist; build it first", path.display())) }
}

/// The program with everything set that leads it to `model`, and nothing of this machine's own keys.
pub(crate) fn with_model(data: &Path, model: &Model) -> Result<Command, String> {
    let base = format!("http://127.0.0.1:{}", model.port());
    let mut command = Command::new(journeyman()?);
    command.env("OPENAI_BASE_URL", format!("{base}/v1")).env("OPENAI_API_KEY", "x");
    command.env("ANTHROPIC_BASE_URL", &base).env("ANTHROPIC_API_KEY", "x");
    command.env("GEMINI_BASE_URL", &base).env("GEMINI_API_KEY", "x");
    command.env("JOURNEYMAN_DATA", data).env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1");
    command.stdin(Stdio::null());
    Ok(command)
}

/// What the run with this number is asked to do.
pub(crate) fn prompt(run: u32) -> String {
    format!("Append lines to f.txt, one shell command at a time. {MARK}{run:04}")
}

impl Player {
    /// Plays one run in `repository` to its end, and returns when it was started.
    pub(crate) fn play(self, repository: &Path, data: &Path, model: &Model) -> Result<Instant, String> {
        let mut command = match self {
            Self::Bare => bare(model, 0)?,
            Self::Journeyman(name) => {
                let mut command = with_model(data, model)?;
                command.args(["do", &prompt(0), "--repo"]).arg(repository);
                command.args(["--model", name, "--apply", "--wait", "--json"]);
                command
            }
        };
        let log = repository.with_extension("log");
        command.current_dir(repository).stdout(Stdio::null()).stderr(create(&log)?);
        let begin = Instant::now();
        let child = command.spawn().map_err(|error| format!("cannot start {self:?}: {error}"))?;
        wait(child, &log)?;
        Ok(begin)
    }
}

/// The bare loop as a process, for the run with this number.
fn bare(model: &Model, run: u32) -> Result<Command, String> {
    let own = std::env::current_exe().map_err(|error| format!("where am I: {error}"))?;
    let mut command = Command::new(own);
    command.args(["bare", &model.port().to_string(), &prompt(run)]).stdin(Stdio::null());
    Ok(command)
}

/// Starts a bare loop in `repository` and does not wait for it.
pub(crate) fn start_bare(repository: &Path, model: &Model, run: u32, log: &Path) -> Result<Child, String> {
    let mut command = bare(model, run)?;
    command.current_dir(repository).stdout(Stdio::null()).stderr(create(log)?);
    command.spawn().map_err(|error| format!("cannot start a bare loop: {error}"))
}

/// Waits for success; the error holds what the program said.
pub(crate) fn wait(mut child: Child, log: &Path) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("the program ended with {status}\n{}", tail(log))),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the program did not end in {} s\n{}", PATIENCE.as_secs(), tail(log)));
            }
            Err(error) => return Err(format!("cannot wait: {error}")),
        }
    }
}

/// A new file for a program's output.
pub(crate) fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The end of a log, for errors.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

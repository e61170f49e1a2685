//! Starting programs. Every failure names the command line; every download is tried again.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command in the root of the repository, with a closed stdin.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::workspace::root()).stdin(Stdio::null());
    command
}

/// Cargo, without the variables that `cargo run` set for us: build scripts look at some of them
/// and would otherwise run again each time that cargo is started from here and by hand in turn.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = command(program);
    cargo.args(arguments);
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let ours =
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];
        if ours.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs to the end; the output goes to the terminal.
pub(crate) fn check(command: &mut Command) -> Result<(), String> {
    let line = describe(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("cannot start `{line}`: {error}")),
    }
}

/// Runs to the end and returns stdout; on failure the error holds stderr.
pub(crate) fn capture(command: &mut Command) -> Result<String, String> {
    let line = describe(command);
    let output = command.output().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{line}` ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Runs to the end, shows the output as it comes, and returns whether it succeeded and all of it.
pub(crate) fn tee(command: &mut Command) -> Result<(bool, String), String> {
    let line = describe(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    let errors = child.stderr.take().map(|pipe| std::thread::spawn(move || copy(pipe, std::io::stderr())));
    let mut text = child.stdout.take().map(|pipe| copy(pipe, std::io::stdout())).unwrap_or_default();
    if let Some(thread) = errors {
        text.push_str(&thread.join().unwrap_or_default());
    }
    let status = child.wait().map_err(|error| format!("cannot wait for `{line}`: {error}"))?;
    Ok((status.success(), text))
}

fn copy(mut from: impl Read, mut to: impl Write) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let _ = to.write_all(&buffer[..count]);
        let _ = to.flush();
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Tries up to four times, with 3, 9 and 27 seconds between: for whatever needs the network.
pub(crate) fn with_retries(
    what: &str,
    mut attempt: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    let mut wait = Duration::from_secs(3);
    for _ in 0..3 {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => {
                eprintln!("{error}\n{what} did not work; trying again in {} s", wait.as_secs());
                std::thread::sleep(wait);
                wait *= 3;
            }
        }
    }
    attempt()
}

/// Prints the name, runs, prints the seconds.
pub(crate) fn step<T>(
    name: &str,
    action: impl FnOnce() -> Result<T, String>,
) -> Result<(T, Duration), (String, Duration)> {
    println!("--- {name}");
    let begin = Instant::now();
    let outcome = action();
    let took = begin.elapsed();
    println!("--- {name}: {:.1} s{}", took.as_secs_f64(), if outcome.is_ok() { "" } else { ", FAILED" });
    match outcome {
        Ok(value) => Ok((value, took)),
        Err(error) => {
            eprintln!("{error}");
            Err((error, took))
        }
    }
}

/// The first of the names that `PATH` (or one of the usual folders) has.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual =
        ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(usual).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

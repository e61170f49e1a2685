//! Runs a program in a sandbox and keeps what it prints, up to a limit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sandbox::{Exec, Output, Sandbox};

use crate::error::{Error, Result};

/// What a program printed and how it ended.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) exit_code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// Whether standard output was longer than the limit.
    pub(crate) cut: bool,
}

impl Captured {
    /// Standard output, or what went wrong as an error of delivery.
    pub(crate) fn success(self, doing: &'static str) -> Result<Vec<u8>> {
        if self.exit_code == 0 && !self.cut {
            return Ok(self.stdout);
        }
        let said = if self.cut { "its output is too large".to_owned() } else { last_lines(&self.stderr) };
        Err(Error::Delivery { message: format!("{doing}: {said}") })
    }
}

/// The most of standard error that is kept.
const STDERR_BYTES: usize = 64 << 10;

/// A script for `sh`, with its arguments, run to its end.
pub(crate) async fn script(
    sandbox: &dyn Sandbox,
    script: &str,
    arguments: &[&str],
    env: Vec<(String, String)>,
) -> Result<Captured> {
    let mut argv: Vec<String> = ["sh", "-c", script, "sh"].map(str::to_owned).to_vec();
    argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let exec = Exec { argv, env, timeout: Some(Duration::from_secs(600)), ..Exec::default() };
    capture(sandbox, exec, 64 << 20).await
}

/// A program run to its end; at most `limit` bytes of its standard output are kept.
pub(crate) async fn capture(sandbox: &dyn Sandbox, exec: Exec, limit: usize) -> Result<Captured> {
    let kept = Mutex::new((Vec::new(), Vec::new(), false));
    let end = sandbox
        .exec(exec, &|output| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            match output {
                Output::Stdout(bytes) => {
                    let room = limit.saturating_sub(kept.0.len()).min(bytes.len());
                    kept.2 |= room < bytes.len();
                    kept.0.extend_from_slice(&bytes[..room]);
                }
                Output::Stderr(bytes) => {
                    let room = STDERR_BYTES.saturating_sub(kept.1.len()).min(bytes.len());
                    kept.1.extend_from_slice(&bytes[..room]);
                }
            }
        })
        .await?;
    let (stdout, stderr, cut) = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut stderr = String::from_utf8_lossy(&stderr).into_owned();
    if end.timed_out {
        stderr.push_str("\nit took longer than its time");
    }
    Ok(Captured { exit_code: end.exit_code, stdout, stderr, cut })
}

/// The last few lines of a program's complaint.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("; ")
}

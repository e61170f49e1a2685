//! `bash`: a command line in the persistent shell, or in the background.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::event::ToolOutcome;
use sandbox::{Output, ShellCommand, ShellEnd};
use serde::Deserialize;

use super::{Hands, Ran};
use crate::collect::{Ends, KEPT_MAX_BYTES, LiveStream, Sort};
use crate::output::{Whole, clean};

/// Where no time-out is given.
const DEFAULT_TIMEOUT_SECONDS: u64 = 120;
/// No command runs longer.
const MAX_TIMEOUT_SECONDS: u64 = 3_600;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Bash {
    pub(crate) command: String,
    #[serde(default)]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    background: Option<bool>,
}

impl Bash {
    pub(crate) fn in_background(&self) -> bool {
        self.background.unwrap_or(false)
    }

    /// After this long the command is stopped.
    pub(super) fn timeout(&self) -> Duration {
        let seconds = self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
        Duration::from_secs(seconds.clamp(1, MAX_TIMEOUT_SECONDS))
    }

    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        if self.in_background() { self.start(hands).await } else { self.run_to_end(hands).await }
    }

    async fn start(&self, hands: &Hands<'_>) -> Ran {
        match hands.sandbox.background(self.command.clone()).await {
            Ok(started) => Ran::done(
                format!(
                    "started in the background as number {} (pid {}); its output goes to {}",
                    started.number, started.pid, started.output_path
                ),
                format!("pid {}", started.pid),
            ),
            Err(error) => Ran::from_error(error),
        }
    }

    async fn run_to_end(&self, hands: &Hands<'_>) -> Ran {
        let timeout = self.timeout().min(hands.time_left);
        let kept = Mutex::new(Ends::new(KEPT_MAX_BYTES));
        let live = LiveStream::new(hands.journal, hands.ambient);
        let sort = Sort::Output(hands.call.id.clone());
        let take = |output: Output<'_>| {
            let (Output::Stdout(bytes) | Output::Stderr(bytes)) = output;
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
            live.push(&sort, bytes);
        };
        let command = ShellCommand { command: self.command.clone(), timeout };
        let ended = tokio::select! {
            biased;
            ended = hands.sandbox.shell(command, &take) => ended,
            never = live.tick() => match never {},
        };
        live.flush();
        let (bytes, dropped) = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut text = clean(&bytes);
        match ended {
            Ok(end) => finished(text, dropped, &end, timeout),
            Err(error) => {
                let mut ran = Ran::from_error(error);
                text.push_str(&ran.whole.text);
                ran.whole = Whole { text, dropped_bytes: dropped, footer: String::new() };
                ran
            }
        }
    }
}

fn finished(text: String, dropped_bytes: u64, end: &ShellEnd, timeout: Duration) -> Ran {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let mut footer = String::new();
    let summary = if end.timed_out {
        let seconds = timeout.as_secs();
        footer =
            format!("{gap}[stopped: still running after {seconds} s; use timeout_seconds or background]");
        format!("stopped after {seconds} s")
    } else {
        if end.exit_code != 0 {
            footer = format!("{gap}[exit {}]", end.exit_code);
        } else if text.is_empty() {
            footer = "[exit 0, no output]".to_owned();
        }
        format!("exit {}", end.exit_code)
    };
    if end.restarted {
        footer.push_str(&format!("\n[the shell ended; a new one is in {}]", end.directory));
    }
    let good = end.exit_code == 0 && !end.timed_out;
    Ran {
        outcome: if good { ToolOutcome::Done } else { ToolOutcome::Failed },
        whole: Whole { text, dropped_bytes, footer },
        summary,
        shell_directory: Some(end.directory.clone()),
        trouble: None,
    }
}

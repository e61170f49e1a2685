//! Judging: the model wants nothing more. Is the goal reached, and how do we know?

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use domain::event::{FileChange, RunEvent};
use domain::run::{Evidence, Reason};
use domain::transcript::StopReason;
use sandbox::{Exec, Output, SandboxError};

use crate::collect::Ends;
use crate::context::{CUT_ANSWER, EMPTY_ANSWER};
use crate::guard::{self, NUDGES};
use crate::outcome::{Halt, Outcome};
use crate::output::clean;
use crate::run_loop::Loop;
use crate::tools::{Trouble, trouble};

/// A check runs at most this long.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// What is kept of a check's output, in bytes.
const CHECK_KEPT_BYTES: usize = 16 << 10;
/// Between two looks at what changed passes at least this long.
const LOOK_GAP: Duration = Duration::from_secs(2);
/// A lost sandbox is replaced after this long.
const NEW_SANDBOX_AFTER_MS: i64 = 1_000;

impl Loop {
    pub(crate) async fn judge(&mut self) -> Result<(), Halt> {
        self.look().await?;
        if self.history.conversation.has_unsent() {
            return Ok(());
        }
        if let Some(command) = self.history.check_passed.clone() {
            return self.done(Evidence::CheckPassed { command }).await;
        }
        match self.history.last_stop {
            StopReason::Refusal => return Err(Halt::failed(refused(&self.history.last_text))),
            StopReason::MaxTokens => return self.nudge_after_cut(),
            StopReason::EndTurn | StopReason::ToolUse => {}
        }
        if self.history.tries.empty_answers > 0 {
            return self.nudge_after_nothing();
        }
        self.commit().await?;
        let files = self.look_at_files().await?;
        if files.is_empty() {
            let explanation = self.history.last_text.clone();
            return self.done(Evidence::NothingToChange { explanation }).await;
        }
        match self.parts.settings.check.clone() {
            Some(command) => self.check(command).await,
            None => self.done(Evidence::NoCheck).await,
        }
    }

    /// The end, unless a person said something meanwhile.
    async fn done(&mut self, evidence: Evidence) -> Result<(), Halt> {
        self.look().await?;
        if self.history.conversation.has_unsent() {
            return Ok(());
        }
        Err(Outcome::Done { evidence, summary: self.history.last_text.clone() }.into())
    }

    fn nudge_after_cut(&mut self) -> Result<(), Halt> {
        if self.history.tries.cut_answers > NUDGES {
            let text = "The model's answers reached the output limit again and again.";
            return Err(Halt::failed(
                Reason::new("output_limit", text)
                    .with_fix("Split the goal, or choose a model with longer answers."),
            ));
        }
        let text = "The model's answer was cut at its output limit; it was told to go on in smaller steps.";
        self.note(RunEvent::Notice(Reason::new(CUT_ANSWER, text)));
        Ok(())
    }

    fn nudge_after_nothing(&mut self) -> Result<(), Halt> {
        if self.history.tries.empty_answers > NUDGES {
            let text = "The model gave empty answers and did not go on when it was asked to.";
            return Err(Halt::failed(
                Reason::new("empty_answers", text)
                    .with_fix("Continue the run with a hint, or try another model."),
            ));
        }
        let text = "The model's answer was empty; it was told to go on.";
        self.note(RunEvent::Notice(Reason::new(EMPTY_ANSWER, text)));
        Ok(())
    }

    /// Runs the check in a fresh process; its failure goes to the model.
    async fn check(&mut self, command: String) -> Result<(), Halt> {
        let exec = Exec {
            argv: ["sh", "-c", &command].map(str::to_owned).to_vec(),
            directory: "/workspace".to_owned(),
            timeout: Some(CHECK_TIMEOUT),
            ..Exec::default()
        };
        let kept = Mutex::new(Ends::new(CHECK_KEPT_BYTES));
        let take = |output: Output<'_>| {
            let (Output::Stdout(bytes) | Output::Stderr(bytes)) = output;
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        };
        let began = self.parts.ambient.clock.elapsed();
        let ended = tokio::select! {
            biased;
            ended = async { self.parts.place.sandbox().await.exec(exec, &take).await } => ended,
            halt = self.called_off() => return Err(halt),
        };
        let end = ended.map_err(|error| self.cannot("run the check", &error))?;
        let (bytes, _) = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let exit_code = (!end.timed_out).then_some(end.exit_code);
        if self.parts.settings.check_is_found
            && let Some(reason) = lacks(exit_code, &clean(&bytes))
        {
            return self.not_checked(command, reason).await;
        }
        let duration_ms = self.millis_since(began);
        self.note(RunEvent::CheckRan { command, exit_code, output: clean(&bytes), duration_ms });
        guard::mended(&self.history)
    }

    /// The end without a check: that we found a command which this place cannot run is no fault of the work.
    async fn not_checked(&mut self, command: String, reason: String) -> Result<(), Halt> {
        let text = format!("The check `{command}` could not be run: {reason}.");
        self.note(RunEvent::Notice(
            Reason::new("check_not_run", text).with_fix("give one that can be run here with --check"),
        ));
        self.done(Evidence::CheckNotRun { command, reason }).await
    }

    /// Looks at what differs from the base, and says so in the log where that is news.
    async fn look_at_files(&mut self) -> Result<Vec<FileChange>, Halt> {
        let looked = self.changes().await?;
        looked.map_err(|error| self.cannot("see what changed", &error))
    }

    /// After tools ran: shows what changed, if some time has passed since the last look. Where that does not
    /// work (the agent may be rebuilding the repository), the next look may.
    pub(crate) async fn glance_at_files(&mut self) -> Result<(), Halt> {
        let since = self.parts.ambient.clock.elapsed().saturating_sub(self.looked_at);
        if !self.touched || since < LOOK_GAP {
            return Ok(());
        }
        self.commit().await?;
        match self.changes().await? {
            Ok(_) => Ok(()),
            Err(error) if trouble(&error).is_some() => Err(self.cannot("see what changed", &error)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not see what changed");
                Ok(())
            }
        }
    }

    async fn changes(&mut self) -> Result<Result<Vec<FileChange>, SandboxError>, Halt> {
        let looked = tokio::select! {
            biased;
            looked = self.parts.workspace.changes() => looked,
            halt = self.called_off() => return Err(halt),
        };
        self.touched = false;
        self.looked_at = self.parts.ambient.clock.elapsed();
        if let Ok(files) = &looked
            && *files != self.history.files
        {
            self.note(RunEvent::FilesChanged { files: files.clone() });
        }
        Ok(looked)
    }

    fn cannot(&mut self, doing: &str, error: &SandboxError) -> Halt {
        match trouble(error) {
            Some(trouble) => self.in_trouble(trouble),
            None => Halt::failed(
                Reason::new("sandbox_failed", format!("The sandbox could not {doing}: {error}."))
                    .with_fix("Continue the run; `journeyman doctor` looks at this machine."),
            ),
        }
    }

    /// What the loop does when the sandbox can no longer be worked with.
    pub(crate) fn in_trouble(&mut self, trouble: Trouble) -> Halt {
        match trouble {
            Trouble::SandboxGone { cause } => {
                let reason = Reason::new(guard::SANDBOX_GONE, format!("The sandbox was lost: {cause}."))
                    .with_fix("A new sandbox takes its place; the files are kept.");
                self.note(RunEvent::Notice(reason.clone()));
                if let Err(halt) = guard::sandboxes(&self.history) {
                    return halt;
                }
                let until_ms = self.parts.ambient.now_ms() + NEW_SANDBOX_AFTER_MS;
                Outcome::Sleeping { until_ms, reason }.into()
            }
            Trouble::DiskFull { path } => {
                let reason = Reason::new("disk_full", format!("The disk that holds {path} is full."))
                    .with_fix("Free some space, then resume the run.");
                Outcome::Paused { reason, commands: Vec::new() }.into()
            }
        }
    }
}

/// What a check lacks that could not be run: a program, or the network. Anything else it says is its verdict.
fn lacks(exit_code: Option<i32>, output: &str) -> Option<String> {
    const NETWORK: [&str; 8] = [
        "Could not resolve host",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "network is unreachable",
        "getaddrinfo ENOTFOUND",
        "getaddrinfo EAI_AGAIN",
        "but --offline was specified",
        "you may be able to find the package without --offline",
    ];
    let line = |parts: &[&str]| {
        output.lines().rev().find(|line| parts.iter().any(|part| line.contains(part))).map(str::trim)
    };
    match exit_code? {
        0 => None,
        126 | 127 => {
            let said =
                line(&["not found", "No such file", "ermission denied"]).unwrap_or("a program is missing");
            // What the repository itself should hold was lost with the work.
            (!said.contains("./")).then(|| short(said))
        }
        _ => line(&NETWORK).map(|said| format!("it needs the network ({})", short(said))).or_else(|| {
            // `make` has an exit code of its own.
            line(&["Error 127", "No module named pytest"]).map(short)
        }),
    }
}

fn short(line: &str) -> String {
    line.chars().take(160).collect()
}

fn refused(words: &str) -> Reason {
    let said = if words.is_empty() { String::new() } else { format!(" It said: {words}") };
    Reason::new("model_refused", format!("The model refused to go on.{said}"))
        .with_fix("State the goal in other words, or choose another model.")
}

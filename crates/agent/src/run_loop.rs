//! The loop's frame: what comes next is read off the history, done, and noted; a step is durable before
//! anything that depends on it happens.

use std::sync::Arc;
use std::time::Duration;

use domain::event::{RunEvent, ToolEnded, ToolOutcome};
use models::ToolSpec;
use runtime::CancellationToken;

use crate::history::{History, Next};
use crate::outcome::{Halt, Outcome};
use crate::port::JournalError;
use crate::settings::Parts;
use crate::{context, guard, tools};

/// One run's loop.
pub struct Loop {
    pub(crate) parts: Parts,
    pub(crate) history: History,
    pub(crate) stop: CancellationToken,
    /// The tools that are offered, in the order in which the context was opened with.
    pub(crate) offered: Arc<[ToolSpec]>,
    /// Events that are part of the history and not durable yet.
    noted: Vec<RunEvent>,
    /// Commands whose effects are noted and not durable yet.
    pub(crate) taken: Vec<i64>,
    /// Whether files may have changed since we last looked.
    pub(crate) touched: bool,
    /// When we last looked, by the clock's elapsed time.
    pub(crate) looked_at: Duration,
}

impl Loop {
    /// A loop that goes on where `history` ends.
    #[must_use]
    pub fn new(parts: Parts, history: History) -> Self {
        let looked_at = parts.ambient.clock.elapsed();
        Self {
            offered: offered(&history.tools),
            parts,
            history,
            stop: CancellationToken::new(),
            noted: Vec::new(),
            taken: Vec::new(),
            touched: false,
            looked_at,
        }
    }

    /// The run as it now stands.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Runs until the goal is reached, a guard or a person stops it, or `stop` is cancelled.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where a step could not be kept; what was not kept has had no effect that anybody
    /// was told of.
    pub async fn run(mut self, stop: CancellationToken) -> Result<Outcome, JournalError> {
        self.drive(stop).await
    }

    /// [`Loop::run`], for callers that want to look at the history afterwards.
    ///
    /// # Errors
    ///
    /// As [`Loop::run`].
    pub async fn drive(&mut self, stop: CancellationToken) -> Result<Outcome, JournalError> {
        self.stop = stop;
        let halt = match Box::pin(self.turn_over()).await {
            Ok(never) => match never {},
            Err(halt) => halt,
        };
        match halt {
            Halt::Journal(error) => Err(error),
            Halt::Outcome(outcome) => {
                self.commit().await?;
                Ok(outcome)
            }
        }
    }

    async fn turn_over(&mut self) -> Result<std::convert::Infallible, Halt> {
        guard::at_start(&self.parts.settings.limits, self.parts.model.info())?;
        self.end_interrupted_calls();
        loop {
            match self.history.next() {
                Next::Open => self.open(),
                Next::Act => self.act().await?,
                Next::Think => self.think().await?,
                Next::Judge => self.judge().await?,
            }
        }
    }

    fn open(&mut self) {
        let system = context::system_prompt(&self.parts.settings);
        let tools: Vec<String> = tools::specs().into_iter().map(|spec| spec.name).collect();
        self.offered = offered(&tools);
        self.note(RunEvent::ContextOpened { system, tools });
    }

    /// Ends the calls that had started when the last process stopped: they are never run twice. A question
    /// that waits for a person is no such call.
    fn end_interrupted_calls(&mut self) {
        let interrupted: Vec<_> = self
            .history
            .calls
            .iter()
            .filter(|open| open.started && open.result.is_none() && open.call.tool != "ask_user")
            .map(|open| open.call.clone())
            .collect();
        for call in interrupted {
            self.note(RunEvent::ToolEnded(ToolEnded {
                call_id: call.id,
                tool: call.tool,
                outcome: ToolOutcome::Interrupted,
                output:
                    "interrupted: the server stopped while this ran; its outcome is unknown. Look at what it \
                         did before you run it again."
                        .to_owned(),
                summary: "interrupted".to_owned(),
                artifact: None,
                duration_ms: 0,
                shell_directory: None,
            }));
        }
    }

    /// Takes an event into the history. It becomes durable with the next [`Loop::commit`], which stands
    /// before every effect.
    pub(crate) fn note(&mut self, event: RunEvent) {
        self.history.apply(&event);
        self.noted.push(event);
    }

    /// Makes everything that was noted durable.
    pub(crate) async fn commit(&mut self) -> Result<(), JournalError> {
        if self.noted.is_empty() && self.taken.is_empty() {
            return Ok(());
        }
        let (events, commands) = (std::mem::take(&mut self.noted), std::mem::take(&mut self.taken));
        self.parts.journal.append(events, commands).await
    }
}

fn offered(names: &[String]) -> Arc<[ToolSpec]> {
    let mut specs = tools::specs();
    let mut offered = Vec::new();
    for name in names {
        if let Some(position) = specs.iter().position(|spec| spec.name == *name) {
            offered.push(specs.swap_remove(position));
        }
    }
    offered.into()
}

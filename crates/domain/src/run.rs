//! The life of a run. Every change goes through [`RunState::apply`]; nothing else builds a later state
//! from an earlier one.

use serde::{Deserialize, Serialize};

use crate::QuestionId;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// It waits for a slot.
    Queued,
    /// A worker has it; repository and sandbox are being made ready.
    Starting,
    /// The loop turns.
    Running,
    /// Only a person can move it on.
    Waiting {
        /// The open question.
        question: QuestionId,
        /// What sort of answer it waits for.
        on: WaitingOn,
    },
    /// It goes on by itself at a known time.
    Sleeping {
        /// When it wakes, in milliseconds since the Unix epoch.
        until_ms: i64,
        /// Why it sleeps.
        reason: Reason,
    },
    /// A person, or a missing person, stopped it for now.
    Paused {
        /// Who or what paused it.
        reason: Reason,
    },
    /// It reached its goal.
    Succeeded {
        /// How we know.
        evidence: Evidence,
    },
    /// It stopped without reaching its goal.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// A person stopped it for good.
    Cancelled {
        /// Who and why.
        reason: Reason,
    },
    /// It used up what it may use.
    BudgetExceeded {
        /// Which limit.
        reason: Reason,
    },
}

/// What a waiting run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    /// A yes or no to one tool call.
    Approval,
    /// An answer to the agent's question.
    Decision,
}

/// Why a run stands where it stands: a stable code for programs, a sentence for people, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, lower case with underscores: `repetition`, `turn_limit`, `model_auth`, `check_failed` …
    pub code: String,
    /// What happened, one plain sentence.
    pub text: String,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Reason {
    /// A reason without a fix.
    #[must_use]
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into(), fix: None }
    }

    /// The same reason with what to do about it.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// How we know that a run reached its goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub enum Evidence {
    /// We ran the project's check command after the last change and it passed.
    CheckPassed {
        /// The command.
        command: String,
    },
    /// We found a check command that nobody gave us, and it cannot be run in the sandbox; nobody checked but the
    /// agent.
    CheckNotRun {
        /// The command.
        command: String,
        /// What it lacks.
        reason: String,
    },
    /// The project has no check command that we could find; nobody checked but the agent.
    NoCheck,
    /// The agent changed nothing, and says why.
    NothingToChange {
        /// Its reason.
        explanation: String,
    },
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunChange {
    /// A worker took it, for the first time or after its last worker was lost.
    Claimed,
    /// Repository and sandbox are ready.
    Ready,
    /// It asked a question.
    Asked {
        /// The question.
        question: QuestionId,
        /// What sort of answer it wants.
        on: WaitingOn,
    },
    /// The open question was answered.
    Answered,
    /// It goes to sleep.
    Slept {
        /// When it wakes, in milliseconds since the Unix epoch.
        until_ms: i64,
        /// Why.
        reason: Reason,
    },
    /// Its time to wake has come.
    Woken,
    /// Someone paused it.
    PauseAsked {
        /// Who or what.
        reason: Reason,
    },
    /// Someone asked it to go on.
    ResumeAsked,
    /// It reached its goal.
    Succeeded {
        /// How we know.
        evidence: Evidence,
    },
    /// It cannot go on.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// Someone stopped it for good.
    CancelAsked {
        /// Who and why.
        reason: Reason,
    },
    /// It reached a limit.
    BudgetExceeded {
        /// Which.
        reason: Reason,
    },
    /// A follow-up was asked of a finished run.
    Continued,
}

/// A change that the run's state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {state} cannot be {change}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// What was wanted.
    pub change: &'static str,
}

impl RunState {
    /// Returns the state that follows `change`.
    ///
    /// Asking to pause what is paused, or to cancel what is cancelled, changes nothing, so that callers
    /// may repeat the request.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] where the state does not allow the change.
    pub fn apply(self, change: RunChange) -> Result<Self, InvalidTransition> {
        use RunChange as C;
        use RunState as S;

        match (self, change) {
            (S::Queued | S::Starting | S::Running, C::Claimed) => Ok(S::Starting),
            (state @ S::Waiting { .. }, C::Claimed) => Ok(state),
            (S::Starting, C::Ready) => Ok(S::Running),
            (state @ S::Waiting { .. }, C::Ready) => Ok(state),
            (S::Running, C::Asked { question, on }) => Ok(S::Waiting { question, on }),
            (S::Waiting { .. }, C::Answered) => Ok(S::Running),
            (S::Running | S::Starting, C::Slept { until_ms, reason }) => Ok(S::Sleeping { until_ms, reason }),
            (S::Sleeping { .. }, C::Woken) => Ok(S::Queued),
            (state @ S::Paused { .. }, C::PauseAsked { .. }) => Ok(state),
            (
                S::Queued | S::Starting | S::Running | S::Waiting { .. } | S::Sleeping { .. },
                C::PauseAsked { reason },
            ) => Ok(S::Paused { reason }),
            (S::Paused { .. } | S::Sleeping { .. }, C::ResumeAsked) => Ok(S::Queued),
            (S::Running, C::Succeeded { evidence }) => Ok(S::Succeeded { evidence }),
            (state @ S::Cancelled { .. }, C::CancelAsked { .. }) => Ok(state),
            (state, C::CancelAsked { reason }) if !state.is_terminal() => Ok(S::Cancelled { reason }),
            (state, C::Failed { reason }) if state.is_active() => Ok(S::Failed { reason }),
            (state, C::BudgetExceeded { reason }) if state.is_active() => Ok(S::BudgetExceeded { reason }),
            (state, C::Continued) if state.is_terminal() => Ok(S::Queued),
            (state, change) => Err(InvalidTransition { state: state.name(), change: change.name() }),
        }
    }

    /// The machine name, as it stands in JSON and in the database.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting { .. } => "waiting",
            Self::Sleeping { .. } => "sleeping",
            Self::Paused { .. } => "paused",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
            Self::BudgetExceeded { .. } => "budget_exceeded",
        }
    }

    /// The word that people read.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Starting | Self::Running => "Working",
            Self::Waiting { .. } => "Needs you",
            Self::Sleeping { .. } => "Sleeping",
            Self::Paused { .. } => "Paused",
            Self::Succeeded { .. } => "Done",
            Self::Failed { .. } | Self::BudgetExceeded { .. } => "Failed",
            Self::Cancelled { .. } => "Stopped",
        }
    }

    /// Whether the run has ended (a follow-up may still continue it).
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Succeeded { .. }
                | Self::Failed { .. }
                | Self::Cancelled { .. }
                | Self::BudgetExceeded { .. }
        )
    }

    /// Whether a worker owns the run.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Waiting { .. })
    }

    /// The reason that the state carries.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Sleeping { reason, .. }
            | Self::Paused { reason }
            | Self::Failed { reason }
            | Self::Cancelled { reason }
            | Self::BudgetExceeded { reason } => Some(reason),
            Self::Queued | Self::Starting | Self::Running | Self::Waiting { .. } | Self::Succeeded { .. } => {
                None
            }
        }
    }
}

impl RunChange {
    const fn name(&self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Ready => "made ready",
            Self::Asked { .. } => "asking",
            Self::Answered => "answered",
            Self::Slept { .. } => "put to sleep",
            Self::Woken => "woken",
            Self::PauseAsked { .. } => "paused",
            Self::ResumeAsked => "resumed",
            Self::Succeeded { .. } => "called a success",
            Self::Failed { .. } => "failed",
            Self::CancelAsked { .. } => "stopped",
            Self::BudgetExceeded { .. } => "stopped by its budget",
            Self::Continued => "continued",
        }
    }
}

#[cfg(test)]
mod tests;

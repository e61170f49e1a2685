//! How a loop ends.

use domain::run::{Evidence, Reason};

use crate::port::JournalError;

/// Why the loop came to its end. The caller writes the state that follows, together with taking the named
/// commands off the list, so that no wish is lost in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The goal is reached; the result can be delivered.
    Done {
        /// How we know.
        evidence: Evidence,
        /// The agent's last words.
        summary: String,
    },
    /// It cannot go on.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// It reached one of its ceilings.
    BudgetExceeded {
        /// Which.
        reason: Reason,
    },
    /// Somebody or something stopped it for now.
    Paused {
        /// Who and why.
        reason: Reason,
        /// The commands that asked for it.
        commands: Vec<i64>,
    },
    /// Somebody stopped it for good.
    Cancelled {
        /// Who and why.
        reason: Reason,
        /// The commands that asked for it, and those that no longer matter.
        commands: Vec<i64>,
    },
    /// It goes on by itself later: the model is away, or the sandbox was lost and a new one is needed.
    Sleeping {
        /// When, in milliseconds since the Unix epoch.
        until_ms: i64,
        /// Why.
        reason: Reason,
    },
    /// The process shuts down; whoever claims the run next goes on from the log.
    Stopped,
}

/// Why the inner parts of the loop hand back early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The loop has its outcome.
    Outcome(Outcome),
    /// A step could not be kept.
    Journal(JournalError),
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<Outcome> for Halt {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl Halt {
    pub(crate) fn failed(reason: Reason) -> Self {
        Outcome::Failed { reason }.into()
    }

    pub(crate) fn over_budget(reason: Reason) -> Self {
        Outcome::BudgetExceeded { reason }.into()
    }
}

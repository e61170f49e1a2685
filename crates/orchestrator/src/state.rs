//! The states of a sandbox. Every change goes through [`SandboxState::apply`].

use serde::{Deserialize, Serialize};

/// Where a sandbox stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SandboxState {
    /// Being made.
    Starting,
    /// Its guest answers.
    Running,
    /// Its processes are gone; its files stay.
    Stopped {
        /// Why.
        cause: StopCause,
    },
    /// It never came up.
    Failed {
        /// What the provider said.
        error: String,
    },
}

/// Why a sandbox was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Its run ended, paused or sleeps.
    RunStopped,
    /// The server that held it died.
    Lost,
}

/// What happened to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxChange {
    /// Its guest answers.
    BecameReady,
    /// It could not be made.
    StartFailed {
        /// What the provider said.
        error: String,
    },
    /// Its processes are gone.
    Stopped {
        /// Why.
        cause: StopCause,
    },
}

/// A change that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sandbox that is {state} cannot take the change {change}")]
pub struct InvalidTransition {
    state: &'static str,
    change: &'static str,
}

impl SandboxState {
    /// Returns the state that follows `change`. Stopping what is stopped changes nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] where the state does not allow the change.
    pub fn apply(self, change: SandboxChange) -> Result<Self, InvalidTransition> {
        use SandboxChange as C;
        use SandboxState as S;

        match (self, change) {
            (S::Starting, C::BecameReady) => Ok(S::Running),
            (S::Starting, C::StartFailed { error }) => Ok(S::Failed { error }),
            (S::Starting | S::Running, C::Stopped { cause }) => Ok(S::Stopped { cause }),
            (state @ (S::Stopped { .. } | S::Failed { .. }), C::Stopped { .. }) => Ok(state),
            (state, change) => Err(InvalidTransition { state: state.name(), change: change.name() }),
        }
    }

    /// The machine name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
        }
    }
}

impl SandboxChange {
    const fn name(&self) -> &'static str {
        match self {
            Self::BecameReady => "became ready",
            Self::StartFailed { .. } => "start failed",
            Self::Stopped { .. } => "stopped",
        }
    }
}

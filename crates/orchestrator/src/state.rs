//! The states of a sandbox. Every change goes through [`SandboxState::apply`]; `state/transitions.txt` is the
//! whole table.

use serde::{Deserialize, Serialize};

/// Where a sandbox stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SandboxState {
    /// Being made, for the first time or after a rest.
    Starting,
    /// Its guest answers.
    Running,
    /// Its processes stand still and keep their memory.
    Paused,
    /// Its processes are being ended; it rests afterwards.
    Stopping {
        /// Why.
        cause: StopCause,
    },
    /// It rests after a long pause: its processes are gone, its files stay, and use may wake it.
    Hibernated {
        /// Why.
        cause: StopCause,
    },
    /// Somebody stopped it: its processes are gone, its files stay, and only a resume starts it.
    Stopped {
        /// Why.
        cause: StopCause,
    },
    /// Its files are in the blobs alone.
    Archived,
    /// It was taken out of use because of what it did. Only lifting that brings it back.
    Suspended {
        /// Why, for people.
        reason: String,
    },
    /// It did not come up. Its files, where it had any, stay.
    Failed {
        /// What the provider said.
        error: String,
    },
    /// It counts as gone; what it holds is being removed.
    Deleting,
    /// Nothing of it is left but its row and its events.
    Deleted,
}

/// Why a sandbox was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Its run ended, paused or sleeps.
    RunStopped,
    /// The server that held it ended or died.
    Lost,
    /// Somebody asked for it.
    Asked,
    /// Its time was up.
    TimedOut,
    /// Nobody used it for long.
    Idle,
    /// Its processes ended without being asked to, as by the lack of memory.
    Died,
    /// Its suspension was lifted; it rests until it is resumed.
    Lifted,
}

/// What happened to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxChange {
    /// It is being started again.
    StartBegan,
    /// Its guest answers.
    BecameReady,
    /// It could not be made.
    StartFailed {
        /// What the provider said.
        error: String,
    },
    /// Its processes stand still.
    Froze,
    /// Its processes go on.
    Thawed,
    /// Its processes are about to be ended.
    StopBegan {
        /// Why.
        cause: StopCause,
    },
    /// Its processes are gone, and only a resume starts it.
    Stopped {
        /// Why.
        cause: StopCause,
    },
    /// Its processes are gone, and use may wake it.
    Hibernated {
        /// Why.
        cause: StopCause,
    },
    /// Its files are in the blobs alone.
    Archived,
    /// Its files are on this machine's disk again.
    Restored,
    /// It is taken out of use.
    Suspended {
        /// Why, for people.
        reason: String,
    },
    /// Its suspension is lifted.
    Lifted,
    /// It counts as gone.
    DeleteAsked,
    /// Nothing of it is left on the host.
    Deleted,
}

/// A change that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sandbox that is {state} cannot be {change}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// What was wanted.
    pub change: &'static str,
}

impl SandboxState {
    /// Returns the state that follows `change`. What has come to pass already changes nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] where the state does not allow the change.
    pub fn apply(self, change: SandboxChange) -> Result<Self, InvalidTransition> {
        use SandboxChange as C;
        use SandboxState as S;

        match (self, change) {
            (
                S::Starting | S::Stopped { .. } | S::Hibernated { .. } | S::Archived | S::Failed { .. },
                C::StartBegan,
            ) => Ok(S::Starting),
            (S::Starting | S::Running, C::BecameReady) => Ok(S::Running),
            (S::Starting, C::StartFailed { error }) => Ok(S::Failed { error }),
            (S::Running | S::Paused, C::Froze) => Ok(S::Paused),
            (S::Running | S::Paused, C::Thawed) => Ok(S::Running),
            (S::Starting | S::Running | S::Paused, C::StopBegan { cause }) => Ok(S::Stopping { cause }),
            (state @ S::Stopping { .. }, C::StopBegan { .. }) => Ok(state),
            (
                S::Starting | S::Running | S::Paused | S::Stopping { .. } | S::Hibernated { .. },
                C::Stopped { cause },
            ) => Ok(S::Stopped { cause }),
            (state @ (S::Stopped { .. } | S::Failed { .. } | S::Archived), C::Stopped { .. }) => Ok(state),
            (S::Starting | S::Running | S::Paused | S::Stopping { .. }, C::Hibernated { cause }) => {
                Ok(S::Hibernated { cause })
            }
            (state @ S::Hibernated { .. }, C::Hibernated { .. }) => Ok(state),
            (S::Hibernated { .. } | S::Stopped { .. } | S::Archived | S::Failed { .. }, C::Archived) => {
                Ok(S::Archived)
            }
            (S::Archived, C::Restored) => Ok(S::Hibernated { cause: StopCause::Asked }),
            (state @ S::Hibernated { .. }, C::Restored) => Ok(state),
            (state @ (S::Deleting | S::Deleted), change) => state.after_deletion(change),
            (_, C::Suspended { reason }) => Ok(S::Suspended { reason }),
            (S::Suspended { .. }, C::Lifted) => Ok(S::Stopped { cause: StopCause::Lifted }),
            (_, C::DeleteAsked) => Ok(S::Deleting),
            (state, change) => Err(InvalidTransition { state: state.name(), change: change.name() }),
        }
    }

    fn after_deletion(self, change: SandboxChange) -> Result<Self, InvalidTransition> {
        match change {
            SandboxChange::DeleteAsked => Ok(self),
            SandboxChange::Deleted => Ok(Self::Deleted),
            change => Err(InvalidTransition { state: self.name(), change: change.name() }),
        }
    }

    /// The machine name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping { .. } => "stopping",
            Self::Hibernated { .. } => "hibernated",
            Self::Stopped { .. } => "stopped",
            Self::Archived => "archived",
            Self::Suspended { .. } => "suspended",
            Self::Failed { .. } => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Every machine name.
    pub const NAMES: [&'static str; 11] = [
        "starting",
        "running",
        "paused",
        "stopping",
        "hibernated",
        "stopped",
        "archived",
        "suspended",
        "failed",
        "deleting",
        "deleted",
    ];

    /// Whether it has processes, or may have.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused | Self::Stopping { .. })
    }

    /// Whether it was deleted: callers are told that there is no such sandbox.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Deleting | Self::Deleted)
    }

    /// Whether it rests with its files on this machine's disk.
    #[must_use]
    pub const fn rests(&self) -> bool {
        matches!(self, Self::Hibernated { .. } | Self::Stopped { .. })
    }

    /// Why it stands there, one machine word or the provider's own.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Stopping { cause } | Self::Hibernated { cause } | Self::Stopped { cause } => {
                Some(cause.name().to_owned())
            }
            Self::Suspended { reason: text } | Self::Failed { error: text } => Some(text.clone()),
            Self::Starting
            | Self::Running
            | Self::Paused
            | Self::Archived
            | Self::Deleting
            | Self::Deleted => None,
        }
    }
}

impl StopCause {
    /// The machine name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunStopped => "run_stopped",
            Self::Lost => "lost",
            Self::Asked => "asked",
            Self::TimedOut => "timed_out",
            Self::Idle => "idle",
            Self::Died => "died",
            Self::Lifted => "lifted",
        }
    }
}

impl SandboxChange {
    const fn name(&self) -> &'static str {
        match self {
            Self::StartBegan => "started",
            Self::BecameReady => "made ready",
            Self::StartFailed { .. } => "failed to start",
            Self::Froze => "paused",
            Self::Thawed => "resumed",
            Self::StopBegan { .. } => "ended",
            Self::Stopped { .. } => "stopped",
            Self::Hibernated { .. } => "put to rest",
            Self::Archived => "archived",
            Self::Restored => "restored",
            Self::Suspended { .. } => "suspended",
            Self::Lifted => "lifted from suspension",
            Self::DeleteAsked => "deleted",
            Self::Deleted => "cleared away",
        }
    }
}

#[cfg(test)]
mod tests;

//! What the loop needs from outside: a place that keeps its steps, and the wishes of people.

use std::sync::Arc;

use domain::QuestionId;
use domain::event::{Artifact, FileChange, Live, RunEvent};
use domain::question::Answer;
use futures_util::future::BoxFuture;
use sandbox::{Sandbox, SandboxError};

/// Keeps a run's steps. Only one loop at a time may hold a run's journal.
pub trait Journal: Send + Sync + 'static {
    /// Appends events in one step, together with taking `commands` off the list. Durable when it returns.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: nothing was appended; the loop ends and the run goes on elsewhere or later.
    fn append(&self, events: Vec<RunEvent>, commands: Vec<i64>) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Shows something that is under way to whoever watches; never blocks, may be lost.
    fn live(&self, live: Live);

    /// Keeps bytes that are too large for an event and names them.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where they could not be kept.
    fn keep(
        &self,
        sort: &'static str,
        name: String,
        bytes: Vec<u8>,
    ) -> BoxFuture<'_, Result<Artifact, JournalError>>;

    /// The commands that wait, oldest first. Cheap when there are none: it is called before every step.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where they could not be read, or the run was given to another worker.
    fn commands(&self) -> BoxFuture<'_, Result<Vec<Command>, JournalError>>;

    /// Returns when there may be a new command. May return for nothing; the caller looks again.
    fn command_came(&self) -> BoxFuture<'_, ()>;
}

/// A person's wish for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its number; given back to [`Journal::append`] with the events that it caused.
    pub number: i64,
    /// Who.
    pub by: String,
    /// What.
    pub wish: Wish,
}

/// What a person wants of a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// Steer it: the words reach the model before its next call.
    Say {
        /// The words.
        text: String,
    },
    /// Answer its question.
    Answer {
        /// The question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
    },
    /// Stop for now, within a second; what is under way is interrupted.
    Pause,
    /// End it now.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// Why a step could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another worker owns the run now (our lease ran out).
    #[error("another worker owns this run now")]
    Lost,
    /// The disk is full; nothing was kept.
    #[error("the disk is full")]
    DiskFull,
    /// Anything else.
    #[error("could not keep a step of the run")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where the loop acts. The sandbox may still be on its way when the model is first asked, so that the model
/// thinks meanwhile.
pub trait Place: Send + Sync + 'static {
    /// The run's sandbox, once there is one. Waits for ever where there will be none: whoever opens it then
    /// stops the loop.
    fn sandbox(&self) -> BoxFuture<'_, Arc<dyn Sandbox>>;
}

/// A sandbox that is there.
impl Place for Arc<dyn Sandbox> {
    fn sandbox(&self) -> BoxFuture<'_, Arc<dyn Sandbox>> {
        Box::pin(std::future::ready(self.clone()))
    }
}

/// The run's working copy, compared with the commit that the work started from.
pub trait Workspace: Send + Sync + 'static {
    /// All files that differ from the base now. Costs a look at the whole tree: it is called when the work
    /// seems done, and at most every two seconds while files change.
    ///
    /// # Errors
    ///
    /// [`SandboxError`] where the sandbox could not tell.
    fn changes(&self) -> BoxFuture<'_, Result<Vec<FileChange>, SandboxError>>;
}

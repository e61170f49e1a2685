//! The run's own task list, which the agent keeps and people read.

use serde::{Deserialize, Serialize};

/// One line of the task list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLine {
    /// What is to be done, in a few words.
    pub title: String,
    /// How far it is.
    pub state: TaskState,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Not begun.
    Open,
    /// Being worked on.
    Active,
    /// Finished.
    Done,
}

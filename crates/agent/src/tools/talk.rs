//! `ask_user`, `update_tasks` and `narrate`: what reaches people. The loop itself carries them out.

use domain::task::{TaskLine, TaskState};
use serde::Deserialize;

use crate::label::count;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct AskUser {
    pub(crate) question: String,
    #[serde(default)]
    pub(crate) options: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) detail: Option<String>,
}

/// The whole task list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct UpdateTasks {
    pub(crate) tasks: Vec<TaskLine>,
}

impl UpdateTasks {
    /// The active task, or how many there are.
    pub(crate) fn headline(&self) -> String {
        let active = self.tasks.iter().find(|task| task.state == TaskState::Active);
        active.map_or_else(|| count(self.tasks.len(), "task", "tasks"), |task| task.title.clone())
    }

    /// `2 of 5 done`.
    pub(crate) fn summary(&self) -> String {
        let done = self.tasks.iter().filter(|task| task.state == TaskState::Done).count();
        format!("{done} of {} done", self.tasks.len())
    }
}

/// A sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Narrate {
    pub(crate) text: String,
}

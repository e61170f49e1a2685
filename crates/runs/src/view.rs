//! What people and programs are shown of a run. Every JSON of the API about runs is one of these.

use domain::event::{Artifact, Attended, FileChange};
use domain::limits::RunLimits;
use domain::question::{Answer, Question};
use domain::run::{Evidence, Reason};
use domain::transcript::Usage;
use domain::{Micros, ProjectId, RunId};
use serde::{Deserialize, Serialize};

/// One run, whole but for its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    pub id: RunId,
    /// Its number in its project.
    pub number: i64,
    /// Its project.
    pub project: ProjectRef,
    /// What was asked for.
    pub goal: String,
    /// Who asked.
    pub by: String,
    /// The repository on this machine.
    pub repository: String,
    /// The model.
    pub model: String,
    /// Whether the model is a script.
    pub scripted: bool,
    /// Whether somebody can be asked.
    pub attended: Attended,
    /// The command that proves success.
    pub check: Option<String>,
    /// Whether uncommitted changes were taken along.
    pub dirty: bool,
    /// Whether the result is to be written to the working tree.
    pub apply: bool,
    /// The state's machine name.
    pub state: String,
    /// The state's word for people.
    pub word: String,
    /// Why it stands there.
    pub reason: Option<Reason>,
    /// How we know that it succeeded.
    pub evidence: Option<Evidence>,
    /// When it wakes, in milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// The question that it waits for.
    pub question: Option<QuestionView>,
    /// Model calls so far.
    pub turns: u32,
    /// Tool calls so far.
    pub tool_calls: u32,
    /// Tokens so far.
    pub usage: Usage,
    /// Cost so far in microdollars; `None` when a price is not known.
    pub cost_micros: Option<Micros>,
    /// Tokens in the context at the last call.
    pub context_tokens: u64,
    /// The model's window in tokens.
    pub context_window: u64,
    /// Its ceilings.
    pub limits: RunLimits,
    /// The branch that carries the result; set once it is delivered.
    pub branch: Option<String>,
    /// The commit that the work started from.
    pub base_commit: Option<String>,
    /// The tip of the delivered branch.
    pub commit: Option<String>,
    /// Whether the result was written to the working tree.
    pub applied: bool,
    /// The files that differ from the base.
    pub files: Vec<FileChange>,
    /// What isolates the sandbox.
    pub sandbox: Option<SandboxView>,
    /// How many runs are ahead of it, while it is queued.
    pub queue_position: Option<u32>,
    /// When it was asked for.
    pub created_at_ms: i64,
    /// When a worker first took it.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// When it last changed.
    pub changed_at_ms: i64,
    /// The position of its last event.
    pub last_seq: i64,
}

/// A project, as a run names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRef {
    /// The project.
    pub id: ProjectId,
    /// Its short name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// A sandbox, as a run names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxView {
    /// `native` …
    pub provider: String,
    /// What isolates it, in a few words.
    pub isolation: String,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionView {
    /// The question.
    #[serde(flatten)]
    pub question: Question,
    /// The run that asks.
    pub run: RunId,
    /// Open, answered, or void because its run ended.
    pub state: QuestionState,
    /// The answer.
    pub answer: Option<Answer>,
    /// Who gave it.
    pub by: Option<String>,
    /// When it was asked.
    pub asked_at_ms: i64,
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionState {
    /// It waits.
    Open,
    /// Somebody answered.
    Answered,
    /// Its run ended first.
    Void,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give it as `before` to get the next part; `None` at the end.
    pub next: Option<String>,
}

/// What changed, file by file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The commit that it is against.
    pub base: String,
    /// The delivered commit; `None` while the run works.
    pub tip: Option<String>,
    /// The files.
    pub files: Vec<FileDiff>,
}

/// What changed in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// Its path (of the new side, but for a deleted file).
    pub path: String,
    /// Where it was, if it was renamed.
    pub old_path: Option<String>,
    /// What happened to it.
    pub status: FileStatus,
    /// Lines added; `None` for a binary file.
    pub added: Option<u32>,
    /// Lines removed; `None` for a binary file.
    pub removed: Option<u32>,
    /// Whether it is binary.
    pub binary: bool,
    /// Whether its hunks were left out because they are too large; the patch has them.
    pub too_large: bool,
    /// The hunks.
    pub hunks: Vec<Hunk>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its content or mode changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path.
    Renamed,
}

/// A run of changed lines with context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// What follows the second `@@`.
    pub header: String,
    /// First line on the old side.
    pub old_start: u32,
    /// First line on the new side.
    pub new_start: u32,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// ` `, `+` or `-`.
    pub kind: char,
    /// The line, without its end.
    pub text: String,
}

/// What an apply wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The files, in order of their paths.
    pub applied: Vec<AppliedFile>,
}

/// One file that an apply wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedFile {
    /// Its path from the repository's root.
    pub path: String,
    /// What happened to it.
    pub status: FileStatus,
}

/// The list of a run's artifacts.
pub type Artifacts = Vec<Artifact>;

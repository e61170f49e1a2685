//! The shapes of runs and questions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One run, whole but for its events.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunView {
    /// The run.
    #[schema(example = "run019aa1b2c3d4e5f60718293a4b5c6d7e")]
    id: String,
    /// Its number in its project.
    number: i64,
    /// Its project.
    project: ProjectRef,
    /// What was asked for.
    goal: String,
    /// Who asked.
    by: String,
    /// The repository on the server's machine.
    repository: String,
    /// The model.
    #[schema(example = "anthropic/claude-sonnet-4-5")]
    model: String,
    /// Whether the model is a script.
    scripted: bool,
    /// Whether somebody can be asked.
    attended: Attended,
    /// The command that proves success.
    #[schema(required = true)]
    check: Option<String>,
    /// Whether uncommitted changes were taken along.
    dirty: bool,
    /// Whether the result is to be written to the working tree.
    apply: bool,
    /// The state's machine name.
    state: RunStateName,
    /// The state's word for people.
    #[schema(example = "Working")]
    word: String,
    /// Why it stands there.
    #[schema(required = true)]
    reason: Option<Reason>,
    /// How we know that it succeeded.
    #[schema(required = true)]
    evidence: Option<Evidence>,
    /// When it wakes, in milliseconds since the Unix epoch.
    #[schema(required = true)]
    until_ms: Option<i64>,
    /// The question that it waits for.
    #[schema(required = true)]
    question: Option<QuestionView>,
    /// Model calls so far.
    turns: u32,
    /// Tool calls so far.
    tool_calls: u32,
    /// Tokens so far.
    usage: Usage,
    /// Cost so far in microdollars; null when a price is not known.
    #[schema(required = true)]
    cost_micros: Option<i64>,
    /// Tokens in the context at the last call.
    context_tokens: u64,
    /// The model's window in tokens.
    context_window: u64,
    /// Its ceilings.
    limits: RunLimits,
    /// The branch that carries the result.
    #[schema(required = true)]
    branch: Option<String>,
    /// The commit that the work started from.
    #[schema(required = true)]
    base_commit: Option<String>,
    /// The tip of the delivered branch.
    #[schema(required = true)]
    commit: Option<String>,
    /// Whether the result was written to the working tree.
    applied: bool,
    /// The files that differ from the base.
    files: Vec<FileChange>,
    /// What isolates the sandbox.
    #[schema(required = true)]
    sandbox: Option<SandboxView>,
    /// How many runs are ahead of it, while it is queued.
    #[schema(required = true)]
    queue_position: Option<u32>,
    /// When it was asked for, in milliseconds since the Unix epoch.
    created_at_ms: i64,
    /// When a worker first took it.
    #[schema(required = true)]
    started_at_ms: Option<i64>,
    /// When it ended.
    #[schema(required = true)]
    ended_at_ms: Option<i64>,
    /// When it last changed.
    changed_at_ms: i64,
    /// The position of its last event.
    last_seq: i64,
}

/// The machine names of a run's states.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunStateName {
    Queued,
    Starting,
    Running,
    Waiting,
    Sleeping,
    Paused,
    Succeeded,
    Failed,
    Cancelled,
    BudgetExceeded,
}

/// A project, as a run names it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProjectRef {
    /// The project.
    id: String,
    /// Its short name in addresses.
    slug: String,
    /// Its name.
    name: String,
}

/// A sandbox, as a run names it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SandboxView {
    /// `native` …
    provider: String,
    /// What isolates it, in a few words.
    isolation: String,
}

impl SandboxView {
    pub(crate) const fn new(provider: String, isolation: String) -> Self {
        Self { provider, isolation }
    }
}

/// Whether somebody can be asked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attended {
    Yes,
    No,
}

/// Why a run stands where it stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Reason {
    /// Stable, for programs.
    code: String,
    /// What happened, one plain sentence.
    text: String,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How we know that a run reached its goal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// The check command passed after the last change.
    CheckPassed {
        /// The command.
        command: String,
    },
    /// A check command was found in the repository, and cannot be run in the sandbox.
    CheckNotRun {
        /// The command.
        command: String,
        /// What it lacks.
        reason: String,
    },
    /// There is no check command.
    NoCheck,
    /// The agent changed nothing, and says why.
    NothingToChange {
        /// Its reason.
        explanation: String,
    },
}

/// Tokens that model calls used. The four parts do not overlap.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
}

/// Ceilings of one run. Absent ones have their defaults.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunLimits {
    /// The most model calls.
    max_turns: u32,
    /// The most tool calls.
    max_tool_calls: u32,
    /// The most money, in microdollars.
    #[schema(required = true)]
    max_cost: Option<i64>,
    /// The most tokens in and out together.
    #[schema(required = true)]
    max_tokens: Option<u64>,
    /// The most time, in seconds of working.
    max_seconds: u64,
}

/// Wanted ceilings of a run; absent ones have their defaults.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct WantedLimits {
    /// The most model calls; 500 by default.
    max_turns: Option<u32>,
    /// The most tool calls; 2,000 by default.
    max_tool_calls: Option<u32>,
    /// The most money, in microdollars.
    max_cost: Option<i64>,
    /// The most tokens in and out together.
    max_tokens: Option<u64>,
    /// The most time, in seconds of working; 4 hours by default.
    max_seconds: Option<u64>,
}

/// One file that differs from the base.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FileChange {
    /// Its path from the repository's root.
    path: String,
    /// Lines added; null for a binary file.
    #[schema(required = true)]
    added: Option<u32>,
    /// Lines removed; null for a binary file.
    #[schema(required = true)]
    removed: Option<u32>,
}

/// A wish for a run. Names `repository` or `project`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewRun {
    /// What is to be done, in plain words.
    #[schema(example = "The discount disappears when the card fails. Fix it.")]
    goal: String,
    /// The repository's folder on the server's machine, absolute.
    repository: Option<String>,
    /// A project's id or slug; its repository is worked on.
    project: Option<String>,
    /// The model; the default one where absent.
    model: Option<String>,
    /// The command that proves success; found in the repository where absent.
    check: Option<String>,
    /// Take uncommitted changes along.
    #[schema(default = false, required = false)]
    dirty: bool,
    /// Write the result to the working tree after success.
    #[schema(default = false, required = false)]
    apply: bool,
    /// Host paths that the sandbox may read besides its template.
    #[schema(required = false)]
    include: Vec<String>,
    /// Whether somebody can be asked.
    #[schema(required = false)]
    attended: Attended,
    /// Ceilings.
    #[schema(required = false)]
    limits: WantedLimits,
    /// How strictly the loop is guarded.
    #[schema(required = false)]
    guards: GuardProfile,
}

/// How strictly the loop is guarded.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GuardProfile {
    Standard,
    Strict,
}

/// A part of a list of runs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunPage {
    /// The runs, the newest first.
    items: Vec<RunView>,
    /// Give it as `before` to get the next part; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// A question and its answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct QuestionView {
    /// The question.
    id: String,
    /// What sort of answer it wants.
    kind: QuestionKind,
    /// The problem in plain words.
    text: String,
    /// What it is about: the command to approve, what was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Suggested answers; may be empty. The first is the recommended one.
    options: Vec<String>,
    /// The tool call that waits for the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// SHA-256 (hex) of the arguments that an approval is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arguments_hash: Option<String>,
    /// The run that asks.
    run: String,
    /// Where it stands.
    state: QuestionState,
    /// The answer.
    #[schema(required = true)]
    answer: Option<Answer>,
    /// Who gave it.
    #[schema(required = true)]
    by: Option<String>,
    /// When it was asked, in milliseconds since the Unix epoch.
    asked_at_ms: i64,
}

/// What sort of answer a question wants.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QuestionKind {
    /// Allowing or refusing.
    Approval,
    /// Text or one of the options.
    Decision,
}

/// Where a question stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QuestionState {
    Open,
    Answered,
    Void,
}

/// A person's answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The call may run.
    Allow {
        /// How far the permission reaches.
        scope: AllowScope,
    },
    /// The call may not run.
    Refuse {
        /// Why, for the agent to read.
        reason: String,
    },
    /// Words for the agent.
    Text {
        /// The words.
        text: String,
    },
}

/// How far a permission reaches.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AllowScope {
    /// This call only.
    Once,
    /// The same call again in this run.
    Run,
    /// The same call in every run of the project.
    Project,
}

/// A run's questions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct QuestionPage {
    /// The questions, the oldest first.
    items: Vec<QuestionView>,
    /// Always null.
    #[schema(required = true)]
    next: Option<String>,
}

//! The events of a run's log. A kind, once written, keeps its meaning for ever; readers skip kinds that
//! they do not know.

use serde::{Deserialize, Serialize};

use crate::limits::{GuardProfile, RunLimits};
use crate::question::{Answer, Question};
use crate::run::{Reason, RunState};
use crate::task::TaskLine;
use crate::transcript::{AssistantPart, Cost, StopReason, ToolCall, Usage};
use crate::{ArtifactId, OrgId, ProjectId, QuestionId, RunId, SandboxId};

/// One event as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The stream: `run/<id>`.
    pub stream: String,
    /// Position in the stream: 1, 2, 3 … without a gap.
    pub seq: i64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What happened: `turn.answered`.
    pub kind: String,
    /// The event's own fields.
    pub data: serde_json::Value,
}

/// What happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum RunEvent {
    /// The run was asked for. Always the first event.
    #[serde(rename = "run.created")]
    Created(Box<RunSpec>),
    /// The run's state changed.
    #[serde(rename = "run.state")]
    State(RunState),
    /// A finished run was asked to do more.
    #[serde(rename = "run.continued")]
    Continued {
        /// What is wanted now.
        goal: String,
        /// Who asked.
        by: String,
    },
    /// The sandbox is up and holds the repository.
    #[serde(rename = "sandbox.ready")]
    SandboxReady(SandboxReady),
    /// The system prompt and tools of this run, fixed from here on.
    #[serde(rename = "context.opened")]
    ContextOpened {
        /// The whole system prompt.
        system: String,
        /// The names of the tools that are offered.
        tools: Vec<String>,
    },
    /// A model is being asked. Durable before the request leaves.
    #[serde(rename = "turn.asked")]
    TurnAsked {
        /// 1, 2, 3 …
        turn: u32,
        /// The model asked.
        model: String,
        /// Our estimate of the request's size.
        context_tokens: u64,
    },
    /// The model's whole answer.
    #[serde(rename = "turn.answered")]
    TurnAnswered(TurnAnswered),
    /// A model call gave no usable answer; the loop tries again or stops.
    #[serde(rename = "turn.failed")]
    TurnFailed {
        /// The turn.
        turn: u32,
        /// What went wrong.
        reason: Reason,
        /// When the next try starts, in milliseconds since the Unix epoch, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at_ms: Option<i64>,
    },
    /// A tool is about to run. Durable before it does.
    #[serde(rename = "tool.started")]
    ToolStarted {
        /// The turn that asked for it.
        turn: u32,
        /// The call.
        call: ToolCall,
        /// A label for people: `Ran`, `sh test.sh`.
        label: ToolLabel,
    },
    /// A tool has run, or was refused, or was interrupted.
    #[serde(rename = "tool.ended")]
    ToolEnded(ToolEnded),
    /// The agent says in plain words what it does.
    #[serde(rename = "narration")]
    Narration {
        /// First person, no stack traces, no secrets.
        text: String,
    },
    /// The agent's task list as it now stands.
    #[serde(rename = "tasks.updated")]
    TasksUpdated {
        /// All of it.
        tasks: Vec<TaskLine>,
    },
    /// A person has to answer.
    #[serde(rename = "question.asked")]
    QuestionAsked(Question),
    /// Somebody answered.
    #[serde(rename = "question.answered")]
    QuestionAnswered {
        /// The question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
        /// Who gave it; `policy` where nobody could be asked.
        by: String,
    },
    /// A person steered the run.
    #[serde(rename = "message.said")]
    MessageSaid {
        /// The words.
        text: String,
        /// Who.
        by: String,
    },
    /// Older turns were replaced by a summary.
    #[serde(rename = "context.compacted")]
    ContextCompacted {
        /// 1, 2, 3 …
        summary_version: u32,
        /// The summary.
        summary: String,
        /// Turns up to and including this one are now told by the summary alone.
        message_cursor: u32,
        /// What writing the summary used.
        usage: Usage,
        /// What it cost.
        cost: Cost,
    },
    /// The files that differ from the base, after a turn that changed some.
    #[serde(rename = "files.changed")]
    FilesChanged {
        /// All files that differ now.
        files: Vec<FileChange>,
    },
    /// We ran the project's check command.
    #[serde(rename = "check.ran")]
    CheckRan {
        /// The command.
        command: String,
        /// Its exit code; `None` when it ran out of time.
        exit_code: Option<i32>,
        /// The end of its output.
        output: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// The result left the sandbox.
    #[serde(rename = "delivery.made")]
    Delivered(Delivery),
    /// Something that can be downloaded was kept.
    #[serde(rename = "artifact.kept")]
    ArtifactKept(Artifact),
    /// Something a person should know; the run goes on.
    #[serde(rename = "notice")]
    Notice(Reason),
}

/// What a run was asked to do, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The run.
    pub run: RunId,
    /// Its tenant.
    pub org: OrgId,
    /// Its project.
    pub project: ProjectId,
    /// Its number in the project.
    pub number: i64,
    /// The goal, as it was typed.
    pub goal: String,
    /// Who asked.
    pub by: String,
    /// The repository on this machine.
    pub repository: String,
    /// The model: `anthropic/<name>`, `scripted/<story>` …
    pub model: String,
    /// Whether the model is a script; shown wherever the run is shown.
    pub scripted: bool,
    /// The command that proves success, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Whether uncommitted changes are taken along.
    #[serde(default)]
    pub dirty: bool,
    /// Whether the result is written to the user's working tree after success.
    #[serde(default)]
    pub apply: bool,
    /// Host paths that the sandbox may read besides its template.
    #[serde(default)]
    pub include: Vec<String>,
    /// Ceilings.
    #[serde(default)]
    pub limits: RunLimits,
    /// How strictly the loop is guarded.
    #[serde(default)]
    pub guards: GuardProfile,
    /// What happens when a person is needed.
    #[serde(default)]
    pub attended: Attended,
}

/// Whether somebody can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attended {
    /// Questions wait for a person.
    #[default]
    Yes,
    /// Nobody is there: what would ask is refused by policy, reported, and the run goes on.
    No,
}

/// The sandbox of a run and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReady {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// `native`, `fake` …
    pub provider: String,
    /// What isolates it, in a few words for people.
    pub isolation: String,
    /// The commit that the work starts from (hex).
    pub base_commit: String,
    /// The branch of the user's repository that was checked out; empty when detached.
    pub base_branch: String,
    /// The branch that will carry the result.
    pub branch: String,
    /// Background processes that were lost with an earlier sandbox, by command.
    #[serde(default)]
    pub lost_processes: Vec<String>,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnAnswered {
    /// The turn.
    pub turn: u32,
    /// What it said, in order.
    pub parts: Vec<AssistantPart>,
    /// Why it stopped.
    pub stop: StopReason,
    /// What it used.
    pub usage: Usage,
    /// What that cost; `None` when the price is not known.
    pub cost: Cost,
    /// From request to last byte.
    pub duration_ms: u64,
}

/// What people read instead of a tool's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolLabel {
    /// `Ran`, `Read`, `Edited`, `Searched` …
    pub verb: String,
    /// The file, command or pattern.
    pub target: String,
}

/// How a tool call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolEnded {
    /// The call.
    pub call_id: String,
    /// The tool.
    pub tool: String,
    /// How it went.
    pub outcome: ToolOutcome,
    /// The text that the model gets (cut where it was long).
    pub output: String,
    /// A few words for people: `1 of 6 failed`, `+9 −2`, `214 lines`.
    pub summary: String,
    /// The whole output, where `output` was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// How long it took.
    pub duration_ms: u64,
    /// The persistent shell's directory after the call, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell_directory: Option<String>,
}

/// How a tool call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// It did what was asked. A command's exit code other than 0 counts as `Failed`.
    Done,
    /// It went wrong; the output says how.
    Failed,
    /// A person or a policy refused it; it did not run.
    Refused,
    /// The server died while it ran; nobody knows how far it came.
    Interrupted,
}

/// One file that differs from the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path from the repository's root.
    pub path: String,
    /// Lines added; `None` for a binary file.
    pub added: Option<u32>,
    /// Lines removed; `None` for a binary file.
    pub removed: Option<u32>,
}

/// Where the result went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The branch in the user's repository; empty where nothing had changed.
    pub branch: String,
    /// Its tip (hex).
    pub commit: String,
    /// How many commits the branch has over the base.
    pub commits: u32,
    /// The whole change as a patch.
    pub patch: Option<ArtifactId>,
    /// Whether the change was also written to the user's working tree.
    pub applied: bool,
}

/// Something that a run produced and that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// `output`, `patch`, `file`, `log`.
    pub sort: String,
    /// A file name for people.
    pub name: String,
    /// The content type.
    pub media_type: String,
    /// Its size.
    pub size_bytes: u64,
    /// Where its bytes lie in the blob store.
    pub blob: String,
}

/// What streams while something is under way and is never stored: the finished thing is an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum Live {
    /// The model says more words.
    #[serde(rename = "live.text")]
    Text {
        /// The turn.
        turn: u32,
        /// The words that were added.
        text: String,
    },
    /// The model thinks.
    #[serde(rename = "live.thinking")]
    Thinking {
        /// The turn.
        turn: u32,
        /// The words that were added.
        text: String,
    },
    /// A command printed.
    #[serde(rename = "live.output")]
    Output {
        /// The call.
        call_id: String,
        /// What it printed, as UTF-8 with replacement characters.
        text: String,
    },
}

impl RunEvent {
    /// The event's kind and its fields, as the log keeps them.
    ///
    /// # Errors
    ///
    /// Only where a value cannot be JSON, which no event has.
    pub fn encode(&self) -> Result<(String, String), serde_json::Error> {
        #[derive(Deserialize)]
        struct Parts {
            kind: String,
            data: Box<serde_json::value::RawValue>,
        }
        let text = serde_json::to_string(self)?;
        let parts: Parts = serde_json::from_str(&text)?;
        Ok((parts.kind, parts.data.get().to_owned()))
    }

    /// Reads an event back; `None` for a kind that this version does not know.
    ///
    /// # Errors
    ///
    /// Where a known kind's fields do not read.
    pub fn decode(kind: &str, data: serde_json::Value) -> Result<Option<Self>, serde_json::Error> {
        if !KINDS.contains(&kind) {
            return Ok(None);
        }
        serde_json::from_value(serde_json::json!({ "kind": kind, "data": data })).map(Some)
    }
}

/// Every kind that this version knows.
pub const KINDS: &[&str] = &[
    "run.created",
    "run.state",
    "run.continued",
    "sandbox.ready",
    "context.opened",
    "turn.asked",
    "turn.answered",
    "turn.failed",
    "tool.started",
    "tool.ended",
    "narration",
    "tasks.updated",
    "question.asked",
    "question.answered",
    "message.said",
    "context.compacted",
    "files.changed",
    "check.ran",
    "delivery.made",
    "artifact.kept",
    "notice",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_as_written_and_unknown_kinds_are_skipped() -> Result<(), serde_json::Error> {
        let event = RunEvent::Narration { text: "I look at the test.".to_owned() };
        let (kind, data) = event.encode()?;
        assert_eq!((kind.as_str(), data.as_str()), ("narration", r#"{"text":"I look at the test."}"#));
        assert_eq!(RunEvent::decode(&kind, serde_json::from_str(&data)?)?, Some(event));
        assert_eq!(RunEvent::decode("narration.v9", serde_json::json!({}))?, None);
        Ok(())
    }
}

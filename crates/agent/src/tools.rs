//! The tools: what the model may call, read from its JSON into types, and run.

mod bash;
mod edit;
mod files;
mod search;
mod specs;
mod talk;

use std::time::Duration;

use domain::event::{ToolLabel, ToolOutcome};
use domain::transcript::ToolCall;
use futures_util::future::BoxFuture;
use runtime::Ambient;
use sandbox::{Sandbox, SandboxError};
use serde::de::DeserializeOwned;

pub(crate) use talk::{AskUser, Narrate, UpdateTasks};

use crate::label::label;
use crate::output::Whole;
use crate::port::Journal;

pub use specs::specs;
pub(crate) use specs::tokens;

/// Whatever is not a command is done within this time: a file may be a pipe that nobody writes to.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// A call whose arguments were read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tool {
    /// Reads only; several may run at once.
    Read(ReadTool),
    /// Changes the workspace, or may.
    Write(WriteTool),
    AskUser(AskUser),
    UpdateTasks(UpdateTasks),
    Narrate(Narrate),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReadTool {
    File(files::ReadFile),
    Grep(search::Grep),
    Glob(search::Glob),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WriteTool {
    File(files::WriteFile),
    Edit(edit::EditFile),
    Bash(bash::Bash),
}

/// What a tool works with.
pub(crate) struct Hands<'a> {
    pub(crate) sandbox: &'a dyn Sandbox,
    pub(crate) journal: &'a dyn Journal,
    pub(crate) ambient: &'a Ambient,
    pub(crate) call: &'a ToolCall,
    /// When the call began, by the clock's elapsed time.
    pub(crate) began: Duration,
    /// What is left of the run's working time.
    pub(crate) time_left: Duration,
}

/// How a tool went.
pub(crate) struct Ran {
    pub(crate) outcome: ToolOutcome,
    pub(crate) whole: Whole,
    pub(crate) summary: String,
    pub(crate) shell_directory: Option<String>,
    /// The run cannot go on in this sandbox.
    pub(crate) trouble: Option<Trouble>,
}

/// What ends the loop for now, after the call was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    SandboxGone { cause: String },
    DiskFull { path: String },
}

impl Tool {
    /// Reads a call.
    ///
    /// # Errors
    ///
    /// A precise sentence for the model, with what the tool expects.
    pub(crate) fn parse(call: &ToolCall) -> Result<Self, String> {
        match call.tool.as_str() {
            "read_file" => read(call).map(|args| Self::Read(ReadTool::File(args))),
            "grep" => read(call).map(|args| Self::Read(ReadTool::Grep(args))),
            "glob" => read(call).map(|args| Self::Read(ReadTool::Glob(args))),
            "write_file" => read(call).map(|args| Self::Write(WriteTool::File(args))),
            "edit_file" => read(call).map(|args| Self::Write(WriteTool::Edit(args))),
            "bash" => read(call).map(|args| Self::Write(WriteTool::Bash(args))),
            "ask_user" => {
                read(call).and_then(|ask: AskUser| said(&ask.question).map(|()| Self::AskUser(ask)))
            }
            "update_tasks" => read(call).map(Self::UpdateTasks),
            "narrate" => {
                read(call).and_then(|narrate: Narrate| said(&narrate.text).map(|()| Self::Narrate(narrate)))
            }
            unknown => Err(specs::unknown_tool(unknown)),
        }
    }

    /// Whether the call reaches people alone and touches nothing.
    pub(crate) const fn talks(&self) -> bool {
        match self {
            Self::AskUser(_) | Self::UpdateTasks(_) | Self::Narrate(_) => true,
            Self::Read(_) | Self::Write(_) => false,
        }
    }

    pub(crate) fn label(&self) -> ToolLabel {
        let verb = match self {
            Self::Read(ReadTool::File(_)) => "Read",
            Self::Read(ReadTool::Grep(_)) => "Searched",
            Self::Read(ReadTool::Glob(_)) => "Listed",
            Self::Write(WriteTool::File(_)) => "Wrote",
            Self::Write(WriteTool::Edit(_)) => "Edited",
            Self::Write(WriteTool::Bash(bash)) if bash.in_background() => "Started",
            Self::Write(WriteTool::Bash(_)) => "Ran",
            Self::AskUser(_) => "Asked",
            Self::UpdateTasks(_) => "Planned",
            Self::Narrate(_) => "Said",
        };
        label(verb, &self.target())
    }

    /// What the agent wants, as a person is asked: `run this command`.
    pub(crate) fn wish(&self) -> &'static str {
        match self {
            Self::Read(ReadTool::File(_)) => "read this file",
            Self::Read(ReadTool::Grep(_) | ReadTool::Glob(_)) => "search for this",
            Self::Write(WriteTool::File(_)) => "write this file",
            Self::Write(WriteTool::Edit(_)) => "edit this file",
            Self::Write(WriteTool::Bash(bash)) if bash.in_background() => "start this in the background",
            Self::Write(WriteTool::Bash(_)) => "run this command",
            Self::AskUser(_) => "ask this",
            Self::UpdateTasks(_) => "change its task list",
            Self::Narrate(_) => "say this",
        }
    }

    /// What the call is aimed at, whole: what rules are compared with.
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Read(ReadTool::File(args)) => files::plain_path(&args.path),
            Self::Read(ReadTool::Grep(args)) => args.pattern.clone(),
            Self::Read(ReadTool::Glob(args)) => args.pattern.clone(),
            Self::Write(WriteTool::File(args)) => files::plain_path(&args.path),
            Self::Write(WriteTool::Edit(args)) => files::plain_path(&args.path),
            Self::Write(WriteTool::Bash(args)) => args.command.clone(),
            Self::AskUser(args) => args.question.clone(),
            Self::UpdateTasks(args) => args.headline(),
            Self::Narrate(args) => args.text.clone(),
        }
    }
}

impl ReadTool {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let run = async {
            match self {
                Self::File(args) => args.run(hands).await,
                Self::Grep(args) => args.run(hands).await,
                Self::Glob(args) => args.run(hands).await,
            }
        };
        within(ANSWERS_WITHIN, hands, run).await
    }
}

impl WriteTool {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let (run, limit): (BoxFuture<'_, Ran>, Duration) = match self {
            Self::File(args) => (Box::pin(args.run(hands)), ANSWERS_WITHIN),
            Self::Edit(args) => (Box::pin(args.run(hands)), ANSWERS_WITHIN),
            // The sandbox stops a command by itself; this is for one that does not.
            Self::Bash(args) => (Box::pin(args.run(hands)), args.timeout() + ANSWERS_WITHIN),
        };
        within(limit, hands, run).await
    }
}

async fn within(limit: Duration, hands: &Hands<'_>, run: impl Future<Output = Ran>) -> Ran {
    hands.ambient.within(limit, run).await.unwrap_or_else(|| {
        let text =
            format!("the sandbox did not answer for {} s; how far this came is unknown", limit.as_secs());
        Ran::failed(text, "no answer")
    })
}

impl Ran {
    pub(crate) const fn done(text: String, summary: String) -> Self {
        Self {
            outcome: ToolOutcome::Done,
            whole: Whole::text(text),
            summary,
            shell_directory: None,
            trouble: None,
        }
    }

    pub(crate) fn failed(text: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { outcome: ToolOutcome::Failed, ..Self::done(text.into(), summary.into()) }
    }

    /// A sandbox's error, as the model reads it.
    pub(crate) fn from_error(error: SandboxError) -> Self {
        let trouble = trouble(&error);
        let text = match &trouble {
            Some(Trouble::SandboxGone { cause }) => format!(
                "the sandbox was lost while this ran ({cause}); how far it came is unknown. The files are kept \
                 and a new sandbox takes its place; if it was out of memory, use less."
            ),
            Some(Trouble::DiskFull { .. }) => "the disk is full; this was not done".to_owned(),
            None => error.to_string(),
        };
        let summary = match error {
            SandboxError::File { message, .. } | SandboxError::Pattern { message } => message,
            SandboxError::Gone { .. } => "the sandbox was lost".to_owned(),
            SandboxError::DiskFull { .. } => "the disk is full".to_owned(),
            SandboxError::Unsupported { .. } | SandboxError::Start { .. } => "could not start".to_owned(),
            SandboxError::NoProcess { .. }
            | SandboxError::NoPort { .. }
            | SandboxError::PortTaken { .. }
            | SandboxError::Busy { .. }
            | SandboxError::NotOffered { .. } => error.to_string(),
            SandboxError::Internal { doing, .. } => format!("could not {doing}"),
        };
        Self { trouble, ..Self::failed(text, summary) }
    }
}

/// Whether an error ends the loop for now.
pub(crate) fn trouble(error: &SandboxError) -> Option<Trouble> {
    match error {
        SandboxError::Gone { cause } => Some(Trouble::SandboxGone { cause: cause.clone() }),
        SandboxError::DiskFull { path } => Some(Trouble::DiskFull { path: path.clone() }),
        SandboxError::Unsupported { .. }
        | SandboxError::File { .. }
        | SandboxError::Pattern { .. }
        | SandboxError::Start { .. }
        | SandboxError::NoProcess { .. }
        | SandboxError::NoPort { .. }
        | SandboxError::PortTaken { .. }
        | SandboxError::Busy { .. }
        | SandboxError::NotOffered { .. }
        | SandboxError::Internal { .. } => None,
    }
}

fn said(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("the text is empty; say something or leave the call out".to_owned())
    } else {
        Ok(())
    }
}

fn read<T: DeserializeOwned>(call: &ToolCall) -> Result<T, String> {
    let hint = || specs::hint(&call.tool);
    if let serde_json::Value::String(text) = &call.arguments {
        let why = match serde_json::from_str::<serde_json::Value>(text) {
            Err(error) => error.to_string(),
            Ok(_) => "it is not an object".to_owned(),
        };
        return Err(format!("the arguments are not valid JSON ({why}). {}", hint()));
    }
    T::deserialize(&call.arguments).map_err(|error| format!("the arguments do not fit: {error}. {}", hint()))
}

//! A run's events as lines for people: what happened, to what, with which result.

pub(crate) mod status;
pub(crate) mod text;

use std::collections::HashMap;

use domain::event::{
    Delivery, Envelope, FileChange, RunEvent, ToolEnded, ToolLabel, ToolOutcome, TurnAnswered,
};
use domain::question::{AllowScope, Answer, Question};
use domain::run::{Evidence, Reason, RunState};
use domain::task::{TaskLine, TaskState};
use domain::transcript::{AssistantPart, StopReason};

use text::{clean, count, duration, first_line, shorten};

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When, in milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
    /// `ran`, `edited`, `NEEDS YOU`
    pub(crate) verb: String,
    /// What it is about.
    pub(crate) text: String,
    /// How it went; may be empty.
    pub(crate) result: String,
    /// How much it matters.
    pub(crate) tone: Tone,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// One of many.
    Usual,
    /// The agent's own words.
    Words,
    /// It went well, and that matters.
    Good,
    /// It went wrong, or might.
    Bad,
    /// A person is needed.
    Asks,
}

/// Turns events into lines; remembers what a call was for until it has ended.
#[derive(Debug, Default)]
pub(crate) struct Renderer {
    calls: HashMap<String, ToolLabel>,
    number: i64,
    started_at_ms: i64,
}

impl Renderer {
    /// A renderer for the run with this number, made at this time.
    pub(crate) fn new(number: i64, started_at_ms: i64) -> Self {
        Self { calls: HashMap::new(), number, started_at_ms }
    }

    /// The lines of one event; none for events that people need not see.
    pub(crate) fn lines(&mut self, envelope: &Envelope) -> Vec<Line> {
        let Ok(Some(event)) = RunEvent::decode(&envelope.kind, envelope.data.clone()) else {
            return Vec::new();
        };
        let line = |(verb, text, result, tone): Words| Line {
            at_ms: envelope.at_ms,
            verb: clean(&verb),
            text: clean(&text),
            result: clean(&result),
            tone,
        };
        self.words(event).into_iter().map(line).collect()
    }

    fn words(&mut self, event: RunEvent) -> Vec<Words> {
        match event {
            RunEvent::State(state) => state_words(&state, self.number),
            RunEvent::Continued { goal, by } => vec![words("asked", &goal, &format!("by {by}"))],
            RunEvent::SandboxReady(ready) => {
                let from = ready.base_commit.get(..10).unwrap_or(&ready.base_commit);
                let mut lines = vec![words(
                    "sandbox",
                    &format!("{}: {}", ready.provider, ready.isolation),
                    &format!("from {from}"),
                )];
                lines.extend(ready.lost_processes.iter().map(|command| {
                    bad("lost", &first_line(command), "it ran in the background of the sandbox before")
                }));
                lines
            }
            RunEvent::TurnAnswered(answered) => said(&answered),
            RunEvent::TurnFailed { reason, retry_at_ms, .. } => {
                let next = if retry_at_ms.is_some() { "trying again" } else { "" };
                vec![bad("model", &reason.text, next)]
            }
            RunEvent::ToolStarted { call, label, .. } => {
                self.calls.insert(call.id, label);
                Vec::new()
            }
            RunEvent::ToolEnded(ended) => {
                let label = self.calls.remove(&ended.call_id);
                let told =
                    ended.outcome == ToolOutcome::Done && TOLD_OTHERWISE.contains(&ended.tool.as_str());
                if told { Vec::new() } else { vec![tool_words(&ended, label)] }
            }
            RunEvent::Narration { text } => vec![("says".to_owned(), text, String::new(), Tone::Words)],
            RunEvent::TasksUpdated { tasks } => vec![task_words(&tasks)],
            RunEvent::QuestionAsked(question) => question_words(&question, self.number),
            RunEvent::QuestionAnswered { answer, by, .. } => vec![answer_words(&answer, &by)],
            RunEvent::MessageSaid { text, by } => vec![words("steered", &text, &format!("by {by}"))],
            RunEvent::ContextCompacted { .. } => vec![words("context", "older turns are now a summary", "")],
            RunEvent::CheckRan { command, exit_code, duration_ms, .. } => {
                vec![check_words(&command, exit_code, duration_ms)]
            }
            RunEvent::Delivered(delivery) => delivery_words(&delivery),
            RunEvent::Notice(reason) => reason_words("notice", &reason, Tone::Bad),
            RunEvent::Created(_)
            | RunEvent::ContextOpened { .. }
            | RunEvent::TurnAsked { .. }
            | RunEvent::FilesChanged { .. }
            | RunEvent::ArtifactKept(_) => Vec::new(),
        }
    }
}

/// Tools whose work is an event of its own.
const TOLD_OTHERWISE: [&str; 2] = ["narrate", "update_tasks"];

type Words = (String, String, String, Tone);

fn words(verb: &str, text: &str, result: &str) -> Words {
    (verb.to_owned(), first_line(text), result.to_owned(), Tone::Usual)
}

fn bad(verb: &str, text: &str, result: &str) -> Words {
    (verb.to_owned(), text.to_owned(), result.to_owned(), Tone::Bad)
}

fn reason_words(verb: &str, reason: &Reason, tone: Tone) -> Vec<Words> {
    let mut lines = vec![(verb.to_owned(), reason.text.clone(), format!("[{}]", reason.code), tone)];
    if let Some(fix) = &reason.fix {
        lines.push(("fix".to_owned(), fix.clone(), String::new(), Tone::Usual));
    }
    lines
}

fn state_words(state: &RunState, number: i64) -> Vec<Words> {
    match state {
        RunState::Queued | RunState::Starting | RunState::Running | RunState::Waiting { .. } => Vec::new(),
        RunState::Sleeping { reason, .. } => reason_words("sleeping", reason, Tone::Asks),
        RunState::Paused { reason } => {
            let mut lines = reason_words("paused", reason, Tone::Asks);
            if reason.fix.is_none() {
                lines.push(words("fix", &format!("journeyman resume {number}"), ""));
            }
            lines
        }
        RunState::Succeeded { evidence } => {
            let (text, result) = match evidence {
                Evidence::CheckPassed { command } => ("the check passed".to_owned(), first_line(command)),
                Evidence::CheckNotRun { command, reason } => (
                    "nobody checked but the agent".to_owned(),
                    format!("{} could not be run: {reason}", first_line(command)),
                ),
                Evidence::NoCheck => {
                    ("nobody checked but the agent".to_owned(), "no check command".to_owned())
                }
                Evidence::NothingToChange { explanation } => {
                    ("nothing to change".to_owned(), first_line(explanation))
                }
            };
            vec![("done".to_owned(), text, result, Tone::Good)]
        }
        RunState::Failed { reason } | RunState::BudgetExceeded { reason } => {
            reason_words("failed", reason, Tone::Bad)
        }
        RunState::Cancelled { reason } => reason_words("stopped", reason, Tone::Bad),
    }
}

/// What the model said beside its calls; its last words in full.
fn said(answered: &TurnAnswered) -> Vec<Words> {
    let last = answered.stop != StopReason::ToolUse;
    let texts = answered.parts.iter().filter_map(|part| match part {
        AssistantPart::Text { text, .. } if !text.trim().is_empty() => Some(text.trim()),
        AssistantPart::Text { .. } | AssistantPart::Thinking { .. } | AssistantPart::ToolCall(_) => None,
    });
    let shown = texts.map(|text| if last { text.to_owned() } else { first_line(text) });
    shown.map(|text| ("says".to_owned(), text, String::new(), Tone::Words)).collect()
}

fn tool_words(ended: &ToolEnded, label: Option<ToolLabel>) -> Words {
    let label = label.unwrap_or_else(|| ToolLabel { verb: ended.tool.clone(), target: String::new() });
    let (verb, tone) = match ended.outcome {
        ToolOutcome::Done => (label.verb.to_lowercase(), Tone::Usual),
        ToolOutcome::Failed => (label.verb.to_lowercase(), Tone::Bad),
        ToolOutcome::Refused => ("refused".to_owned(), Tone::Bad),
        ToolOutcome::Interrupted => ("cut off".to_owned(), Tone::Bad),
    };
    let time = if ended.duration_ms >= 100 { duration(ended.duration_ms) } else { String::new() };
    let result = [first_line(&ended.summary), time]
        .iter()
        .filter(|part| !part.is_empty())
        .cloned()
        .collect::<Vec<_>>();
    (verb, shorten(&first_line(&label.target), 100), result.join("   "), tone)
}

fn task_words(tasks: &[TaskLine]) -> Words {
    let done = tasks.iter().filter(|task| task.state == TaskState::Done).count();
    let now = tasks.iter().find(|task| task.state == TaskState::Active);
    let now = now.map_or_else(String::new, |task| task.title.clone());
    words("tasks", &now, &format!("{done} of {} done", tasks.len()))
}

fn question_words(question: &Question, number: i64) -> Vec<Words> {
    let how = match question.kind {
        domain::question::QuestionKind::Approval => format!("journeyman approve {number}"),
        domain::question::QuestionKind::Decision => format!("journeyman answer {number} \"…\""),
    };
    let mut lines = vec![("NEEDS YOU".to_owned(), question.text.clone(), how, Tone::Asks)];
    if let Some(detail) = &question.detail {
        lines.push((String::new(), detail.clone(), String::new(), Tone::Usual));
    }
    lines.extend(question.options.iter().enumerate().map(|(index, option)| {
        (String::new(), format!("{}  {option}", index + 1), String::new(), Tone::Usual)
    }));
    lines
}

fn answer_words(answer: &Answer, by: &str) -> Words {
    let what = match answer {
        Answer::Allow { scope: AllowScope::Once } => "allowed once".to_owned(),
        Answer::Allow { scope: AllowScope::Run } => "allowed for this run".to_owned(),
        Answer::Allow { scope: AllowScope::Project } => "allowed for the project".to_owned(),
        Answer::Refuse { reason } => format!("refused: {reason}"),
        Answer::Text { text } => text.clone(),
    };
    words("answered", &what, &format!("by {by}"))
}

fn check_words(command: &str, exit_code: Option<i32>, duration_ms: u64) -> Words {
    let time = duration(duration_ms);
    let (result, tone) = match exit_code {
        Some(0) => (format!("passed   {time}"), Tone::Good),
        Some(code) => (format!("failed (exit code {code})   {time}"), Tone::Bad),
        None => (format!("ran out of time   {time}"), Tone::Bad),
    };
    ("checked".to_owned(), first_line(command), result, tone)
}

fn delivery_words(delivery: &Delivery) -> Vec<Words> {
    if delivery.branch.is_empty() {
        return Vec::new();
    }
    let applied = if delivery.applied { ", written to the working tree" } else { "" };
    vec![words(
        "branch",
        &delivery.branch,
        &format!("{}{applied}", count(u64::from(delivery.commits), "commit")),
    )]
}

/// `2 files  +10 −3`
pub(crate) fn files_summary(files: &[FileChange]) -> String {
    let sum =
        |side: fn(&FileChange) -> Option<u32>| files.iter().filter_map(side).map(u64::from).sum::<u64>();
    let (added, removed) = (sum(|file| file.added), sum(|file| file.removed));
    format!("{}  +{added} −{removed}", count(files.len() as u64, "file"))
}

impl Renderer {
    /// A line in columns: time since the run was asked for, verb, text, result.
    pub(crate) fn pretty(&self, line: &Line, color: bool) -> String {
        let time = text::clock(line.at_ms.saturating_sub(self.started_at_ms));
        let (begin, end) = match (color, line.tone) {
            (false, _) | (true, Tone::Usual | Tone::Words) => ("", ""),
            (true, Tone::Good) => ("\x1b[32m", "\x1b[0m"),
            (true, Tone::Bad) => ("\x1b[31m", "\x1b[0m"),
            (true, Tone::Asks) => ("\x1b[33m", "\x1b[0m"),
        };
        let indented = line.text.replace('\n', &format!("\n{:20}", ""));
        let gap = if line.result.is_empty() { "" } else { "  " };
        let row = format!("{time:>7}  {begin}{:<10}{end} {indented:<44}{gap}{}", line.verb, line.result);
        row.trim_end().to_owned()
    }
}

/// A line with labels, to be read aloud.
pub(crate) fn plain(line: &Line) -> String {
    let mut text = format!("{}: {}", if line.verb.is_empty() { "detail" } else { &line.verb }, line.text);
    if !line.result.is_empty() {
        text.push_str(&format!(". result: {}", line.result));
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests;

//! What the log tells: everything that the loop knows of its run, rebuilt event by event. A live event and
//! a replayed one go through the same [`History::apply`], so both give the same state.

mod conversation;

use std::sync::Arc;

use domain::event::{FileChange, RunEvent, ToolEnded, ToolOutcome, TurnAnswered};
use domain::question::{Answer, Question};
use domain::run::{Reason, RunState};
use domain::task::TaskLine;
use domain::transcript::{AssistantPart, StopReason, ToolCall, Usage, UserPart};
use domain::{Micros, QuestionId, RunId};

pub(crate) use conversation::{Conversation, text_tokens};

use crate::guard::{CONTEXT_OVERFLOW, Repetition, SANDBOX_GONE};
use crate::policy::{Grant, grant};
use crate::{context, tools};

/// A run as its log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub(crate) run: Option<RunId>,
    pub(crate) state: RunState,
    pub(crate) system: Option<Arc<str>>,
    pub(crate) tools: Vec<String>,
    pub(crate) conversation: Conversation,
    /// The calls of the last answer, as long as one of them has not ended.
    pub(crate) calls: Vec<OpenCall>,
    pub(crate) tasks: Vec<TaskLine>,
    pub(crate) totals: Totals,
    pub(crate) tries: Tries,
    pub(crate) repetition: Repetition,
    /// Calls that people allowed again for this run or for the project.
    pub(crate) grants: Vec<Grant>,
    pub(crate) files: Vec<FileChange>,
    pub(crate) last_stop: StopReason,
    pub(crate) last_text: String,
    /// The last check passed, and the model said nothing since.
    pub(crate) check_passed: Option<String>,
}

/// A tool call that the model asked for and that has no place in the conversation yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenCall {
    pub(crate) call: ToolCall,
    pub(crate) started: bool,
    pub(crate) question: Option<Question>,
    pub(crate) answer: Option<Answer>,
    pub(crate) result: Option<UserPart>,
}

/// What a run has used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Turns of the whole run.
    pub turns: u32,
    /// Turns since the last goal was set.
    pub goal_turns: u32,
    /// Tool calls since the last goal was set.
    pub goal_tool_calls: u32,
    /// Time that model calls, tools and checks took since the last goal was set.
    pub goal_working_ms: u64,
    /// Tokens of the whole run.
    pub usage: Usage,
    /// Known costs of the whole run.
    pub cost: Micros,
    /// Whether some call's price was not known.
    pub cost_unknown: bool,
}

/// How often things went wrong in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) model_failures: u32,
    pub(crate) overflowed_turn: Option<u32>,
    pub(crate) empty_answers: u32,
    pub(crate) cut_answers: u32,
    pub(crate) useless_calls: u32,
    pub(crate) failed_checks: u32,
    pub(crate) lost_sandboxes: u32,
}

/// What the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Fix the system prompt and the tools.
    Open,
    /// Run the calls that have not ended.
    Act,
    /// Ask the model.
    Think,
    /// The model wants nothing more: look whether the goal is reached.
    Judge,
}

impl Default for History {
    fn default() -> Self {
        Self {
            run: None,
            state: RunState::Queued,
            system: None,
            tools: Vec::new(),
            conversation: Conversation::default(),
            calls: Vec::new(),
            tasks: Vec::new(),
            totals: Totals::default(),
            tries: Tries::default(),
            repetition: Repetition::default(),
            grants: Vec::new(),
            files: Vec::new(),
            last_stop: StopReason::EndTurn,
            last_text: String::new(),
            check_passed: None,
        }
    }
}

impl History {
    /// Rebuilds a run from its events, oldest first.
    #[must_use]
    pub fn replay(events: impl Iterator<Item = RunEvent>) -> Self {
        let mut history = Self::default();
        for event in events {
            history.apply(&event);
        }
        history
    }

    /// Where the run stands.
    #[must_use]
    pub const fn state(&self) -> &RunState {
        &self.state
    }

    /// What the run has used.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The question that waits for a person.
    #[must_use]
    pub fn open_question(&self) -> Option<&Question> {
        self.calls
            .iter()
            .filter(|open| open.result.is_none() && open.answer.is_none())
            .find_map(|open| open.question.as_ref())
    }

    /// The agent's task list.
    #[must_use]
    pub fn tasks(&self) -> &[TaskLine] {
        &self.tasks
    }

    /// The agent's last words.
    #[must_use]
    pub fn last_words(&self) -> &str {
        &self.last_text
    }

    pub(crate) fn next(&self) -> Next {
        if self.system.is_none() {
            Next::Open
        } else if !self.calls.is_empty() {
            Next::Act
        } else if self.conversation.wants_an_answer() {
            Next::Think
        } else {
            Next::Judge
        }
    }

    /// Takes one event in.
    pub fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Created(spec) => {
                self.run = Some(spec.run);
                self.conversation.person_said(&spec.goal);
            }
            RunEvent::State(state) => self.state = state.clone(),
            RunEvent::Continued { goal, .. } => self.continue_with(goal),
            RunEvent::SandboxReady(ready) => {
                if !ready.lost_processes.is_empty() {
                    self.conversation.note(&context::lost_processes(&ready.lost_processes));
                }
            }
            RunEvent::ContextOpened { system, tools } => {
                self.system = Some(Arc::from(system.as_str()));
                self.tools.clone_from(tools);
                self.conversation.opened(system, tools::tokens(tools));
            }
            RunEvent::TurnAsked { turn, .. } => self.turn_asked(*turn),
            RunEvent::TurnAnswered(answered) => self.turn_answered(answered),
            RunEvent::TurnFailed { turn, reason, .. } => self.turn_failed(*turn, reason),
            RunEvent::ToolStarted { call, .. } => self.tool_started(call),
            RunEvent::ToolEnded(ended) => self.tool_ended(ended),
            RunEvent::TasksUpdated { tasks } => self.tasks.clone_from(tasks),
            RunEvent::QuestionAsked(question) => self.question_asked(question),
            RunEvent::QuestionAnswered { question, answer, .. } => self.question_answered(*question, answer),
            RunEvent::MessageSaid { text, .. } => self.conversation.person_said(text),
            RunEvent::ContextCompacted { summary, message_cursor, usage, cost, .. } => {
                self.totals.spend(*usage, *cost);
                self.conversation.compact(summary, *message_cursor, &self.tasks);
            }
            RunEvent::FilesChanged { files } => self.files.clone_from(files),
            RunEvent::CheckRan { command, exit_code, output, duration_ms } => {
                self.totals.goal_working_ms += duration_ms;
                if *exit_code == Some(0) {
                    self.check_passed = Some(command.clone());
                } else {
                    self.tries.failed_checks += 1;
                    self.conversation.note(&context::check_failed(command, *exit_code, output));
                }
            }
            RunEvent::Notice(reason) => self.noticed(reason),
            RunEvent::Narration { .. } | RunEvent::Delivered(_) | RunEvent::ArtifactKept(_) => {}
        }
    }

    fn continue_with(&mut self, goal: &str) {
        for open in &mut self.calls {
            if open.result.is_none() {
                open.result =
                    Some(result_part(&open.call, "not run: the run ended before its turn came", true));
            }
        }
        self.settle_calls();
        self.conversation.person_said(goal);
        self.tries = Tries::default();
        self.repetition = Repetition::default();
        self.check_passed = None;
        self.totals.goal_turns = 0;
        self.totals.goal_tool_calls = 0;
        self.totals.goal_working_ms = 0;
    }

    fn turn_asked(&mut self, turn: u32) {
        if self.conversation.ask(turn) {
            self.totals.turns += 1;
            self.totals.goal_turns += 1;
        }
    }

    fn turn_answered(&mut self, answered: &TurnAnswered) {
        self.totals.spend(answered.usage, answered.cost);
        self.totals.goal_working_ms += answered.duration_ms;
        self.tries.model_failures = 0;
        self.check_passed = None;
        self.last_stop = answered.stop;
        let text = spoken(&answered.parts);
        let mut calls = Vec::new();
        for part in &answered.parts {
            if let AssistantPart::ToolCall(call) = part {
                calls.push(OpenCall::new(call.clone()));
            }
        }
        if calls.is_empty() && text.is_empty() {
            self.tries.empty_answers += 1;
        } else {
            self.tries.empty_answers = 0;
        }
        if answered.stop == StopReason::MaxTokens {
            self.tries.cut_answers += 1;
        } else {
            self.tries.cut_answers = 0;
        }
        if !text.is_empty() {
            self.last_text = text;
        }
        self.calls = calls;
        self.conversation.answered(answered);
    }

    fn turn_failed(&mut self, turn: u32, reason: &Reason) {
        if reason.code == CONTEXT_OVERFLOW {
            self.tries.overflowed_turn = Some(turn);
        } else {
            self.tries.model_failures += 1;
        }
    }

    fn tool_started(&mut self, call: &ToolCall) {
        if let Some(open) = self.open_call(&call.id) {
            open.started = true;
        }
    }

    fn tool_ended(&mut self, ended: &ToolEnded) {
        self.totals.goal_tool_calls += 1;
        self.totals.goal_working_ms += ended.duration_ms;
        let useless =
            matches!(ended.outcome, ToolOutcome::Failed | ToolOutcome::Refused) && ended.tool != "bash";
        self.tries.useless_calls = if useless { self.tries.useless_calls + 1 } else { 0 };
        let Some(open) = self.open_call(&ended.call_id) else { return };
        let call = open.call.clone();
        open.result = Some(result_part(&call, &ended.output, ended.outcome != ToolOutcome::Done));
        self.repetition.saw(&call, ended);
        if self.calls.iter().all(|open| open.result.is_some()) {
            self.settle_calls();
        }
    }

    fn settle_calls(&mut self) {
        let results = self.calls.drain(..).filter_map(|open| open.result).collect();
        self.conversation.results(results);
    }

    fn question_asked(&mut self, question: &Question) {
        let id = question.call_id.clone().unwrap_or_default();
        if let Some(open) = self.open_call(&id) {
            open.question = Some(question.clone());
        }
    }

    fn question_answered(&mut self, id: QuestionId, answer: &Answer) {
        let open = self
            .calls
            .iter_mut()
            .find(|open| open.question.as_ref().is_some_and(|question| question.id == id));
        let Some(open) = open else { return };
        let Some(question) = &open.question else { return };
        self.grants.extend(grant(question, answer));
        if let Answer::Text { text } | Answer::Refuse { reason: text } = answer {
            self.conversation.person_answered(&question.text, text);
        }
        open.answer = Some(answer.clone());
    }

    fn noticed(&mut self, reason: &Reason) {
        if let Some(text) = context::told_after(&reason.code) {
            self.conversation.note(text);
        }
        if reason.code == SANDBOX_GONE {
            self.tries.lost_sandboxes += 1;
        }
    }

    pub(crate) fn open_call(&mut self, id: &str) -> Option<&mut OpenCall> {
        self.calls.iter_mut().find(|open| open.call.id == id && open.result.is_none())
    }
}

impl OpenCall {
    const fn new(call: ToolCall) -> Self {
        Self { call, started: false, question: None, answer: None, result: None }
    }

    pub(crate) fn result_tokens(&self) -> Option<u64> {
        self.result.as_ref().map(conversation::user_tokens)
    }
}

impl Totals {
    fn spend(&mut self, usage: Usage, cost: domain::transcript::Cost) {
        self.usage = self.usage.plus(usage);
        match cost {
            Some(cost) => self.cost = self.cost.plus(cost),
            None => self.cost_unknown = true,
        }
    }
}

fn result_part(call: &ToolCall, output: &str, is_error: bool) -> UserPart {
    UserPart::ToolResult {
        call_id: call.id.clone(),
        tool: call.tool.clone(),
        output: output.to_owned(),
        is_error,
    }
}

/// The words of an answer, its parts joined by blank lines.
pub(crate) fn spoken(parts: &[AssistantPart]) -> String {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            AssistantPart::Text { text, .. } => Some(text.trim()),
            AssistantPart::Thinking { .. } | AssistantPart::ToolCall(_) => None,
        })
        .filter(|text| !text.is_empty())
        .collect();
    texts.join("\n\n")
}

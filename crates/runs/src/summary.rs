//! What the run's row tells without its log: a fold over the events, kept by the owner of the run and
//! written in the same transaction as the events.

use domain::Micros;
use domain::event::{Delivery, FileChange, RunEvent, SandboxReady};
use domain::question::Question;
use domain::run::RunState;
use domain::transcript::Usage;
use serde::{Deserialize, Serialize};

/// The most changed files that the row lists; the diff has all.
const FILES_MAX: usize = 500;

/// Counters and latest values of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) state: RunState,
    /// What a follow-up asked for last.
    pub(crate) follow_up: Option<String>,
    pub(crate) turns: u32,
    pub(crate) tool_calls: u32,
    pub(crate) usage: Usage,
    pub(crate) cost: Micros,
    /// Whether some call had no known price, so that `cost` is not the whole cost.
    pub(crate) price_unknown: bool,
    pub(crate) context_tokens: u64,
    pub(crate) sandbox: Option<SandboxReady>,
    pub(crate) question: Option<Question>,
    pub(crate) asked_at_ms: i64,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) files: Vec<FileChange>,
    pub(crate) started_at_ms: Option<i64>,
    pub(crate) ended_at_ms: Option<i64>,
    /// When the last model answer came: the time of the commits, so that delivering twice gives the same.
    pub(crate) answered_at_ms: i64,
    /// Every commit that was delivered: what the working tree may hold by our writing or by a merge.
    #[serde(default)]
    pub(crate) tips: Vec<String>,
}

impl Summary {
    pub(crate) fn new() -> Self {
        Self {
            state: RunState::Queued,
            follow_up: None,
            turns: 0,
            tool_calls: 0,
            usage: Usage::default(),
            cost: Micros::ZERO,
            price_unknown: false,
            context_tokens: 0,
            sandbox: None,
            question: None,
            asked_at_ms: 0,
            delivery: None,
            files: Vec::new(),
            started_at_ms: None,
            ended_at_ms: None,
            answered_at_ms: 0,
            tips: Vec::new(),
        }
    }

    /// Takes one more event into account.
    pub(crate) fn take(&mut self, event: &RunEvent, at_ms: i64) {
        match event {
            RunEvent::State(state) => self.take_state(state, at_ms),
            RunEvent::Continued { goal, .. } => self.follow_up = Some(goal.clone()),
            RunEvent::SandboxReady(ready) => self.sandbox = Some(ready.clone()),
            RunEvent::TurnAsked { context_tokens, .. } => self.context_tokens = *context_tokens,
            RunEvent::TurnAnswered(answered) => {
                self.turns += 1;
                self.answered_at_ms = at_ms;
                self.context_tokens = answered.usage.context_tokens() + answered.usage.output_tokens;
                self.spend(answered.usage, answered.cost);
            }
            RunEvent::ContextCompacted { usage, cost, .. } => self.spend(*usage, *cost),
            RunEvent::ToolStarted { .. } => self.tool_calls += 1,
            RunEvent::QuestionAsked(question) => {
                self.question = Some(question.clone());
                self.asked_at_ms = at_ms;
            }
            RunEvent::QuestionAnswered { .. } => self.question = None,
            RunEvent::FilesChanged { files } => self.files = files.iter().take(FILES_MAX).cloned().collect(),
            RunEvent::Delivered(delivery) => {
                if !self.tips.contains(&delivery.commit) {
                    self.tips.push(delivery.commit.clone());
                }
                self.delivery = Some(delivery.clone());
            }
            RunEvent::Created(_)
            | RunEvent::ContextOpened { .. }
            | RunEvent::TurnFailed { .. }
            | RunEvent::ToolEnded(_)
            | RunEvent::Narration { .. }
            | RunEvent::TasksUpdated { .. }
            | RunEvent::MessageSaid { .. }
            | RunEvent::CheckRan { .. }
            | RunEvent::ArtifactKept(_)
            | RunEvent::Notice(_) => {}
        }
    }

    fn take_state(&mut self, state: &RunState, at_ms: i64) {
        if matches!(state, RunState::Starting) && self.started_at_ms.is_none() {
            self.started_at_ms = Some(at_ms);
        }
        self.ended_at_ms = state.is_terminal().then_some(at_ms);
        if state.is_terminal() {
            self.question = None;
        }
        self.state = state.clone();
    }

    fn spend(&mut self, usage: Usage, cost: Option<Micros>) {
        self.usage = self.usage.plus(usage);
        match cost {
            Some(cost) => self.cost = self.cost.plus(cost),
            None => self.price_unknown = true,
        }
    }
}

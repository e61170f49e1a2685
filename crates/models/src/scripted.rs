//! The scripted model: plays a scenario file through the real loop. It keeps no state between calls; where it
//! stands follows from the conversation alone.

mod play;
mod position;
mod scenario;

use std::sync::Arc;

use domain::transcript::{AssistantPart, Message, StopReason, UserPart};
use domain::{Micros, transcript::Usage};
use futures_util::future::BoxFuture;
use runtime::Clock;
use tokio_util::sync::CancellationToken;

pub use self::scenario::{Call, Fault, Pattern, Scenario, Steer, Turn};

use self::play::Player;
use self::position::Position;
use crate::error::ModelError;
use crate::model::{Answer, Delta, Model, ModelInfo, Request};
use crate::price::Price;

/// How fast a script speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// As the scenario says.
    #[default]
    AsWritten,
    /// Without any pause; for tests and pipes.
    Fast,
}

/// A model that plays a scenario.
pub struct ScriptedModel {
    info: ModelInfo,
    scenario: Scenario,
    pace: Pace,
    clock: Arc<dyn Clock>,
}

impl ScriptedModel {
    /// A model named `name` that plays `scenario`.
    #[must_use]
    pub fn new(name: &str, scenario: Scenario, pace: Pace, clock: Arc<dyn Clock>) -> Self {
        let price = Some(Price { input: 0, output: 0, cache_read: 0, cache_write: 0 });
        let context_tokens = scenario.context_tokens;
        Self {
            info: ModelInfo { name: name.to_owned(), scripted: true, context_tokens, price },
            scenario,
            pace,
            clock,
        }
    }

    async fn play(
        &self,
        request: &Request,
        deltas: &(dyn Fn(Delta) + Send + Sync),
    ) -> Result<Answer, ModelError> {
        let position = position::derive(&self.scenario, &request.messages);
        let player = Player { scenario: &self.scenario, pace: self.pace, clock: &*self.clock, deltas };
        if request.tools.is_empty() {
            return Ok(self.answer(request, self.summary(&position), StopReason::EndTurn, None));
        }
        let input = &request.messages[position.input_from.min(request.messages.len())..];
        let Some((turn, n)) = self.scenario.step(position.step) else {
            return self.after_the_end(request, input);
        };
        self.expects(turn, &position, input)?;
        let parts = player.play(turn, n, &position).await?;
        let called = parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(_)));
        let usual = if called { StopReason::ToolUse } else { StopReason::EndTurn };
        Ok(self.answer(request, parts, turn.stop.unwrap_or(usual), turn.usage))
    }

    /// Checks that what came is what the story expects.
    fn expects(&self, turn: &Turn, position: &Position, input: &[Arc<Message>]) -> Result<(), ModelError> {
        if self.scenario.steer == Steer::Refuse && has_results(input) && has_words(input) {
            return Err(self.off_script());
        }
        // Right after a compaction the words that the turn expects stand in no message any more.
        let Some(pattern) = turn.expect.as_ref().filter(|_| position.compacted_at != Some(position.step))
        else {
            return Ok(());
        };
        if pattern.0.is_match(&position::text_of(input)) {
            return Ok(());
        }
        tracing::info!(model.name = %self.info.name, step = position.step, expected = %pattern.0, "off script");
        Err(self.off_script())
    }

    /// After the last turn only the results of its own calls are known.
    fn after_the_end(&self, request: &Request, input: &[Arc<Message>]) -> Result<Answer, ModelError> {
        if !has_results(input) || has_words(input) {
            return Err(self.off_script());
        }
        let text = format!("That is the end of the {} story.", self.scenario.title);
        let parts = vec![AssistantPart::Text { text, replay: None }];
        Ok(self.answer(request, parts, StopReason::EndTurn, None))
    }

    fn summary(&self, position: &Position) -> Vec<AssistantPart> {
        let text = format!(
            "Summary of the {} story: {} of {} steps are done.\n{}",
            self.scenario.title,
            position.step,
            self.scenario.steps(),
            position::marker_line(position)
        );
        vec![AssistantPart::Text { text, replay: None }]
    }

    fn off_script(&self) -> ModelError {
        ModelError::OffScript {
            message: format!(
                "I am the demo script and can only play the {} story. Your question needs a model: connect one.",
                self.scenario.title
            ),
        }
    }

    fn answer(
        &self,
        request: &Request,
        parts: Vec<AssistantPart>,
        stop: StopReason,
        usage: Option<Usage>,
    ) -> Answer {
        let usage = usage.unwrap_or_else(|| play::estimate(request, &parts));
        Answer { parts, stop, usage, cost: Some(Micros::ZERO) }
    }
}

impl Model for ScriptedModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        deltas: &'a (dyn Fn(Delta) + Send + Sync),
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(ModelError::Cancelled),
                answer = self.play(request, deltas) => answer,
            }
        })
    }
}

fn has_results(input: &[Arc<Message>]) -> bool {
    has_part(input, |part| matches!(part, UserPart::ToolResult { .. }))
}

fn has_words(input: &[Arc<Message>]) -> bool {
    has_part(input, |part| matches!(part, UserPart::Text { .. }))
}

fn has_part(input: &[Arc<Message>], wanted: fn(&UserPart) -> bool) -> bool {
    input.iter().any(|message| match &**message {
        Message::User { parts } => parts.iter().any(wanted),
        Message::Assistant { .. } => false,
    })
}

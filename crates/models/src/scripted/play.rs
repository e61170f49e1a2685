//! Playing one turn: words at the scenario's pace, faults as it says, text filled in.

use std::time::Duration;

use domain::transcript::{AssistantPart, Message, ToolCall, Usage, UserPart};
use runtime::Clock;
use serde_json::Value;

use super::Pace;
use super::position::{self, Position};
use super::scenario::{Fault, Scenario, Turn};
use crate::error::ModelError;
use crate::model::{Delta, Request};

const PROVIDER: &str = "scripted";

/// Plays turns of a scenario.
pub(super) struct Player<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) pace: Pace,
    pub(super) clock: &'a dyn Clock,
    pub(super) deltas: &'a (dyn Fn(Delta) + Send + Sync),
}

impl Player<'_> {
    /// Plays `turn`, repetition `n`, and gives the parts of its answer.
    pub(super) async fn play(
        &self,
        turn: &Turn,
        n: u32,
        position: &Position,
    ) -> Result<Vec<AssistantPart>, ModelError> {
        let fill = Fill { position, n };
        let mut parts = fill.parts(turn);
        match turn.fault {
            Some(Fault::MalformedArguments) => malform(&mut parts),
            // Each overflow is cured by one compaction.
            Some(Fault::ContextOverflow)
                if position.compactions > self.scenario.overflows_before(position.step) => {}
            Some(fault) => self.fail(fault, turn, position, &parts).await?,
            None => {}
        }
        self.wait(Duration::from_millis(turn.delay_ms)).await;
        self.speak(position.step, &parts, usize::MAX).await;
        Ok(parts)
    }

    /// Fails as often as the turn says: for ever gives the error, else the answer comes after the tries.
    async fn fail(
        &self,
        fault: Fault,
        turn: &Turn,
        position: &Position,
        parts: &[AssistantPart],
    ) -> Result<(), ModelError> {
        for _ in 0..turn.fault_times.unwrap_or(1) {
            if matches!(fault, Fault::CutStream | Fault::Hang) {
                self.speak(position.step, parts, words_in(parts) / 2).await;
            }
            if fault == Fault::Hang {
                std::future::pending::<()>().await;
            }
            let at_ms = self.clock.now_ms();
            (self.deltas)(Delta::Retry { at_ms, cause: error_of(fault).to_string() });
        }
        if turn.fault_times.is_some() { Ok(()) } else { Err(error_of(fault)) }
    }

    /// Streams the words of `parts`, `limit` of them at most.
    async fn speak(&self, step: u32, parts: &[AssistantPart], limit: usize) {
        let mut spoken = 0;
        for part in parts {
            let (text, thinking) = match part {
                AssistantPart::Text { text, .. } => (text, false),
                AssistantPart::Thinking { text, .. } => (text, true),
                AssistantPart::ToolCall(_) => continue,
            };
            for word in text.split_inclusive(char::is_whitespace) {
                if spoken == limit {
                    return;
                }
                self.wait(self.pause(step, spoken)).await;
                let word = word.to_owned();
                (self.deltas)(if thinking { Delta::Thinking(word) } else { Delta::Text(word) });
                spoken += 1;
            }
        }
    }

    /// The pause before a word: the pace, give or take half, always the same for the same word.
    fn pause(&self, step: u32, word: usize) -> Duration {
        if self.scenario.pace <= 0.0 {
            return Duration::ZERO;
        }
        let mixed = mix(self.scenario.seed ^ (u64::from(step) << 32) ^ word as u64);
        let jitter = 0.5 + f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        Duration::from_secs_f64((jitter / self.scenario.pace).min(60.0))
    }

    async fn wait(&self, duration: Duration) {
        if self.pace == Pace::AsWritten && !duration.is_zero() {
            self.clock.sleep(duration).await;
        }
    }
}

/// Fills captures into texts.
struct Fill<'a> {
    position: &'a Position,
    n: u32,
}

impl Fill<'_> {
    fn parts(&self, turn: &Turn) -> Vec<AssistantPart> {
        let mut parts = Vec::new();
        if let Some(think) = &turn.think {
            parts.push(AssistantPart::Thinking { text: self.text(think), replay: None });
        }
        if let Some(say) = &turn.say {
            parts.push(AssistantPart::Text { text: self.text(say), replay: None });
        }
        for (index, call) in turn.calls.iter().enumerate() {
            parts.push(AssistantPart::ToolCall(ToolCall {
                id: position::call_id(self.position.step, index),
                tool: call.tool.clone(),
                arguments: self.value(&call.arguments),
                replay: None,
            }));
        }
        parts
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, field)| (name.clone(), self.value(field))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Replaces `{{n}}` and `{{name}}`; braces that name nothing stay.
    fn text(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            text.push_str(before);
            let known = after.split_once("}}").and_then(|(name, after)| Some((self.lookup(name)?, after)));
            if let Some((value, after)) = known {
                text.push_str(&value);
                rest = after;
            } else {
                text.push_str("{{");
                rest = after;
            }
        }
        text.push_str(rest);
        text
    }

    fn lookup(&self, name: &str) -> Option<String> {
        match name.trim() {
            "n" => Some(self.n.to_string()),
            name => self.position.captured.get(name).cloned(),
        }
    }
}

/// Turns the arguments of all calls into text that is not JSON, as a wire hands it on.
fn malform(parts: &mut [AssistantPart]) {
    for part in parts {
        if let AssistantPart::ToolCall(call) = part {
            let mut text = call.arguments.to_string();
            text.pop();
            call.arguments = Value::String(text);
        }
    }
}

fn words_in(parts: &[AssistantPart]) -> usize {
    parts
        .iter()
        .map(|part| match part {
            AssistantPart::Text { text, .. } | AssistantPart::Thinking { text, .. } => {
                text.split_inclusive(char::is_whitespace).count()
            }
            AssistantPart::ToolCall(_) => 0,
        })
        .sum()
}

fn error_of(fault: Fault) -> ModelError {
    let (provider, model) = (PROVIDER.to_owned(), PROVIDER.to_owned());
    let message = "the scenario says so".to_owned();
    match fault {
        Fault::Overloaded => ModelError::Overloaded { provider, message },
        Fault::RateLimited => ModelError::RateLimited { provider, message, retry_after_ms: Some(0) },
        Fault::CutStream | Fault::Unreachable | Fault::Hang => ModelError::Unreachable { provider, message },
        Fault::ContextOverflow => ModelError::ContextOverflow { model, message },
        Fault::Auth => ModelError::Auth { provider, message },
        Fault::NoSuchModel => ModelError::NoSuchModel { provider, model, message },
        Fault::NoTools => ModelError::NoTools { model, message },
        Fault::Refused => ModelError::Refused { provider, message },
        Fault::BadAnswer | Fault::MalformedArguments => ModelError::BadAnswer { provider, message },
    }
}

/// What an answer is said to have used: four characters a token, all before the last answer from the cache.
pub(super) fn estimate(request: &Request, answer: &[AssistantPart]) -> Usage {
    let last_answer =
        request.messages.iter().rposition(|message| matches!(&**message, Message::Assistant { .. }));
    let cached_until = last_answer.map_or(0, |index| index + 1);
    let (cached, new) = request.messages.split_at(cached_until);
    let sum = |messages: &[std::sync::Arc<Message>]| -> usize { messages.iter().map(|m| length(m)).sum() };
    let system = request.system.len();
    let (cached, new) =
        if cached.is_empty() { (0, system + sum(new)) } else { (system + sum(cached), sum(new)) };
    Usage {
        input_tokens: 0,
        output_tokens: tokens(answer.iter().map(part_length).sum()),
        cache_read_tokens: tokens(cached),
        cache_write_tokens: tokens(new),
    }
}

fn tokens(characters: usize) -> u64 {
    (characters as u64).div_ceil(4)
}

fn length(message: &Message) -> usize {
    match message {
        Message::User { parts } => parts
            .iter()
            .map(|part| match part {
                UserPart::Text { text } => text.len(),
                UserPart::Image { .. } => 4_000,
                UserPart::ToolResult { output, .. } => output.len(),
            })
            .sum(),
        Message::Assistant { parts } => parts.iter().map(part_length).sum(),
    }
}

fn part_length(part: &AssistantPart) -> usize {
    match part {
        AssistantPart::Text { text, .. } | AssistantPart::Thinking { text, .. } => text.len(),
        // A call's arguments are mostly one string; its size is near enough.
        AssistantPart::ToolCall(call) => match &call.arguments {
            Value::Object(fields) => {
                fields.values().filter_map(Value::as_str).map(str::len).sum::<usize>() + 20
            }
            _ => 20,
        },
    }
}

/// `SplitMix64`: spreads neighbouring numbers.
const fn mix(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

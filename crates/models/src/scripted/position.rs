//! Where a conversation stands in a scenario, derived from the conversation alone, so that a process that
//! was killed goes on at the right turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::transcript::{AssistantPart, Message, UserPart};
use serde::{Deserialize, Serialize};

use super::scenario::{Scenario, Turn};

/// Where a conversation stands.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The step to be played next; the number of steps when the story is over.
    pub(super) step: u32,
    /// What was captured so far.
    pub(super) captured: BTreeMap<String, String>,
    /// The step at which the conversation was last compacted.
    pub(super) compacted_at: Option<u32>,
    /// How often it was.
    pub(super) compactions: u32,
    /// Index of the first message since the script's last answer.
    pub(super) input_from: usize,
}

/// What a summary carries from before a compaction to after it.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    step: u32,
    compactions: u32,
    captured: BTreeMap<String, String>,
}

const MARKER: &str = "[scripted position ";

/// The id of call `index` of step `step`; it marks the step in the conversation.
pub(super) fn call_id(step: u32, index: usize) -> String {
    format!("scripted-{step}-{index}")
}

/// The line that a summary ends with.
pub(super) fn marker_line(position: &Position) -> String {
    let (step, compactions) = (position.step, position.compactions + 1);
    let marker = Marker { step, compactions, captured: position.captured.clone() };
    // A number and a map of strings always serialise.
    format!("{MARKER}{}]", serde_json::to_string(&marker).unwrap_or_default())
}

/// Derives the position.
pub(super) fn derive(scenario: &Scenario, messages: &[Arc<Message>]) -> Position {
    let mut position = Position::default();
    for (index, message) in messages.iter().enumerate() {
        match &**message {
            Message::User { parts } => read_markers(parts, &mut position),
            Message::Assistant { parts } => {
                let played = marked_step(parts).unwrap_or_else(|| {
                    next_playable(scenario, position.step, &position.captured).unwrap_or(scenario.steps())
                });
                if let Some((turn, _)) = scenario.step(played) {
                    capture(turn, &messages[position.input_from..index], &mut position.captured);
                }
                position.step = position.step.max(played.saturating_add(1));
                position.input_from = index + 1;
            }
        }
    }
    settle(scenario, &messages[position.input_from.min(messages.len())..], &mut position);
    position
}

/// Moves on to the next step that is to be played and captures from its input.
fn settle(scenario: &Scenario, input: &[Arc<Message>], position: &mut Position) {
    while let Some((turn, _)) = scenario.step(position.step) {
        if holds(turn, &position.captured) {
            capture(turn, input, &mut position.captured);
            return;
        }
        position.step += 1;
    }
    position.step = scenario.steps();
}

fn next_playable(scenario: &Scenario, from: u32, captured: &BTreeMap<String, String>) -> Option<u32> {
    (from..scenario.steps()).find(|step| scenario.step(*step).is_some_and(|(turn, _)| holds(turn, captured)))
}

fn holds(turn: &Turn, captured: &BTreeMap<String, String>) -> bool {
    turn.only_if
        .iter()
        .all(|(name, pattern)| captured.get(name).is_some_and(|value| pattern.0.is_match(value)))
}

fn capture(turn: &Turn, input: &[Arc<Message>], captured: &mut BTreeMap<String, String>) {
    if turn.capture.is_empty() {
        return;
    }
    let text = text_of(input);
    for (name, pattern) in &turn.capture {
        if let Some(found) = pattern.find(&text) {
            captured.insert(name.clone(), found.to_owned());
        }
    }
}

/// All words in `messages`, tool results included.
pub(super) fn text_of(messages: &[Arc<Message>]) -> String {
    let mut text = String::new();
    for message in messages {
        if let Message::User { parts } = &**message {
            for part in parts {
                match part {
                    UserPart::Text { text: words } | UserPart::ToolResult { output: words, .. } => {
                        text.push_str(words);
                        text.push('\n');
                    }
                    UserPart::Image { .. } => {}
                }
            }
        }
    }
    text
}

/// The step that an answer was, where its calls say so.
fn marked_step(parts: &[AssistantPart]) -> Option<u32> {
    parts.iter().find_map(|part| match part {
        AssistantPart::ToolCall(call) => call.id.strip_prefix("scripted-")?.split_once('-')?.0.parse().ok(),
        AssistantPart::Text { .. } | AssistantPart::Thinking { .. } => None,
    })
}

fn read_markers(parts: &[UserPart], position: &mut Position) {
    for part in parts {
        let UserPart::Text { text } = part else { continue };
        let Some((_, rest)) = text.rsplit_once(MARKER) else { continue };
        let mut markers = serde_json::Deserializer::from_str(rest).into_iter::<Marker>();
        if let Some(Ok(marker)) = markers.next() {
            position.step = marker.step;
            position.compacted_at = Some(marker.step);
            position.compactions = marker.compactions;
            position.captured = marker.captured;
        }
    }
}

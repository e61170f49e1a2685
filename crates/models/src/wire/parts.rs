//! Small things that several wires need: building parts, ids, arguments.

use std::borrow::Cow;

use domain::transcript::{AssistantPart, Message, Replay, ToolCall};
use runtime::Random;
use serde::Serialize;
use serde_json::Value;

use crate::model::Request;

/// Arguments as the model wrote them: parsed, or the text itself as a JSON string where they do not parse.
pub(super) fn arguments(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    match serde_json::from_str(text) {
        Ok(parsed @ Value::Object(_)) => parsed,
        _ => Value::String(text.to_owned()),
    }
}

/// Arguments as an object, for wires that take nothing else.
pub(super) fn arguments_object(arguments: &Value) -> Cow<'_, Value> {
    match arguments {
        Value::Object(_) => Cow::Borrowed(arguments),
        other => Cow::Owned(serde_json::json!({ "unreadable_arguments": other })),
    }
}

/// Arguments as text, for wires that take them so.
pub(super) fn arguments_text(arguments: &Value) -> String {
    match arguments {
        // What was not JSON goes back as JSON, or a server that parses it would refuse the whole request.
        Value::Object(_) => arguments.to_string(),
        other => arguments_object(other).to_string(),
    }
}

/// The item of `replay` where it belongs to `wire`.
pub(super) fn replay_for<'r>(replay: Option<&'r Replay>, wire: &str) -> Option<&'r Value> {
    replay.filter(|replay| replay.wire == wire).map(|replay| &replay.item)
}

/// An id of characters that every wire takes, 64 at most.
pub(super) fn clean_id(id: &str) -> Cow<'_, str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.len() <= 64 && id.chars().all(fine) {
        return Cow::Borrowed(id);
    }
    let clean: String = id.chars().map(|c| if fine(c) { c } else { '_' }).collect();
    Cow::Owned(clean[clean.len().saturating_sub(64)..].to_owned())
}

/// Serialises `value` to the end of `out`, after a comma where something is before it.
pub(super) fn push_item(out: &mut String, started: &mut bool, value: &impl Serialize) {
    // Our own types have only text keys and no failing parts.
    if let Ok(text) = serde_json::to_string(value) {
        if std::mem::replace(started, true) {
            out.push(',');
        }
        out.push_str(&text);
    }
}

/// Adds words to the last part where it is text, else as a new part.
pub(super) fn push_text(parts: &mut Vec<AssistantPart>, words: &str) {
    if let Some(AssistantPart::Text { text, replay: None }) = parts.last_mut() {
        text.push_str(words);
    } else if !words.is_empty() {
        parts.push(AssistantPart::Text { text: words.to_owned(), replay: None });
    }
}

/// Adds words to the last part where it is thinking, else as a new part.
pub(super) fn push_thinking(parts: &mut Vec<AssistantPart>, words: &str) {
    if let Some(AssistantPart::Thinking { text, replay: None }) = parts.last_mut() {
        text.push_str(words);
    } else if !words.is_empty() {
        parts.push(AssistantPart::Thinking { text: words.to_owned(), replay: None });
    }
}

/// Gives each call an id that no other call of the conversation has.
pub(super) fn give_ids(request: &Request, parts: &mut [AssistantPart], random: &dyn Random) {
    let mut given: Vec<String> = Vec::new();
    for part in parts {
        let AssistantPart::ToolCall(call) = part else { continue };
        if call.id.is_empty() || given.contains(&call.id) || is_used(request, &call.id) {
            call.id = fresh_id(random);
        }
        given.push(call.id.clone());
    }
}

fn is_used(request: &Request, id: &str) -> bool {
    request.messages.iter().any(|message| match &**message {
        Message::Assistant { parts } => {
            parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(call) if call.id == id))
        }
        Message::User { .. } => false,
    })
}

fn fresh_id(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    format!("call_{:016x}", u64::from_le_bytes(bytes))
}

/// A call under way: its name and arguments come in pieces.
#[derive(Debug, Default, Clone)]
pub(super) struct PartialCall {
    pub(super) id: String,
    pub(super) tool: String,
    pub(super) arguments: String,
}

impl PartialCall {
    pub(super) fn finish(self) -> ToolCall {
        ToolCall { id: self.id, tool: self.tool, arguments: arguments(&self.arguments), replay: None }
    }
}

/// The key as most providers take it.
pub(super) fn bearer(key: Option<&str>) -> Vec<(&'static str, String)> {
    key.map(|key| ("authorization", format!("Bearer {key}"))).into_iter().collect()
}

/// The base address with `/v1`, given with or without it. Other paths (`/api/v1`, `/openai`) stay as they are.
pub(super) fn with_v1(base_url: &str) -> String {
    let base = base_url.trim_end_matches('/');
    let path = base.split_once("://").map_or(base, |(_, rest)| rest);
    if path.contains('/') { base.to_owned() } else { format!("{base}/v1") }
}

/// The run's cache key as OpenAI takes it: 64 characters at most.
pub(super) fn cache_key(request: &Request) -> Option<String> {
    (!request.cache_key.is_empty()).then(|| request.cache_key.chars().take(64).collect())
}

/// A picture as an address.
pub(super) fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}

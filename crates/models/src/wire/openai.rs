//! OpenAI's Responses API, without anything kept at the provider.

use std::collections::BTreeMap;

use domain::transcript::{AssistantPart, Message, Replay, StopReason, ToolCall, Usage, UserPart};
use serde::Serialize;
use serde_json::{Value, json};

use super::parts::{
    arguments, arguments_text, bearer, cache_key, clean_id, data_url, push_item, replay_for, with_v1,
};
use super::{Finished, Flow, Reader, Sink, Wire};
use crate::failure::Failure;
use crate::model::{Delta, Request, ToolSpec};

const NAME: &str = "openai";

/// The wire.
#[derive(Debug)]
pub(crate) struct OpenAi {
    /// Whether the model thinks, and its thinking is asked for in the form that can be sent back.
    reasons: bool,
}

#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    store: bool,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    instructions: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
    strict: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        role: &'static str,
        content: Vec<Content<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a Value>,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    InputText { text: &'a str },
    InputImage { image_url: String, detail: &'static str },
    OutputText { text: &'a str },
}

impl OpenAi {
    pub(crate) fn new(model: &str) -> Self {
        Self { reasons: reasons(model) }
    }
}

/// `o3`, `gpt-5.2`, `codex-…`: models that think and give their thinking encrypted.
fn reasons(model: &str) -> bool {
    let generation = |prefix: &str, from: u32| {
        let digits: String = model.strip_prefix(prefix)?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok().map(|number| number >= from)
    };
    let thinks = generation("o", 1) == Some(true) || generation("gpt-", 5) == Some(true);
    (thinks || model.starts_with("codex")) && !model.contains("-chat")
}

impl Wire for OpenAi {
    fn url(&self, base_url: &str, _model: &str) -> String {
        format!("{}/responses", with_v1(base_url))
    }

    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        bearer(key)
    }

    fn head(&self, model: &str, request: &Request) -> String {
        let head = Head {
            model,
            store: false,
            stream: true,
            include: self.reasons.then_some(["reasoning.encrypted_content"]),
            max_output_tokens: request.max_output_tokens,
            prompt_cache_key: cache_key(request),
            tools: request.tools.iter().map(tool).collect(),
            instructions: &request.system,
        };
        let mut text = serde_json::to_string(&head).unwrap_or_default();
        text.pop();
        text.push_str(r#","input":["#);
        text
    }

    fn write_message(&self, message: &Message, out: &mut String) {
        let mut started = false;
        match message {
            Message::User { parts } => write_user(parts, out, &mut started),
            Message::Assistant { parts } => {
                // Thinking that nothing followed is refused.
                let followed = parts.iter().rposition(|part| !matches!(part, AssistantPart::Thinking { .. }));
                let parts = &parts[..followed.map_or(0, |last| last + 1)];
                parts.iter().for_each(|part| write_assistant(part, out, &mut started));
            }
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<OpenAiReader>::default()
    }
}

fn tool(tool: &ToolSpec) -> Tool<'_> {
    Tool {
        r#type: "function",
        name: &tool.name,
        description: &tool.description,
        parameters: &tool.parameters,
        strict: false,
    }
}

fn write_user(parts: &[UserPart], out: &mut String, started: &mut bool) {
    for part in parts {
        if let UserPart::ToolResult { call_id, output, .. } = part {
            push_item(out, started, &Item::FunctionCallOutput { call_id: &clean_id(call_id), output });
        }
    }
    let content: Vec<Content<'_>> = parts
        .iter()
        .filter_map(|part| match part {
            UserPart::Text { text } => Some(Content::InputText { text }),
            UserPart::Image { media_type, base64 } => {
                Some(Content::InputImage { image_url: data_url(media_type, base64), detail: "auto" })
            }
            UserPart::ToolResult { .. } => None,
        })
        .collect();
    if !content.is_empty() {
        push_item(out, started, &Item::Message { role: "user", content, phase: None });
    }
}

fn write_assistant(part: &AssistantPart, out: &mut String, started: &mut bool) {
    match part {
        AssistantPart::Text { text, .. } if text.is_empty() => {}
        AssistantPart::Text { text, replay } => {
            let phase = replay_for(replay.as_ref(), NAME).and_then(|item| item.get("phase"));
            let content = vec![Content::OutputText { text }];
            push_item(out, started, &Item::Message { role: "assistant", content, phase });
        }
        AssistantPart::Thinking { replay, .. } => {
            if let Some(item) = replay_for(replay.as_ref(), NAME) {
                push_item(out, started, item);
            }
        }
        AssistantPart::ToolCall(call) => {
            let (call_id, arguments) = (&*clean_id(&call.id), &*arguments_text(&call.arguments));
            push_item(out, started, &Item::FunctionCall { call_id, name: &call.tool, arguments });
        }
    }
}

/// Reads one answer.
#[derive(Default)]
struct OpenAiReader {
    /// Finished items by their place in the answer.
    items: BTreeMap<u64, Value>,
    usage: Usage,
    stop: Option<StopReason>,
}

impl Reader for OpenAiReader {
    fn event(&mut self, event: &Value, name: &str, sink: &Sink<'_>) -> Result<Flow, Failure> {
        let delta = || event["delta"].as_str().unwrap_or_default().to_owned();
        match name_of(event, name) {
            "response.output_text.delta" | "response.refusal.delta" => (sink.deltas)(Delta::Text(delta())),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                (sink.deltas)(Delta::Thinking(delta()));
            }
            "response.output_item.done" => {
                self.items.insert(event["output_index"].as_u64().unwrap_or_default(), event["item"].clone());
            }
            "response.completed" | "response.incomplete" => {
                self.end(&event["response"], name_of(event, name) == "response.incomplete");
                return Ok(Flow::Done);
            }
            "response.failed" | "error" => return Err(sink.peer.event(event)),
            // Beginnings, ends of parts, and what is to be invented.
            _ => {}
        }
        Ok(Flow::More)
    }

    fn finish(self: Box<Self>) -> Finished {
        let mut refused = false;
        let parts = self.items.into_values().flat_map(|item| read_item(item, &mut refused)).collect();
        let stop = if refused { Some(StopReason::Refusal) } else { self.stop };
        Finished { parts, stop, usage: self.usage, remark: None }
    }
}

impl OpenAiReader {
    fn end(&mut self, response: &Value, is_cut: bool) {
        let filtered = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        self.stop = Some(match (is_cut || response["status"] == "incomplete", filtered) {
            (false, _) => StopReason::EndTurn,
            (true, Some("content_filter")) => StopReason::Refusal,
            (true, _) => StopReason::MaxTokens,
        });
        if let (true, Some(output)) = (self.items.is_empty(), response["output"].as_array()) {
            self.items = (0..).zip(output.iter().cloned()).collect();
        }
        let usage = &response["usage"];
        let count = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        let read = count("/input_tokens_details/cached_tokens");
        let written = count("/input_tokens_details/cache_write_tokens");
        self.usage = Usage {
            input_tokens: count("/input_tokens").saturating_sub(read).saturating_sub(written),
            output_tokens: count("/output_tokens"),
            cache_read_tokens: read,
            cache_write_tokens: written,
        };
    }
}

fn name_of<'e>(event: &'e Value, name: &'e str) -> &'e str {
    event["type"].as_str().unwrap_or(name)
}

fn read_item(item: Value, refused: &mut bool) -> Vec<AssistantPart> {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str() {
        Some("message") => read_message(&item, refused),
        Some("function_call") => vec![AssistantPart::ToolCall(ToolCall {
            id: text("call_id"),
            tool: text("name"),
            arguments: arguments(&text("arguments")),
            replay: None,
        })],
        Some("reasoning") => vec![read_reasoning(item)],
        _ => Vec::new(),
    }
}

fn read_message(item: &Value, refused: &mut bool) -> Vec<AssistantPart> {
    let contents = item["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = String::new();
    for content in contents {
        text.push_str(content["text"].as_str().unwrap_or_default());
        if let Some(words) = content["refusal"].as_str() {
            *refused = true;
            text.push_str(words);
        }
    }
    let phase = item.get("phase").filter(|phase| !phase.is_null());
    let replay = phase.map(|phase| Replay { wire: NAME.into(), item: json!({ "phase": phase }) });
    if text.is_empty() { Vec::new() } else { vec![AssistantPart::Text { text, replay }] }
}

/// Thinking without its encrypted form is of no use to a provider that keeps nothing.
fn read_reasoning(mut item: Value) -> AssistantPart {
    let words = |list: &Value| -> Vec<String> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect()
    };
    let mut text = words(&item["summary"]).join("\n\n");
    if text.is_empty() {
        text = words(&item["content"]).join("\n\n");
    }
    let can_go_back = item["encrypted_content"].is_string();
    if let Some(fields) = item.as_object_mut() {
        fields.retain(|name, value| name != "status" && !value.is_null());
    }
    AssistantPart::Thinking { text, replay: can_go_back.then(|| Replay { wire: NAME.into(), item }) }
}

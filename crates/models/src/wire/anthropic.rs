//! Anthropic's Messages API.

use std::collections::BTreeMap;

use domain::transcript::{AssistantPart, Message, Replay, StopReason, ToolCall, Usage, UserPart};
use serde::Serialize;
use serde_json::{Value, json};

use super::parts::{arguments, arguments_object, clean_id, push_item, replay_for};
use super::{Finished, Flow, Reader, Sink, Wire};
use crate::failure::Failure;
use crate::model::{Delta, Request};

const NAME: &str = "anthropic";
/// Put into the last block of a message: `…"}` + marker + `}]}`.
const MARKER: &str = r#","cache_control":{"type":"ephemeral"}"#;
/// `}]}` ends every message.
const MARKER_BEFORE_END: usize = 3;

/// Models of this generation and later refuse thinking that stands behind a changed beginning (a compacted
/// one) unless they are told to leave it out.
const BINDS_THINKING: (u32, u32) = (5, 1);
/// What a request has to say to tell them.
const BINDING_BETA: &str = "thinking-binding-controls-2026-08-01";

/// The wire.
#[derive(Debug)]
pub(crate) struct Anthropic {
    /// The model's generation: `(4, 5)`.
    generation: (u32, u32),
    /// Thinking is switched on with this many tokens.
    thinking_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Value>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Value>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    Image { source: Source<'a> },
    ToolResult { tool_use_id: &'a str, content: &'a str, is_error: bool },
    ToolUse { id: &'a str, name: &'a str, input: &'a Value },
}

#[derive(Serialize)]
struct Source<'a> {
    r#type: &'static str,
    media_type: &'a str,
    data: &'a str,
}

impl Wire for Anthropic {
    fn url(&self, base_url: &str, _model: &str) -> String {
        let base = base_url.trim_end_matches('/');
        format!("{}/v1/messages", base.strip_suffix("/v1").unwrap_or(base))
    }

    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![("anthropic-version", "2023-06-01".to_owned())];
        headers.extend(key.map(|key| ("x-api-key", key.to_owned())));
        if self.generation >= BINDS_THINKING {
            headers.push(("anthropic-beta", BINDING_BETA.to_owned()));
        }
        headers
    }

    fn head(&self, model: &str, request: &Request) -> String {
        let last = request.tools.len().saturating_sub(1);
        let tool = |(index, tool)| self::tool(tool, index == last);
        let system = &*request.system;
        let head = Head {
            model,
            max_tokens: self.max_tokens(request),
            stream: true,
            thinking: self.thinking(),
            tools: request.tools.iter().enumerate().map(tool).collect(),
            system: (!system.is_empty())
                .then(|| json!({ "type": "text", "text": system, "cache_control": ephemeral() }))
                .into_iter()
                .collect(),
        };
        let mut text = serde_json::to_string(&head).unwrap_or_default();
        text.pop();
        text.push_str(r#","messages":["#);
        text
    }

    fn write_message(&self, message: &Message, out: &mut String) {
        let start = out.len();
        let role = match message {
            Message::User { .. } => "user",
            Message::Assistant { .. } => "assistant",
        };
        out.push_str(r#"{"role":""#);
        out.push_str(role);
        out.push_str(r#"","content":["#);
        let mut started = false;
        match message {
            Message::User { parts } => write_user(parts, out, &mut started),
            Message::Assistant { parts } => {
                parts.iter().for_each(|part| write_assistant(part, out, &mut started));
            }
        }
        out.push_str("]}");
        if !started {
            out.truncate(start);
        }
    }

    fn cache_marker(&self) -> Option<(&'static str, usize)> {
        Some((MARKER, MARKER_BEFORE_END))
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<AnthropicReader>::default()
    }
}

impl Anthropic {
    pub(crate) fn new(model: &str, thinking_tokens: Option<u32>) -> Self {
        Self { generation: generation(model), thinking_tokens }
    }

    /// Newer models think by themselves and are asked to show it; older ones think where configured.
    fn thinking(&self) -> Option<Value> {
        if self.generation >= BINDS_THINKING {
            let binding = json!({ "prefix_mismatch_behavior": "drop_block" });
            return Some(json!({ "type": "adaptive", "display": "summarized", "block_binding": binding }));
        }
        let budget = self.thinking_tokens;
        match self.generation {
            (5.., _) => Some(json!({ "type": "adaptive", "display": "summarized" })),
            (4, 6..) => budget.map(|_| json!({ "type": "adaptive" })),
            _ => budget.map(|budget| json!({ "type": "enabled", "budget_tokens": budget })),
        }
    }

    /// What the model's generation allows; thinking counts.
    fn max_tokens(&self, request: &Request) -> u32 {
        let default = match self.generation {
            (5.., _) => 64_000,
            (4, _) | (3, 7..) => 32_000,
            (3, 5..) => 8_192,
            _ => 4_096,
        };
        let thinking = self.thinking_tokens.filter(|_| request.max_output_tokens.is_some());
        request.max_output_tokens.unwrap_or(default).saturating_add(thinking.unwrap_or(0))
    }
}

/// `claude-opus-4-5-20251101` is (4, 5), `claude-3-7-sonnet` is (3, 7), `claude-sonnet-5` is (5, 0). A name
/// without a number is taken for one of generation 4.
fn generation(model: &str) -> (u32, u32) {
    let mut numbers =
        model.split(['-', '@']).filter(|part| part.len() <= 2).filter_map(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(4), numbers.next().unwrap_or(0))
}

fn tool(tool: &crate::model::ToolSpec, is_last: bool) -> Tool<'_> {
    Tool {
        name: &tool.name,
        description: &tool.description,
        input_schema: &tool.parameters,
        cache_control: is_last.then(ephemeral),
    }
}

fn ephemeral() -> Value {
    json!({ "type": "ephemeral" })
}

/// Results first: the API wants them right behind the calls.
fn write_user(parts: &[UserPart], out: &mut String, started: &mut bool) {
    for part in parts {
        if let UserPart::ToolResult { call_id, output, is_error, .. } = part {
            let (tool_use_id, content) = (&*clean_id(call_id), non_empty(output));
            push_item(out, started, &Block::ToolResult { tool_use_id, content, is_error: *is_error });
        }
    }
    for part in parts {
        match part {
            UserPart::Text { text } if text.trim().is_empty() => {}
            UserPart::Text { text } => push_item(out, started, &Block::Text { text }),
            UserPart::Image { media_type, base64 } => {
                let source = Source { r#type: "base64", media_type, data: base64 };
                push_item(out, started, &Block::Image { source });
            }
            UserPart::ToolResult { .. } => {}
        }
    }
}

/// The API refuses empty text.
fn non_empty(text: &str) -> &str {
    if text.is_empty() { "(no output)" } else { text }
}

fn write_assistant(part: &AssistantPart, out: &mut String, started: &mut bool) {
    match part {
        AssistantPart::Text { text, .. } if text.trim().is_empty() => {}
        AssistantPart::Text { text, .. } => push_item(out, started, &Block::Text { text }),
        AssistantPart::Thinking { replay, .. } => {
            if let Some(item) = replay_for(replay.as_ref(), NAME) {
                push_item(out, started, item);
            }
        }
        AssistantPart::ToolCall(call) => {
            let (id, input) = (&*clean_id(&call.id), &*arguments_object(&call.arguments));
            push_item(out, started, &Block::ToolUse { id, name: &call.tool, input });
        }
    }
}

/// Reads one answer.
#[derive(Default)]
struct AnthropicReader {
    blocks: BTreeMap<u64, OpenBlock>,
    usage: Usage,
    stop: Option<StopReason>,
}

/// A block under way.
enum OpenBlock {
    Text(String),
    Thinking {
        text: String,
        signature: String,
    },
    /// Thinking that is kept from us; goes back as it came.
    Redacted(Value),
    Call {
        id: String,
        tool: String,
        json: String,
        given: Value,
    },
}

impl Reader for AnthropicReader {
    fn event(&mut self, event: &Value, name: &str, sink: &Sink<'_>) -> Result<Flow, Failure> {
        match event["type"].as_str().unwrap_or(name) {
            "message_start" => self.read_usage(&event["message"]["usage"]),
            "content_block_start" => self.open(event),
            "content_block_delta" => self.add(event, sink),
            "message_delta" => {
                self.read_usage(&event["usage"]);
                self.stop = event["delta"]["stop_reason"].as_str().map(stop_reason).or(self.stop);
            }
            "message_stop" => return Ok(Flow::Done),
            "error" => return Err(sink.peer.event(event)),
            // `ping`, `content_block_stop`, and what is to be invented.
            _ => {}
        }
        Ok(Flow::More)
    }

    fn whole_at_end(&self) -> bool {
        self.stop.is_some()
    }

    fn finish(self: Box<Self>) -> Finished {
        let parts = self.blocks.into_values().map(OpenBlock::finish).collect();
        Finished { parts, stop: self.stop, usage: self.usage, remark: None }
    }
}

impl AnthropicReader {
    fn read_usage(&mut self, usage: &Value) {
        let read = |name: &str, into: &mut u64| {
            if let Some(count) = usage[name].as_u64() {
                *into = count;
            }
        };
        read("input_tokens", &mut self.usage.input_tokens);
        read("output_tokens", &mut self.usage.output_tokens);
        read("cache_read_input_tokens", &mut self.usage.cache_read_tokens);
        read("cache_creation_input_tokens", &mut self.usage.cache_write_tokens);
    }

    fn open(&mut self, event: &Value) {
        let block = &event["content_block"];
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        let open = match block["type"].as_str() {
            Some("text") => OpenBlock::Text(text("text")),
            Some("thinking") => OpenBlock::Thinking { text: text("thinking"), signature: text("signature") },
            Some("redacted_thinking") => OpenBlock::Redacted(block.clone()),
            Some("tool_use") => OpenBlock::Call {
                id: text("id"),
                tool: text("name"),
                json: String::new(),
                given: block["input"].clone(),
            },
            _ => return,
        };
        self.blocks.insert(event["index"].as_u64().unwrap_or_default(), open);
    }

    fn add(&mut self, event: &Value, sink: &Sink<'_>) {
        let delta = &event["delta"];
        let piece = |name: &str| delta[name].as_str().unwrap_or_default();
        let Some(block) = self.blocks.get_mut(&event["index"].as_u64().unwrap_or_default()) else { return };
        match block {
            OpenBlock::Text(text) => {
                text.push_str(piece("text"));
                (sink.deltas)(Delta::Text(piece("text").to_owned()));
            }
            OpenBlock::Thinking { text, signature } => {
                text.push_str(piece("thinking"));
                signature.push_str(piece("signature"));
                if !piece("thinking").is_empty() {
                    (sink.deltas)(Delta::Thinking(piece("thinking").to_owned()));
                }
            }
            OpenBlock::Call { json, .. } => json.push_str(piece("partial_json")),
            OpenBlock::Redacted(_) => {}
        }
    }
}

impl OpenBlock {
    fn finish(self) -> AssistantPart {
        match self {
            Self::Text(text) => AssistantPart::Text { text, replay: None },
            // Thinking that was cut has no signature and is refused when it goes back.
            Self::Thinking { text, signature } if signature.is_empty() => {
                AssistantPart::Thinking { text, replay: None }
            }
            Self::Thinking { text, signature } => {
                let item = json!({ "type": "thinking", "thinking": text, "signature": signature });
                AssistantPart::Thinking { text, replay: Some(Replay { wire: NAME.into(), item }) }
            }
            Self::Redacted(item) => AssistantPart::Thinking {
                text: String::new(),
                replay: Some(Replay { wire: NAME.into(), item }),
            },
            Self::Call { id, tool, json, given } => {
                let whole = given.as_object().is_some_and(|given| !given.is_empty());
                let arguments = if json.is_empty() && whole { given } else { arguments(&json) };
                AssistantPart::ToolCall(ToolCall { id, tool, arguments, replay: None })
            }
        }
    }
}

fn stop_reason(name: &str) -> StopReason {
    match name {
        "tool_use" => StopReason::ToolUse,
        "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
        "refusal" => StopReason::Refusal,
        _ => StopReason::EndTurn,
    }
}

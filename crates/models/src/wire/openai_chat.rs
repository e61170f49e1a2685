//! OpenAI's Chat Completions API, as OpenAI and many other servers speak it.

use domain::transcript::{AssistantPart, Message, Replay, StopReason, Usage, UserPart};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::parts::{
    PartialCall, arguments_text, bearer, cache_key, clean_id, data_url, push_item, push_text, push_thinking,
    replay_for, with_v1,
};
use super::{Finished, Flow, Reader, Sink, Wire};
use crate::failure::Failure;
use crate::model::{Delta, Request, ToolSpec};

const NAME: &str = "openai-chat";

/// The wire.
#[derive(Debug)]
pub(crate) struct OpenAiChat {
    /// OpenAI's own server knows fields that stricter ones refuse.
    is_openai: bool,
}

#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    stream: bool,
    stream_options: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    /// The thinking, under the name under which it came.
    #[serde(flatten)]
    replay: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Words(String),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: Value },
}

#[derive(Serialize)]
struct Call<'a> {
    id: String,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: String,
}

impl OpenAiChat {
    pub(crate) fn new(base_url: &str) -> Self {
        Self { is_openai: base_url.contains("api.openai.com") }
    }
}

impl Wire for OpenAiChat {
    fn url(&self, base_url: &str, _model: &str) -> String {
        format!("{}/chat/completions", with_v1(base_url))
    }

    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        bearer(key)
    }

    fn head(&self, model: &str, request: &Request) -> String {
        let limit = request.max_output_tokens;
        let head = Head {
            model,
            stream: true,
            stream_options: json!({ "include_usage": true }),
            max_tokens: limit.filter(|_| !self.is_openai),
            max_completion_tokens: limit.filter(|_| self.is_openai),
            prompt_cache_key: cache_key(request).filter(|_| self.is_openai),
            tools: request.tools.iter().map(tool).collect(),
        };
        let mut text = serde_json::to_string(&head).unwrap_or_default();
        text.pop();
        text.push_str(r#","messages":["#);
        if !request.system.is_empty() {
            push_item(&mut text, &mut false, &said("system", Content::Words(request.system.to_string())));
        }
        text
    }

    fn write_message(&self, message: &Message, out: &mut String) {
        let mut started = false;
        match message {
            Message::User { parts } => write_user(parts, out, &mut started),
            Message::Assistant { parts } => write_assistant(parts, out, &mut started),
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<ChatReader>::default()
    }
}

fn tool(tool: &ToolSpec) -> Value {
    let ToolSpec { name, description, parameters } = tool;
    json!({ "type": "function", "function": { "name": name, "description": description, "parameters": parameters } })
}

fn said<'a>(role: &'static str, content: Content<'a>) -> Said<'a> {
    Said { role, content: Some(content), tool_call_id: None, tool_calls: Vec::new(), replay: Map::new() }
}

fn write_user(parts: &[UserPart], out: &mut String, started: &mut bool) {
    for part in parts {
        if let UserPart::ToolResult { call_id, output, .. } = part {
            let id = clean_id(call_id);
            let result = Said { tool_call_id: Some(&id), ..said("tool", Content::Words(output.clone())) };
            push_item(out, started, &result);
        }
    }
    let mut has_image = false;
    let mut content = Vec::new();
    for part in parts {
        match part {
            UserPart::Text { text } => content.push(Part::Text { text }),
            UserPart::Image { media_type, base64 } => {
                has_image = true;
                content.push(Part::ImageUrl { image_url: json!({ "url": data_url(media_type, base64) }) });
            }
            UserPart::ToolResult { .. } => {}
        }
    }
    if has_image {
        push_item(out, started, &said("user", Content::Parts(content)));
    } else if !content.is_empty() {
        // Many small servers take words alone.
        let words: Vec<&str> = content.iter().filter_map(words).collect();
        push_item(out, started, &said("user", Content::Words(words.join("\n\n"))));
    }
}

fn words<'a>(part: &Part<'a>) -> Option<&'a str> {
    match part {
        Part::Text { text } => Some(text),
        Part::ImageUrl { .. } => None,
    }
}

fn write_assistant(parts: &[AssistantPart], out: &mut String, started: &mut bool) {
    let mut text = String::new();
    let mut tool_calls = Vec::new();
    let mut replay = Map::new();
    for part in parts {
        match part {
            AssistantPart::Text { text: words, .. } => text.push_str(words),
            AssistantPart::Thinking { replay: item, .. } => {
                if let Some(fields) = replay_for(item.as_ref(), NAME).and_then(Value::as_object) {
                    replay.extend(fields.clone());
                }
            }
            AssistantPart::ToolCall(call) => tool_calls.push(Call {
                id: clean_id(&call.id).into_owned(),
                r#type: "function",
                function: Function { name: &call.tool, arguments: arguments_text(&call.arguments) },
            }),
        }
    }
    if text.is_empty() && tool_calls.is_empty() {
        return;
    }
    if tool_calls.is_empty() {
        // Thinking goes back only where it led to calls; some servers refuse it elsewhere.
        replay.clear();
    }
    let content = (!text.is_empty()).then_some(Content::Words(text));
    push_item(out, started, &Said { role: "assistant", content, tool_call_id: None, tool_calls, replay });
}

/// Reads one answer.
#[derive(Default)]
struct ChatReader {
    parts: Vec<AssistantPart>,
    thinking: Thinking,
    /// Calls under way, with the index under which their pieces come.
    calls: Vec<(u64, PartialCall)>,
    usage: Usage,
    stop: Option<StopReason>,
}

/// Thinking as the server names it.
#[derive(Default)]
struct Thinking {
    field: Option<&'static str>,
    text: String,
    details: Vec<Value>,
}

impl Reader for ChatReader {
    fn event(&mut self, event: &Value, _name: &str, sink: &Sink<'_>) -> Result<Flow, Failure> {
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Err(sink.peer.event(event));
        }
        self.read_usage(&event["usage"]);
        let choice = &event["choices"][0];
        let delta = choice.get("delta").unwrap_or(&choice["message"]);
        self.think(delta, sink);
        for field in ["content", "refusal"] {
            if let Some(words) = delta[field].as_str().filter(|words| !words.is_empty()) {
                push_text(&mut self.parts, words);
                (sink.deltas)(Delta::Text(words.to_owned()));
            }
        }
        for call in delta["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default() {
            self.add_call(call);
        }
        if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
            self.stop = Some(stop_reason(reason));
        }
        Ok(Flow::More)
    }

    fn whole_at_end(&self) -> bool {
        self.stop.is_some()
    }

    fn finish(mut self: Box<Self>) -> Finished {
        if let Some(thinking) = self.thinking.finish() {
            self.parts.insert(0, thinking);
        }
        let calls = self.calls.into_iter().filter(|(_, call)| !call.tool.is_empty());
        self.parts.extend(calls.map(|(_, call)| AssistantPart::ToolCall(call.finish())));
        Finished { parts: self.parts, stop: self.stop, usage: self.usage, remark: None }
    }
}

impl ChatReader {
    fn think(&mut self, delta: &Value, sink: &Sink<'_>) {
        for field in ["reasoning_content", "reasoning"] {
            let Some(words) = delta[field].as_str().filter(|words| !words.is_empty()) else { continue };
            // Some servers send the same words under both names.
            if *self.thinking.field.get_or_insert(field) == field {
                self.thinking.text.push_str(words);
                (sink.deltas)(Delta::Thinking(words.to_owned()));
            }
        }
        let details = delta["reasoning_details"].as_array().map(Vec::as_slice).unwrap_or_default();
        details.iter().for_each(|detail| add_detail(&mut self.thinking.details, detail));
    }

    /// Pieces of one call share an index; servers that give none send each call whole, with its id.
    fn add_call(&mut self, piece: &Value) {
        let index = piece["index"].as_u64();
        let id = piece["id"].as_str().unwrap_or_default();
        let known = self.calls.iter().rposition(|(at, call)| {
            let same_id = id.is_empty() || call.id.is_empty() || call.id == id;
            index.is_none_or(|index| index == *at) && same_id
        });
        let fresh = index.is_none() && id.is_empty() && piece["function"]["name"].is_string();
        let at = known.filter(|_| !fresh).unwrap_or_else(|| {
            self.calls.push((index.unwrap_or(self.calls.len() as u64), PartialCall::default()));
            self.calls.len() - 1
        });
        let (_, call) = &mut self.calls[at];
        let function = &piece["function"];
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if let (true, Some(name)) = (call.tool.is_empty(), function["name"].as_str()) {
            name.clone_into(&mut call.tool);
        }
        match &function["arguments"] {
            Value::String(text) => call.arguments.push_str(text),
            whole @ Value::Object(_) => call.arguments = whole.to_string(),
            _ => {}
        }
    }

    fn read_usage(&mut self, usage: &Value) {
        if !usage.is_object() {
            return;
        }
        let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
        let read =
            count("/prompt_tokens_details/cached_tokens").or_else(|| count("/prompt_cache_hit_tokens"));
        let read = read.unwrap_or_default();
        let written = count("/prompt_tokens_details/cache_write_tokens").unwrap_or_default();
        let prompt = count("/prompt_tokens").unwrap_or_default();
        self.usage = Usage {
            input_tokens: prompt.saturating_sub(read).saturating_sub(written),
            output_tokens: count("/completion_tokens").unwrap_or_default(),
            cache_read_tokens: read,
            cache_write_tokens: written,
        };
    }
}

impl Thinking {
    fn finish(&mut self) -> Option<AssistantPart> {
        let mut parts = Vec::new();
        push_thinking(&mut parts, &self.text);
        let mut item = Map::new();
        if !self.details.is_empty() {
            item.insert("reasoning_details".into(), Value::Array(std::mem::take(&mut self.details)));
        } else if let Some(field) = self.field {
            item.insert(field.into(), Value::String(self.text.clone()));
        }
        if item.is_empty() {
            return None;
        }
        let replay = Some(Replay { wire: NAME.into(), item: Value::Object(item) });
        Some(AssistantPart::Thinking { text: std::mem::take(&mut self.text), replay })
    }
}

/// Details come in pieces, too: pieces of one kind and index are one.
fn add_detail(details: &mut Vec<Value>, piece: &Value) {
    let same = |last: &&mut Value| last["type"] == piece["type"] && last["index"] == piece["index"];
    let Some(last) = details.last_mut().filter(same) else {
        details.push(piece.clone());
        return;
    };
    for field in ["text", "summary", "data", "signature"] {
        let Some(more) = piece[field].as_str() else { continue };
        let before = last[field].as_str().unwrap_or_default();
        last[field] = Value::String(format!("{before}{more}"));
    }
}

fn stop_reason(name: &str) -> StopReason {
    match name {
        "tool_calls" | "function_call" => StopReason::ToolUse,
        "length" | "model_length" => StopReason::MaxTokens,
        "content_filter" | "refusal" => StopReason::Refusal,
        _ => StopReason::EndTurn,
    }
}

//! Google's Gemini API.

use std::borrow::Cow;

use domain::transcript::{AssistantPart, Message, Replay, StopReason, ToolCall, Usage, UserPart};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::parts::{arguments_object, push_item, push_text, push_thinking, replay_for};
use super::{Finished, Flow, Reader, Sink, Wire};
use crate::failure::Failure;
use crate::model::{Delta, Request, ToolSpec};

const NAME: &str = "gemini";
/// Stands in where a call came from another provider's model; newer models insist on a signature.
const FOREIGN_SIGNATURE: &str = "skip_thought_signature_validator";

/// The wire.
#[derive(Debug)]
pub(crate) struct Gemini {
    /// Whether the model thinks and may be asked to show it.
    thinks: bool,
    /// Whether each answer's first call must bear a signature.
    wants_signatures: bool,
    thinking_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Head {
    #[serde(rename = "systemInstruction", skip_serializing_if = "Option::is_none")]
    system: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(rename = "generationConfig", skip_serializing_if = "Map::is_empty")]
    generation: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(flatten)]
    data: Data<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Data<'a> {
    Text(&'a str),
    #[serde(rename = "inlineData", rename_all = "camelCase")]
    Image {
        mime_type: &'a str,
        data: &'a str,
    },
    FunctionCall {
        name: &'a str,
        args: Cow<'a, Value>,
    },
    FunctionResponse {
        name: &'a str,
        response: Value,
    },
}

impl Gemini {
    pub(crate) fn new(model: &str, thinking_tokens: Option<u32>) -> Self {
        let newer = generation(model).is_some_and(|generation| generation >= 3);
        let thinks = newer || (model.starts_with("gemini-2.5") && !model.contains("lite"));
        Self { thinks, wants_signatures: newer, thinking_tokens }
    }
}

fn generation(model: &str) -> Option<u32> {
    let digits: String = model.strip_prefix("gemini-")?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

impl Wire for Gemini {
    fn url(&self, base_url: &str, model: &str) -> String {
        let base = base_url.trim_end_matches('/');
        let base = base.strip_suffix("/v1beta").unwrap_or(base);
        format!("{base}/v1beta/models/{model}:streamGenerateContent?alt=sse")
    }

    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        key.map(|key| ("x-goog-api-key", key.to_owned())).into_iter().collect()
    }

    fn head(&self, _model: &str, request: &Request) -> String {
        let declarations: Vec<Value> = request.tools.iter().map(declaration).collect();
        let has_tools = !declarations.is_empty();
        let mut generation = Map::new();
        if let Some(limit) = request.max_output_tokens {
            generation.insert("maxOutputTokens".into(), limit.into());
        }
        if self.thinks {
            let mut thinking = json!({ "includeThoughts": true });
            if let Some(budget) = self.thinking_tokens {
                thinking["thinkingBudget"] = budget.into();
            }
            generation.insert("thinkingConfig".into(), thinking);
        }
        let system = &*request.system;
        let head = Head {
            system: (!system.is_empty()).then(|| json!({ "parts": [{ "text": system }] })),
            tools: has_tools.then(|| json!({ "functionDeclarations": declarations })).into_iter().collect(),
            generation,
        };
        let mut text = serde_json::to_string(&head).unwrap_or_default();
        text.pop();
        text.push_str(if text.len() > 1 { r#","contents":["# } else { r#""contents":["# });
        text
    }

    fn write_message(&self, message: &Message, out: &mut String) {
        let start = out.len();
        let mut started = false;
        match message {
            Message::User { parts } => {
                out.push_str(r#"{"role":"user","parts":["#);
                write_user(parts, out, &mut started);
            }
            Message::Assistant { parts } => {
                out.push_str(r#"{"role":"model","parts":["#);
                self.write_assistant(parts, out, &mut started);
            }
        }
        out.push_str("]}");
        if !started {
            out.truncate(start);
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<GeminiReader>::default()
    }
}

fn declaration(tool: &ToolSpec) -> Value {
    let ToolSpec { name, description, parameters } = tool;
    json!({ "name": name, "description": description, "parametersJsonSchema": parameters })
}

fn write_user(parts: &[UserPart], out: &mut String, started: &mut bool) {
    let plain = |data| Part { data, thought_signature: None };
    for part in parts {
        if let UserPart::ToolResult { tool, output, is_error, .. } = part {
            let response = if *is_error { json!({ "error": output }) } else { json!({ "output": output }) };
            push_item(out, started, &plain(Data::FunctionResponse { name: tool, response }));
        }
    }
    for part in parts {
        match part {
            UserPart::Text { text } if text.is_empty() => {}
            UserPart::Text { text } => push_item(out, started, &plain(Data::Text(text))),
            UserPart::Image { media_type, base64 } => {
                push_item(out, started, &plain(Data::Image { mime_type: media_type, data: base64 }));
            }
            UserPart::ToolResult { .. } => {}
        }
    }
}

fn signature(replay: Option<&Replay>) -> Option<&str> {
    replay_for(replay, NAME)?.get("thoughtSignature")?.as_str()
}

impl Gemini {
    fn write_assistant(&self, parts: &[AssistantPart], out: &mut String, started: &mut bool) {
        let is_signed = |part: &AssistantPart| matches!(part, AssistantPart::ToolCall(call) if signature(call.replay.as_ref()).is_some());
        let mut foreign =
            (self.wants_signatures && !parts.iter().any(is_signed)).then_some(FOREIGN_SIGNATURE);
        for part in parts {
            match part {
                AssistantPart::Text { text, replay } => {
                    let thought_signature = signature(replay.as_ref());
                    if !text.is_empty() || thought_signature.is_some() {
                        push_item(out, started, &Part { data: Data::Text(text), thought_signature });
                    }
                }
                // Shown thinking is a summary; what counts is in the signatures.
                AssistantPart::Thinking { .. } => {}
                AssistantPart::ToolCall(call) => {
                    let data =
                        Data::FunctionCall { name: &call.tool, args: arguments_object(&call.arguments) };
                    let thought_signature = signature(call.replay.as_ref()).or_else(|| foreign.take());
                    push_item(out, started, &Part { data, thought_signature });
                }
            }
        }
    }
}

/// Reads one answer.
#[derive(Default)]
struct GeminiReader {
    parts: Vec<AssistantPart>,
    usage: Usage,
    stop: Option<StopReason>,
    remark: Option<String>,
}

impl Reader for GeminiReader {
    fn event(&mut self, event: &Value, _name: &str, sink: &Sink<'_>) -> Result<Flow, Failure> {
        if event.get("error").is_some() {
            return Err(sink.peer.event(event));
        }
        self.read_usage(&event["usageMetadata"]);
        if let Some(reason) = event.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
            self.stop = Some(StopReason::Refusal);
            self.remark = Some(format!("the prompt was blocked: {reason}"));
        }
        let candidate = &event["candidates"][0];
        let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
        parts.map(Vec::as_slice).unwrap_or_default().iter().for_each(|part| self.add(part, sink));
        if let Some(reason) = candidate["finishReason"].as_str() {
            let words = candidate["finishMessage"].as_str().unwrap_or_default();
            self.remark = Some(format!("{reason} {words}"));
            self.stop = Some(stop_reason(reason));
            if matches!(reason, "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MALFORMED_RESPONSE") {
                return Err(sink.peer.stumble(&format!("{reason} {words}")));
            }
        }
        Ok(Flow::More)
    }

    /// The stream ends with its last piece, which bears the reason.
    fn whole_at_end(&self) -> bool {
        self.stop.is_some()
    }

    fn finish(self: Box<Self>) -> Finished {
        Finished { parts: self.parts, stop: self.stop, usage: self.usage, remark: self.remark }
    }
}

impl GeminiReader {
    fn add(&mut self, part: &Value, sink: &Sink<'_>) {
        let replay = part
            .get("thoughtSignature")
            .map(|signature| Replay { wire: NAME.into(), item: json!({ "thoughtSignature": signature }) });
        if let Some(call) = part.get("functionCall") {
            let given = call["args"].as_object().cloned().unwrap_or_default();
            self.parts.push(AssistantPart::ToolCall(ToolCall {
                id: String::new(),
                tool: call["name"].as_str().unwrap_or_default().to_owned(),
                arguments: Value::Object(given),
                replay,
            }));
            return;
        }
        let Some(words) = part["text"].as_str() else { return };
        if part["thought"].as_bool() == Some(true) {
            push_thinking(&mut self.parts, words);
            (sink.deltas)(Delta::Thinking(words.to_owned()));
            return;
        }
        if replay.is_some() {
            self.parts.push(AssistantPart::Text { text: words.to_owned(), replay });
        } else {
            push_text(&mut self.parts, words);
        }
        if !words.is_empty() {
            (sink.deltas)(Delta::Text(words.to_owned()));
        }
    }

    fn read_usage(&mut self, usage: &Value) {
        if !usage.is_object() {
            return;
        }
        let count = |name: &str| usage[name].as_u64().unwrap_or_default();
        let read = count("cachedContentTokenCount");
        let prompt = count("promptTokenCount") + count("toolUsePromptTokenCount");
        self.usage = Usage {
            input_tokens: prompt.saturating_sub(read),
            output_tokens: count("candidatesTokenCount") + count("thoughtsTokenCount"),
            cache_read_tokens: read,
            cache_write_tokens: 0,
        };
    }
}

fn stop_reason(name: &str) -> StopReason {
    match name {
        "MAX_TOKENS" => StopReason::MaxTokens,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" => {
            StopReason::Refusal
        }
        _ => StopReason::EndTurn,
    }
}

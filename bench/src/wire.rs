//! The four APIs of model providers, as far as a model needs them that asks for a shell command or
//! ends its turn: what the request offers, and the streamed answer.

use serde::Deserialize;
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// The tool that the model calls.
const TOOL: &str = "bash";
/// Begins the id of each tool call; the number of the round follows.
const CALL: &str = "call_bench_";

/// Which API a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Anthropic,
    Chat,
    Responses,
    Gemini,
}

/// What the model does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Calls the shell, in this round (from 1).
    Call { round: u32, arguments: Value },
    /// Says this and ends its turn.
    Say(&'static str),
}

/// The part of a request that the model looks at; the rest is skipped without being built.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    tools: Vec<Value>,
}

impl Wire {
    /// Tells the API from the path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        match path {
            _ if path.ends_with("/messages") => Some(Self::Anthropic),
            _ if path.ends_with("/chat/completions") => Some(Self::Chat),
            _ if path.ends_with("/responses") => Some(Self::Responses),
            _ if path.ends_with(":streamGenerateContent") => Some(Self::Gemini),
            _ => None,
        }
    }

    /// Decides by the request alone: how many calls it has results of, and whether it offers a shell.
    pub(crate) fn decide(self, body: &str, rounds: u32) -> Result<Act, String> {
        let request: Request = serde_json::from_str(body).map_err(|error| format!("bad request: {error}"))?;
        let Some(schema) = self.schema_of_shell(&request.tools) else { return Ok(Act::Say("A title")) };
        let done = self.rounds_done(body);
        if done >= rounds {
            return Ok(Act::Say("Done."));
        }
        let round = done + 1;
        let command = format!("echo round-{round} | tee -a f.txt");
        Ok(Act::Call { round, arguments: arguments(&schema, &command) })
    }

    fn rounds_done(self, body: &str) -> u32 {
        if self == Self::Gemini {
            return u32::try_from(body.matches("\"functionResponse\"").count()).unwrap_or(u32::MAX);
        }
        let last = body.rsplit_once(CALL).map(|(_, after)| after.split(|c: char| !c.is_ascii_digit()).next());
        last.flatten().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    fn schema_of_shell(self, tools: &[Value]) -> Option<Value> {
        let declared = |tool: &Value| match self {
            Self::Chat => vec![tool["function"].clone()],
            Self::Gemini => tool["functionDeclarations"].as_array().cloned().unwrap_or_default(),
            Self::Anthropic | Self::Responses => vec![tool.clone()],
        };
        let shell = tools.iter().flat_map(declared).find(|tool| tool["name"] == TOOL)?;
        let names = ["input_schema", "parameters", "parametersJsonSchema"];
        Some(names.iter().map(|name| shell[name].clone()).find(Value::is_object).unwrap_or(Value::Null))
    }

    /// The whole body of the streamed answer.
    pub(crate) fn answer(self, act: &Act) -> String {
        match self {
            Self::Anthropic => anthropic(act),
            Self::Chat => chat(act),
            Self::Responses => responses(act),
            Self::Gemini => gemini(act),
        }
    }
}

/// The command, and whatever else the tool's schema requires.
fn arguments(schema: &Value, command: &str) -> Value {
    let mut arguments = Map::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let property = &schema["properties"][name];
        let kind = property["type"].as_str().unwrap_or("string").to_lowercase();
        let value = match kind.as_str() {
            _ if property["enum"].is_array() => property["enum"][0].clone(),
            "boolean" => json!(false),
            "integer" | "number" => json!(10_000),
            "array" => json!([]),
            _ => json!("append a line"),
        };
        arguments.insert(name.to_owned(), value);
    }
    arguments.insert("command".to_owned(), json!(command));
    Value::Object(arguments)
}

fn named(events: &[Value]) -> String {
    let one =
        |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(one).collect()
}

fn anthropic(act: &Act) -> String {
    let (block, delta, stop) = match act {
        Act::Call { round, arguments } => (
            json!({"type": "tool_use", "id": format!("{CALL}{round:04}"), "name": TOOL, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": arguments.to_string()}),
            "tool_use",
        ),
        Act::Say(text) => {
            (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text}), "end_turn")
        }
    };
    let message = json!({"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench-model",
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 2000, "output_tokens": 1,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}});
    named(&[
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": {"output_tokens": 40}}),
        json!({"type": "message_stop"}),
    ])
}

fn chat(act: &Act) -> String {
    let chunk = |choices: Value, usage: Value| {
        json!({"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1, "model": "bench-model",
            "choices": choices, "usage": usage})
    };
    let choice = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
    };
    let mut events = Vec::new();
    match act {
        Act::Call { round, arguments } => {
            let function = json!({"name": TOOL, "arguments": arguments.to_string()});
            let call = json!({"index": 0, "id": format!("{CALL}{round:04}"), "type": "function", "function": function});
            events.push(choice(json!({"role": "assistant", "content": ""}), Value::Null));
            events.push(choice(json!({"tool_calls": [call]}), Value::Null));
            events.push(choice(json!({}), json!("tool_calls")));
        }
        Act::Say(text) => {
            events.push(choice(json!({"role": "assistant", "content": text}), Value::Null));
            events.push(choice(json!({}), json!("stop")));
        }
    }
    events.push(chunk(
        json!([]),
        json!({"prompt_tokens": 2000, "completion_tokens": 40, "total_tokens": 2040}),
    ));
    let lines: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    lines + "data: [DONE]\n\n"
}

fn responses(act: &Act) -> String {
    let (item, deltas) = match act {
        Act::Call { round, arguments } => {
            let (id, text) = (format!("fc_{round:04}"), arguments.to_string());
            let item = json!({"type": "function_call", "id": id, "status": "completed",
                "call_id": format!("{CALL}{round:04}"), "name": TOOL, "arguments": text});
            let deltas = vec![
                json!({"type": "response.function_call_arguments.delta", "item_id": id, "output_index": 0,
                    "delta": text}),
                json!({"type": "response.function_call_arguments.done", "item_id": id, "output_index": 0,
                    "arguments": text}),
            ];
            (item, deltas)
        }
        Act::Say(text) => {
            let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
            let item = json!({"type": "message", "id": "msg_bench", "role": "assistant", "status": "completed",
                "content": content});
            let delta = json!({"type": "response.output_text.delta", "item_id": "msg_bench", "output_index": 0,
                "content_index": 0, "delta": text});
            (item, vec![delta])
        }
    };
    let response = |status: &str, output: Value| {
        json!({"id": "resp_bench", "object": "response", "created_at": 1, "model": "bench-model", "status": status,
            "output": output, "usage": {"input_tokens": 2000, "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 40, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2040}})
    };
    let mut begun = item.clone();
    begun["status"] = json!("in_progress");
    for (field, empty) in [("arguments", json!("")), ("content", json!([]))] {
        if begun.get(field).is_some() {
            begun[field] = empty;
        }
    }
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
    ];
    events.extend(deltas);
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    events.push(json!({"type": "response.completed", "response": response("completed", json!([item]))}));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    named(&events)
}

fn gemini(act: &Act) -> String {
    let part = match act {
        Act::Call { arguments, .. } => json!({"functionCall": {"name": TOOL, "args": arguments}}),
        Act::Say(text) => json!({"text": text}),
    };
    let answer = json!({
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 2000, "candidatesTokenCount": 40, "totalTokenCount": 2040},
        "modelVersion": "bench-model", "responseId": "bench"});
    format!("data: {answer}\r\n\r\n")
}

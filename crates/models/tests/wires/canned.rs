//! Streams as the providers send them: the same answer on each wire.

use serde_json::{Value, json};

/// An answer with thinking, words in two pieces, and two calls: `bash` with `{"command":"ls"}` and `grep`
/// with the arguments given.
pub(crate) fn two_calls(wire: &str, second_arguments: &str) -> String {
    match wire {
        "anthropic" => anthropic_two_calls(second_arguments),
        "openai" => openai_two_calls(second_arguments),
        "openai-chat" => chat_two_calls(second_arguments),
        _ => gemini_two_calls(second_arguments),
    }
}

/// An answer of words alone.
pub(crate) fn words(wire: &str, text: &str) -> String {
    match wire {
        "anthropic" => {
            let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
            anthropic(&[
                json!({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}),
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                delta,
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
                json!({"type": "message_stop"}),
            ])
        }
        "openai" => {
            let item = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
            named(&[
                json!({"type": "response.output_text.delta", "output_index": 0, "delta": text}),
                json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
                json!({"type": "response.completed", "response": {"usage": {"input_tokens": 5, "output_tokens": 2}}}),
            ])
        }
        "openai-chat" => {
            let usage = json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
            let said = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null}]});
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            plain(&[said, end, usage]) + "data: [DONE]\n\n"
        }
        _ => plain(&[json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2}
        })]),
    }
}

/// Events with the name of their type before them.
pub(crate) fn named(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect()
}

pub(crate) fn anthropic(events: &[Value]) -> String {
    named(events)
}

/// Events without names, with the line ends that Gemini sends.
pub(crate) fn plain(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect()
}

fn anthropic_two_calls(second: &str) -> String {
    let start = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta =
        |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let json_delta =
        |index: u64, piece: &str| delta(index, json!({"type": "input_json_delta", "partial_json": piece}));
    let usage = json!({"input_tokens": 7, "output_tokens": 1, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20});
    let (first_half, second_half) = second.split_at(second.find(':').unwrap_or(0));
    anthropic(&[
        json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "usage": usage}}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        json!({"type": "ping"}),
        delta(0, json!({"type": "thinking_delta", "thinking": "Look "})),
        delta(0, json!({"type": "thinking_delta", "thinking": "first."})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        json!({"type": "content_block_stop", "index": 0}),
        start(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "Ich schaue "})),
        delta(1, json!({"type": "text_delta", "text": "über alles."})),
        start(2, json!({"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}})),
        json_delta(2, ""),
        json_delta(2, "{\"comm"),
        json_delta(2, "and\":\"ls\"}"),
        start(3, json!({"type": "tool_use", "id": "toolu_2", "name": "grep", "input": {}})),
        json_delta(3, first_half),
        json_delta(3, second_half),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 33}}),
        json!({"type": "message_stop"}),
    ])
}

fn openai_two_calls(second: &str) -> String {
    let done = |index: u64, item: Value| json!({"type": "response.output_item.done", "output_index": index, "item": item});
    let call = |id: &str, name: &str, arguments: &str| json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments, "status": "completed"});
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look first."}],
        "encrypted_content": "c2ln", "status": null});
    let text = json!([{"type": "output_text", "text": "Ich schaue über alles.", "annotations": []}]);
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": text, "phase": "commentary"});
    let usage = json!({"input_tokens": 107, "input_tokens_details": {"cached_tokens": 100},
        "output_tokens": 33, "output_tokens_details": {"reasoning_tokens": 9}});
    named(&[
        json!({"type": "response.created", "response": {"id": "resp_1", "usage": null}}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Look first."}),
        done(0, reasoning),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "Ich schaue "}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "über alles."}),
        done(1, message),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{}"}),
        done(3, call("call_2", "grep", second)),
        done(2, call("call_1", "bash", "{\"command\":\"ls\"}")),
        json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "usage": usage}}),
    ])
}

fn chat_two_calls(second: &str) -> String {
    let chunk = |delta: Value| json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}], "usage": null});
    let call = |call: Value| chunk(json!({"tool_calls": [call]}));
    let usage = json!({"prompt_tokens": 107, "completion_tokens": 33, "prompt_tokens_details": {"cached_tokens": 100}});
    plain(&[
        chunk(json!({"role": "assistant", "content": ""})),
        chunk(json!({"reasoning_content": "Look "})),
        chunk(json!({"reasoning_content": "first."})),
        chunk(json!({"content": "Ich schaue "})),
        chunk(json!({"content": "über alles."})),
        call(
            json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "bash", "arguments": ""}}),
        ),
        call(
            json!({"index": 1, "id": "call_2", "type": "function", "function": {"name": "grep", "arguments": second}}),
        ),
        call(json!({"index": 0, "function": {"arguments": "{\"command\":"}})),
        call(json!({"index": 0, "function": {"arguments": "\"ls\"}"}})),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        json!({"choices": [], "usage": usage}),
    ]) + "data: [DONE]\n\n"
}

fn gemini_two_calls(second: &str) -> String {
    let chunk =
        |parts: Value| json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]});
    let second: Value = serde_json::from_str(second).unwrap_or(Value::Null);
    plain(&[
        chunk(json!([{"text": "Look first.", "thought": true}])),
        chunk(json!([{"text": "Ich schaue "}])),
        chunk(json!([{"text": "über alles."}])),
        chunk(
            json!([{"functionCall": {"name": "bash", "args": {"command": "ls"}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "grep", "args": second}}]),
        ),
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 107, "cachedContentTokenCount": 100, "candidatesTokenCount": 24,
                "thoughtsTokenCount": 9, "totalTokenCount": 140}}),
    ])
}

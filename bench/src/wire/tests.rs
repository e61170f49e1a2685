//! What the model decides from requests of each API.

use super::*;

fn call(round: u32, command: &str) -> Act {
    Act::Call { round, arguments: json!({"command": command}) }
}

#[test]
fn the_first_round_is_asked_for_in_every_api() {
    let schema =
        json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
    let requests = [
        ("/v1/messages", json!({"tools": [{"name": "bash", "input_schema": schema}]})),
        (
            "/v1/chat/completions",
            json!({"tools": [{"type": "function", "function": {"name": "bash", "parameters": schema}}]}),
        ),
        ("/v1/responses", json!({"tools": [{"type": "function", "name": "bash", "parameters": schema}]})),
        (
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            json!({"tools": [{"functionDeclarations": [{"name": "bash", "parametersJsonSchema": schema}]}]}),
        ),
    ];
    for (path, body) in requests {
        let act = Wire::of(path).expect("a known path").decide(&body.to_string(), 2);
        assert_eq!(act, Ok(call(1, "echo round-1 | tee -a f.txt")), "{path}");
    }
}

#[test]
fn the_next_round_follows_from_the_results_in_the_request() {
    let body = json!({
        "messages": [{"tool_call_id": "call_bench_0001"}, {"tool_call_id": "call_bench_0002"}],
        "tools": [{"type": "function", "function": {"name": "bash"}}],
    });
    let body = body.to_string();
    assert_eq!(Wire::Chat.decide(&body, 3), Ok(call(3, "echo round-3 | tee -a f.txt")));
    assert_eq!(Wire::Chat.decide(&body, 2), Ok(Act::Say("Done.")));
}

#[test]
fn a_request_without_a_shell_gets_text() {
    assert_eq!(Wire::Chat.decide("{\"messages\": []}", 3), Ok(Act::Say("A title")));
}

#[test]
fn other_required_arguments_are_filled_by_type() {
    let schema = json!({
        "properties": {"command": {"type": "string"}, "why": {"type": "string"}, "background": {"type": "boolean"},
            "risk": {"enum": ["low", "high"]}},
        "required": ["command", "why", "background", "risk"],
    });
    let expected = json!({"command": "ls", "why": "append a line", "background": false, "risk": "low"});
    assert_eq!(arguments(&schema, "ls"), expected);
}

#[test]
fn chat_answers_end_as_the_api_ends_them() {
    let answer = chat(&call(7, "ls"));
    assert!(answer.contains("call_bench_0007"), "{answer}");
    assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
}

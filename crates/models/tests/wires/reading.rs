//! What is made of an answer.

use domain::transcript::{AssistantPart, StopReason, Usage};
use models::{Delta, ModelError};
use serde_json::json;

use crate::canned::{anthropic, named, plain, two_calls, words};
use crate::server::{Reply, Server};
use crate::{MODELS, ask, calls, hello, wire};

const SECOND: &str = r#"{"command":"näh \" \\ \n 1"}"#;

#[tokio::test]
async fn thinking_words_parallel_calls_and_usage_are_read_from_every_wire() {
    for model in MODELS {
        // In pieces of one byte and of seven, and whole.
        for size in [1, 7, usize::MAX] {
            let server =
                Server::start([Reply::stream(&two_calls(wire(model), SECOND)).in_pieces(size)]).await;
            let heard = ask(&server, model, &hello()).await;
            let answer = heard.answer.as_ref().unwrap();
            assert_eq!(heard.text(), "Ich schaue über alles.", "{model}");
            let thought = heard.deltas.iter().filter_map(|delta| match delta {
                Delta::Thinking(words) => Some(words.as_str()),
                Delta::Text(_) | Delta::Retry { .. } => None,
            });
            assert_eq!(thought.collect::<String>(), "Look first.", "{model}");
            let [AssistantPart::Thinking { text, replay }, AssistantPart::Text { text: said, .. }, ..] =
                &*answer.parts
            else {
                panic!("{model}: {:?}", answer.parts)
            };
            assert_eq!((text.as_str(), said.as_str()), ("Look first.", "Ich schaue über alles."), "{model}");
            assert_eq!(replay.is_some(), wire(model) != "gemini", "{model}");
            let calls = calls(&answer.parts);
            let named: Vec<_> =
                calls.iter().map(|call| (call.tool.as_str(), &call.arguments["command"])).collect();
            assert_eq!(named, [("bash", &json!("ls")), ("grep", &json!("näh \" \\ \n 1"))], "{model}");
            assert_ne!(calls[0].id, calls[1].id, "{model}");
            assert_eq!(answer.stop, StopReason::ToolUse, "{model}");
            let cache_write_tokens = if wire(model) == "anthropic" { 20 } else { 0 };
            let usage =
                Usage { input_tokens: 7, output_tokens: 33, cache_read_tokens: 100, cache_write_tokens };
            assert_eq!(answer.usage, usage, "{model}");
            assert!(answer.cost.is_some_and(|cost| cost.0 > 0), "{model}");
        }
    }
}

#[tokio::test]
async fn arguments_that_are_not_json_come_as_the_text_that_they_are() {
    for model in ["anthropic/claude-sonnet-4-5", "openai/gpt-5", "openai-chat/gpt-4o"] {
        for text in ["{\"command\": \"ls", "[1]", "nonsense"] {
            let server = Server::start([Reply::stream(&two_calls(wire(model), text))]).await;
            let answer = ask(&server, model, &hello()).await.answer.unwrap();
            assert_eq!(calls(&answer.parts)[1].arguments, json!(text), "{model}");
        }
    }
}

#[tokio::test]
async fn calls_without_arguments_have_none() {
    let stream = two_calls("anthropic", "");
    let server = Server::start([Reply::stream(&stream)]).await;
    let answer = ask(&server, "anthropic/claude-sonnet-4-5", &hello()).await.answer.unwrap();
    assert_eq!(calls(&answer.parts)[1].arguments, json!({}));
}

#[tokio::test]
async fn an_unknown_price_is_not_known_and_never_nothing() {
    let server = Server::start([Reply::stream(&words("openai-chat", "hi"))]).await;
    let answer = ask(&server, "house/some-model", &hello()).await.answer.unwrap();
    assert_eq!(answer.cost, None);
    assert_eq!(answer.stop, StopReason::EndTurn);
}

#[tokio::test]
async fn each_wire_tells_when_the_output_limit_or_a_refusal_ended_the_answer() {
    let anthropic_end = |reason: &str| words("anthropic", "half").replace("end_turn", reason);
    let incomplete = |reason: &str| {
        named(&[
            json!({"type": "response.output_text.delta", "delta": "half"}),
            json!({"type": "response.incomplete", "response": {"incomplete_details": {"reason": reason}, "usage": {},
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "half"}]}]}}),
        ])
    };
    let chat_end = |reason: &str| words("openai-chat", "half").replace("\"stop\"", &format!("\"{reason}\""));
    let gemini_end = |reason: &str| words("gemini", "half").replace("STOP", reason);
    let blocked = plain(&[json!({"promptFeedback": {"blockReason": "SAFETY"}})]);
    let refusal = named(&[
        json!({"type": "response.refusal.delta", "delta": "no"}),
        json!({"type": "response.completed", "response": {"usage": {},
            "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]}}),
    ]);
    let cases = [
        (MODELS[0], anthropic_end("max_tokens"), StopReason::MaxTokens),
        (MODELS[0], anthropic_end("refusal"), StopReason::Refusal),
        (MODELS[1], incomplete("max_output_tokens"), StopReason::MaxTokens),
        (MODELS[1], incomplete("content_filter"), StopReason::Refusal),
        (MODELS[1], refusal, StopReason::Refusal),
        (MODELS[2], chat_end("length"), StopReason::MaxTokens),
        (MODELS[2], chat_end("content_filter"), StopReason::Refusal),
        (MODELS[3], gemini_end("MAX_TOKENS"), StopReason::MaxTokens),
        (MODELS[3], gemini_end("SAFETY"), StopReason::Refusal),
        (MODELS[3], blocked, StopReason::Refusal),
    ];
    for (model, stream, stop) in cases {
        let server = Server::start([Reply::stream(&stream)]).await;
        let answer = ask(&server, model, &hello()).await.answer;
        assert_eq!(answer.map(|answer| answer.stop), Ok(stop), "{model}: {stream}");
    }
}

#[tokio::test]
async fn an_empty_answer_is_asked_for_once_more_and_then_told() {
    let empty = [
        (
            MODELS[0],
            anthropic(&[json!({"type": "message_start", "message": {}}), json!({"type": "message_stop"})]),
        ),
        (MODELS[1], named(&[json!({"type": "response.completed", "response": {"output": []}})])),
        (MODELS[2], words("openai-chat", "")),
        (MODELS[3], plain(&[json!({"candidates": [{"finishReason": "STOP"}]})])),
        (MODELS[3], plain(&[json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]})])),
        (MODELS[2], String::new()),
    ];
    for (model, stream) in empty {
        let server =
            Server::start([Reply::stream(&stream), Reply::stream(&words(wire(model), "better"))]).await;
        assert!(ask(&server, model, &hello()).await.answer.is_ok(), "{model}: {stream}");
        let server =
            Server::start([Reply::stream(&stream), Reply::stream(&stream), Reply::stream(&stream)]).await;
        let answer = ask(&server, model, &hello()).await.answer;
        assert!(matches!(answer, Err(ModelError::BadAnswer { .. })), "{model}: {answer:?}");
        assert_eq!(server.asked().len(), 2, "{model}");
    }
}

#[tokio::test]
async fn nonsense_is_told_at_once_with_the_beginning_of_it() {
    let huge = format!("data: {}", "x".repeat(17 << 20));
    let cases: [(&[u8], &str); 6] = [
        (b"data: {\"broken\n\n", "not JSON"),
        (b"data: \xff\xfe\n\n", "UTF-8"),
        (b"hello, I am a proxy", "hello, I am a proxy"),
        (b"<html><head><title>Sign in</title></head><body>Portal</body></html>", "Sign in Portal"),
        (b"{\"choices\": []}", "choices"),
        (huge.as_bytes(), "16 MiB"),
    ];
    for model in MODELS {
        for (body, told) in cases {
            let mut reply = Reply::status(200, if body.starts_with(b"<") { "<" } else { "" });
            reply.chunks = vec![body.to_vec()];
            let server = Server::start([reply]).await;
            let answer = ask(&server, model, &hello()).await.answer;
            let Err(ModelError::BadAnswer { message, .. }) = answer else {
                panic!("{model} {told}: {answer:?}")
            };
            assert!(message.contains(told), "{model}: {message}");
            assert!(message.chars().count() <= 501, "{model}");
            assert_eq!(server.asked().len(), 1, "{model} {told}");
        }
    }
}

#[tokio::test]
async fn calls_of_servers_that_count_badly_are_told_apart() {
    let call = |id: Option<&str>, index: Option<u64>, name: &str| {
        let arguments = json!({"command": name}).to_string();
        let mut call = json!({"function": {"name": name, "arguments": arguments}});
        if let Some(id) = id {
            call["id"] = id.into();
        }
        if let Some(index) = index {
            call["index"] = index.into();
        }
        json!({"choices": [{"delta": {"tool_calls": [call]}}]})
    };
    let end = json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]});
    let cases = [
        // The same index for both.
        [call(Some("a"), Some(0), "bash"), call(Some("b"), Some(0), "grep")],
        // No index.
        [call(Some("a"), None, "bash"), call(Some("b"), None, "grep")],
        // Neither index nor id.
        [call(None, None, "bash"), call(None, None, "grep")],
        // The same id twice.
        [call(Some("a"), Some(0), "bash"), call(Some("a"), Some(1), "grep")],
    ];
    for [first, second] in cases {
        let server = Server::start([Reply::stream(&plain(&[first.clone(), second, end.clone()]))]).await;
        let answer = ask(&server, "openai-chat/gpt-4o", &hello()).await.answer.unwrap();
        let calls = calls(&answer.parts);
        let tools: Vec<_> = calls
            .iter()
            .map(|call| (call.tool.as_str(), call.arguments["command"].as_str().unwrap()))
            .collect();
        assert_eq!(tools, [("bash", "bash"), ("grep", "grep")], "{first}");
        assert!(calls[0].id != calls[1].id && calls.iter().all(|call| !call.id.is_empty()), "{calls:?}");
    }
}

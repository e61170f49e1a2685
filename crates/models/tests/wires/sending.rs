//! What is sent.

use std::sync::Arc;

use domain::transcript::{AssistantPart, Message, Replay, ToolCall, UserPart};
use models::{ModelsConfig, ProviderConfig, Registry, Request};
use runtime::Ambient;
use serde_json::{Value, json};

use crate::canned::{two_calls, words};
use crate::server::{Reply, Server};
use crate::{KEY, MODELS, ask, ask_model, config, hello, open, request, results, user, wire};

/// What `model` sends for `request`.
async fn sent(model: &str, request: &Request) -> Value {
    let server = Server::start([Reply::stream(&words(wire(model), "fine"))]).await;
    ask(&server, model, request).await.answer.unwrap();
    server.bodies().remove(0)
}

#[tokio::test]
async fn each_wire_posts_to_its_path_with_its_key() {
    let wanted = [
        ("/v1/messages", "x-api-key: "),
        ("/v1/responses", "authorization: bearer "),
        ("/v1/chat/completions", "authorization: bearer "),
        ("/v1beta/models/gemini-2.5-pro:streamgeneratecontent?alt=sse", "x-goog-api-key: "),
    ];
    for (model, (path, header)) in MODELS.into_iter().zip(wanted) {
        for suffix in ["", "/", if wire(model) == "gemini" { "/v1beta" } else { "/v1" }] {
            let server = Server::start([Reply::stream(&words(wire(model), "fine"))]).await;
            let mut config = config(&server);
            for provider in [&mut config.anthropic, &mut config.openai, &mut config.gemini] {
                provider.base_url = Some(server.url() + suffix);
            }
            let (ambient, clock) = Ambient::mock(1);
            let opened = Registry::new(config, ambient).unwrap().open(model).unwrap();
            ask_model(&*opened, &clock, &hello()).await.answer.unwrap();
            let asked = server.asked().remove(0);
            assert_eq!(asked.path, path, "{model}");
            assert!(asked.headers.contains(&format!("{header}{KEY}")), "{model}: {}", asked.headers);
        }
    }
}

#[tokio::test]
async fn a_server_without_a_key_is_sent_none() {
    let server = Server::start([Reply::stream(&words("openai-chat", "fine"))]).await;
    ask(&server, "house/llama", &hello()).await.answer.unwrap();
    let asked = server.asked().remove(0);
    assert!(!asked.headers.contains("authorization"), "{}", asked.headers);
    assert_eq!(asked.path, "/v1/chat/completions");
}

#[tokio::test]
async fn tools_go_out_with_the_schema_as_given() {
    let request = hello();
    let schema = &request.tools[0].parameters;
    let places = [
        "/tools/0/input_schema",
        "/tools/0/parameters",
        "/tools/0/function/parameters",
        "/tools/0/functionDeclarations/0/parametersJsonSchema",
    ];
    for (model, place) in MODELS.into_iter().zip(places) {
        assert_eq!(sent(model, &request).await.pointer(place), Some(schema), "{model}");
    }
}

#[tokio::test]
async fn the_anthropic_wire_marks_tools_system_and_the_last_two_messages_for_the_cache() {
    let answer = |text: &str| {
        Arc::new(Message::Assistant { parts: vec![AssistantPart::Text { text: text.into(), replay: None }] })
    };
    let body =
        sent(MODELS[0], &request(&[user("one"), answer("1"), user("two"), answer("2"), user("three")])).await;
    let marker = json!({"type": "ephemeral"});
    assert_eq!(body["tools"][1]["cache_control"], marker);
    assert_eq!(body["system"][0]["cache_control"], marker);
    let marked: Vec<bool> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"][0]["cache_control"] == marker)
        .collect();
    assert_eq!(marked, [false, false, true, false, true]);
    assert_eq!(body.to_string().matches("ephemeral").count(), 4, "the API takes four at most");
}

#[tokio::test]
async fn claude_is_asked_to_think_as_its_generation_does() {
    let shown = json!({"type": "adaptive", "display": "summarized"});
    let mut bound = shown.clone();
    bound["block_binding"] = json!({"prefix_mismatch_behavior": "drop_block"});
    let cases = [
        ("claude-3-5-haiku-20241022", 8_192, None, Some(json!({"type": "enabled", "budget_tokens": 2000}))),
        ("claude-sonnet-4-20250514", 32_000, None, Some(json!({"type": "enabled", "budget_tokens": 2000}))),
        ("claude-opus-4-8", 32_000, None, Some(json!({"type": "adaptive"}))),
        ("claude-sonnet-5", 64_000, Some(shown.clone()), Some(shown)),
        ("claude-opus-5-5", 64_000, Some(bound.clone()), Some(bound)),
    ];
    for (model, max_tokens, by_itself, configured) in cases {
        for (thinking_tokens, wanted) in [(None, by_itself), (Some(2000), configured)] {
            let server = Server::start([Reply::stream(&words("anthropic", "fine"))]).await;
            let mut config = config(&server);
            config.anthropic.thinking_tokens = thinking_tokens;
            let (ambient, clock) = Ambient::mock(1);
            let opened = Registry::new(config, ambient).unwrap().open(&format!("anthropic/{model}")).unwrap();
            ask_model(&*opened, &clock, &hello()).await.answer.unwrap();
            let body = server.bodies().remove(0);
            assert_eq!(
                (body.get("thinking"), &body["max_tokens"]),
                (wanted.as_ref(), &json!(max_tokens)),
                "{model}"
            );
            let has_beta = server.asked()[0].headers.contains("anthropic-beta: thinking-binding-controls");
            assert_eq!(
                has_beta,
                wanted.is_some_and(|wanted| wanted.get("block_binding").is_some()),
                "{model}"
            );
        }
    }
}

#[tokio::test]
async fn openai_keeps_nothing_and_is_given_the_cache_key() {
    let body = sent("openai/gpt-5", &hello()).await;
    assert_eq!(body["store"], false);
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body["prompt_cache_key"], "run0123");
    assert_eq!(sent("openai/gpt-4.1", &hello()).await.get("include"), None);
}

/// A conversation with two calls and their results, as the wire itself answered it.
async fn conversation(model: &str) -> (Vec<Arc<Message>>, Value) {
    let server = Server::start([
        Reply::stream(&two_calls(wire(model), r#"{"command":"x"}"#)),
        Reply::stream(&words(wire(model), "done")),
    ])
    .await;
    let (opened, clock) = open(&server, model);
    let mut messages = vec![user("hello")];
    let answer = ask_model(&*opened, &clock, &request(&messages)).await.answer.unwrap();
    messages.push(Arc::new(Message::Assistant { parts: answer.parts.clone() }));
    messages.push(results(&answer.parts));
    ask_model(&*opened, &clock, &request(&messages)).await.answer.unwrap();
    (messages, server.bodies().remove(1))
}

#[tokio::test]
async fn thinking_goes_back_as_it_came() {
    let (_, body) = conversation(MODELS[0]).await;
    assert_eq!(
        body["messages"][1]["content"][0],
        json!({"type": "thinking", "thinking": "Look first.", "signature": "c2ln"})
    );
    assert_eq!(body["messages"][1]["content"][2]["input"], json!({"command": "ls"}));
    assert_eq!(body["messages"][2]["content"][1]["tool_use_id"], "toolu_2");

    let (_, body) = conversation(MODELS[1]).await;
    let summary = json!([{"type": "summary_text", "text": "Look first."}]);
    assert_eq!(
        body["input"][1],
        json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "c2ln"})
    );
    assert_eq!(body["input"][2]["phase"], "commentary");
    assert_eq!(
        body["input"][3],
        json!({"type": "function_call", "call_id": "call_1", "name": "bash", "arguments": "{\"command\":\"ls\"}"})
    );
    assert_eq!(
        body["input"][6],
        json!({"type": "function_call_output", "call_id": "call_2", "output": "f.txt\n"})
    );

    let (_, body) = conversation(MODELS[2]).await;
    assert_eq!(body["messages"][2]["reasoning_content"], "Look first.");
    assert_eq!(
        body["messages"][2]["tool_calls"][1]["function"],
        json!({"name": "grep", "arguments": "{\"command\":\"x\"}"})
    );
    assert_eq!(body["messages"][4], json!({"role": "tool", "tool_call_id": "call_2", "content": "f.txt\n"}));

    let (_, body) = conversation(MODELS[3]).await;
    let parts = &body["contents"][1]["parts"];
    assert_eq!(parts[0], json!({"text": "Ich schaue über alles."}));
    assert_eq!(
        parts[1],
        json!({"functionCall": {"name": "bash", "args": {"command": "ls"}}, "thoughtSignature": "c2ln"})
    );
    assert_eq!(parts[2], json!({"functionCall": {"name": "grep", "args": {"command": "x"}}}));
    assert_eq!(
        body["contents"][2]["parts"][1],
        json!({"functionResponse": {"name": "grep", "response": {"output": "f.txt\n"}}})
    );
}

#[tokio::test]
async fn what_belongs_to_another_wire_is_dropped() {
    for from in MODELS {
        let (messages, _) = conversation(from).await;
        for to in MODELS.into_iter().filter(|to| *to != from) {
            let body = sent(to, &request(&messages)).await.to_string();
            assert!(!body.contains("c2ln") && !body.contains("Look first."), "{from} to {to}: {body}");
            assert!(body.contains("über alles") && body.contains("f.txt"), "{from} to {to}");
        }
    }
}

#[tokio::test]
async fn newer_gemini_models_are_told_that_a_call_is_not_theirs() {
    let (messages, _) = conversation(MODELS[0]).await;
    let body = sent("gemini/gemini-3-pro-preview", &request(&messages)).await;
    let parts = &body["contents"][1]["parts"];
    assert_eq!(parts[1]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[2].get("thoughtSignature"), None);
}

#[tokio::test]
async fn pictures_go_out_beside_words_and_results_before_them() {
    let picture = UserPart::Image { media_type: "image/png".into(), base64: "aGk=".into() };
    let result = UserPart::ToolResult {
        call_id: "a".into(),
        tool: "bash".into(),
        output: String::new(),
        is_error: true,
    };
    let call = ToolCall { id: "a".into(), tool: "bash".into(), arguments: json!({}), replay: None };
    let parts = vec![UserPart::Text { text: "see".into() }, picture, result];
    let messages = [
        user("go"),
        Arc::new(Message::Assistant { parts: vec![AssistantPart::ToolCall(call)] }),
        Arc::new(Message::User { parts }),
    ];
    let request = request(&messages);
    let body = sent(MODELS[0], &request).await;
    let content = &body["messages"][2]["content"];
    assert_eq!(
        (&content[0]["type"], &content[0]["is_error"], &content[0]["content"]),
        (&json!("tool_result"), &json!(true), &json!("(no output)"))
    );
    assert_eq!(content[2]["source"], json!({"type": "base64", "media_type": "image/png", "data": "aGk="}));
    let body = sent(MODELS[1], &request).await;
    assert_eq!(body["input"][2]["type"], "function_call_output");
    assert_eq!(body["input"][3]["content"][1]["image_url"], "data:image/png;base64,aGk=");
    let body = sent(MODELS[2], &request).await;
    assert_eq!(body["messages"][3]["role"], "tool");
    assert_eq!(body["messages"][4]["content"][1]["image_url"]["url"], "data:image/png;base64,aGk=");
    let body = sent(MODELS[3], &request).await;
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["response"], json!({"error": ""}));
    assert_eq!(
        body["contents"][2]["parts"][2]["inlineData"],
        json!({"mimeType": "image/png", "data": "aGk="})
    );
}

#[tokio::test]
async fn what_an_api_would_refuse_is_not_sent() {
    let empty = |text: &str, replay| AssistantPart::Text { text: text.into(), replay };
    let reasoning = Replay {
        wire: "openai".into(),
        item: json!({"type": "reasoning", "id": "rs_9", "encrypted_content": "x"}),
    };
    let thinking = AssistantPart::Thinking { text: String::new(), replay: Some(reasoning) };
    let bad = ToolCall {
        id: "functions.bash:0".into(),
        tool: "bash".into(),
        arguments: json!("{\"comm"),
        replay: None,
    };
    let messages = [
        user("go"),
        Arc::new(Message::Assistant { parts: vec![empty("", None)] }),
        user("on"),
        Arc::new(Message::Assistant { parts: vec![empty("half", None), thinking] }),
        user("on"),
        Arc::new(Message::Assistant { parts: vec![AssistantPart::ToolCall(bad)] }),
    ];
    let request = request(&messages);
    let body = sent(MODELS[0], &request).await;
    assert_eq!(body["messages"].as_array().unwrap().len(), 5, "an empty message is left out");
    assert_eq!(body["messages"][4]["content"][0]["id"], "functions_bash_0");
    assert!(body["messages"][4]["content"][0]["input"].is_object());
    let body = sent(MODELS[1], &request).await;
    assert!(!body.to_string().contains("rs_9"), "thinking that nothing followed is refused");
    let arguments = body["input"][4]["arguments"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(arguments).unwrap().is_object(), "{arguments}");
}

#[tokio::test]
async fn one_connection_serves_many_turns() {
    for model in MODELS {
        let reply = Reply::stream(&words(wire(model), "fine"));
        let server = Server::start(std::iter::repeat_n(reply, 5)).await;
        let (opened, clock) = open(&server, model);
        for _ in 0..5 {
            ask_model(&*opened, &clock, &hello()).await.answer.unwrap();
        }
        assert_eq!((server.asked().len(), server.connections()), (5, 1), "{model}");
    }
}

#[tokio::test]
async fn a_missing_key_says_what_to_do() {
    let registry = Registry::new(ModelsConfig::default(), Ambient::mock(1).0).unwrap();
    for model in MODELS {
        let Err(models::ModelError::NotConfigured { fix, .. }) = registry.open(model).map(|_| ()) else {
            panic!("{model}")
        };
        assert!(fix.contains("journeyman connect") && fix.contains("_API_KEY"), "{fix}");
    }
    let Err(models::ModelError::NotConfigured { fix, .. }) = registry.open("nobody/x").map(|_| ()) else {
        panic!()
    };
    assert!(fix.contains("anthropic") && fix.contains("scripted") && fix.contains("ollama"), "{fix}");
    let own = ProviderConfig { base_url: Some("http://127.0.0.1:1/v1".into()), ..ProviderConfig::default() };
    let registry =
        Registry::new(ModelsConfig { openai: own, ..ModelsConfig::default() }, Ambient::mock(1).0).unwrap();
    assert!(registry.open("openai-chat/x").is_ok(), "a server of one's own may need no key");
}

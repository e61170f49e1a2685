//! The four wires against a small server that answers with canned bodies.

#![expect(clippy::unwrap_used, reason = "a test may stop at what cannot be")]

mod canned;
mod errors;
mod local;
mod prefix;
mod reading;
mod sending;
mod server;
mod trying_again;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::transcript::{AssistantPart, Message, ToolCall, UserPart};
use models::{
    Answer, Delta, Model, ModelError, ModelsConfig, ProviderConfig, Registry, Request, ServerConfig,
    ToolSpec, WireKind,
};
use runtime::{Ambient, CancellationToken, MockClock};
use serde_json::json;

use crate::server::Server;

/// The key that all tests use; no error may show it.
const KEY: &str = "sk-very-secret-4711";
/// The wires and a model of each.
const MODELS: [&str; 4] =
    ["anthropic/claude-sonnet-4-5", "openai/gpt-5", "openai-chat/gpt-4o", "gemini/gemini-2.5-pro"];

/// The wire's name in a model's name.
fn wire(model: &str) -> &str {
    model.split_once('/').unwrap().0
}

fn config(server: &Server) -> ModelsConfig {
    let provider =
        ProviderConfig { key: Some(KEY.into()), base_url: Some(server.url()), thinking_tokens: None };
    ModelsConfig {
        anthropic: provider.clone(),
        openai: provider.clone(),
        gemini: provider,
        servers: vec![ServerConfig {
            name: "house".into(),
            wire: WireKind::OpenAiChat,
            base_url: format!("{}/v1", server.url()),
            key: None,
        }],
        ..ModelsConfig::default()
    }
}

fn open(server: &Server, model: &str) -> (Arc<dyn Model>, MockClock) {
    let (ambient, clock) = Ambient::mock(1);
    (Registry::new(config(server), ambient).unwrap().open(model).unwrap(), clock)
}

/// What a call brought: the answer, the pieces, the waits between tries.
struct Heard {
    answer: Result<Answer, ModelError>,
    deltas: Vec<Delta>,
    waits: Vec<Duration>,
}

impl Heard {
    fn text(&self) -> String {
        let words = self.deltas.iter().map(|delta| match delta {
            Delta::Text(words) => words.as_str(),
            Delta::Retry { .. } => "|",
            Delta::Thinking(_) => "",
        });
        words.collect()
    }
}

/// Asks `model`, and moves the clock on whenever the call sleeps.
async fn ask_model(model: &dyn Model, clock: &MockClock, request: &Request) -> Heard {
    let deltas = Mutex::new(Vec::new());
    let hear = |delta| deltas.lock().unwrap().push(delta);
    let mut waits = Vec::new();
    let mover = async {
        loop {
            clock.wait_for_sleepers(1).await;
            if let Some(wait) = clock.next_wake().filter(|wait| !wait.is_zero()) {
                waits.push(wait);
                clock.advance(wait);
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::select! {
        answer = model.ask(request, &hear, CancellationToken::new()) => answer,
        () = mover => unreachable!("the mover never ends"),
    };
    Heard { answer, deltas: deltas.into_inner().unwrap(), waits }
}

async fn ask(server: &Server, model: &str, request: &Request) -> Heard {
    let (model, clock) = open(server, model);
    ask_model(&*model, &clock, request).await
}

fn request(messages: &[Arc<Message>]) -> Request {
    let parameters = json!({
        "type": "object",
        "properties": { "command": { "type": "string" } },
        "required": ["command"]
    });
    let tool = |name: &str| ToolSpec {
        name: name.into(),
        description: "A tool.".into(),
        parameters: parameters.clone(),
    };
    Request {
        system: "You are careful.".into(),
        tools: Arc::new([tool("bash"), tool("grep")]),
        messages: messages.to_vec(),
        max_output_tokens: None,
        cache_key: "run0123".into(),
    }
}

fn user(text: &str) -> Arc<Message> {
    Arc::new(Message::User { parts: vec![UserPart::Text { text: text.into() }] })
}

fn hello() -> Request {
    request(&[user("hello")])
}

fn calls(parts: &[AssistantPart]) -> Vec<ToolCall> {
    let call = |part: &AssistantPart| match part {
        AssistantPart::ToolCall(call) => Some(call.clone()),
        AssistantPart::Text { .. } | AssistantPart::Thinking { .. } => None,
    };
    parts.iter().filter_map(call).collect()
}

fn results(parts: &[AssistantPart]) -> Arc<Message> {
    let result = |call: ToolCall| UserPart::ToolResult {
        call_id: call.id,
        tool: call.tool,
        output: "f.txt\n".into(),
        is_error: false,
    };
    Arc::new(Message::User { parts: calls(parts).into_iter().map(result).collect() })
}

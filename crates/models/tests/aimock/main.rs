//! The four wires against `@copilotkit/aimock`, which others wrote and keep true to the providers.
//!
//! Runs where `TEST_AIMOCK` or `LLMOCK_BIN` names the program `llmock`. In CI (`CI=true`) its absence is a
//! failure; elsewhere the tests say that they were left out.

#![expect(clippy::unwrap_used, reason = "a test may stop at what cannot be")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use domain::transcript::{AssistantPart, Message, StopReason, ToolCall, UserPart};
use models::{
    Answer, Delta, Model, ModelError, ModelsConfig, ProviderConfig, Registry, Request, RetryPolicy, ToolSpec,
};
use runtime::{Ambient, CancellationToken};
use serde_json::json;

const MODELS: [&str; 4] =
    ["anthropic/claude-sonnet-4-5", "openai/gpt-5", "openai-chat/gpt-4o", "gemini/gemini-2.5-pro"];

/// The running program; ends with the test.
struct Aimock {
    child: Child,
    port: u16,
}

impl Drop for Aimock {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told by its surroundings where the program is")]
fn program() -> Option<PathBuf> {
    let named = ["TEST_AIMOCK", "LLMOCK_BIN"].into_iter().find_map(std::env::var_os).map(PathBuf::from);
    let found = named.filter(|path| path.exists());
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found.is_some() || !is_ci, "CI needs aimock: set TEST_AIMOCK to the program llmock");
    found
}

impl Aimock {
    /// Starts it, unless it is not there.
    #[expect(clippy::disallowed_methods, reason = "the program under test is outside of any sandbox")]
    #[expect(clippy::print_stdout, reason = "a test that is left out says so")]
    fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("left out: TEST_AIMOCK does not name the program llmock");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aimock/fixtures.json");
        let mut child = Command::new(program)
            .args(["-p", &port.to_string(), "-f", fixtures, "--validate-on-load", "--strict"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.contains(&port.to_string()));
        assert!(ready, "aimock has ended instead of listening");
        Some(Self { child, port })
    }

    fn open(&self, name: &str) -> Arc<dyn Model> {
        let base_url = Some(format!("http://127.0.0.1:{}", self.port));
        let provider = ProviderConfig { key: Some("test-key".into()), base_url, thinking_tokens: None };
        let mut retry = RetryPolicy::default();
        retry.backoff.tries = 1;
        let config = ModelsConfig {
            anthropic: provider.clone(),
            openai: provider.clone(),
            gemini: provider,
            retry,
            ..ModelsConfig::default()
        };
        Registry::new(config, Ambient::mock(1).0).unwrap().open(name).unwrap()
    }
}

fn user(text: &str) -> Arc<Message> {
    Arc::new(Message::User { parts: vec![UserPart::Text { text: text.into() }] })
}

/// Asks, and gives the answer with the words and the thinking that were streamed.
async fn ask(model: &dyn Model, messages: &[Arc<Message>]) -> Result<(Answer, String, String), ModelError> {
    let parameters =
        json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
    let tool = |name: &str| ToolSpec {
        name: name.into(),
        description: "A tool.".into(),
        parameters: parameters.clone(),
    };
    let request = Request {
        system: "You are careful.".into(),
        tools: Arc::new([tool("bash"), tool("grep")]),
        messages: messages.to_vec(),
        max_output_tokens: None,
        cache_key: "run".into(),
    };
    let heard = Mutex::new((String::new(), String::new()));
    let hear = |delta| match delta {
        Delta::Text(words) => heard.lock().unwrap().0.push_str(&words),
        Delta::Thinking(words) => heard.lock().unwrap().1.push_str(&words),
        Delta::Retry { .. } => {}
    };
    let answer = model.ask(&request, &hear, CancellationToken::new()).await?;
    let (words, thinking) = heard.into_inner().unwrap();
    Ok((answer, words, thinking))
}

fn calls(answer: &Answer) -> Vec<ToolCall> {
    let call = |part: &AssistantPart| match part {
        AssistantPart::ToolCall(call) => Some(call.clone()),
        AssistantPart::Text { .. } | AssistantPart::Thinking { .. } => None,
    };
    answer.parts.iter().filter_map(call).collect()
}

#[tokio::test]
async fn words_are_streamed_and_counted() {
    let Some(aimock) = Aimock::start() else { return };
    for name in MODELS {
        let (answer, words, _) = ask(&*aimock.open(name), &[user("greet me")]).await.unwrap();
        assert_eq!(words, "Good morning, and a long enough sentence to come in several pieces.", "{name}");
        // Models that think may hide it; then the part has no words.
        let said = answer.parts.iter().filter_map(|part| match part {
            AssistantPart::Text { text, .. } | AssistantPart::Thinking { text, .. } => Some(text.as_str()),
            AssistantPart::ToolCall(_) => None,
        });
        assert_eq!(said.collect::<String>(), words, "{name}");
        assert_eq!(answer.stop, StopReason::EndTurn, "{name}");
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (12, 34), "{name}");
    }
}

#[tokio::test]
async fn a_round_of_two_parallel_calls_is_played_to_its_end() {
    let Some(aimock) = Aimock::start() else { return };
    for name in MODELS {
        let model = aimock.open(name);
        let mut messages = vec![user("list the files")];
        let (answer, words, _) = ask(&*model, &messages).await.unwrap();
        assert_eq!(words, "I look.", "{name}");
        assert_eq!(answer.stop, StopReason::ToolUse, "{name}");
        let calls = calls(&answer);
        let asked: Vec<_> = calls.iter().map(|call| (call.tool.as_str(), &call.arguments)).collect();
        assert_eq!(
            asked,
            [("bash", &json!({"command": "ls -l 'a b'"})), ("grep", &json!({"command": "grün"}))],
            "{name}"
        );
        messages.push(Arc::new(Message::Assistant { parts: answer.parts }));
        let result = |call: ToolCall| UserPart::ToolResult {
            call_id: call.id,
            tool: call.tool,
            output: "f.txt".into(),
            is_error: false,
        };
        messages.push(Arc::new(Message::User { parts: calls.into_iter().map(result).collect() }));
        let (answer, words, _) = ask(&*model, &messages).await.unwrap();
        assert_eq!(
            (words.as_str(), answer.stop),
            ("There is one file: f.txt.", StopReason::EndTurn),
            "{name}"
        );
    }
}

#[tokio::test]
async fn thinking_is_shown_apart_from_words() {
    let Some(aimock) = Aimock::start() else { return };
    for name in [
        "anthropic/claude-sonnet-4-5",
        "openai/gpt-5",
        "openai-chat/deepseek-reasoner",
        "gemini/gemini-2.5-pro",
    ] {
        let (answer, words, thinking) = ask(&*aimock.open(name), &[user("think first")]).await.unwrap();
        assert_eq!(
            (words.as_str(), thinking.as_str()),
            ("Then I speak.", "First I think about it."),
            "{name}"
        );
        let [AssistantPart::Thinking { text, .. }, AssistantPart::Text { text: said, .. }] = &*answer.parts
        else {
            panic!("{name}: {:?}", answer.parts)
        };
        assert_eq!((text, said), (&thinking, &words), "{name}");
    }
}

#[tokio::test]
async fn the_output_limit_is_told() {
    let Some(aimock) = Aimock::start() else { return };
    for name in MODELS {
        let (answer, ..) = ask(&*aimock.open(name), &[user("say too much")]).await.unwrap();
        assert_eq!(answer.stop, StopReason::MaxTokens, "{name}");
    }
}

#[tokio::test]
async fn errors_keep_their_kind_and_words() {
    let Some(aimock) = Aimock::start() else { return };
    for name in MODELS {
        let error = ask(&*aimock.open(name), &[user("be refused")]).await.unwrap_err();
        assert!(
            matches!(&error, ModelError::Auth { message, .. } if message == "invalid x-api-key"),
            "{name}: {error:?}"
        );
        let error = ask(&*aimock.open(name), &[user("be limited")]).await.unwrap_err();
        assert!(
            matches!(&error, ModelError::RateLimited { message, .. } if message == "Slow down, please"),
            "{name}: {error:?}"
        );
    }
}

//! The scripted model: plays, resumes, refuses; and the shop's story really mends the shop.

#![expect(clippy::unwrap_used, reason = "a test may stop at what cannot be")]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Micros;
use domain::transcript::{AssistantPart, Message, StopReason, ToolCall, UserPart};
use models::scripted::{Pace, Scenario, ScriptedModel};
use models::{Answer, Delta, Model, ModelError, ModelsConfig, Registry, Request, ToolSpec, stories};
use runtime::{Ambient, CancellationToken};

fn script(text: &str) -> ScriptedModel {
    let scenario = Scenario::parse(text, "test").unwrap();
    ScriptedModel::new("scripted/test", scenario, Pace::Fast, Ambient::mock(1).0.clock)
}

fn user(text: &str) -> Arc<Message> {
    Arc::new(Message::User { parts: vec![UserPart::Text { text: text.into() }] })
}

fn results(answer: &Answer, output: &str) -> Arc<Message> {
    let parts = calls(answer).iter().map(|call| result(call, output)).collect();
    Arc::new(Message::User { parts })
}

fn result(call: &ToolCall, output: &str) -> UserPart {
    UserPart::ToolResult {
        call_id: call.id.clone(),
        tool: call.tool.clone(),
        output: output.into(),
        is_error: false,
    }
}

fn said(answer: &Answer) -> Arc<Message> {
    Arc::new(Message::Assistant { parts: answer.parts.clone() })
}

fn calls(answer: &Answer) -> Vec<ToolCall> {
    answer
        .parts
        .iter()
        .filter_map(|part| match part {
            AssistantPart::ToolCall(call) => Some(call.clone()),
            AssistantPart::Text { .. } | AssistantPart::Thinking { .. } => None,
        })
        .collect()
}

fn text(answer: &Answer) -> String {
    answer
        .parts
        .iter()
        .filter_map(|part| match part {
            AssistantPart::Text { text, .. } => Some(text.as_str()),
            AssistantPart::Thinking { .. } | AssistantPart::ToolCall(_) => None,
        })
        .collect()
}

fn request(messages: &[Arc<Message>]) -> Request {
    let tool =
        ToolSpec { name: "bash".into(), description: String::new(), parameters: serde_json::json!({}) };
    Request {
        system: "system".into(),
        tools: Arc::new([tool]),
        messages: messages.to_vec(),
        max_output_tokens: None,
        cache_key: "run".into(),
    }
}

async fn ask(model: &dyn Model, messages: &[Arc<Message>]) -> Result<Answer, ModelError> {
    model.ask(&request(messages), &|_| {}, CancellationToken::new()).await
}

async fn summary(model: &dyn Model, messages: &[Arc<Message>]) -> String {
    let request = Request { tools: Arc::new([]), ..request(messages) };
    text(&model.ask(&request, &|_| {}, CancellationToken::new()).await.unwrap())
}

fn is_off_script(answer: &Result<Answer, ModelError>) -> bool {
    matches!(answer, Err(ModelError::OffScript { message }) if message.contains("connect one"))
}

const COUNT: &str = r#"
title = "count"
[[turn]]
expect = "start"
capture = { name = "call me (\\w+)" }
say = "Hello {{name}}, {{unknown}}."
[[turn]]
repeat = 3
say = "{{n}}"
calls = [{ tool = "bash", arguments = { command = "echo {{n}} {{name}}", list = ["{{n}}"] } }]
[[turn]]
expect = "out"
say = "Done, {{name}}."
"#;

#[tokio::test]
async fn a_story_plays_to_its_end_from_the_conversation_alone() {
    let mut messages = vec![user("start, call me Ada")];
    let mut heard = Vec::new();
    for step in 0..5 {
        // A new model for each answer: nothing may be kept in the process.
        let answer = ask(&script(COUNT), &messages).await.unwrap();
        heard.push(text(&answer));
        assert_eq!(answer.cost, Some(Micros::ZERO));
        messages.push(said(&answer));
        if (1..4).contains(&step) {
            assert_eq!(answer.stop, StopReason::ToolUse);
            let call = &calls(&answer)[0];
            assert_eq!(
                call.arguments,
                serde_json::json!({ "command": format!("echo {step} Ada"), "list": [step.to_string()] })
            );
            messages.push(results(&answer, "out"));
        } else {
            assert_eq!(answer.stop, StopReason::EndTurn);
            messages.push(user("go on"));
        }
    }
    assert_eq!(heard, ["Hello Ada, {{unknown}}.", "1", "2", "3", "Done, Ada."]);
    assert!(is_off_script(&ask(&script(COUNT), &messages).await));
}

#[tokio::test]
async fn the_same_conversation_gets_the_same_answer() {
    let messages = [user("start, call me Ada")];
    assert_eq!(ask(&script(COUNT), &messages).await, ask(&script(COUNT), &messages).await);
}

#[tokio::test]
async fn what_the_script_does_not_expect_is_refused_in_one_sentence() {
    let answer = ask(&script(COUNT), &[user("write me a poem")]).await;
    assert!(is_off_script(&answer), "{answer:?}");
}

const TWO: &str = r#"
title = "two"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "true" } }]
[[turn]]
expect = "fine"
say = "Done."
"#;

#[tokio::test]
async fn a_word_in_mid_story_is_ignored_unless_the_scenario_refuses_it() {
    for (steer, refused) in [("ignore", false), ("refuse", true)] {
        let model = script(&format!("steer = \"{steer}\"\n{TWO}"));
        let first = ask(&model, &[user("go")]).await.unwrap();
        let parts = vec![result(&calls(&first)[0], "fine"), UserPart::Text { text: "use tabs".into() }];
        let messages = [user("go"), said(&first), Arc::new(Message::User { parts })];
        assert_eq!(is_off_script(&ask(&model, &messages).await), refused, "{steer}");
    }
}

#[tokio::test]
async fn a_compaction_keeps_the_place_and_the_captures() {
    let model = script(COUNT);
    let mut messages = vec![user("start, call me Ada")];
    for _ in 0..3 {
        let answer = ask(&model, &messages).await.unwrap();
        messages.push(said(&answer));
        messages.push(if calls(&answer).is_empty() { user("go on") } else { results(&answer, "out") });
    }
    let summary = summary(&model, &messages).await;
    let compacted = [user(&format!("Summary of what came before:\n{summary}\nGo on."))];
    let answer = ask(&model, &compacted).await.unwrap();
    assert_eq!((text(&answer).as_str(), calls(&answer)[0].id.as_str()), ("3", "scripted-3-0"));
    assert_eq!(calls(&answer)[0].arguments["command"], "echo 3 Ada");
    // Kept messages behind the summary do not set it back.
    let kept = [compacted[0].clone(), messages[3].clone(), messages[4].clone()];
    assert_eq!(text(&ask(&model, &kept).await.unwrap()), "3");
}

/// The messages as a summary is asked for: calls and results as words.
fn in_words(messages: &[Arc<Message>]) -> Vec<Arc<Message>> {
    let words = |message: &Message| match message {
        Message::User { parts } => Message::User { parts: parts.iter().map(result_in_words).collect() },
        Message::Assistant { .. } => Message::Assistant {
            parts: vec![AssistantPart::Text { text: "I called bash.".into(), replay: None }],
        },
    };
    messages.iter().map(|message| Arc::new(words(message))).collect()
}

fn result_in_words(part: &UserPart) -> UserPart {
    match part {
        UserPart::ToolResult { output, .. } => UserPart::Text { text: format!("It gave: {output}") },
        UserPart::Text { .. } | UserPart::Image { .. } => part.clone(),
    }
}

const TWO_OVERFLOWS: &str = r#"
title = "long"
[[turn]]
repeat = 4
calls = [{ tool = "bash", arguments = { command = "echo {{n}}" } }]
[[turn]]
fault = "context_overflow"
calls = [{ tool = "bash", arguments = { command = "echo five" } }]
[[turn]]
fault = "context_overflow"
say = "fits"
"#;

#[tokio::test]
async fn each_overflow_ends_with_one_compaction_that_keeps_the_newest_turns() {
    let model = script(TWO_OVERFLOWS);
    let mut messages = vec![user("go")];
    let mut compactions = 0;
    let last = loop {
        match ask(&model, &messages).await {
            Ok(answer) if answer.stop == StopReason::EndTurn => break answer,
            Ok(answer) => {
                let result = results(&answer, "out");
                messages.extend([said(&answer), result]);
            }
            Err(error) => {
                assert!(matches!(error, ModelError::ContextOverflow { .. }), "{error:?}");
                compactions += 1;
                let (old, newest) = messages.split_at(messages.len() - 2);
                let summary = summary(&model, &in_words(old)).await;
                messages = [&[user(&format!("Summary: {summary}"))], newest].concat();
            }
        }
    };
    assert_eq!((text(&last).as_str(), compactions), ("fits", 2));
}

#[tokio::test]
async fn faults_come_as_they_would_from_a_provider() {
    for fault in [
        "overloaded",
        "rate_limited",
        "unreachable",
        "auth",
        "no_such_model",
        "no_tools",
        "refused",
        "bad_answer",
    ] {
        let for_ever = format!("title = \"t\"\n[[turn]]\nfault = \"{fault}\"\nsay = \"at last\"");
        assert!(ask(&script(&for_ever), &[user("go")]).await.is_err(), "{fault}");
        let twice = script(&format!("{for_ever}\nfault_times = 2"));
        let retries = Mutex::new(0);
        let count = |delta| {
            if matches!(delta, Delta::Retry { .. }) {
                *retries.lock().unwrap() += 1
            }
        };
        let answer = twice.ask(&request(&[user("go")]), &count, CancellationToken::new()).await.unwrap();
        assert_eq!((text(&answer).as_str(), *retries.lock().unwrap()), ("at last", 2), "{fault}");
    }
}

#[tokio::test]
async fn a_cut_stream_streams_half_and_then_all() {
    let model = script("title = \"t\"\n[[turn]]\nfault = \"cut_stream\"\nfault_times = 1\nsay = \"a b c d\"");
    let heard = Mutex::new(String::new());
    let hear = |delta| match delta {
        Delta::Text(words) => heard.lock().unwrap().push_str(&words),
        Delta::Retry { .. } => heard.lock().unwrap().push('|'),
        Delta::Thinking(_) => {}
    };
    model.ask(&request(&[user("go")]), &hear, CancellationToken::new()).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), "a b |a b c d");
}

#[tokio::test]
async fn malformed_arguments_come_as_text() {
    let model = script(&TWO.replacen("[[turn]]", "[[turn]]\nfault = \"malformed_arguments\"", 1));
    let answer = ask(&model, &[user("go")]).await.unwrap();
    assert_eq!(calls(&answer)[0].arguments, "{\"command\":\"true\"");
}

#[tokio::test]
async fn a_hanging_script_ends_when_the_caller_gives_up() {
    let model = script("title = \"t\"\n[[turn]]\nfault = \"hang\"\nsay = \"never\"");
    let (request, cancel) = (request(&[user("go")]), CancellationToken::new());
    let asked = model.ask(&request, &|_| {}, cancel.clone());
    let (answer, ()) = tokio::join!(asked, async { cancel.cancel() });
    assert_eq!(answer, Err(ModelError::Cancelled));
}

#[tokio::test]
async fn words_come_at_the_written_pace() {
    let (ambient, clock) = Ambient::mock(1);
    let scenario =
        Scenario::parse("title = \"t\"\npace = 10\n[[turn]]\nsay = \"one two three\"", "test").unwrap();
    let model = ScriptedModel::new("scripted/test", scenario, Pace::AsWritten, ambient.clock);
    let request = request(&[user("go")]);
    let asked = model.ask(&request, &|_| {}, CancellationToken::new());
    let mover = async {
        for _ in 0..3 {
            clock.wait_for_sleepers(1).await;
            let wait = clock.next_wake().unwrap();
            assert!(wait >= Duration::from_millis(50) && wait <= Duration::from_millis(150), "{wait:?}");
            clock.advance(wait);
            while clock.next_wake() == Some(Duration::ZERO) {
                tokio::task::yield_now().await;
            }
        }
    };
    let (answer, ()) = tokio::join!(asked, mover);
    assert_eq!(text(&answer.unwrap()), "one two three");
}

#[test]
fn a_scenario_that_does_not_read_says_where_and_what_to_do() {
    for bad in [
        "title = 1",
        "title = \"t\"",
        "title = \"t\"\n[[turn]]\nsya = \"x\"",
        "title = \"t\"\n[[turn]]\nexpect = \"(\"",
    ] {
        let error = Scenario::parse(bad, "bad.toml").unwrap_err();
        let ModelError::NotConfigured { message, fix } = error else { panic!("{error:?}") };
        assert!(message.contains("bad.toml") && fix.contains("docs/SCENARIOS.md"), "{message}");
    }
}

#[test]
fn a_scenario_file_is_opened_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.toml");
    std::fs::write(&path, TWO).unwrap();
    let registry = Registry::new(ModelsConfig::default(), Ambient::system()).unwrap();
    let model = registry.open(&format!("scripted/{}", path.display())).unwrap();
    assert!(model.info().scripted);
    assert!(registry.open("scripted/no-such-story").is_err());
    assert!(registry.open("scripted//no/such/file.toml").is_err());
}

/// Plays the shop's story in `folder` with the tools it uses, the question answered by `answer`.
async fn play_shop(folder: &Path, answer: &str) -> String {
    for (path, contents, _) in stories::project("shop").unwrap() {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }
    let scenario = Scenario::parse(stories::scenario("shop").unwrap(), "shop").unwrap();
    let goal = scenario.goal.clone();
    let model = ScriptedModel::new("scripted/shop", scenario, Pace::Fast, Ambient::mock(1).0.clock);
    let mut messages = vec![user(&goal)];
    loop {
        let turn = ask(&model, &messages).await.unwrap();
        messages.push(said(&turn));
        if turn.stop == StopReason::EndTurn {
            assert!(is_off_script(
                &ask(&model, &[&messages[..], &[user("now add a wish list")]].concat()).await
            ));
            return text(&turn);
        }
        let parts = calls(&turn).iter().map(|call| result(call, &run(folder, call, answer))).collect();
        messages.push(Arc::new(Message::User { parts }));
    }
}

#[expect(clippy::disallowed_methods, reason = "the story's commands are run as the sandbox would")]
fn run(folder: &Path, call: &ToolCall, answer: &str) -> String {
    let argument = |name: &str| call.arguments[name].as_str().unwrap().to_owned();
    match call.tool.as_str() {
        "bash" => {
            let output =
                Command::new("sh").arg("-c").arg(argument("command")).current_dir(folder).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        }
        "read_file" => std::fs::read_to_string(folder.join(argument("path"))).unwrap(),
        "edit_file" => {
            let path = folder.join(argument("path"));
            let before = std::fs::read_to_string(&path).unwrap();
            assert_eq!(before.matches(&argument("old_string")).count(), 1, "{}", argument("old_string"));
            std::fs::write(path, before.replace(&argument("old_string"), &argument("new_string"))).unwrap();
            "edited".into()
        }
        "grep" => "lib/checkout.sh: cart_total".into(),
        "ask_user" => answer.into(),
        "narrate" | "update_tasks" => "ok".into(),
        other => panic!("the story calls {other}"),
    }
}

#[tokio::test]
async fn the_shop_story_really_mends_the_shop_whatever_is_answered() {
    let answers = [
        "No, only keep the coupon",
        "Yes, name the coupon on the receipt",
        "nobody is there to ask",
        "what?",
    ];
    for answer in answers {
        let folder = tempfile::tempdir().unwrap();
        let last = play_shop(folder.path(), answer).await;
        assert!(last.contains("8 passed, 0 failed"), "{last}");
        let receipts = std::fs::read_to_string(folder.path().join("lib/checkout.sh")).unwrap();
        assert_eq!(receipts.contains("percent off"), answer.starts_with("Yes"), "{answer}");
        let check = ToolCall {
            id: String::new(),
            tool: "bash".into(),
            arguments: serde_json::json!({ "command": "sh test.sh && echo green" }),
            replay: None,
        };
        assert!(run(folder.path(), &check, "").ends_with("green\n"));
    }
}

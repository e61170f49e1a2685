//! The window fills: older turns become a summary, and what people said stays.

use agent::{History, Outcome};
use domain::event::RunEvent;
use domain::transcript::{Message, Usage, UserPart};
use models::{Answer, ModelError};
use serde_json::json;

use crate::world::{Story, World, call, says};

fn echoes(count: usize, letters: usize) -> Vec<Answer> {
    let mut answers: Vec<Answer> = (0..count)
        .map(|n| {
            let command = format!("echo {n} {}", "x".repeat(letters));
            Answer {
                usage: Usage::default(),
                ..call(&format!("c{n}"), "bash", json!({ "command": command }))
            }
        })
        .collect();
    answers.insert(
        2,
        call("t", "update_tasks", json!({"tasks": [{"title": "mend the cart", "state": "active"}]})),
    );
    answers
}

/// A story that goes on by the turn's number, since compaction hides how often it spoke.
fn world(count: usize, letters: usize) -> World {
    let mut answers = echoes(count, letters);
    answers.push(says("Nothing."));
    let mut story = Story::new(answers);
    story.by_requests = true;
    story.info.context_tokens = 8_000;
    World::new(story)
}

fn first_text(message: &Message) -> String {
    match message {
        Message::User { parts } => match &parts[0] {
            UserPart::Text { text } => text.clone(),
            other => panic!("{other:?}"),
        },
        Message::Assistant { .. } => panic!("the first message is ours"),
    }
}

/// Each call has its result, and each result its call before it.
fn pairs_are_whole(messages: &[std::sync::Arc<Message>]) {
    let mut open: Vec<String> = Vec::new();
    for message in messages {
        match message.as_ref() {
            Message::Assistant { parts } => {
                assert!(open.is_empty(), "calls without results: {open:?}");
                for part in parts {
                    if let domain::transcript::AssistantPart::ToolCall(call) = part {
                        open.push(call.id.clone());
                    }
                }
            }
            Message::User { parts } => {
                for part in parts {
                    if let UserPart::ToolResult { call_id, .. } = part {
                        assert_eq!(&open.remove(0), call_id);
                    }
                }
            }
        }
    }
    assert!(open.is_empty());
}

#[tokio::test]
async fn a_full_window_is_compacted_and_goal_words_and_tasks_stay_verbatim() {
    let world = world(30, 1_200);
    world
        .journal
        .push(vec![RunEvent::MessageSaid { text: "never touch the tax".to_owned(), by: "ada".to_owned() }]);
    assert!(matches!(world.run().await, Outcome::Done { .. }));
    let versions: Vec<_> = world
        .journal
        .events()
        .into_iter()
        .filter_map(|event| match event {
            RunEvent::ContextCompacted { summary_version, summary, message_cursor, .. } => {
                assert_eq!(summary, "the summary");
                Some((summary_version, message_cursor))
            }
            _ => None,
        })
        .collect();
    assert!(versions.len() >= 2, "{versions:?}");
    assert!(
        versions.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1 && pair[1].1 > pair[0].1),
        "{versions:?}"
    );

    let requests = world.story.requests();
    let asked: Vec<_> = requests.iter().filter(|request| !request.tools.is_empty()).collect();
    for request in &asked {
        pairs_are_whole(&request.messages);
        assert!(first_text(&request.messages[0]).starts_with("mend the cart"));
    }
    let last = first_text(&asked.last().unwrap().messages[0]);
    for kept in ["never touch the tax", "the summary", "[>] mend the cart"] {
        assert!(last.contains(kept), "{kept} is not in {last}");
    }
    assert_eq!(last.matches("never touch the tax").count(), 1);
    assert!(asked.last().unwrap().messages.len() < 16);
    let summaries: Vec<_> = requests.iter().filter(|request| request.tools.is_empty()).collect();
    assert_eq!(summaries.len(), versions.len());
    // A request without tools holds neither calls nor results, only words in turns.
    for request in summaries {
        let text =
            serde_json::to_string(&request.messages.iter().map(|m| m.as_ref()).collect::<Vec<_>>()).unwrap();
        assert!(!text.contains("tool_result") && !text.contains("tool_call"), "{text}");
        assert!(text.contains("CALL bash") && text.contains("RESULT of bash"));
        let roles: Vec<bool> =
            request.messages.iter().map(|m| matches!(m.as_ref(), Message::User { .. })).collect();
        assert!(roles.windows(2).all(|pair| pair[0] != pair[1]) && roles[0] && roles[roles.len() - 1]);
    }
}

#[tokio::test]
async fn between_two_compactions_requests_extend_each_other() {
    let world = world(30, 1_200);
    world.run().await;
    let requests = world.story.requests();
    let asked: Vec<_> = requests.iter().filter(|request| !request.tools.is_empty()).collect();
    let broken = asked.windows(2).filter(|pair| !pair[1].messages.starts_with(&pair[0].messages)).count();
    let compactions = world.journal.kinds().iter().filter(|kind| *kind == "context.compacted").count();
    assert_eq!(broken, compactions);
}

#[tokio::test]
async fn where_the_model_gives_no_summary_the_loop_writes_its_own() {
    let world = world(12, 1_200);
    world
        .story
        .summary_is(Err(ModelError::Overloaded { provider: "test".to_owned(), message: "busy".to_owned() }));
    assert!(matches!(world.run().await, Outcome::Done { .. }));
    let summary = world.journal.events().into_iter().find_map(|event| match event {
        RunEvent::ContextCompacted { summary, .. } => Some(summary),
        _ => None,
    });
    let summary = summary.unwrap();
    assert!(summary.starts_with("These steps were taken:\n- bash {\"command\":\"echo 0 x"), "{summary}");
    assert!(summary.contains("- update_tasks"));
    let events = world.journal.events();
    let last = events.iter().rev().find_map(|event| match event {
        RunEvent::ContextCompacted { summary, .. } => Some(summary),
        _ => None,
    });
    assert!(last.unwrap().contains("- update_tasks"), "what an older summary told is not lost");
}

fn overflow() -> Option<ModelError> {
    Some(ModelError::ContextOverflow { model: "story".to_owned(), message: "too long".to_owned() })
}

#[tokio::test]
async fn an_overflow_is_compacted_once_and_the_turn_asked_again() {
    let world = world(6, 100);
    let asked = |count: usize| move |event: &RunEvent| matches!(event, RunEvent::TurnAsked { turn, .. } if *turn as usize == count);
    let fault = async {
        world.journal.until(asked(4)).await;
        world.story.faults(vec![overflow()]);
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! { outcome = world.run() => outcome, () = fault => unreachable!() };
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    let kinds = world.journal.kinds();
    let failed = kinds.iter().position(|kind| kind == "turn.failed").unwrap();
    assert_eq!(kinds[failed + 1], "context.compacted");
}

#[tokio::test]
async fn an_overflow_that_compaction_does_not_cure_fails_the_run() {
    let world = World::new(Story::new(vec![says("Nothing.")]));
    world.story.faults(vec![overflow()]);
    let Outcome::Failed { reason } = world.run().await else { panic!("there is nothing to cut") };
    assert_eq!(reason.code, "context_overflow");
}

#[tokio::test]
async fn a_replay_gives_the_state_that_the_live_loop_had() {
    let world = world(30, 1_200);
    let mut run = world.start();
    run.drive(world.stop.clone()).await.unwrap();
    let replayed = History::replay(world.journal.events().into_iter());
    assert_eq!(run.history(), &replayed);
}

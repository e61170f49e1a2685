//! Many random runs that die at random places: whatever the story, some things always hold.

use std::sync::Arc;

use agent::port::Wish;
use agent::{History, Outcome};
use domain::event::{Attended, RunEvent};
use domain::limits::GuardProfile;
use domain::question::Answer as Words;
use domain::transcript::{AssistantPart, Message, UserPart};
use models::{Answer, ModelError};
use runtime::{Random, SeededRandom};
use serde_json::{Value, json};

use crate::world::{Story, World, calls, says};

struct Dice(SeededRandom);

impl Dice {
    fn roll(&self, sides: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes) as usize % sides
    }
}

fn any_call(dice: &Dice) -> (&'static str, Value) {
    match dice.roll(12) {
        0 => ("read_file", json!({"path": "lib/cart.sh"})),
        1 => ("read_file", json!({"path": format!("no{}", dice.roll(3))})),
        2 => ("grep", json!({"pattern": "discount"})),
        3 => ("glob", json!({"pattern": "*.sh"})),
        4 => (
            "write_file",
            json!({"path": format!("f{}", dice.roll(3)), "content": format!("{}\n", dice.roll(9))}),
        ),
        5 => (
            "edit_file",
            json!({"path": "lib/cart.sh", "old_string": "discount=1", "new_string": "discount=2"}),
        ),
        6 => ("bash", json!({"command": "count"})),
        7 => ("bash", json!({"command": format!("lines {}", dice.roll(400))})),
        8 => ("bash", json!("{\"command\": ")),
        9 => ("ask_user", json!({"question": "Go on?", "options": ["yes"]})),
        10 => ("update_tasks", json!({"tasks": [{"title": "mend", "state": "active"}]})),
        _ => ("fly", json!({})),
    }
}

fn any_story(dice: &Dice) -> Vec<Answer> {
    let mut answers = Vec::new();
    for turn in 0..dice.roll(8) {
        let ids: Vec<String> = (0..=dice.roll(4)).map(|n| format!("t{turn}c{n}")).collect();
        let made: Vec<(&str, &str, Value)> = ids
            .iter()
            .map(|id| {
                let (tool, arguments) = any_call(dice);
                (id.as_str(), tool, arguments)
            })
            .collect();
        answers.push(calls(&made));
    }
    answers.push(says("Done."));
    answers
}

fn any_world(dice: &Dice) -> World {
    let mut story = Story::new(any_story(dice));
    if dice.roll(3) == 0 {
        story.info.context_tokens = 4_000;
        story.by_requests = true;
    }
    let mut world = World::new(story);
    world.settings.guards = if dice.roll(2) == 0 { GuardProfile::Strict } else { GuardProfile::Standard };
    world.settings.attended = if dice.roll(2) == 0 { Attended::No } else { Attended::Yes };
    world.settings.check = (dice.roll(2) == 0).then(|| "echo fine".to_owned());
    if dice.roll(3) == 0 {
        world.story.faults(vec![Some(ModelError::BadAnswer {
            provider: "test".to_owned(),
            message: String::new(),
        })]);
    }
    world
}

/// Each call has its result in the message after it, in its order, and results stand nowhere else.
fn well_formed(messages: &[Arc<Message>]) {
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        match message.as_ref() {
            Message::Assistant { parts } => {
                assert!(open.is_empty(), "calls without results: {open:?}");
                open.extend(parts.iter().filter_map(|part| match part {
                    AssistantPart::ToolCall(call) => Some(call.id.as_str()),
                    AssistantPart::Text { .. } | AssistantPart::Thinking { .. } => None,
                }));
            }
            Message::User { parts } => {
                let results: Vec<&str> = parts
                    .iter()
                    .filter_map(|part| match part {
                        UserPart::ToolResult { call_id, .. } => Some(call_id.as_str()),
                        UserPart::Text { .. } | UserPart::Image { .. } => None,
                    })
                    .collect();
                assert_eq!(results, open);
                open.clear();
            }
        }
    }
    assert!(open.is_empty());
}

/// Runs until it comes to rest or dies, with a person who answers.
async fn ride(world: &World) -> Option<Outcome> {
    let person = async {
        loop {
            let history = world.history();
            if let Some(question) = history.open_question()
                && world.journal.waiting_commands().is_empty()
            {
                world.journal.wish(Wish::Say { text: "and hurry".to_owned() });
                let answer = Words::Text { text: "yes".to_owned() };
                world.journal.wish(Wish::Answer { question: question.id, answer });
            }
            tokio::task::yield_now().await;
        }
    };
    let mut run = world.start();
    let outcome = tokio::select! {
        outcome = run.drive(world.stop.clone()) => outcome.ok(),
        () = person => None,
    };
    if outcome.is_some() {
        assert_eq!(run.history(), &History::replay(world.journal.events().into_iter()));
    }
    outcome
}

#[tokio::test]
async fn whatever_happens_requests_are_well_formed_and_nothing_runs_twice() {
    let (mut done, mut failed) = (0, 0);
    for seed in 0..300 {
        let dice = Dice(SeededRandom::new(seed));
        let world = any_world(&dice);
        let mut dies_after = 4 + dice.roll(12);
        let outcome = loop {
            world.journal.dies_after((dice.roll(4) > 0).then_some(dies_after));
            if let Some(outcome) = ride(&world).await {
                break outcome;
            }
            dies_after = world.journal.events().len() + dice.roll(12);
        };
        match outcome {
            Outcome::Done { .. } => done += 1,
            Outcome::Failed { reason } => {
                assert!(
                    ["repetition", "off_script"].contains(&reason.code.as_str()),
                    "seed {seed}: {reason:?}"
                );
                failed += 1;
            }
            other => panic!("seed {seed}: {other:?}"),
        }
        let requests = world.story.requests();
        requests.iter().for_each(|request| well_formed(&request.messages));
        let events = world.journal.events();
        let started = events
            .iter()
            .filter(|event| matches!(event, RunEvent::ToolStarted { call, .. } if call.tool == "bash"))
            .count();
        let ran = world.machine.ran().iter().filter(|command| !command.starts_with("check: ")).count();
        assert!(ran <= started, "seed {seed}: {ran} commands for {started} calls");
        let compacted = world.journal.kinds().contains(&"context.compacted".to_owned());
        let extended = requests.windows(2).all(|pair| pair[1].messages.starts_with(&pair[0].messages));
        assert!(compacted || extended, "seed {seed}: a sealed message changed");
    }
    assert!(done > 150 && failed > 10, "{done} done, {failed} failed");
}

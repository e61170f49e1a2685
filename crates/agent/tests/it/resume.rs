//! The process dies after any event; the next one goes on from the log.

use agent::port::JournalError;
use agent::{History, Outcome, port};
use domain::event::RunEvent;
use domain::question::Answer;
use domain::run::Evidence;
use serde_json::json;

use crate::world::{Story, World, call, calls, says};

fn story() -> Story {
    Story::new(vec![
        calls(&[
            ("c1", "read_file", json!({"path": "lib/cart.sh"})),
            ("c2", "grep", json!({"pattern": "discount"})),
            ("c3", "bash", json!({"command": "echo look"})),
        ]),
        calls(&[
            ("c4", "update_tasks", json!({"tasks": [{"title": "mend", "state": "active"}]})),
            ("c5", "narrate", json!({"text": "I mend the cart."})),
            ("c6", "ask_user", json!({"question": "12?", "options": ["yes", "no"]})),
        ]),
        call("c7", "write_file", json!({"path": "lib/cart.sh", "content": "discount=12\n"})),
        call("c8", "bash", json!({"command": "test"})),
        says("Mended."),
    ])
}

fn world() -> World {
    let mut world = World::new(story());
    world.settings.check = Some("test all".to_owned());
    world
}

/// Runs and answers the question as soon as it is asked.
async fn run(world: &World) -> Result<Outcome, JournalError> {
    let answer = async {
        let asked = world.journal.until(|event| matches!(event, RunEvent::QuestionAsked(_))).await;
        let RunEvent::QuestionAsked(question) = asked else { unreachable!() };
        if world.history().open_question().is_some() && world.journal.waiting_commands().is_empty() {
            let answer = Answer::Text { text: "yes, 12".to_owned() };
            world.journal.wish(port::Wish::Answer { question: question.id, answer });
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = world.start().run(world.stop.clone()) => outcome,
        () = answer => unreachable!(),
    }
}

fn count(events: &[RunEvent], is: impl Fn(&RunEvent) -> bool) -> usize {
    events.iter().filter(|event| is(event)).count()
}

#[tokio::test]
async fn killed_after_any_event_the_run_ends_the_same_and_nothing_runs_twice() {
    let whole = world();
    let expected = run(&whole).await.unwrap();
    let evidence = Evidence::CheckPassed { command: "test all".to_owned() };
    assert_eq!(expected, Outcome::Done { evidence, summary: "Mended.".to_owned() });
    let events = whole.journal.events().len();
    assert!(events > 30, "{events}");

    for most in 4..events {
        let world = world();
        world.journal.dies_after(Some(most));
        assert!(run(&world).await.is_err(), "dies after {most}");
        world.journal.dies_after(None);
        let outcome = run(&world).await.unwrap();

        assert_eq!(outcome, expected, "killed after {most}");
        assert_eq!(
            world.machine.text("lib/cart.sh"),
            whole.machine.text("lib/cart.sh"),
            "killed after {most}"
        );
        let events = world.journal.events();
        for command in ["echo look", "test"] {
            let started = count(
                &events,
                |event| matches!(event, RunEvent::ToolStarted { call, .. } if call.arguments["command"] == command),
            );
            let ran = world.machine.ran().iter().filter(|ran| *ran == command).count();
            assert!(ran <= started, "{command} ran {ran} times for {started} calls, killed after {most}");
        }
        let asked = count(&events, |event| matches!(event, RunEvent::QuestionAsked(_)));
        assert_eq!(asked, 1, "killed after {most}");
        let answered = count(&events, |event| matches!(event, RunEvent::QuestionAnswered { .. }));
        assert_eq!(answered, 1, "killed after {most}");
    }
}

#[tokio::test]
async fn a_replay_gives_the_state_that_the_live_loop_had() {
    let world = world();
    let mut live = world.start();
    let answer = async {
        let asked = world.journal.until(|event| matches!(event, RunEvent::QuestionAsked(_))).await;
        let RunEvent::QuestionAsked(question) = asked else { unreachable!() };
        world.journal.wish(port::Wish::Say { text: "keep it short".to_owned() });
        let answer = Answer::Text { text: "yes, 12".to_owned() };
        world.journal.wish(port::Wish::Answer { question: question.id, answer });
    };
    let (outcome, ()) = tokio::join!(live.drive(world.stop.clone()), answer);
    assert!(matches!(outcome, Ok(Outcome::Done { .. })));
    assert_eq!(live.history(), &History::replay(world.journal.events().into_iter()));
    // An event that went through the store's JSON gives the same.
    let stored = world.journal.events().into_iter().filter_map(|event| {
        let (kind, data) = event.encode().unwrap();
        RunEvent::decode(&kind, serde_json::from_str(&data).unwrap()).unwrap()
    });
    assert_eq!(live.history(), &History::replay(stored));
}

//! How a run comes to its end: the check, what changed, a follow-up.

use agent::Outcome;
use agent::port::Wish;
use domain::event::RunEvent;
use domain::run::{Evidence, RunState};
use domain::transcript::{Message, UserPart};
use serde_json::json;

use crate::world::{Story, World, call, calls, says};

fn write(id: &str, content: &str) -> models::Answer {
    call(id, "write_file", json!({"path": "lib/cart.sh", "content": content}))
}

#[tokio::test]
async fn a_failing_check_goes_to_the_model_and_success_needs_a_passing_one() {
    let mut world = World::new(Story::new(vec![
        write("c1", "discount=11\n"),
        says("Done."),
        write("c2", "discount=12\n"),
        says("Now it is right."),
    ]));
    world.settings.check = Some("test all".to_owned());
    let outcome = world.run().await;
    let evidence = Evidence::CheckPassed { command: "test all".to_owned() };
    assert_eq!(outcome, Outcome::Done { evidence, summary: "Now it is right.".to_owned() });
    let Some(Message::User { parts }) = world.story.requests()[2].messages.last().map(|m| m.as_ref().clone())
    else {
        panic!("we say so")
    };
    let [UserPart::Text { text }] = &parts[..] else { panic!("{parts:?}") };
    assert!(
        text.contains("`test all`") && text.contains("exited with 1") && text.contains("1 of 6 failed"),
        "{text}"
    );
    let exits = world.journal.events().into_iter().filter_map(|event| match event {
        RunEvent::CheckRan { exit_code, .. } => Some(exit_code),
        _ => None,
    });
    assert_eq!(exits.collect::<Vec<_>>(), [Some(1), Some(0)]);
}

#[tokio::test]
async fn a_check_that_fails_on_and_on_fails_the_run_after_three_tries_to_mend() {
    let mut answers = vec![write("c1", "discount=11\n")];
    answers.extend((0..9).map(|_| says("Done.")));
    let mut world = World::new(Story::new(answers));
    world.settings.check = Some("test all".to_owned());
    let Outcome::Failed { reason } = world.run().await else { panic!("it never passes") };
    assert_eq!(reason.code, "check_failed");
    assert_eq!(world.machine.ran().len(), 4);
    assert_eq!(world.story.requests().len(), 5);
}

#[tokio::test]
async fn a_check_that_passed_is_not_run_again_after_a_restart() {
    let mut world = World::new(Story::new(vec![write("c1", "discount=12\n"), says("Done.")]));
    world.settings.check = Some("test all".to_owned());
    let first = world.run().await;
    assert_eq!(world.run().await, first);
    assert_eq!(world.machine.ran(), ["check: test all"]);
}

#[tokio::test]
async fn a_finished_run_goes_on_with_a_follow_up() {
    let world = World::new(Story::new(vec![
        write("c1", "discount=12\n"),
        says("Done."),
        write("c2", "discount=15\n"),
        says("15 it is."),
    ]));
    let Outcome::Done { evidence, .. } = world.run().await else { panic!("done") };
    world.journal.push(vec![
        RunEvent::State(RunState::Succeeded { evidence }),
        RunEvent::Continued { goal: "make it 15".to_owned(), by: "ada".to_owned() },
        RunEvent::State(RunState::Running),
    ]);
    let outcome = world.run().await;
    assert_eq!(outcome, Outcome::Done { evidence: Evidence::NoCheck, summary: "15 it is.".to_owned() });
    let request = &world.story.requests()[2];
    assert_eq!(request.messages.len(), 5);
    let follow_up = Message::User { parts: vec![UserPart::Text { text: "make it 15".to_owned() }] };
    assert_eq!(request.messages[4].as_ref(), &follow_up);
}

#[tokio::test]
async fn files_are_looked_at_when_some_time_has_passed_and_at_the_end() {
    let story =
        || Story::new(vec![write("c1", "a\n"), write("c2", "b\n"), write("c3", "c\n"), says("Done.")]);
    let world = World::new(story());
    world.run().await;
    assert_eq!(world.machine.looks(), 1);

    let world = World::new(story());
    let mut run = world.start();
    world.clock.advance(std::time::Duration::from_secs(3));
    run.drive(world.stop.clone()).await.unwrap();
    assert_eq!(world.machine.looks(), 2);
    let told = world.journal.kinds().iter().filter(|kind| *kind == "files.changed").count();
    assert_eq!(told, 1, "the same list is not told twice");
}

#[tokio::test]
async fn a_run_that_was_stopped_in_mid_call_can_be_continued() {
    let world = World::new(Story::new(vec![
        calls(&[("c1", "bash", json!({"command": "hang"})), ("c2", "bash", json!({"command": "echo two"}))]),
        says("Nothing."),
    ]));
    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::ToolStarted { .. })).await;
        world.journal.wish(Wish::Cancel { reason: String::new() });
    };
    let (outcome, ()) = tokio::join!(world.run(), person);
    let Outcome::Cancelled { reason, commands } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason.text, "Stopped by ada.");
    world.journal.forget(&commands);
    world.journal.push(vec![
        RunEvent::State(RunState::Cancelled { reason }),
        RunEvent::Continued { goal: "say what you saw".to_owned(), by: "ada".to_owned() },
        RunEvent::State(RunState::Running),
    ]);
    let request = async {
        world.journal.until(|event| matches!(event, RunEvent::TurnAsked { turn: 2, .. })).await;
    };
    tokio::select! { _ = world.run() => {}, () = request => {} }
    let requests = world.story.requests();
    let Message::User { parts } = requests[1].messages[2].as_ref() else { panic!("ours") };
    let texts: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            UserPart::ToolResult { output, .. } => output.as_str(),
            UserPart::Text { text } => text.as_str(),
            UserPart::Image { .. } => "picture",
        })
        .collect();
    assert!(texts[0].starts_with("interrupted: a person stopped the run"));
    assert_eq!(texts[1..], ["not run: the run ended before its turn came", "say what you saw"]);
}

#[tokio::test]
async fn the_process_can_stop_while_a_question_waits() {
    let world = World::new(Story::new(vec![call("c1", "ask_user", json!({"question": "Which discount?"}))]));
    let stopper = async {
        world.journal.until(|event| matches!(event, RunEvent::State(RunState::Waiting { .. }))).await;
        world.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(world.run(), stopper);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(world.history().open_question().is_some());
}

#[tokio::test]
async fn a_look_that_fails_in_mid_work_is_no_end_but_one_at_the_end_is() {
    let story = || Story::new(vec![write("c1", "a\n"), write("c2", "b\n"), says("Done.")]);
    let world = World::new(story());
    world.machine.set_blind(true);
    let mut run = world.start();
    world.clock.advance(std::time::Duration::from_secs(3));
    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::TurnAsked { turn: 2, .. })).await;
        world.machine.set_blind(false);
    };
    let (outcome, ()) = tokio::join!(run.drive(world.stop.clone()), person);
    assert!(matches!(outcome, Ok(Outcome::Done { .. })));
    assert_eq!(world.machine.looks(), 2);

    let world = World::new(story());
    world.machine.set_blind(true);
    let Outcome::Failed { reason } = world.run().await else { panic!("nobody knows what changed") };
    assert_eq!(reason.code, "sandbox_failed");
}

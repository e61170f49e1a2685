//! People steer, answer, pause and stop.

use std::time::Duration;

use agent::Outcome;
use agent::port::Wish;
use domain::event::{Attended, RunEvent, ToolEnded, ToolOutcome};
use domain::question::{Answer, QuestionKind};
use domain::run::{RunState, WaitingOn};
use domain::transcript::{Message, UserPart};
use serde_json::json;

use crate::world::{Story, World, call, calls, says};

fn texts(message: &Message) -> Vec<String> {
    let Message::User { parts } = message else { return Vec::new() };
    parts
        .iter()
        .map(|part| match part {
            UserPart::Text { text } => text.clone(),
            UserPart::ToolResult { output, .. } => format!("result: {output}"),
            UserPart::Image { .. } => "picture".to_owned(),
        })
        .collect()
}

fn last_ended(world: &World) -> ToolEnded {
    let ended = world.journal.events().into_iter().rev().find_map(|event| match event {
        RunEvent::ToolEnded(ended) => Some(ended),
        _ => None,
    });
    ended.expect("a tool ended")
}

fn steer(text: &str) -> Wish {
    Wish::Say { text: text.to_owned() }
}

#[tokio::test]
async fn several_words_of_people_reach_the_model_together_with_its_next_call() {
    let world =
        World::new(Story::new(vec![call("c1", "bash", json!({"command": "echo hi"})), says("Nothing.")]));
    let steering = async {
        world.journal.until(|event| matches!(event, RunEvent::TurnAsked { turn: 1, .. })).await;
        world.journal.wish(steer("use awk"));
        world.journal.wish(steer("not sed"));
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; () = steering => unreachable!(), _ = world.run() => {} }
    let requests = world.story.requests();
    assert_eq!(texts(&requests[1].messages[2]), ["result: hi\n", "use awk", "not sed"]);
    assert!(world.journal.waiting_commands().is_empty());
}

#[tokio::test]
async fn words_that_come_with_the_last_answer_keep_the_run_going() {
    let world = World::new(Story::new(vec![says("Nothing to do."), says("I looked again; still nothing.")]));
    world.journal.wish(steer("be quick"));
    let steering = async {
        world.journal.until(|event| matches!(event, RunEvent::TurnAsked { turn: 1, .. })).await;
        world.journal.wish(steer("look again"));
        std::future::pending::<()>().await;
    };
    let outcome =
        tokio::select! { biased; () = steering => unreachable!(), outcome = world.run() => outcome };
    let Outcome::Done { summary, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(summary, "I looked again; still nothing.");
    let requests = world.story.requests();
    assert_eq!(texts(&requests[0].messages[0]), ["mend the cart", "be quick"]);
    assert_eq!(texts(&requests[1].messages[2]), ["look again"]);
}

#[tokio::test]
async fn a_question_waits_for_its_answer_and_other_words_wait_with_it() {
    let world = World::new(Story::new(vec![
        call(
            "c1",
            "ask_user",
            json!({"question": "Which discount?", "options": ["12", "15"], "detail": "Both fit."}),
        ),
        says("Nothing."),
    ]));
    let person = async {
        let waiting = |event: &RunEvent| matches!(event, RunEvent::State(RunState::Waiting { .. }));
        let RunEvent::State(RunState::Waiting { question, on }) = world.journal.until(waiting).await else {
            unreachable!()
        };
        assert_eq!(on, WaitingOn::Decision);
        let open = world.history().open_question().cloned().unwrap();
        assert_eq!(
            (open.id, open.kind, open.call_id.as_deref()),
            (question, QuestionKind::Decision, Some("c1"))
        );
        world.journal.wish(steer("hurry"));
        world.journal.until(|event| matches!(event, RunEvent::MessageSaid { .. })).await;
        assert!(world.history().open_question().is_some());
        let answer = |text: &str| Wish::Answer { question, answer: Answer::Text { text: text.to_owned() } };
        world.journal.wish(answer("12"));
        world.journal.wish(answer("15"));
        std::future::pending::<()>().await;
    };
    tokio::select! { _ = world.run() => {}, () = person => unreachable!() }
    assert_eq!(texts(&world.story.requests()[1].messages[2]), ["result: 12", "hurry"]);
    assert!(matches!(world.history().state(), RunState::Running));
    let late = world
        .journal
        .events()
        .into_iter()
        .any(|event| matches!(event, RunEvent::Notice(reason) if reason.code == "answer_too_late"));
    assert!(late, "the second answer has no effect and is told so");
}

#[tokio::test]
async fn a_pause_interrupts_a_running_command_and_the_run_goes_on_after_it() {
    let world = World::new(Story::new(vec![
        calls(&[("c1", "bash", json!({"command": "hang"})), ("c2", "bash", json!({"command": "echo two"}))]),
        call("c3", "bash", json!({"command": "echo three"})),
        says("Nothing."),
    ]));
    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::ToolStarted { .. })).await;
        world.journal.wish(Wish::Pause)
    };
    let (outcome, number) = tokio::join!(world.run(), person);
    let Outcome::Paused { reason, commands } = outcome else { panic!("{outcome:?}") };
    assert_eq!((reason.text.as_str(), commands), ("Paused by ada.", vec![number]));
    assert_eq!(last_ended(&world).outcome, ToolOutcome::Interrupted);
    assert_eq!(world.machine.ran(), ["hang"]);
}

#[tokio::test]
async fn a_stop_for_good_ends_a_model_call_at_once_and_takes_every_wish_along() {
    let world = World::new(Story::new(vec![says("never said")]));
    world.story.faults(vec![None]);
    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::TurnAsked { .. })).await;
        let said = world.journal.wish(steer("never mind"));
        let number = world.journal.wish(Wish::Cancel { reason: "wrong repository".to_owned() });
        vec![said, number]
    };
    let (outcome, numbers) = tokio::join!(world.run(), person);
    let Outcome::Cancelled { reason, commands } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason.text, "Stopped by ada: wrong repository.");
    assert_eq!(commands, numbers);
}

#[tokio::test]
async fn a_wish_is_seen_within_a_second_even_if_its_wake_up_was_lost() {
    let world = World::new(Story::new(vec![says("never said")]));
    world.story.faults(vec![None]);
    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::TurnAsked { .. })).await;
        world.journal.wish_unheard(Wish::Pause);
        world.clock.wait_for_sleepers(2).await;
        world.clock.advance(Duration::from_secs(1));
    };
    let (outcome, ()) = tokio::join!(world.run(), person);
    assert!(matches!(outcome, Outcome::Paused { .. }));
}

#[tokio::test]
async fn the_process_stops_at_once_and_the_next_one_tells_what_is_unknown() {
    let world =
        World::new(Story::new(vec![call("c1", "bash", json!({"command": "hang"})), says("Nothing.")]));
    let stopper = async {
        world.journal.until(|event| matches!(event, RunEvent::ToolStarted { .. })).await;
        world.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(world.run(), stopper);
    assert_eq!(outcome, Outcome::Stopped);
    let next = world.start().run(runtime::CancellationToken::new());
    let stopper = async {
        world.journal.until(|event| matches!(event, RunEvent::ToolEnded(_))).await;
    };
    tokio::select! { _ = next => {}, () = stopper => {} }
    let ended = last_ended(&world);
    assert_eq!(ended.outcome, ToolOutcome::Interrupted);
    assert!(
        ended.output.starts_with("interrupted: the server stopped while this ran; its outcome is unknown.")
    );
}

#[tokio::test]
async fn a_question_survives_a_pause_and_is_not_asked_twice() {
    let world = World::new(Story::new(vec![
        call("c1", "ask_user", json!({"question": "Which discount?"})),
        says("Nothing."),
    ]));
    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::State(RunState::Waiting { .. }))).await;
        world.journal.wish(Wish::Pause)
    };
    let (outcome, number) = tokio::join!(world.run(), person);
    let Outcome::Paused { reason, commands } = outcome else { panic!("{outcome:?}") };
    assert_eq!(commands, [number]);
    world.journal.forget(&commands);
    world
        .journal
        .push(vec![RunEvent::State(RunState::Paused { reason }), RunEvent::State(RunState::Running)]);

    let person = async {
        world.journal.until(|event| matches!(event, RunEvent::State(RunState::Waiting { .. }))).await;
        let question = world.history().open_question().unwrap().id;
        world.journal.wish(Wish::Answer { question, answer: Answer::Text { text: "12".to_owned() } });
    };
    let (outcome, ()) = tokio::join!(world.run(), person);
    assert!(matches!(outcome, Outcome::Done { .. }));
    let asked = world.journal.kinds().iter().filter(|kind| *kind == "question.asked").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn where_nobody_is_there_the_agent_is_told_so_at_once() {
    let mut world = World::new(Story::new(vec![
        call("c1", "ask_user", json!({"question": "Which discount?", "options": ["12", "15"]})),
        says("Nothing."),
    ]));
    world.settings.attended = Attended::No;
    assert!(matches!(world.run().await, Outcome::Done { .. }));
    assert!(world.story.requests()[0].system.contains("Nobody is there to answer questions in this run"));
    let results = texts(&world.story.requests()[1].messages[2]);
    assert!(
        results[0].contains("nobody is there to ask") && results[0].ends_with("recommended was: 12"),
        "{results:?}"
    );
    let events = world.journal.events();
    assert!(
        events.iter().any(|event| matches!(event, RunEvent::QuestionAnswered { by, .. } if by == "policy"))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, RunEvent::Notice(reason) if reason.code == "nobody_to_ask"))
    );
    let waited = events.iter().any(|event| matches!(event, RunEvent::State(RunState::Waiting { .. })));
    assert!(!waited);
}

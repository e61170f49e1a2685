//! What goes wrong outside of the loop: the model, the sandbox, the journal.

use std::sync::Arc;
use std::time::Duration;

use agent::Outcome;
use agent::port::{JournalError, Place};
use domain::event::{RunEvent, ToolOutcome};
use futures_util::future::BoxFuture;
use models::ModelError;
use sandbox::Sandbox;
use serde_json::json;

use crate::world::{Story, World, call, says};

fn unreachable_model() -> Option<ModelError> {
    Some(ModelError::Unreachable { provider: "test".to_owned(), message: "connection refused".to_owned() })
}

fn text() -> String {
    "its words".to_owned()
}

#[tokio::test]
async fn a_model_that_is_away_lets_the_run_sleep_longer_each_time_and_then_fails_it() {
    let world = World::new(Story::new(vec![says("Nothing.")]));
    let mut waits = Vec::new();
    loop {
        world.story.faults(vec![unreachable_model()]);
        match world.run().await {
            Outcome::Sleeping { until_ms, reason } => {
                assert_eq!(reason.code, "model_unreachable");
                let wait = u64::try_from(until_ms - world.ambient.now_ms()).unwrap();
                waits.push(wait);
                world.clock.advance(Duration::from_millis(wait));
            }
            Outcome::Failed { reason } => {
                assert_eq!(reason.code, "model_unreachable");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits.len(), 6);
    assert!(waits[0] >= 15_000 && waits[5] > waits[0] * 8, "{waits:?}");
    let failures = world.journal.events().into_iter().filter_map(|event| match event {
        RunEvent::TurnFailed { turn, retry_at_ms, .. } => Some((turn, retry_at_ms.is_some())),
        _ => None,
    });
    let failures: Vec<_> = failures.collect();
    assert_eq!(failures.len(), 7);
    assert_eq!(failures.last(), Some(&(1, false)));
}

#[tokio::test]
async fn a_sleep_ends_with_the_model_and_the_same_turn_is_asked_again() {
    let world = World::new(Story::new(vec![says("Nothing.")]));
    let limited = ModelError::RateLimited {
        provider: "test".to_owned(),
        message: text(),
        retry_after_ms: Some(3_600_000),
    };
    world.story.faults(vec![Some(limited)]);
    let Outcome::Sleeping { until_ms, reason } = world.run().await else { panic!("it sleeps") };
    assert_eq!((until_ms - world.ambient.now_ms(), reason.code.as_str()), (3_600_000, "model_rate_limited"));
    assert!(matches!(world.run().await, Outcome::Done { .. }));
    let requests = world.story.requests();
    assert_eq!(requests[0].messages, requests[1].messages);
    assert_eq!(world.history().totals().turns, 1);
}

#[tokio::test]
async fn each_final_error_of_a_model_fails_the_run_with_its_code_and_a_fix() {
    let (provider, model, message) = (|| "test".to_owned(), || "story".to_owned(), text);
    let errors = [
        (ModelError::NotConfigured { message: text(), fix: text() }, "model_not_configured"),
        (ModelError::Auth { provider: provider(), message: message() }, "model_auth"),
        (
            ModelError::NoSuchModel { provider: provider(), model: model(), message: message() },
            "no_such_model",
        ),
        (ModelError::NoTools { model: model(), message: message() }, "no_tools"),
        (ModelError::Refused { provider: provider(), message: message() }, "model_rejected_request"),
        (ModelError::OffScript { message: message() }, "off_script"),
    ];
    for (error, code) in errors {
        let world = World::new(Story::new(Vec::new()));
        world.story.faults(vec![Some(error)]);
        let Outcome::Failed { reason } = world.run().await else { panic!("{code}") };
        assert_eq!(reason.code, code);
        assert!(reason.fix.is_some());
        assert!(reason.text.ends_with('.'), "{}", reason.text);
        assert_eq!(world.journal.kinds().last().unwrap(), "turn.failed");
    }
}

#[tokio::test]
async fn nonsense_is_asked_again_twice() {
    let nonsense = || Some(ModelError::BadAnswer { provider: "test".to_owned(), message: text() });
    let world = World::new(Story::new(vec![says("Nothing.")]));
    world.story.faults(vec![nonsense(), nonsense()]);
    assert!(matches!(world.run().await, Outcome::Done { .. }));

    let world = World::new(Story::new(vec![says("Nothing.")]));
    world.story.faults(vec![nonsense(), nonsense(), nonsense()]);
    let Outcome::Failed { reason } = world.run().await else { panic!("enough") };
    assert_eq!(reason.code, "model_bad_answer");
}

#[tokio::test]
async fn a_lost_sandbox_ends_the_call_with_the_reason_and_asks_for_a_new_one() {
    let world =
        World::new(Story::new(vec![call("c1", "bash", json!({"command": "vanish"})), says("Nothing.")]));
    let Outcome::Sleeping { until_ms, reason } = world.run().await else { panic!("a new sandbox is needed") };
    assert_eq!((until_ms - world.ambient.now_ms(), reason.code.as_str()), (1_000, "sandbox_gone"));
    let told = world.journal.events().into_iter().any(|event| {
        matches!(event, RunEvent::ToolEnded(ended)
            if ended.outcome == ToolOutcome::Failed && ended.output.contains("out of memory"))
    });
    assert!(told);
    world.machine.set_gone(false);
    assert!(matches!(world.run().await, Outcome::Done { .. }));
}

#[tokio::test]
async fn a_sandbox_that_is_gone_when_the_model_has_answered_is_replaced() {
    let world = World::new(Story::new(vec![says("Nothing.")]));
    world.machine.set_gone(true);
    assert!(matches!(world.run().await, Outcome::Sleeping { reason, .. } if reason.code == "sandbox_gone"));
    world.machine.set_gone(false);
    assert!(matches!(world.run().await, Outcome::Done { .. }));
    assert_eq!(world.story.requests().len(), 1, "its answer is kept");
}

/// A sandbox that comes when it is let in.
struct Late(tokio::sync::SetOnce<Arc<dyn Sandbox>>);

impl Place for Late {
    fn sandbox(&self) -> BoxFuture<'_, Arc<dyn Sandbox>> {
        Box::pin(async { self.0.wait().await.clone() })
    }
}

#[tokio::test]
async fn the_model_is_asked_before_the_sandbox_is_there_and_the_first_call_waits_for_it() {
    let world =
        World::new(Story::new(vec![call("c1", "bash", json!({"command": "echo hi"})), says("Nothing.")]));
    let late = Arc::new(Late(tokio::sync::SetOnce::new()));
    let run = world.start_in(late.clone()).run(world.stop.clone());
    let arrival = async {
        world.journal.until(|event| matches!(event, RunEvent::ToolStarted { .. })).await;
        assert_eq!(world.story.requests().len(), 1);
        assert!(late.0.set(world.machine.clone()).is_ok());
    };
    let (outcome, ()) = tokio::join!(run, arrival);
    assert!(matches!(outcome, Ok(Outcome::Done { .. })));
}

#[tokio::test]
async fn a_run_whose_sandbox_never_comes_can_be_stopped() {
    let world = World::new(Story::new(vec![call("c1", "bash", json!({"command": "echo hi"}))]));
    let run = world.start_in(Arc::new(Late(tokio::sync::SetOnce::new()))).run(world.stop.clone());
    let stopping = async {
        world.journal.until(|event| matches!(event, RunEvent::ToolStarted { .. })).await;
        world.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(run, stopping);
    assert!(matches!(outcome, Ok(Outcome::Stopped)));
}

#[tokio::test]
async fn a_run_that_keeps_losing_its_sandbox_fails() {
    let answers = (0..9).map(|n| call(&format!("c{n}"), "bash", json!({"command": format!("vanish {n}")})));
    let world = World::new(Story::new(answers.collect()));
    let mut lost = 0;
    let reason = loop {
        match world.run().await {
            Outcome::Sleeping { .. } => lost += 1,
            Outcome::Failed { reason } => break reason,
            other => panic!("{other:?}"),
        }
        world.machine.set_gone(false);
    };
    assert_eq!((reason.code.as_str(), lost), ("sandbox_gone", 4));
}

#[tokio::test]
async fn a_full_disk_pauses_the_run() {
    let world =
        World::new(Story::new(vec![call("c1", "bash", json!({"command": "full"})), says("Nothing.")]));
    let Outcome::Paused { reason, commands } = world.run().await else { panic!("it waits for space") };
    assert_eq!((reason.code.as_str(), commands.len()), ("disk_full", 0));
}

#[tokio::test]
async fn a_journal_that_keeps_nothing_ends_the_loop_before_any_effect() {
    let world = World::new(Story::new(vec![call("c1", "bash", json!({"command": "echo hi"}))]));
    world.journal.dies_after(Some(4));
    let error = world.start().run(world.stop.clone()).await.unwrap_err();
    assert!(matches!(error, JournalError::Lost));
    assert!(world.story.requests().is_empty());
}

#[tokio::test]
async fn lost_background_processes_are_told_to_the_model() {
    let world = World::new(Story::new(vec![says("Nothing.")]));
    let mut ready = world.journal.events().into_iter().find_map(|event| match event {
        RunEvent::SandboxReady(ready) => Some(ready),
        _ => None,
    });
    let mut ready = ready.take().unwrap();
    ready.lost_processes = vec!["npm start".to_owned()];
    world.journal.push(vec![RunEvent::SandboxReady(ready)]);
    world.run().await;
    let goal = serde_json::to_string(world.story.requests()[0].messages[0].as_ref()).unwrap();
    assert!(goal.contains("these background processes are gone:\\n- npm start"), "{goal}");
}

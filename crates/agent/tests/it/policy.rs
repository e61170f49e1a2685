//! Calls that need a person's word.

use agent::policy::{Decision, Rule, project_grant};
use agent::port::Wish;
use agent::{Outcome, Policy};
use domain::event::{Attended, RunEvent, ToolOutcome};
use domain::question::{AllowScope, Answer, Question, QuestionKind};
use domain::run::{RunState, WaitingOn};
use serde_json::json;

use crate::world::{Story, World, call, says};

fn ask_first(target: &str) -> Policy {
    let rule = Rule { tool: "bash".to_owned(), target: target.to_owned(), decision: Decision::Ask };
    Policy { rules: vec![rule], grants: Vec::new() }
}

fn world(commands: &[&str]) -> World {
    let mut answers: Vec<_> = commands
        .iter()
        .enumerate()
        .map(|(n, command)| call(&format!("c{n}"), "bash", json!({"command": command})))
        .collect();
    answers.push(says("Nothing."));
    let mut world = World::new(Story::new(answers));
    world.settings.policy = ask_first("echo *");
    world
}

/// Runs and gives `answers` to the questions, in order.
async fn run(world: &World, answers: &[Answer]) -> Vec<Question> {
    let mut asked: Vec<Question> = Vec::new();
    let person = async {
        for answer in answers {
            let fresh = |event: &RunEvent| {
                matches!(event, RunEvent::State(RunState::Waiting { question, on: WaitingOn::Approval })
                    if asked.iter().all(|old| old.id != *question))
            };
            world.journal.until(fresh).await;
            let question = world.history().open_question().cloned().unwrap();
            world.journal.wish(Wish::Answer { question: question.id, answer: answer.clone() });
            asked.push(question);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = world.run() => assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}"),
        () = person => unreachable!(),
    }
    asked
}

fn outcomes(world: &World) -> Vec<(ToolOutcome, String)> {
    let ended = world.journal.events().into_iter().filter_map(|event| match event {
        RunEvent::ToolEnded(ended) => Some((ended.outcome, ended.output)),
        _ => None,
    });
    ended.collect()
}

const fn allow(scope: AllowScope) -> Answer {
    Answer::Allow { scope }
}

#[tokio::test]
async fn an_approval_is_bound_to_its_call_and_used_once() {
    let world = world(&["echo a", "echo a", "echo b"]);
    let once = allow(AllowScope::Once);
    let refuse = Answer::Refuse { reason: "not that one".to_owned() };
    let asked = run(&world, &[once.clone(), once, refuse]).await;
    assert_eq!(world.machine.ran(), ["echo a", "echo a"]);
    assert_eq!(asked[0].kind, QuestionKind::Approval);
    assert_eq!(asked[0].text, "May the agent run this command?");
    assert_eq!(asked[0].detail.as_deref(), Some("echo a"));
    assert_eq!(asked[0].call_id.as_deref(), Some("c0"));
    assert_eq!(asked[0].arguments_hash, asked[1].arguments_hash);
    assert_ne!(asked[0].arguments_hash, asked[2].arguments_hash);
    assert_eq!(outcomes(&world)[2], (ToolOutcome::Refused, "refused: not that one".to_owned()));
}

#[tokio::test]
async fn a_permission_for_the_run_covers_the_same_call_only() {
    let world = world(&["echo a", "echo a", "echo b"]);
    let asked = run(&world, &[allow(AllowScope::Run), allow(AllowScope::Once)]).await;
    assert_eq!(asked.len(), 2);
    assert_eq!(world.machine.ran(), ["echo a", "echo a", "echo b"]);
    assert_eq!(project_grant(&asked[0], &allow(AllowScope::Run)), None);
}

#[tokio::test]
async fn a_permission_for_the_project_holds_in_later_runs() {
    let first = world(&["echo a"]);
    let asked = run(&first, &[allow(AllowScope::Project)]).await;
    let grant = project_grant(&asked[0], &allow(AllowScope::Project)).unwrap();
    let mut later = world(&["echo a"]);
    later.settings.policy.grants.push(grant);
    assert!(run(&later, &[]).await.is_empty());
    assert_eq!(later.machine.ran(), ["echo a"]);
}

#[tokio::test]
async fn words_instead_of_a_yes_are_a_no() {
    let world = world(&["echo a"]);
    run(&world, &[Answer::Text { text: "use printf".to_owned() }]).await;
    assert!(world.machine.ran().is_empty());
    assert_eq!(outcomes(&world)[0], (ToolOutcome::Refused, "refused: use printf".to_owned()));
}

#[tokio::test]
async fn a_denied_call_does_not_run_and_the_run_goes_on() {
    let mut world = world(&["echo a", "test"]);
    world.settings.policy.rules[0].decision = Decision::Deny;
    run(&world, &[]).await;
    assert_eq!(world.machine.ran(), ["test"]);
    assert_eq!(outcomes(&world)[0].0, ToolOutcome::Refused);
}

#[tokio::test]
async fn a_rule_that_asks_for_everything_does_not_ask_whether_the_agent_may_ask() {
    let story = Story::new(vec![
        call("c1", "ask_user", json!({"question": "Which discount?"})),
        call("c2", "narrate", json!({"text": "I look."})),
        says("Nothing."),
    ]);
    let mut world = World::new(story);
    world.settings.policy.rules =
        vec![Rule { tool: "*".to_owned(), target: "*".to_owned(), decision: Decision::Ask }];
    let person = async {
        let asked = world.journal.until(|event| matches!(event, RunEvent::QuestionAsked(_))).await;
        let RunEvent::QuestionAsked(question) = asked else { unreachable!() };
        assert_eq!(question.kind, QuestionKind::Decision);
        world
            .journal
            .wish(Wish::Answer { question: question.id, answer: Answer::Text { text: "12".to_owned() } });
    };
    let (outcome, ()) = tokio::join!(world.run(), person);
    assert!(matches!(outcome, Outcome::Done { .. }));
    assert_eq!(outcomes(&world)[0].1, "12");
}

#[tokio::test]
async fn where_nobody_is_there_what_would_ask_is_refused_and_reported() {
    let mut world = world(&["echo a", "test"]);
    world.settings.attended = Attended::No;
    run(&world, &[]).await;
    assert_eq!(world.machine.ran(), ["test"]);
    let (outcome, output) = outcomes(&world).remove(0);
    assert_eq!(outcome, ToolOutcome::Refused);
    assert!(output.contains("nobody is there to ask; go on with your best judgement"), "{output}");
    assert!(world.journal.kinds().contains(&"notice".to_owned()));
}

#[tokio::test]
async fn killed_anywhere_an_approval_is_neither_lost_nor_used_twice() {
    let whole = world(&["echo a", "echo b"]);
    run(&whole, &[allow(AllowScope::Once), allow(AllowScope::Once)]).await;
    let events = whole.journal.events().len();
    for most in 4..events {
        let world = world(&["echo a", "echo b"]);
        world.journal.dies_after(Some(most));
        for dies in [Some(most), None] {
            world.journal.dies_after(dies);
            let person = async {
                loop {
                    let history = world.history();
                    if let Some(question) = history.open_question()
                        && world.journal.waiting_commands().is_empty()
                    {
                        let answer = allow(AllowScope::Once);
                        world.journal.wish(Wish::Answer { question: question.id, answer });
                    }
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                outcome = world.start().run(world.stop.clone()) => assert_eq!(outcome.is_err(), dies.is_some()),
                () = person => {}
            }
        }
        let started = world.journal.kinds().iter().filter(|kind| *kind == "tool.started").count();
        let asked = world.journal.kinds().iter().filter(|kind| *kind == "question.asked").count();
        let interrupted = outcomes(&world).iter().filter(|(how, _)| *how == ToolOutcome::Interrupted).count();
        assert!(world.machine.ran().len() <= started, "killed after {most}");
        // A call that was interrupted is made again by the model, and its approval is asked for again.
        assert_eq!(asked, 2 + interrupted, "killed after {most}");
        assert_eq!(world.machine.ran().last().map(String::as_str), Some("echo b"), "killed after {most}");
    }
}

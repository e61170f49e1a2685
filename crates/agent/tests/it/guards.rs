//! Ceilings, repetition and answers that lead nowhere: each stop has a code, a sentence and a fix.

use agent::Outcome;
use domain::Micros;
use domain::event::RunEvent;
use domain::limits::{GuardProfile, RunLimits};
use domain::run::Reason;
use domain::transcript::{AssistantPart, Message, StopReason, UserPart};
use models::Answer;
use models::price::Price;
use serde_json::json;

use crate::world::{Story, World, call, calls, says};

fn echoes(count: usize) -> Vec<Answer> {
    (0..count).map(|n| call(&format!("c{n}"), "bash", json!({"command": format!("echo {n}")}))).collect()
}

fn same(count: usize, command: &str) -> Vec<Answer> {
    (0..count).map(|n| call(&format!("c{n}"), "bash", json!({"command": command}))).collect()
}

async fn limited(answers: Vec<Answer>, limits: RunLimits) -> (World, Reason) {
    let mut world = World::new(Story::new(answers));
    world.settings.limits = limits;
    let Outcome::BudgetExceeded { reason } = world.run().await else { panic!("a ceiling stops the run") };
    assert!(reason.fix.is_some(), "{reason:?}");
    (world, reason)
}

#[tokio::test]
async fn each_ceiling_stops_the_run_with_its_own_code() {
    let (world, reason) = limited(echoes(9), RunLimits { max_turns: 3, ..RunLimits::default() }).await;
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("turn_limit", 3));

    let (world, reason) = limited(echoes(9), RunLimits { max_tool_calls: 2, ..RunLimits::default() }).await;
    assert_eq!((reason.code.as_str(), world.machine.ran().len()), ("tool_call_limit", 2));

    let limits = RunLimits { max_cost: Some(Micros(2_500)), ..RunLimits::default() };
    let (world, reason) = limited(echoes(9), limits).await;
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("cost_limit", 3));

    let limits = RunLimits { max_tokens: Some(200), ..RunLimits::default() };
    let (world, reason) = limited(echoes(9), limits).await;
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("token_limit", 2));

    let (world, reason) = limited(echoes(9), RunLimits { max_seconds: 0, ..RunLimits::default() }).await;
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("time_limit", 0));
}

#[tokio::test]
async fn a_call_that_must_pass_the_cost_limit_is_not_made() {
    let mut story = Story::new(echoes(9));
    story.info.price =
        Some(Price { input: 3_000_000, output: 9_000_000, cache_read: 1_000_000, cache_write: 3_000_000 });
    let mut world = World::new(story);
    world.settings.limits.max_cost = Some(Micros(100));
    let Outcome::BudgetExceeded { reason } = world.run().await else { panic!("it cannot be paid") };
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("cost_limit", 0));
}

#[tokio::test]
async fn parallel_reads_do_not_pass_the_tool_call_ceiling() {
    let read = |id| (id, "read_file", json!({"path": format!("{id}.txt")}));
    let answers = vec![calls(&[read("c1"), read("c2"), read("c3")]), says("Read.")];
    let (world, reason) = limited(answers, RunLimits { max_tool_calls: 2, ..RunLimits::default() }).await;
    assert_eq!(reason.code, "tool_call_limit");
    assert_eq!(world.history().totals().goal_tool_calls, 2);
}

#[tokio::test]
async fn a_model_call_that_outlasts_the_time_limit_is_ended() {
    let mut world = World::new(Story::new(echoes(1)));
    world.settings.limits.max_seconds = 60;
    world.story.faults(vec![None]);
    let clock = async {
        world.clock.wait_for_sleepers(2).await;
        world.clock.advance(std::time::Duration::from_secs(61));
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! { outcome = world.run() => outcome, () = clock => unreachable!() };
    let Outcome::BudgetExceeded { reason } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason.code, "time_limit");
}

#[tokio::test]
async fn a_cost_limit_needs_a_known_price_or_a_token_limit() {
    let unpriced = |max_tokens| {
        let mut story = Story::new(vec![says("Nothing to do.")]);
        story.info.price = None;
        let mut world = World::new(story);
        world.settings.limits.max_cost = Some(Micros(1_000_000));
        world.settings.limits.max_tokens = max_tokens;
        world
    };
    let world = unpriced(None);
    let Outcome::Failed { reason } = world.run().await else { panic!("cannot be held to it") };
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("price_unknown", 0));
    assert!(matches!(unpriced(Some(1_000)).run().await, Outcome::Done { .. }));
}

#[tokio::test]
async fn a_strict_run_halts_before_the_same_call_runs_a_third_time_whatever_it_gives() {
    let mut world = World::new(Story::new(same(9, "count")));
    world.settings.guards = GuardProfile::Strict;
    let Outcome::Failed { reason } = world.run().await else { panic!("repetition halts") };
    assert_eq!(reason.code, "repetition");
    assert!(reason.text.contains(r#"bash {"command":"count"} #"#), "{}", reason.text);
    assert_eq!(world.machine.ran(), ["count", "count"]);
}

#[tokio::test]
async fn a_strict_run_looks_at_ten_calls_only() {
    let mut answers = same(1, "echo same");
    answers.extend(echoes(9));
    answers.push(call("again", "bash", json!({"command": "echo same"})));
    answers.extend((10..18).map(|n| call(&format!("c{n}"), "bash", json!({"command": format!("echo {n}")}))));
    answers.push(call("once more", "bash", json!({"command": "echo same"})));
    answers.push(says("Nothing."));
    let mut world = World::new(Story::new(answers));
    world.settings.guards = GuardProfile::Strict;
    assert!(matches!(world.run().await, Outcome::Done { .. }));
}

#[tokio::test]
async fn a_strict_run_counts_parallel_calls_as_well() {
    let read = |id| (id, "read_file", json!({"path": "test.sh"}));
    let mut world = World::new(Story::new(vec![calls(&[read("c1"), read("c2"), read("c3")]), says("Read.")]));
    world.settings.guards = GuardProfile::Strict;
    let Outcome::Failed { reason } = world.run().await else { panic!("repetition halts") };
    assert_eq!(reason.code, "repetition");
}

#[tokio::test]
async fn a_standard_run_warns_at_three_and_halts_at_five_same_calls_with_the_same_result() {
    let world = World::new(Story::new(same(9, "fail")));
    let Outcome::Failed { reason } = world.run().await else { panic!("repetition halts") };
    assert_eq!((reason.code.as_str(), world.machine.ran().len()), ("repetition", 5));
    let fourth = world.story.requests()[3].clone();
    let Some(Message::User { parts }) = fourth.messages.last().map(|message| message.as_ref()) else {
        panic!()
    };
    assert!(
        matches!(&parts[..], [UserPart::ToolResult { .. }, UserPart::Text { text }] if text.contains("you made the same call several times"))
    );
}

#[tokio::test]
async fn a_standard_run_may_poll_what_changes_and_test_between_edits() {
    let mut answers = same(12, "count");
    answers.push(says("Counted."));
    assert!(matches!(World::new(Story::new(answers)).run().await, Outcome::Done { .. }));

    let mut answers = Vec::new();
    for n in 0..8 {
        let content = format!("discount={}\n", 20 + n);
        answers.push(call(
            &format!("w{n}"),
            "write_file",
            json!({"path": "lib/cart.sh", "content": content}),
        ));
        answers.push(call(&format!("t{n}"), "bash", json!({"command": "test"})));
    }
    answers.push(says("No luck."));
    assert!(matches!(World::new(Story::new(answers)).run().await, Outcome::Done { .. }));
}

#[tokio::test]
async fn undoing_and_redoing_one_edit_is_going_in_circles() {
    let mut answers = Vec::new();
    for n in 0..12 {
        let discount = if n % 2 == 0 { 20 } else { 30 };
        let content = format!("discount={discount}\n");
        answers.push(call(
            &format!("w{n}"),
            "write_file",
            json!({"path": "lib/cart.sh", "content": content}),
        ));
    }
    let Outcome::Failed { reason } = World::new(Story::new(answers)).run().await else { panic!("a circle") };
    assert_eq!(reason.code, "repetition");
}

#[tokio::test]
async fn empty_answers_are_nudged_twice() {
    let empty = || Answer { parts: Vec::new(), ..says("") };
    let world = World::new(Story::new(vec![empty(), empty(), says("Nothing to do.")]));
    // The story counts our nudges, not its own silence.
    let Outcome::Failed { reason } = world.run().await else { panic!("it stays silent") };
    assert_eq!(reason.code, "empty_answers");
    assert_eq!(world.story.requests().len(), 3);
    let nudges =
        world.journal.events().into_iter().filter(|event| matches!(event, RunEvent::Notice(_))).count();
    assert_eq!(nudges, 2);
}

#[tokio::test]
async fn an_answer_that_was_cut_is_continued_twice() {
    let cut = || Answer { stop: StopReason::MaxTokens, ..says("and so on") };
    let world = World::new(Story::new(vec![cut(), cut(), says("Nothing to do.")]));
    assert!(matches!(world.run().await, Outcome::Done { .. }));

    let world = World::new(Story::new(vec![cut(), cut(), cut(), says("Nothing to do.")]));
    let Outcome::Failed { reason } = world.run().await else { panic!("it never ends") };
    assert_eq!(reason.code, "output_limit");
}

#[tokio::test]
async fn a_refusal_fails_with_the_models_words() {
    let world = World::new(Story::new(vec![Answer { stop: StopReason::Refusal, ..says("I will not.") }]));
    let Outcome::Failed { reason } = world.run().await else { panic!("refused") };
    assert_eq!(reason.code, "model_refused");
    assert!(reason.text.contains("I will not."));
}

#[tokio::test]
async fn calls_that_all_go_wrong_end_the_run() {
    let answers =
        (0..20).map(|n| call(&format!("c{n}"), "read_file", json!({"path": format!("no{n}")}))).collect();
    let Outcome::Failed { reason } = World::new(Story::new(answers)).run().await else {
        panic!("no progress")
    };
    assert_eq!(reason.code, "no_progress");
}

#[tokio::test]
async fn a_follow_up_gets_fresh_turns_but_no_fresh_money() {
    let mut world = World::new(Story::new(echoes(9)));
    world.settings.limits.max_turns = 2;
    world.settings.limits.max_cost = Some(Micros(3_000));
    let Outcome::BudgetExceeded { reason } = world.run().await else { panic!("two turns") };
    assert_eq!(reason.code, "turn_limit");
    world.journal.push(vec![RunEvent::Continued { goal: "go on".to_owned(), by: "ada".to_owned() }]);
    let Outcome::BudgetExceeded { reason } = world.run().await else { panic!("the money") };
    assert_eq!((reason.code.as_str(), world.story.requests().len()), ("cost_limit", 3));
    assert_eq!(world.history().totals().turns, 3);
    let answered = world.story.requests()[2].messages.iter().any(|message| {
        matches!(message.as_ref(), Message::Assistant { parts } if matches!(parts[0], AssistantPart::ToolCall(_)))
    });
    assert!(answered);
}

//! Simple conversations from the goal to the outcome.

use agent::{Instructions, Outcome};
use domain::event::{Live, RunEvent, ToolEnded, ToolOutcome};
use domain::run::Evidence;
use domain::transcript::{Message, UserPart};
use serde_json::json;

use crate::world::{Story, World, call, calls, says};

fn ended(world: &World) -> Vec<ToolEnded> {
    let events = world.journal.events();
    events
        .into_iter()
        .filter_map(|event| if let RunEvent::ToolEnded(ended) = event { Some(ended) } else { None })
        .collect()
}

#[tokio::test]
async fn a_bug_is_found_mended_and_proved() {
    let mut world = World::new(Story::new(vec![
        call("c1", "read_file", json!({"path": "lib/cart.sh"})),
        call(
            "c2",
            "edit_file",
            json!({"path": "lib/cart.sh", "old_string": "discount=10", "new_string": "discount=12"}),
        ),
        call("c3", "bash", json!({"command": "test"})),
        says("The discount was wrong; I set it to 12 and the test passes."),
    ]));
    world.settings.check = Some("test all".to_owned());

    let outcome = world.run().await;

    let summary = "The discount was wrong; I set it to 12 and the test passes.".to_owned();
    let evidence = Evidence::CheckPassed { command: "test all".to_owned() };
    assert_eq!(outcome, Outcome::Done { evidence, summary });
    assert_eq!(world.machine.ran(), ["test", "check: test all"]);
    assert_eq!(world.machine.text("lib/cart.sh").unwrap(), "discount=12\ntotal=1\n");
    let ended = ended(&world);
    assert_eq!(ended[0].output, "     1\tdiscount=10\n     2\ttotal=1\n");
    let summaries: Vec<&str> = ended.iter().map(|ended| ended.summary.as_str()).collect();
    assert_eq!(summaries, ["2 lines", "+1 −1", "exit 0"]);
    assert_eq!(ended[2].output, "6 passed\n");
    assert_eq!(ended[2].shell_directory.as_deref(), Some("/workspace"));
    assert!(
        world
            .journal
            .live()
            .iter()
            .any(|live| matches!(live, Live::Output { call_id, .. } if call_id == "c3"))
    );
}

#[tokio::test]
async fn a_simple_round_costs_two_appends_and_each_step_is_durable_before_its_effect() {
    let world = World::new(Story::new(vec![
        call("c1", "bash", json!({"command": "echo one"})),
        call("c2", "bash", json!({"command": "echo two"})),
        says("Nothing to do."),
    ]));
    world.run().await;
    assert_eq!(
        world.journal.kinds()[4..],
        [
            "context.opened",
            "turn.asked", // before the request
            "turn.answered",
            "tool.started", // before the tool
            "tool.ended",
            "turn.asked",
            "turn.answered",
            "tool.started",
            "tool.ended",
            "turn.asked",
            "turn.answered",
        ]
    );
    assert_eq!(world.journal.appends(), 6);
}

#[tokio::test]
async fn several_calls_of_one_answer_are_answered_in_one_message_in_their_order() {
    let world = World::new(Story::new(vec![
        calls(&[
            ("c1", "read_file", json!({"path": "test.sh"})),
            ("c2", "grep", json!({"pattern": "discount"})),
            ("c3", "bash", json!({"command": "fail"})),
            ("c4", "glob", json!({"pattern": "**/*.sh"})),
        ]),
        says("Seen."),
    ]));
    world.run().await;
    let request = &world.story.requests()[1];
    assert_eq!(request.messages.len(), 3);
    let Message::User { parts } = request.messages[2].as_ref() else { panic!("results come from us") };
    let results: Vec<(&str, &str, bool)> = parts
        .iter()
        .map(|part| match part {
            UserPart::ToolResult { call_id, output, is_error, .. } => {
                (call_id.as_str(), output.as_str(), *is_error)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        results,
        [
            ("c1", "     1\texit 0\n", false),
            ("c2", "lib/cart.sh:1:discount=10\n", false),
            ("c3", "1 of 6 failed\n[exit 1]", true),
            ("c4", "lib/cart.sh\ntest.sh\n", false),
        ]
    );
}

#[tokio::test]
async fn each_request_extends_the_one_before_it_byte_for_byte() {
    let mut answers: Vec<_> =
        (0..20).map(|n| call(&format!("c{n}"), "bash", json!({"command": format!("echo {n}")}))).collect();
    answers.push(says("Done."));
    let world = World::new(Story::new(answers));
    world.run().await;
    let requests = world.story.requests();
    assert_eq!(requests.len(), 21);
    let bytes = |request: &models::Request| -> Vec<String> {
        request.messages.iter().map(|message| serde_json::to_string(message.as_ref()).unwrap()).collect()
    };
    for pair in requests.windows(2) {
        let (before, after) = (bytes(&pair[0]), bytes(&pair[1]));
        assert_eq!(after[..before.len()], before[..]);
        assert_eq!(after.len(), before.len() + 2);
        assert_eq!(pair[0].system, pair[1].system);
        assert_eq!(pair[0].tools, pair[1].tools);
        assert_eq!(pair[0].cache_key, pair[1].cache_key);
    }
    let Message::User { parts } = requests[0].messages[0].as_ref() else { panic!("the goal is ours") };
    assert_eq!(parts, &[UserPart::Text { text: "mend the cart".to_owned() }]);
}

#[tokio::test]
async fn the_system_prompt_holds_the_rules_of_the_repository_and_the_check() {
    let mut world = World::new(Story::new(vec![says("Nothing to do.")]));
    world.settings.check = Some("sh test.sh".to_owned());
    let instructions =
        |file: &str, text: String, size_bytes| Some(Instructions { file: file.to_owned(), text, size_bytes });
    world.settings.instructions = instructions("AGENTS.md", "Keep it POSIX.\n".to_owned(), 15);
    world.run().await;
    let system = world.story.requests()[0].system.clone();
    assert!(system.contains(
        "<repository-instructions file=\"AGENTS.md\">\nKeep it POSIX.\n</repository-instructions>"
    ));
    assert!(system.contains("    sh test.sh"));

    let mut world = World::new(Story::new(vec![says("Nothing to do.")]));
    world.settings.instructions = instructions("CLAUDE.md", "x".repeat(32 << 10), 40_000);
    world.run().await;
    let system = world.story.requests()[0].system.clone();
    assert!(system.contains("file=\"CLAUDE.md\"") && system.contains("[cut here: the file has 40000 bytes"));
    assert!(system.len() < 40_000);
}

#[tokio::test]
async fn no_change_ends_with_the_reason_and_no_check_is_said() {
    let world = World::new(Story::new(vec![says("The cart is right as it is.")]));
    let explanation = "The cart is right as it is.".to_owned();
    let evidence = Evidence::NothingToChange { explanation: explanation.clone() };
    assert_eq!(world.run().await, Outcome::Done { evidence, summary: explanation });

    let world = World::new(Story::new(vec![
        call("c1", "write_file", json!({"path": "new.txt", "content": "a\nb\n"})),
        says("Written."),
    ]));
    assert_eq!(
        world.run().await,
        Outcome::Done { evidence: Evidence::NoCheck, summary: "Written.".to_owned() }
    );
    assert_eq!((ended(&world)[0].outcome, ended(&world)[0].summary.as_str()), (ToolOutcome::Done, "+2 −0"));
    let kinds = world.journal.kinds();
    assert_eq!(kinds.last().unwrap(), "files.changed");
}

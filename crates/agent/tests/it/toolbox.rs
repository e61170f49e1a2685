//! The tools: what they give, what they say when they are called wrongly, and how long output is cut.

use domain::event::{Live, RunEvent, ToolEnded, ToolLabel, ToolOutcome};
use domain::limits::GuardProfile;
use domain::transcript::StopReason;
use models::Answer;
use serde_json::{Value, json};

use crate::world::{Story, World, call, calls, says};

/// Makes one call and gives what came of it.
async fn make(world: &World) -> ToolEnded {
    world.run().await;
    let ended = world.journal.events().into_iter().find_map(|event| match event {
        RunEvent::ToolEnded(ended) => Some(ended),
        _ => None,
    });
    ended.expect("the call ended")
}

fn world(tool: &str, arguments: Value) -> World {
    World::new(Story::new(vec![call("c1", tool, arguments), says("Nothing.")]))
}

async fn ended(tool: &str, arguments: Value) -> ToolEnded {
    make(&world(tool, arguments)).await
}

fn label(world: &World) -> ToolLabel {
    let label = world.journal.events().into_iter().find_map(|event| match event {
        RunEvent::ToolStarted { label, .. } => Some(label),
        _ => None,
    });
    label.expect("the call started")
}

#[tokio::test]
async fn wrong_calls_are_answered_precisely_and_the_run_goes_on() {
    let unknown = ended("run_shell", json!({})).await;
    assert_eq!(unknown.outcome, ToolOutcome::Failed);
    assert!(unknown.output.starts_with("there is no tool `run_shell`. The tools are: bash, read_file,"));

    let malformed = ended("bash", json!(r#"{"command": "ls"#)).await;
    assert!(malformed.output.contains("not valid JSON (EOF while parsing a string"), "{}", malformed.output);
    assert!(
        malformed.output.contains("bash expects { background?: boolean, command: string,"),
        "{}",
        malformed.output
    );

    let cut = Answer { stop: StopReason::MaxTokens, ..call("c1", "bash", json!(r#"{"command": "ls"#)) };
    let cut = make(&World::new(Story::new(vec![cut, says("Nothing.")]))).await;
    assert!(cut.output.ends_with("was cut there: write long files in several edits."), "{}", cut.output);

    let missing = ended("edit_file", json!({"path": "x"})).await;
    assert!(missing.output.contains("missing field `old_string`"), "{}", missing.output);

    let mistyped = ended("read_file", json!({"path": "x", "offset": "first"})).await;
    assert!(mistyped.output.contains(r#"invalid type: string "first""#), "{}", mistyped.output);

    let empty = ended("ask_user", json!({"question": " "})).await;
    assert_eq!(empty.output, "the text is empty; say something or leave the call out");

    let pattern = ended("grep", json!({"pattern": "("})).await;
    assert_eq!(pattern.output, "bad pattern: unclosed group");
}

#[tokio::test]
async fn labels_read_like_sentences() {
    let cases = [
        ("bash", json!({"command": "echo hi\necho there"}), "Ran", "echo hi…"),
        ("bash", json!({"command": "serve", "background": true}), "Started", "serve"),
        ("read_file", json!({"path": "/workspace/lib/cart.sh"}), "Read", "lib/cart.sh"),
        ("write_file", json!({"path": "a", "content": ""}), "Wrote", "a"),
        ("grep", json!({"pattern": "x"}), "Searched", "x"),
        ("glob", json!({"pattern": "*.sh"}), "Listed", "*.sh"),
        ("update_tasks", json!({"tasks": [{"title": "mend", "state": "active"}]}), "Planned", "mend"),
    ];
    for (tool, arguments, verb, target) in cases {
        let world = world(tool, arguments);
        make(&world).await;
        assert_eq!(label(&world), ToolLabel { verb: verb.to_owned(), target: target.to_owned() });
    }
}

#[tokio::test]
async fn files_are_read_in_pages_of_numbered_lines() {
    let long: String = (1..=5_000).map(|n| format!("line {n}\n")).collect();
    let read = |arguments| {
        let world = world("read_file", arguments);
        world.machine.put("long.txt", long.as_bytes());
        world.machine.put("wide.txt", "é".repeat(3_000).as_bytes());
        world.machine.put("empty.txt", b"");
        world.machine.put("logo", b"\x89PNG\r\n\x1a\n\0\0");
        world.machine.put("a.out", b"\x7fELF\0\0\0");
        world
    };
    let page = make(&read(json!({"path": "long.txt"}))).await;
    assert!(page.output.starts_with("     1\tline 1\n"));
    assert!(page.output.ends_with("  2000\tline 2000\n[lines 1 to 2000 of 5000; go on with offset 2001]"));
    assert_eq!(page.summary, "2000 lines");

    let page = make(&read(json!({"path": "long.txt", "offset": 4_999, "limit": 9}))).await;
    assert_eq!(page.output, "  4999\tline 4999\n  5000\tline 5000\n");

    let past = make(&read(json!({"path": "long.txt", "offset": 9_999}))).await;
    assert_eq!((past.outcome, past.output.as_str()), (ToolOutcome::Failed, "the file has 5000 lines only"));

    let wide = make(&read(json!({"path": "wide.txt"}))).await;
    assert!(wide.output.ends_with("é [2000 more bytes in this line]\n"), "{}", wide.output);
    assert_eq!(make(&read(json!({"path": "empty.txt"}))).await.output, "(the file is empty)");
    assert!(
        make(&read(json!({"path": "logo"}))).await.output.starts_with("logo is a PNG picture of 10 bytes")
    );
    assert!(
        make(&read(json!({"path": "a.out"}))).await.output.starts_with("a.out is a binary file of 7 bytes")
    );
    assert_eq!(make(&read(json!({"path": "no"}))).await.output, "no: no such file or directory");
}

#[tokio::test]
async fn a_file_of_many_megabytes_is_paged_without_being_read_to_its_end() {
    let world = world("read_file", json!({"path": "huge.txt", "offset": 400_000, "limit": 2}));
    let huge: String = (1..=1_000_000).map(|n| format!("line number {n}\n")).collect();
    world.machine.put("huge.txt", huge.as_bytes());
    let page = make(&world).await;
    assert!(
        page.output.starts_with("400000\tline number 400000\n400001\tline number 400001\n"),
        "{}",
        page.output
    );
    assert!(page.output.contains("go on with offset 400002"), "{}", page.output);
}

#[tokio::test]
async fn a_line_without_an_end_is_not_held_whole() {
    let world = world("read_file", json!({"path": "endless.txt"}));
    world.machine.put("endless.txt", &vec![b'x'; 20 << 20]);
    let page = make(&world).await;
    assert_eq!(page.summary, "1 line");
    let (_, more) = page.output.split_once("x [").unwrap();
    assert_eq!(more, format!("{} more bytes in this line]\n", (20 << 20) - 2_000));
}

#[tokio::test]
async fn a_file_that_never_answers_does_not_hold_the_run() {
    let world = world("read_file", json!({"path": "pipe"}));
    let clock = async {
        world.clock.wait_for_sleepers(2).await;
        world.clock.advance(std::time::Duration::from_secs(60));
    };
    let (ended, ()) = tokio::join!(make(&world), clock);
    assert_eq!((ended.outcome, ended.summary.as_str()), (ToolOutcome::Failed, "no answer"));
}

#[tokio::test]
async fn a_command_tells_its_exit_code_and_its_output_is_cleaned_for_the_model_only() {
    let failed = ended("bash", json!({"command": "fail"})).await;
    assert_eq!((failed.outcome, failed.summary.as_str()), (ToolOutcome::Failed, "exit 1"));
    assert_eq!(failed.output, "1 of 6 failed\n[exit 1]");

    let world = world("bash", json!({"command": "raw"}));
    assert_eq!(make(&world).await.output, "red \u{fffd}\n");
    let live = world.journal.live().into_iter().filter_map(|live| match live {
        Live::Output { text, .. } => Some(text),
        Live::Text { .. } | Live::Thinking { .. } => None,
    });
    assert_eq!(live.collect::<String>(), "\u{1b}[31mred\u{1b}[0m \u{fffd}\0\n");

    let slow = ended("bash", json!({"command": "slow", "timeout_seconds": 7})).await;
    assert_eq!((slow.outcome, slow.summary.as_str()), (ToolOutcome::Failed, "stopped after 7 s"));
    assert!(slow.output.contains("still running after 7 s"), "{}", slow.output);
    let exit = ended("bash", json!({"command": "exit"})).await;
    assert!(exit.output.ends_with("[the shell ended; a new one is in /workspace]"), "{}", exit.output);

    let background = ended("bash", json!({"command": "serve", "background": true})).await;
    assert!(
        background.output.contains("pid 42")
            && background.output.contains("/tmp/journeyman/background/1.txt")
    );
}

async fn lines(count: usize, profile: GuardProfile) -> (World, ToolEnded) {
    let mut world = world("bash", json!({"command": format!("lines {count}")}));
    world.settings.guards = profile;
    let ended = make(&world).await;
    (world, ended)
}

#[tokio::test]
async fn a_strict_run_cuts_above_a_thousand_tokens_and_keeps_the_whole() {
    let (world, ended) = lines(1_000, GuardProfile::Strict).await;
    let (head, tail) = ended.output.split_once(" lines omitted]\n").unwrap();
    assert!(head.starts_with("this is line 1\n") && head.len() <= 2_010);
    assert!(tail.contains("this is line 1000\n") && tail.len() <= 2_200);
    assert!(tail.contains("is in /tmp/journeyman/output/c1.txt.]"), "{tail}");
    let whole: String = (1..=1_000).map(|n| format!("this is line {n}\n")).collect();
    assert_eq!(world.machine.text("/tmp/journeyman/output/c1.txt"), Some(whole.clone()));
    assert_eq!(world.journal.artifacts(), [whole.clone().into_bytes()]);
    assert_eq!(ended.artifact.unwrap().size_bytes, whole.len() as u64);
}

#[tokio::test]
async fn a_standard_run_has_a_limit_for_each_tool() {
    let (world, ended) = lines(1_000, GuardProfile::Standard).await;
    assert!(!ended.output.contains("omitted") && ended.artifact.is_none());
    assert!(world.journal.artifacts().is_empty());
    let (_, ended) = lines(5_000, GuardProfile::Standard).await;
    assert!(ended.output.contains("lines omitted]") && ended.output.len() < 33_000);

    let world = self::world("grep", json!({"pattern": "needle"}));
    let hay: String = (1..=400).map(|n| format!("{n} needle {}\n", "hay".repeat(20))).collect();
    world.machine.put("hay.txt", hay.as_bytes());
    let found = make(&world).await;
    assert_eq!(found.summary, "400 lines");
    assert!(found.output.contains("lines omitted]") && found.output.len() < 17_000);
}

#[tokio::test]
async fn the_results_of_one_answer_take_at_most_a_third_of_a_small_window() {
    let read = |id| (id, "read_file", json!({"path": format!("{id}.txt")}));
    let bash = |id| (id, "bash", json!({"command": "lines 3000"}));
    let mut story =
        Story::new(vec![calls(&[read("c1"), read("c2"), read("c3"), bash("c4"), bash("c5")]), says("Read.")]);
    story.info.context_tokens = 12_000;
    let world = World::new(story);
    for name in ["c1.txt", "c2.txt", "c3.txt"] {
        world.machine.put(name, "a line of text\n".repeat(3_000).as_bytes());
    }
    world.machine.rebase();
    world.run().await;
    let events = world.journal.events();
    let sizes: Vec<usize> = events
        .iter()
        .filter_map(
            |event| if let RunEvent::ToolEnded(ended) = event { Some(ended.output.len() / 4) } else { None },
        )
        .collect();
    assert_eq!(sizes.len(), 5);
    assert!(sizes.iter().sum::<usize>() < 4_000 + 5 * 50 + 800, "{sizes:?}");
}

fn live_output(world: &World) -> Vec<String> {
    let pieces = world.journal.live().into_iter().filter_map(|live| match live {
        Live::Output { text, .. } => Some(text),
        Live::Text { .. } | Live::Thinking { .. } => None,
    });
    pieces.collect()
}

#[tokio::test]
async fn live_output_comes_whole_and_in_few_pieces() {
    let (world, _) = lines(1_500, GuardProfile::Standard).await;
    let whole: String = (1..=1_500).map(|n| format!("this is line {n}\n")).collect();
    let pieces = live_output(&world);
    assert_eq!(pieces.concat(), whole);
    assert!(pieces.len() < 8, "{}", pieces.len());
}

#[tokio::test]
async fn of_a_flood_watchers_see_the_start_and_the_end() {
    let (world, _) = lines(100_000, GuardProfile::Standard).await;
    let shown = live_output(&world).concat();
    assert!(shown.starts_with("this is line 1\n") && shown.ends_with("this is line 100000\n"));
    assert!(shown.contains(" bytes are not shown here]\n") && shown.len() < 64 << 10, "{}", shown.len());
}

#[tokio::test]
async fn what_a_hanging_command_printed_last_is_shown_after_a_moment() {
    let world = world("bash", json!({"command": "drip"}));
    let shown = || live_output(&world).concat();
    let watcher = async {
        // The look for wishes, and the wait for the next piece.
        world.clock.wait_for_sleepers(2).await;
        assert_eq!(shown(), "drip\n");
        world.clock.advance(std::time::Duration::from_millis(50));
        while shown() != "drip\ndrop\n" {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { _ = world.run() => unreachable!("it hangs"), () = watcher => {} }
}

#[tokio::test]
async fn narration_and_tasks_reach_people() {
    let story = Story::new(vec![
        call("c1", "narrate", json!({"text": "I look at /workspace/lib/cart.sh."})),
        call(
            "c2",
            "update_tasks",
            json!({"tasks": [{"title": "look", "state": "done"}, {"title": "mend", "state": "open"}]}),
        ),
        says("Nothing."),
    ]);
    let world = World::new(story);
    world.run().await;
    let events = world.journal.events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, RunEvent::Narration { text } if text == "I look at lib/cart.sh."))
    );
    assert_eq!(world.history().tasks().len(), 2);
    let summary = events.iter().rev().find_map(|event| match event {
        RunEvent::ToolEnded(ended) => Some(ended.summary.clone()),
        _ => None,
    });
    assert_eq!(summary.as_deref(), Some("1 of 2 done"));
}

#[test]
fn schemas_are_small_and_bash_needs_a_command_alone() {
    let specs = agent::tool_specs();
    let bash = specs.iter().find(|spec| spec.name == "bash").unwrap();
    assert_eq!(bash.parameters["required"], json!(["command"]));
    let size: usize =
        specs.iter().map(|spec| spec.description.len() + spec.parameters.to_string().len()).sum();
    assert!(size < 5_000, "{size}");
}

//! Owners that die: nothing acknowledged is lost, nothing runs twice unseen, and the run goes on.

use serde_json::Value;
use testkit::program::Program;
use testkit::repository::Repository;

use super::common::{JOURNEYMAN, SIX_TRACES, WAITS_FOR_A_FILE, WRITES_A_FILE};

/// Kills the process that works on a run right after `part` was seen for the `count`th time, lets the next one
/// finish it, and returns the whole log.
fn killed_after(part: &str, count: usize) -> (Vec<Value>, String) {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("six", SIX_TRACES), repository.path());
    let path = path.to_string_lossy();
    let mut owner = program.start(&["do", "w", "--repo", &path, "--model", &model, "--json"]);
    for _ in 0..count {
        owner.line_with(part);
    }
    owner.signal("KILL");
    drop(owner);
    let resumed = program.run(&["resume", "1", "--json"]).with_code(0);
    assert_eq!(resumed.last_json()["state"], "succeeded", "{}", resumed.stdout);
    let log = program.run(&["watch", "1", "--json"]).with_code(0).json_lines();
    let branch = log.last().and_then(|done| done["branch"].as_str().map(str::to_owned)).unwrap_or_default();
    let trace = repository.git(&["show", &format!("{branch}:trace.txt")]);
    (log, trace)
}

/// The log is whole: 1, 2, 3 … and every call that began has ended exactly once.
fn assert_whole(log: &[Value]) {
    let events: Vec<&Value> = log.iter().filter(|line| line["seq"].is_i64()).collect();
    let seqs: Vec<i64> = events.iter().filter_map(|line| line["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=i64::try_from(seqs.len()).unwrap_or(0)).collect::<Vec<_>>());
    let calls = |kind: &str, pointer: &str| {
        let of_kind = events.iter().filter(|line| line["kind"] == kind);
        let mut ids: Vec<String> =
            of_kind.filter_map(|line| line.pointer(pointer)?.as_str().map(str::to_owned)).collect();
        ids.sort();
        ids
    };
    let (started, ended) = (calls("tool.started", "/data/call/id"), calls("tool.ended", "/data/call_id"));
    assert_eq!(started, ended);
    let mut once = started.clone();
    once.dedup();
    assert_eq!(once, started, "no call was started twice");
}

#[test]
fn a_run_whose_owner_is_killed_in_the_middle_of_a_call_is_finished_by_the_next() {
    let (log, trace) = killed_after("tool.started", 3);
    assert_whole(&log);
    let interrupted = log.iter().filter(|line| line["data"]["outcome"] == "interrupted").count();
    assert_eq!(interrupted, 1, "the model is told that nobody knows how far the call came");
    let lines: Vec<&str> = trace.lines().collect();
    let mut once = lines.clone();
    once.dedup();
    assert_eq!(once, lines, "no command ran twice");
}

#[test]
fn a_run_whose_owner_is_killed_between_two_calls_is_finished_by_the_next() {
    let (log, trace) = killed_after("tool.ended", 2);
    assert_whole(&log);
    assert!(trace.starts_with("1\n2\n"), "what was done before is still there: {trace}");
}

#[test]
fn a_run_whose_owner_is_killed_before_its_sandbox_is_ready_is_finished_by_the_next() {
    let (log, trace) = killed_after("run.created", 1);
    assert_whole(&log);
    assert_eq!(trace, "1\n2\n3\n4\n5\n6");
}

#[test]
fn a_run_whose_owner_is_killed_on_the_way_to_its_branch_is_delivered_by_the_next() {
    let (log, trace) = killed_after("files.changed", 1);
    assert_whole(&log);
    assert_eq!(trace, "1\n2\n3\n4\n5\n6");
    assert_eq!(log.iter().filter(|line| line["kind"] == "delivery.made").count(), 1);
}

#[test]
fn a_server_that_is_told_to_stop_leaves_the_run_for_the_next_one() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("waits", WAITS_FOR_A_FILE), repository.path());
    let (server, _) = program.up();
    let path = path.to_string_lossy();
    program.run(&["do", "w", "--repo", &path, "--model", &model, "--detach"]).with_code(0);
    let mut watch = program.start(&["watch", "1", "--json"]);
    watch.line_with("tool.started");
    server.signal("TERM");
    server.end().with_code(0);
    let (_next, _) = program.up();
    assert_eq!(
        watch.end().with_code(0).last_json()["state"],
        "succeeded",
        "who watched found the next server"
    );
}

#[test]
fn ctrl_c_pauses_a_run_in_process_and_says_how_to_go_on() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("six", SIX_TRACES), repository.path());
    let mut owner =
        program.start(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--json"]);
    owner.line_with("tool.started");
    owner.signal("INT");
    let left = owner.end().with_code(130).last_json();
    assert_eq!((&left["kind"], &left["state"]), (&"left".into(), &"paused".into()));
    let resumed = program.run(&["resume", "1"]).with_code(0);
    assert!(resumed.stdout.contains("branch  journeyman/1-w"), "{}", resumed.stdout);
}

#[test]
fn a_run_goes_on_when_the_command_that_owned_the_folder_ends_before_it() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (short, long) = (program.script("short", WAITS_FOR_A_FILE), program.script("long", SIX_TRACES));
    let path = repository.path();
    let path = path.to_string_lossy();
    let mut first = program.start(&["do", "short", "--repo", &path, "--model", &short, "--json"]);
    first.line_with("turn.asked");
    let second = program.start(&["do", "long", "--repo", &path, "--model", &long, "--json"]);
    assert_eq!(first.end().with_code(0).last_json()["state"], "succeeded");
    let second = second.end().with_code(0);
    assert_eq!(second.last_json()["state"], "succeeded");
    assert_whole(&second.json_lines());
    let branch = second.last_json()["branch"].as_str().unwrap_or_default().to_owned();
    assert!(repository.git(&["show", &format!("{branch}:trace.txt")]).ends_with('6'));
}

#[test]
fn a_run_whose_owner_was_killed_can_be_stopped_without_a_server() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("six", SIX_TRACES), repository.path());
    let mut owner =
        program.start(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--json"]);
    owner.line_with("tool.started");
    owner.signal("KILL");
    drop(owner);
    assert_eq!(program.run(&["stop", "1", "--json"]).with_code(0).last_json()["state"], "cancelled");
    assert_eq!(program.run(&["resume", "1", "--json"]).with_code(9).error()["code"], "wrong_state");
}

#[test]
fn a_command_works_on_its_own_run_only_and_tells_of_others_that_wait() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (long, short) = (program.script("six", SIX_TRACES), program.script("writes", WRITES_A_FILE));
    let path = repository.path();
    let path = path.to_string_lossy();
    let mut owner = program.start(&["do", "long", "--repo", &path, "--model", &long, "--json"]);
    owner.line_with("tool.started");
    owner.signal("KILL");
    drop(owner);
    let stands = || {
        let shown = program.run(&["run", "show", "1", "--json"]).with_code(0).last_json();
        (shown["state"].clone(), shown["last_seq"].clone())
    };
    let before = stands();
    let other = program.run(&["do", "short", "--repo", &path, "--model", &short]).with_code(0);
    assert!(
        other.stderr.contains("run 1 of") && other.stderr.contains("journeyman resume 1"),
        "{}",
        other.stderr
    );
    assert_eq!(stands(), before, "nobody asked for run 1");
    assert_eq!(program.run(&["resume", "1", "--json"]).with_code(0).last_json()["state"], "succeeded");
}

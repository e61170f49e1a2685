//! `do` without a server: one command from a goal to a branch.

use super::common::{ASKS, JOURNEYMAN, TWO_LINES, WRITES_A_FILE};
use store::DatabaseConfig;
use testkit::database::TestDatabase;
use testkit::program::Program;
use testkit::repository::Repository;

#[test]
fn a_goal_becomes_a_branch_and_with_apply_a_change_in_the_working_tree() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let ended = program.run(&[
        "do",
        "write a file",
        "--repo",
        &path.to_string_lossy(),
        "--model",
        &model,
        "--apply",
        "--wait",
        "--json",
    ]);
    let ended = ended.with_code(0);
    let lines = ended.json_lines();
    assert!(lines.iter().all(|line| line["v"] == 1 && line["kind"].is_string()), "{lines:?}");
    assert_eq!(lines[0]["kind"], "run.created");

    let done = ended.last_json();
    assert_eq!((done["kind"].as_str(), done["state"].as_str()), (Some("done"), Some("succeeded")));
    assert_eq!((&done["applied"], &done["turns"], &done["tool_calls"]), (&true.into(), &2.into(), &1.into()));
    assert_eq!(done["files"][0]["path"], "f.txt");
    let branch = done["branch"].as_str().unwrap_or_default();
    assert_eq!(repository.git(&["rev-parse", branch]), done["commit"].as_str().unwrap_or_default());
    assert_eq!(repository.read("f.txt"), "x\n", "the change is in the working tree");
    assert_eq!(
        repository.git(&["branch", "--show-current"]),
        "main",
        "the checkout was not touched otherwise"
    );
}

#[test]
fn without_json_the_result_goes_to_standard_output_and_the_talk_to_standard_error() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let model = program.script("writes", WRITES_A_FILE);
    let path = repository.path();
    let ended = program.run(&["do", "write a file", "--repo", &path.to_string_lossy(), "--model", &model]);
    let ended = ended.with_code(0);
    assert!(ended.stdout.starts_with("branch  journeyman/1-write-a-file"), "{}", ended.stdout);
    assert!(ended.stderr.contains("ran        echo x >> f.txt"), "{}", ended.stderr);
    assert!(
        ended.stderr.trim_end().ends_with("journeyman diff 1      journeyman apply 1"),
        "{}",
        ended.stderr
    );
    assert_eq!(repository.read("f.txt"), "", "without --apply the working tree stays as it was");

    let diff = program.run(&["diff", "1"]).with_code(0);
    assert!(diff.stdout.contains("+++ b/f.txt") && diff.stdout.contains("+x"), "{}", diff.stdout);
    assert!(program.run(&["diff", "1", "--stat"]).with_code(0).stdout.contains("added  f.txt  +1"));
    program.run(&["apply", "1"]).with_code(0);
    assert_eq!(repository.read("f.txt"), "x\n");

    let watched = program.run(&["--plain", "watch", "1"]).with_code(0);
    assert!(watched.stdout.contains("ran: echo x >> f.txt"), "{}", watched.stdout);
    assert!(!watched.stdout.contains('\u{1b}'), "no colours, no redrawing");
    let listed = program.run(&["run", "list", "--json"]).with_code(0).last_json();
    assert_eq!((&listed["v"], &listed["items"][0]["state"]), (&1.into(), &"succeeded".into()));
}

#[test]
fn a_finished_run_takes_a_follow_up_on_the_same_branch() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("two", TWO_LINES), repository.path());
    let first =
        program.run(&["do", "one line", "--repo", &path.to_string_lossy(), "--model", &model, "--json"]);
    let first = first.with_code(0).last_json();
    let second = program.run(&["continue", "1", "one more line", "--json"]).with_code(0).last_json();
    assert_eq!(second["branch"], first["branch"]);
    let branch = second["branch"].as_str().unwrap_or_default();
    assert_eq!(repository.git(&["show", &format!("{branch}:f.txt")]), "x\ny");
}

#[test]
fn apply_refuses_to_write_over_uncommitted_work_and_keeps_it() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("f.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let path = path.to_string_lossy();
    program.run(&["do", "write", "--repo", &path, "--model", &model, "--json"]).with_code(0);
    repository.write("f.txt", "mine\n");
    let refused = program.run(&["apply", "1", "--json"]).with_code(9);
    assert_eq!(refused.error()["code"], "would_overwrite");
    assert!(refused.error()["text"].as_str().unwrap_or_default().contains("f.txt"));
    assert_eq!(repository.read("f.txt"), "mine\n");

    let work = ["do", "write", "--repo", &path, "--model", &model, "--apply", "--json"];
    let ended = program.run(&work).with_code(9);
    let done = ended.last_json();
    assert_eq!((&done["state"], &done["applied"]), (&"succeeded".into(), &false.into()));
    assert!(ended.stdout.contains("would_overwrite"), "the log says why");
    assert_eq!(repository.read("f.txt"), "mine\n");
}

#[test]
fn the_check_command_decides_and_its_failure_is_exit_code_3() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let path = path.to_string_lossy();
    let passed =
        program.run(&["do", "w", "--repo", &path, "--model", &model, "--check", "test -s f.txt", "--json"]);
    assert_eq!(passed.with_code(0).last_json()["evidence"]["evidence"], "check_passed");
    let failed = program.run(&["do", "w", "--repo", &path, "--model", &model, "--check", "false", "--json"]);
    let failed = failed.with_code(3).last_json();
    assert_eq!((&failed["kind"], &failed["state"]), (&"done".into(), &"failed".into()));
}

#[test]
fn a_ceiling_ends_the_run_with_exit_code_6() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let path = path.to_string_lossy();
    let ended = program.run(&["do", "w", "--repo", &path, "--model", &model, "--max-turns", "1", "--json"]);
    let done = ended.with_code(6).last_json();
    assert_eq!((&done["state"], &done["reason"]["code"]), (&"budget_exceeded".into(), &"turn_limit".into()));
}

#[test]
fn with_nobody_to_ask_policy_answers_and_the_end_tells_what_was_refused() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("asks", ASKS), repository.path());
    let ended = program.run(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--json"]);
    let ended = ended.with_code(0);
    let lines = ended.json_lines();
    let answered = lines.iter().find(|line| line["kind"] == "question.answered").expect("an answer");
    assert_eq!(answered["data"]["by"], "policy");
    assert!(lines.iter().any(|line| line["data"]["code"] == "nobody_to_ask"), "the log says so");
    assert_eq!(ended.last_json()["refused"][0]["text"], "Left or right?", "and so does the end");
    assert_eq!(ended.json_lines()[0]["data"]["attended"], "no");
}

#[test]
fn the_demo_plays_to_its_end_without_a_person_a_key_or_a_network() {
    let program = Program::new(JOURNEYMAN);
    let ended = program.run(&["demo", "--once", "--fast"]).with_code(0);
    assert!(ended.stdout.starts_with("branch  journeyman/1-"), "{}", ended.stdout);
    assert!(ended.stdout.contains("scripted"), "the demo says what it is: {}", ended.stdout);
    assert!(ended.stderr.contains("NEEDS YOU") && ended.stderr.contains("answered"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_same_on_postgres() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let DatabaseConfig::Postgres { url, .. } = &database.config.database else { panic!("not Postgres") };
    let program = Program::new(JOURNEYMAN).with("JOURNEYMAN_DATABASE_URL", url);
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let work = ["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--apply", "--json"];
    let done = program.run(&work).with_code(0).last_json();
    assert_eq!((&done["state"], &done["applied"]), (&"succeeded".into(), &true.into()));
    assert_eq!(program.run(&["status", "--json"]).with_code(0).last_json()["database"], "postgres");
    assert!(!program.data().join("journeyman.db").exists(), "nothing is kept in SQLite beside");
    database.remove().await;
}

//! People and a run that a server works on: questions, steering, pausing, stopping.

use testkit::program::{Program, Running};
use testkit::repository::Repository;

use super::common::{ASKS, JOURNEYMAN, WAITS_FOR_A_FILE, WRITES_A_FILE};

/// A server, a repository and a run of `script` on it.
struct Scene {
    program: Program,
    repository: Repository,
    _server: Running,
}

impl Scene {
    fn with(script: &str) -> Self {
        let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
        let model = program.script("script", script);
        let (server, _) = program.up();
        let path = repository.path();
        let begun = program.run(&[
            "do",
            "w",
            "--repo",
            &path.to_string_lossy(),
            "--model",
            &model,
            "--detach",
            "--json",
        ]);
        assert_eq!(begun.with_code(0).last_json()["number"], 1);
        Self { program, repository, _server: server }
    }

    /// Follows the run until a line with `part` comes.
    fn until(&self, part: &str) -> Running {
        let mut watch = self.program.start(&["watch", "1", "--json"]);
        watch.line_with(part);
        watch
    }
}

#[test]
fn a_run_that_asks_lets_do_return_with_5_and_goes_on_with_the_answer() {
    let scene = Scene::with(ASKS);
    drop(scene.until("question.asked"));
    let waited = scene.program.run(&["resume", "1", "--json"]).with_code(9).error();
    assert_eq!(waited["code"], "wrong_state");
    let shown = scene.program.run(&["run", "show", "1", "--json"]).with_code(0).last_json();
    assert_eq!((&shown["state"], &shown["question"]["text"]), (&"waiting".into(), &"Left or right?".into()));
    let wrong = scene.program.run(&["approve", "1", "--json"]).with_code(2).error();
    assert_eq!(wrong["code"], "wrong_answer");
    let wrong = scene.program.run(&["answer", "1", "--option", "3", "--json"]).with_code(2).error();
    assert_eq!(wrong["code"], "wrong_answer");
    scene.program.run(&["answer", "1", "--option", "2", "--json"]).with_code(0);
    let done = scene.program.run(&["watch", "1", "--json"]).with_code(0);
    assert!(done.stdout.contains(r#""answer":"text","text":"right""#) || done.stdout.contains("right"));
    assert_eq!(done.last_json()["state"], "succeeded");
    let late = scene.program.run(&["answer", "1", "left", "--json"]).with_code(9).error();
    assert_eq!(late["code"], "no_question");
}

#[test]
fn a_command_that_waits_without_a_terminal_leaves_with_5_when_the_run_asks() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let model = program.script("asks", ASKS);
    let (_server, _) = program.up();
    let path = repository.path();
    let left =
        program.run(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--wait", "--json"]);
    let left = left.with_code(5).last_json();
    assert_eq!((&left["kind"], &left["state"]), (&"left".into(), &"waiting".into()));
    let done = program.run(&["answer", "1", "left", "--wait", "--json"]).with_code(0).last_json();
    assert_eq!(done["state"], "succeeded");
}

#[test]
fn of_two_who_answer_one_question_the_first_counts_and_the_second_is_told() {
    let scene = Scene::with(ASKS);
    drop(scene.until("question.asked"));
    let shown = scene.program.run(&["run", "show", "1", "--json"]).with_code(0).last_json();
    let path = format!("/v1/questions/{}/answer", shown["question"]["id"].as_str().unwrap_or_default());
    let answer = |text: &str| {
        let body = format!(r#"{{"answer":"text","text":"{text}"}}"#);
        scene.program.start(&["api", "POST", &path, "--body", &body, "--json"])
    };
    let both = [answer("left"), answer("right")].map(Running::end);
    let mut codes = [both[0].code, both[1].code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 9], "{both:?}");
    let loser = both.iter().find(|ended| ended.code == 9).expect("a second");
    assert_eq!(loser.error()["code"], "question_answered");
}

#[test]
fn words_reach_the_agent_in_the_middle_of_its_work() {
    let scene = Scene::with(WAITS_FOR_A_FILE);
    let watch = scene.until("tool.started");
    scene.program.run(&["steer", "1", "mind the gap"]).with_code(0);
    let ended = watch.end().with_code(0);
    assert!(ended.stdout.contains("message.said") && ended.stdout.contains("mind the gap"));
    assert_eq!(ended.last_json()["state"], "succeeded");
    let over = scene.program.run(&["steer", "1", "too late", "--json"]).with_code(9).error();
    assert_eq!(over["code"], "wrong_state");
}

#[test]
fn a_paused_run_rests_until_it_is_resumed() {
    let scene = Scene::with(WAITS_FOR_A_FILE);
    let mut watch = scene.until("tool.started");
    scene.program.run(&["pause", "1"]).with_code(0);
    watch.line_with(r#""state":"paused""#);
    let gone_on = scene.program.run(&["resume", "1", "--wait", "--json"]).with_code(0).last_json();
    assert_eq!(gone_on["state"], "succeeded");
    assert_eq!(watch.end().with_code(0).last_json()["state"], "succeeded", "who watched saw it go on");
    assert_eq!(scene.repository.read("f.txt"), "", "the working tree was not asked for");
}

#[test]
fn a_stopped_run_is_over_and_watching_it_ends_with_3() {
    let scene = Scene::with(WAITS_FOR_A_FILE);
    let watch = scene.until("tool.started");
    scene.program.run(&["stop", "1", "not today", "--json"]).with_code(0);
    let ended = watch.end().with_code(3).last_json();
    assert_eq!(ended["state"], "cancelled");
    assert!(ended["reason"]["text"].as_str().unwrap_or_default().contains("not today"), "{ended}");
    scene.program.run(&["run", "delete", "1"]).with_code(0);
    scene.program.run(&["run", "show", "1"]).with_code(8);
}

#[test]
fn a_client_that_stops_reading_holds_nobody_up() {
    let scene = Scene::with(WRITES_A_FILE);
    let stuck = scene.until("run.created");
    stuck.signal("STOP");
    let other = scene.program.run(&["watch", "1", "--json"]).with_code(0).last_json();
    assert_eq!(other["state"], "succeeded");
    stuck.signal("CONT");
    assert_eq!(
        stuck.end().with_code(0).last_json()["state"],
        "succeeded",
        "it gets the rest when it reads again"
    );
}

/// Wants to print something, whatever is said, and then writes.
const PRINTS: &str = r#"
title = "prints"
[[turn]]
say = "I ask the printer."
calls = [{ tool = "bash", arguments = { command = "echo printed >> paper.txt" } }]
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo done >> f.txt" } }]
[[turn]]
say = "Done."
"#;

#[test]
fn a_rule_makes_a_run_ask_before_a_call_which_a_person_allows_or_refuses() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let model = program.script("prints", PRINTS);
    let (_server, _) = program.up();
    let path = repository.path();
    let path = path.to_string_lossy();
    let project = program.run(&["project", "add", &path, "--json"]).with_code(0).last_json();
    let slug = project["slug"].as_str().expect("a slug");
    let made = program.run(&["rule", "add", "ask", "bash", "echo printed*", "--project", slug, "--json"]);
    let rule = made.with_code(0).last_json()["id"].as_str().expect("an id").to_owned();
    let listed = program.run(&["rule", "list", "--project", slug]).with_code(0);
    assert!(listed.stdout.contains("ask") && listed.stdout.contains("echo printed*"), "{}", listed.stdout);

    let ask = || {
        let asked =
            program.run(&["do", "w", "--repo", &path, "--model", &model, "--json"]).with_code(5).last_json();
        assert_eq!(asked["question"]["kind"], "approval", "{asked}");
        asked["run"].to_string()
    };
    let files = |ended: &serde_json::Value| {
        let branch = ended["branch"].as_str().expect("a branch").to_owned();
        repository.git(&["ls-tree", "--name-only", &branch])
    };
    let allowed = program.run(&["approve", &ask(), "--wait", "--json"]).with_code(0).last_json();
    assert_eq!(files(&allowed), "a.txt\nf.txt\npaper.txt");
    let refused = program.run(&["refuse", &ask(), "no paper", "--wait", "--json"]).with_code(0).last_json();
    assert_eq!(files(&refused), "a.txt\nf.txt");

    let removed = program.run(&["rule", "remove", &rule, "--project", slug]).with_code(0);
    assert!(removed.stdout.contains("removed"), "{}", removed.stdout);
    let free =
        program.run(&["do", "w", "--repo", &path, "--model", &model, "--json"]).with_code(0).last_json();
    assert_eq!(files(&free), "a.txt\nf.txt\npaper.txt");
    let gone = program.run(&["rule", "remove", &rule, "--project", slug, "--json"]);
    assert_eq!(gone.with_code(8).error()["code"], "rule_not_found");
}

#[test]
fn a_rule_that_denies_is_told_to_the_agent_and_the_run_goes_on() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let model = program.script("prints", PRINTS);
    let path = repository.path();
    let path = path.to_string_lossy();
    program.run(&["project", "add", &path, "--name", "Paper"]).with_code(0);
    program.run(&["rule", "add", "deny", "bash", "*paper*", "--project", "paper"]).with_code(0);
    let ended =
        program.run(&["do", "w", "--repo", &path, "--model", &model, "--json"]).with_code(0).last_json();
    assert_eq!(ended["refused"].as_array().map(Vec::len), Some(1), "{ended}");
    assert_eq!(
        repository.git(&["ls-tree", "--name-only", ended["branch"].as_str().unwrap_or("")]),
        "a.txt\nf.txt"
    );
}

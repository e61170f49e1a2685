//! The check command: found in the repository where nobody gives one, run by us, and told honestly.

use testkit::program::{Ended, Program};
use testkit::repository::Repository;

use super::common::{JOURNEYMAN, WRITES_A_FILE};

/// Adds `f.txt` to a repository of these files.
fn work_on(files: &[(&str, &str)], more: &[&str]) -> Ended {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(files));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let path = path.to_string_lossy();
    let mut arguments = vec!["do", "w", "--repo", &path, "--model", &model, "--json"];
    arguments.extend(more);
    program.run(&arguments)
}

fn told(ended: &Ended, code: &str) -> bool {
    ended.json_lines().iter().any(|line| line["kind"] == "notice" && line["data"]["code"] == code)
}

#[test]
fn a_check_that_is_found_in_the_repository_is_run_and_counts() {
    let passes = work_on(&[("Makefile", "test:\n\tgrep -q x f.txt\n")], &[]).with_code(0);
    assert!(told(&passes, "check_found"), "{}", passes.stdout);
    let evidence = passes.last_json()["evidence"].clone();
    assert_eq!(evidence, serde_json::json!({ "evidence": "check_passed", "command": "make test" }));

    let fails = work_on(&[("Makefile", "test:\n\tgrep -q y f.txt\n")], &[]).with_code(3);
    assert_eq!(fails.last_json()["reason"]["code"], "check_failed");
}

#[test]
fn a_found_check_that_cannot_be_run_here_is_told_and_does_not_fail_the_work() {
    let lacking = [
        ("test:\n\tno-such-program --all\n", "Error 127"),
        ("test:\n\t@echo 'fatal: Could not resolve host: example.test'; exit 1\n", "needs the network"),
    ];
    for (makefile, why) in lacking {
        let ended = work_on(&[("Makefile", makefile)], &[]).with_code(0);
        let evidence = ended.last_json()["evidence"].clone();
        assert_eq!(
            (&evidence["evidence"], &evidence["command"]),
            (&"check_not_run".into(), &"make test".into())
        );
        assert!(evidence["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{evidence}");
        assert!(told(&ended, "check_not_run"));
    }
    // What somebody gave has to run.
    let given = work_on(&[("a.txt", "one\n")], &["--check", "no-such-program"]).with_code(3);
    assert_eq!(given.last_json()["reason"]["code"], "check_failed");
    // A script of the repository's own that is gone is no lack of this place.
    let gone = work_on(&[("AGENTS.md", "Check command: `./gone.sh`\n")], &[]).with_code(3);
    assert_eq!(gone.last_json()["reason"]["code"], "check_failed");
}

//! Much of everything: a command that prints a gigabyte, a repository of a hundred thousand files.
#![expect(clippy::expect_used, reason = "a test without its process or its repository cannot go on")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::program::Program;
use testkit::repository::Repository;

use super::common::{JOURNEYMAN, WRITES_A_FILE};

/// What the loud command prints.
const PRINTED: u64 = 1 << 30;

/// Prints a gigabyte between two lines that can be told apart, then works on.
const PRINTS_A_GIGABYTE: &str = r#"
title = "loud"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo begins; yes aaaaaaaaaaaaaaa | head -c 1073741824; echo ends" } }]
[[turn]]
capture = { after = "(ends)" }
calls = [{ tool = "bash", arguments = { command = "echo {{after}} > f.txt" } }]
[[turn]]
say = "Written."
[[turn]]
say = "It is as I said."
"#;

/// Changes one file of many, by its path, and says how many there are.
const CHANGES_ONE_OF_MANY: &str = r#"
title = "many"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "find . -name f*.txt | wc -l; echo changed > d42/f7.txt" } }]
[[turn]]
say = "Changed."
[[turn]]
say = "It is as I said."
"#;

/// The most memory that a process has ever had, in bytes.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kilobytes * 1024
}

fn event<'a>(log: &'a [Value], kind: &str) -> &'a Value {
    log.iter().find(|line| line["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {log:?}"))
}

#[test]
fn a_command_that_prints_a_gigabyte_costs_no_memory_and_the_run_goes_on() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (quiet, loud) = (program.script("writes", WRITES_A_FILE), program.script("loud", PRINTS_A_GIGABYTE));
    let path = repository.path();
    let path = path.to_string_lossy();
    let (server, _) = program.up();
    let work = |model: &str| program.run(&["do", "w", "--repo", &path, "--model", model, "--json"]);
    work(&quiet).with_code(0);
    let before = most_memory(server.pid());
    let ended = work(&loud).with_code(0);
    let grown = most_memory(server.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "the server grew by {grown} bytes");

    let log = ended.json_lines();
    let call = &event(&log, "tool.ended")["data"];
    assert_eq!(call["outcome"], "done", "{call}");
    assert!(ended.stdout.len() < 64 << 20, "who watched got {} bytes", ended.stdout.len());
    let stays = program.run(&["watch", "2", "--json"]).with_code(0).stdout;
    assert!(stays.len() < 1 << 20, "the log has {} bytes", stays.len());
    assert_eq!(ended.last_json()["files"][0]["path"], "f.txt", "the model saw the end, and the run went on");

    let id = call["artifact"]["id"].as_str().expect("an artifact");
    let kept = program.run(&["artifact", "get", id]).with_code(0).stdout;
    let dropped = PRINTED + "begins\nends\n".len() as u64 - (16 << 20);
    let note = format!("[{dropped} bytes dropped here]");
    assert!(kept.starts_with("begins\n") && kept.ends_with("ends\n"), "its first and its last part");
    assert!(kept.len() < 17 << 20 && kept.lines().any(|line| line == note), "{} bytes", kept.len());
    let shown = call["output"].as_str().unwrap_or_default();
    assert!(shown.contains(&format!("{dropped} bytes between them were dropped")), "{shown}");
}

/// A repository of `folders` × `files` files in one commit, of which one folder is checked out:
/// most of the time would go into files that nobody looks at.
#[expect(clippy::disallowed_methods, reason = "tests make their repositories with git itself")]
fn repository_of(folders: usize, files: usize) -> Repository {
    let repository = Repository::with(&[]);
    let mut stream = String::from("blob\nmark :1\ndata 4\none\n\n");
    stream.push_str(
        "commit refs/heads/main\ncommitter Mira <mira@example.test> 1700000000 +0000\ndata 5\nstart\n",
    );
    for folder in 0..folders {
        for file in 0..files {
            let _written = writeln!(stream, "M 100644 :1 d{folder}/f{file}.txt");
        }
    }
    let mut import = Command::new("git");
    import.args(["fast-import", "--quiet"]).current_dir(repository.path()).stdin(Stdio::piped());
    let mut import = import.spawn().expect("git");
    let mut input = import.stdin.take().expect("its input");
    input.write_all(stream.as_bytes()).expect("give the files");
    drop(input);
    assert!(import.wait().expect("the end").success(), "git fast-import");
    repository.git(&["sparse-checkout", "set", "d42"]);
    repository.git(&["reset", "--quiet", "--hard"]);
    repository
}

#[test]
fn a_repository_of_a_hundred_thousand_files_is_worked_on_as_any_other() {
    let (program, repository) = (Program::new(JOURNEYMAN), repository_of(1_000, 100));
    let (model, path) = (program.script("many", CHANGES_ONE_OF_MANY), repository.path());
    let path = path.to_string_lossy();
    let ended = program.run(&["do", "change one", "--repo", &path, "--model", &model, "--json"]).with_code(0);
    let log = ended.json_lines();
    assert_eq!(event(&log, "tool.ended")["data"]["output"], "100000\n", "all of them are in the sandbox");
    let done = ended.last_json();
    let files: Vec<_> =
        done["files"].as_array().into_iter().flatten().filter_map(|file| file["path"].as_str()).collect();
    assert_eq!((done["state"].as_str(), files), (Some("succeeded"), vec!["d42/f7.txt"]));
    let branch = done["branch"].as_str().unwrap_or_default();
    assert_eq!(repository.git(&["diff", "--name-status", "main", branch]), "M\td42/f7.txt");
    assert_eq!(repository.git(&["show", &format!("{branch}:d42/f7.txt")]), "changed");
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", branch]).lines().count(), 100_000);
    assert_eq!(repository.git(&["status", "--porcelain"]), "", "the checkout was not touched");
}

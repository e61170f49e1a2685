//! The contract of the command line: exit codes, what goes where, errors for people and programs.

use std::net::TcpListener;

use testkit::program::Program;
use testkit::repository::Repository;

use super::common::{JOURNEYMAN, WRITES_A_FILE};

#[test]
fn help_and_codes_need_no_data_folder() {
    let program = Program::new(JOURNEYMAN);
    let codes = program.run(&["help", "exit-codes"]).with_code(0);
    assert!(codes.stdout.contains("130  interrupted"), "{}", codes.stdout);
    let explained = program.run(&["explain", "RUN-NOT-FOUND", "--json"]).with_code(0).last_json();
    assert_eq!((&explained["code"], &explained["exit"]), (&"run_not_found".into(), &8.into()));
    assert!(program.run(&["explain"]).with_code(0).stdout.contains("would_overwrite"));
    assert!(program.run(&["completion", "bash"]).with_code(0).stdout.contains("_journeyman"));
    assert!(program.run(&["help", "do"]).with_code(0).stdout.contains("--max-cost"));
    assert!(!program.data().exists(), "nothing was made");
}

#[test]
fn a_misuse_is_exit_code_2_and_says_nothing_on_standard_output() {
    let program = Program::new(JOURNEYMAN);
    for arguments in [
        &["do"][..],
        &["frobnicate"],
        &["do", "x", "--max-cost", "0"],
        &["do", "x", "--wait", "--detach"],
        &["answer", "1"],
        &["token", "create", "x", "--expires-in-days", "0"],
    ] {
        let ended = program.run(arguments).with_code(2);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(program.run(&["frobnicate", "--json"]).with_code(2).error()["code"], "usage");
}

#[test]
fn errors_carry_code_why_and_fix_for_people_and_for_programs() {
    let program = Program::new(JOURNEYMAN);
    let for_people = program.run(&["run", "show", "999"]).with_code(8);
    assert!(for_people.stdout.is_empty());
    assert_eq!(
        for_people.stderr,
        "error: there is no run 999  [run_not_found]\n  fix:  journeyman run list\n"
    );
    let error = program.run(&["run", "show", "999", "--json"]).with_code(8).error();
    assert_eq!((&error["code"], &error["exit"]), (&"run_not_found".into(), &8.into()));
    assert_eq!(error["fix"], "journeyman run list");
    assert_eq!(program.run(&["explain", "no_such", "--json"]).with_code(8).error()["code"], "unknown_code");
    assert_eq!(program.run(&["watch", "--json"]).with_code(8).error()["code"], "no_runs");
}

#[test]
fn without_a_model_the_person_is_told_how_to_get_one() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let path = repository.path();
    let path = path.to_string_lossy();
    let error = program.run(&["do", "x", "--repo", &path, "--json"]).with_code(2).error();
    assert_eq!(error["code"], "no_model");
    assert!(error["fix"].as_str().unwrap_or_default().contains("journeyman connect"));
    let error =
        program.run(&["do", "x", "--repo", &path, "--model", "openai/x", "--json"]).with_code(2).error();
    assert_eq!(error["code"], "model_not_configured");
    assert!(error["fix"].as_str().unwrap_or_default().contains("OPENAI_API_KEY"), "{error}");
    let error =
        program.run(&["do", "x", "--repo", &path, "--model", "nobody/x", "--json"]).with_code(2).error();
    assert_eq!(error["code"], "model_not_configured");
}

#[test]
fn what_is_no_repository_is_refused_with_the_reason() {
    let program = Program::new(JOURNEYMAN);
    let model = program.script("writes", WRITES_A_FILE);
    let refused = |path: &str| {
        program.run(&["do", "x", "--repo", path, "--model", &model, "--json"]).with_code(2).error()
    };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(refused(&folder.path().to_string_lossy())["code"], "not_a_repository");
    assert_eq!(refused(&folder.path().join("gone").to_string_lossy())["code"], "bad_input");
}

#[test]
fn a_repository_without_a_commit_is_refused_before_there_is_a_run() {
    let (program, empty) = (Program::new(JOURNEYMAN), Repository::with(&[]));
    let model = program.script("writes", WRITES_A_FILE);
    let path = empty.path();
    let path = path.to_string_lossy();
    let refused = || program.run(&["do", "x", "--repo", &path, "--model", &model, "--json"]);
    let error = refused().with_code(2).error();
    assert_eq!(error["code"], "repository_empty");
    assert_eq!(
        error["fix"], "make a first commit there: git add -A && git commit --allow-empty -m start",
        "{error}"
    );
    assert_eq!(program.run(&["run", "list", "--json"]).last_json()["items"], serde_json::json!([]));

    empty.git(&["commit", "--quiet", "--allow-empty", "-m", "start"]);
    refused().with_code(0);
    empty.git(&["pack-refs", "--all"]);
    refused().with_code(0);
}

#[test]
fn a_shell_completes_commands_runs_and_projects() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let model = program.script("writes", WRITES_A_FILE);
    let path = repository.path();
    program.run(&["project", "add", &path.to_string_lossy(), "--name", "Corner shop"]).with_code(0);
    program.run(&["do", "x", "--repo", &path.to_string_lossy(), "--model", &model]).with_code(0);
    for shell in ["bash", "zsh", "fish"] {
        let script = program.run(&["completion", shell]).with_code(0).stdout;
        assert!(script.contains("COMPLETE") && script.contains(shell), "{script}");
    }
    // What bash would offer for the last of these words.
    let offered = |words: &str| {
        let count = words.split(' ').count();
        let ask = format!(
            "PATH={}:$PATH; source <(journeyman completion bash)
             COMP_WORDS=(); IFS=' ' read -ra COMP_WORDS <<< '{words}'; [[ '{words}' == *' ' ]] && COMP_WORDS+=('')
             COMP_CWORD={}; COMP_TYPE=9; COMP_LINE='{words}'; COMP_POINT=${{#COMP_LINE}}
             function=$(complete -p journeyman | sed 's/.*-F \\([^ ]*\\).*/\\1/')
             compopt() {{ :; }}
             $function journeyman \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            std::path::Path::new(JOURNEYMAN).parent().expect("a folder").display(),
            count - 1,
        );
        program.shell("bash", &ask).with_code(0).stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(offered("journeyman wat").contains(&"watch".to_owned()));
    assert_eq!(offered("journeyman watch ").first().map(String::as_str), Some("1"));
    assert_eq!(offered("journeyman run list --project cor"), ["corner-shop"]);
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let program = Program::new(JOURNEYMAN);
    std::fs::create_dir_all(program.data()).expect("the data folder");
    std::fs::write(program.data().join("config.toml"), "[runs]\nat_onze = 3\n").expect("write");
    let error = program.run(&["status", "--json"]).with_code(2).error();
    assert_eq!(error["code"], "config_invalid");
    let text = error["text"].as_str().unwrap_or_default();
    assert!(text.contains("line 2") && text.contains("at_onze"), "{text}");
}

#[test]
fn a_refused_key_is_exit_code_3_in_the_providers_words() {
    use std::io::{Read, Write};

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 65_536];
            let _some_of_it = stream.read(&mut request);
            let body = r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#;
            let _answered = write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let program = Program::new(JOURNEYMAN)
        .with("OPENAI_API_KEY", "sk-wrong-0123456789")
        .with("OPENAI_BASE_URL", &format!("http://{address}/v1"));
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let path = repository.path();
    let ended = program
        .run(&["do", "x", "--repo", &path.to_string_lossy(), "--model", "openai/some", "--json"])
        .with_code(3);
    let done = ended.last_json();
    assert_eq!((&done["state"], &done["reason"]["code"]), (&"failed".into(), &"model_auth".into()));
    assert!(done["reason"]["text"].as_str().unwrap_or_default().contains("Incorrect API key"), "{done}");
    assert!(!ended.stdout.contains("sk-wrong"), "the key is shown nowhere");
}

#[test]
fn a_key_comes_from_standard_input_and_is_never_shown() {
    let program = Program::new(JOURNEYMAN);
    let key = "sk-ant-0123456789abcdef";
    let ended = program.run_with_input(&["connect", "anthropic", "--json"], key).with_code(0);
    assert!(!ended.stdout.contains(key) && !ended.stderr.contains(key));
    let models = program.run(&["model", "list", "--json"]).with_code(0);
    assert!(!models.stdout.contains(key));
    let keys = models.last_json()["keys"].clone();
    let anthropic = keys.as_array().into_iter().flatten().find(|key| key["provider"] == "anthropic").cloned();
    assert_eq!(anthropic.map(|key| key["source"].clone()), Some("stored".into()));
    let sealed = std::fs::read(program.data().join("journeyman.db")).expect("the database");
    assert!(!sealed.windows(key.len()).any(|window| window == key.as_bytes()), "the key lies sealed");
    program.run(&["connect", "anthropic", "--forget"]).with_code(0);
    let nothing = program.run(&["connect", "anthropic", "--json"]).with_code(2).error();
    assert_eq!(nothing["code"], "input_needed");
}

#[test]
fn projects_tokens_and_bare_calls_work_without_a_server() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let path = repository.path();
    let path = path.to_string_lossy();
    let added =
        program.run(&["project", "add", &path, "--name", "The Shop", "--json"]).with_code(0).last_json();
    assert_eq!(added["path"], path.as_ref());
    assert!(program.run(&["project", "list"]).with_code(0).stdout.contains("The Shop"));
    let token =
        program.run(&["token", "create", "ci", "--scope", "runs:read", "--json"]).with_code(0).last_json();
    assert!(token["token"].as_str().unwrap_or_default().starts_with("jm_"));
    let id = token["id"].as_str().unwrap_or_default();
    assert!(program.run(&["token", "list"]).with_code(0).stdout.contains(id));
    program.run(&["token", "revoke", id]).with_code(0);
    let me = program.run(&["api", "get", "/v1/me"]).with_code(0).last_json();
    assert_eq!((&me["via"], &me["user"]["name"]), (&"socket".into(), &"mira".into()));
    assert_eq!(program.run(&["api", "GET", "runs", "--json"]).with_code(2).error()["code"], "bad_path");
}

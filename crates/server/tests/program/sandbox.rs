//! `journeyman box` against a server.

use testkit::program::Program;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_journeyman"))
}

#[test]
fn a_sandbox_is_made_used_copied_to_forked_and_deleted() {
    let program = program();
    let (_server, _) = program.up();
    let made = program
        .run(&["box", "create", "--json", "--name", "try", "--env", "COLOUR=green"])
        .with_code(0)
        .last_json();
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!((made["v"].as_i64(), made["state"].as_str()), (Some(1), Some("running")));

    let ran = program
        .run(&["box", "exec", &id, "--", "sh", "-c", "echo $COLOUR; echo oops >&2; exit 7"])
        .with_code(7);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("green\n", "oops\n"));
    let piped = program.run_with_input(&["box", "exec", "-i", &id, "--", "cat"], "typed").with_code(0);
    assert_eq!(piped.stdout.trim_end(), "typed");

    let folder = program.home().join("tree/deep");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("one"), "1\n").expect("a file");
    std::fs::write(program.home().join("tree/two"), vec![7; 2 << 20]).expect("a file");
    let tree = program.home().join("tree");
    let text = |path: &std::path::Path| path.display().to_string();
    program.run(&["box", "cp", &text(&tree), &format!("{id}:tree")]).with_code(0);
    let listed = program.run(&["box", "exec", &id, "--", "cat", "tree/deep/one"]).with_code(0);
    assert_eq!(listed.stdout, "1\n");
    let back = program.home().join("back");
    program.run(&["box", "cp", &format!("{id}:tree"), &text(&back)]).with_code(0);
    assert_eq!(std::fs::read(back.join("two")).expect("a file").len(), 2 << 20);
    assert_eq!(std::fs::read_to_string(back.join("deep/one")).expect("a file"), "1\n");

    let shell = program
        .run_with_input(&["box", "shell", &id, "--command", "echo from $COLOUR; exit 5"], "")
        .with_code(5);
    assert!(shell.stdout.contains("from green"), "{}", shell.stdout);

    let fork = program.run(&["box", "fork", &id]).with_code(0).stdout.trim().to_owned();
    let same = program.run(&["box", "exec", &fork, "--", "cat", "tree/deep/one"]).with_code(0);
    assert_eq!(same.stdout, "1\n");
    for (verb, state) in [("stop", "stopped"), ("archive", "archived"), ("resume", "running")] {
        assert_eq!(program.run(&["box", verb, &fork]).with_code(0).stdout.trim(), state, "{verb}");
    }
    let same = program.run(&["box", "exec", &fork, "--", "cat", "tree/deep/one"]).with_code(0);
    assert_eq!(same.stdout, "1\n");
    assert!(program.run(&["box", "list"]).with_code(0).stdout.contains(&id));
    assert!(program.run(&["box", "logs", &id]).with_code(0).stdout.contains("sandbox.created"));
    program.run(&["box", "rm", &id, &fork]).with_code(0);
    program.run(&["box", "show", &id]).with_code(8);
}

#[test]
fn without_a_server_a_sandbox_is_refused_and_looking_is_not() {
    let program = program();
    let refused = program.run(&["box", "create", "--json"]).with_code(7);
    assert!(refused.stderr.contains("server_needed"), "{}", refused.stderr);
    assert_eq!(program.run(&["box", "list"]).with_code(0).stdout, "no sandboxes\n");
}

//! The bare loop and the model play together as a person would start them.
#![expect(clippy::disallowed_methods, reason = "a test starts programs and stops at the first mistake")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

#[test]
fn the_bare_loop_runs_every_command_that_the_model_asks_for() {
    let mut model = Command::new(BENCH)
        .args(["model", "--rounds", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the model starts");
    let mut port = String::new();
    let output = model.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut port).expect("the model tells its port");

    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let ended = Command::new(BENCH)
        .args(["bare", port.trim(), "Append lines. bench-run-0000"])
        .current_dir(&folder)
        .status()
        .expect("the loop starts");
    model.kill().expect("the model can be stopped");
    model.wait().expect("the model stops");

    assert!(ended.success());
    let written = std::fs::read_to_string(folder.join("f.txt")).expect("f.txt is written");
    assert_eq!(written, "round-1\nround-2\nround-3\n");
}

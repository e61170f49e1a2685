//! A person at a terminal: questions are asked there, progress is one line, keys are typed unseen.

use testkit::program::Program;
use testkit::repository::Repository;

use super::common::{ASKS, JOURNEYMAN, SIX_TRACES};

#[test]
fn a_question_is_asked_and_answered_in_the_terminal() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("asks", ASKS), repository.path());
    let mut terminal =
        program.at_terminal(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model]);
    terminal.see("Left or right?");
    terminal.see("type an answer or the number of one");
    terminal.type_line("9");
    terminal.type_line("2");
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("answered") && seen.contains("right") && seen.contains("by mira"), "{seen}");
    assert!(seen.contains("branch  journeyman/1-w"), "{seen}");
}

#[test]
fn a_question_may_be_left_open_and_answered_later() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("asks", ASKS), repository.path());
    let mut terminal =
        program.at_terminal(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model]);
    terminal.see("type an answer");
    terminal.type_line("");
    let (code, seen) = terminal.end();
    assert_eq!(code, 5, "{seen}");
    assert!(seen.contains("journeyman answer 1"), "{seen}");
    let done = program.run(&["answer", "1", "left", "--json"]).with_code(0).last_json();
    assert_eq!(done["state"], "succeeded");
}

#[test]
fn progress_is_one_line_that_is_redrawn_at_most_four_times_a_second() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("six", SIX_TRACES), repository.path());
    let path = path.to_string_lossy();
    let (code, seen) = program.at_terminal(&["do", "w", "--repo", &path, "--model", &model]).end();
    assert_eq!(code, 0, "{seen}");
    let drawn = seen.matches(" · turn ").count();
    assert!((1..=40).contains(&drawn), "drawn {drawn} times in some two seconds:\n{seen}");
    let plain = ["--plain", "do", "w", "--repo", &path, "--model", &model];
    let (code, seen) = program.at_terminal(&plain).end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains('\u{1b}'), "nothing but lines:\n{seen}");
}

#[test]
fn a_key_is_not_shown_while_it_is_typed() {
    let program = Program::new(JOURNEYMAN);
    let mut terminal = program.at_terminal(&["connect", "gemini"]);
    terminal.see("key of gemini: ");
    terminal.type_line("secret-key-0123");
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains("secret-key"), "{seen}");
}

//! Budgets held against made-up files.

use super::*;

fn file(path: &str, lines: usize) -> Source {
    Source { path: path.into(), text: "//! What it is.\n".repeat(lines) }
}

fn none() -> Exceptions {
    Exceptions(Vec::new())
}

#[test]
fn a_file_of_six_hundred_lines_is_the_longest() {
    assert_eq!(check(&[file("crates/a/src/lib.rs", 600)], &none()), Vec::<String>::new());
    assert_eq!(check(&[file("web/src/a.tsx", 601)], &none()), ["web/src/a.tsx: 601 lines, at most 600"]);
}

#[test]
fn tests_may_be_long() {
    let long = ["crates/a/src/b/tests.rs", "crates/a/tests/b.rs", "web/src/a.test.ts", "web/e2e/a.ts"];
    assert_eq!(check(&long.map(|path| file(path, 900)), &none()), Vec::<String>::new());
}

#[test]
fn an_exception_holds_only_with_a_reason_and_only_while_it_is_needed() {
    let exceptions = Exceptions::read("# why\n\nweb/src/wire.ts: generated\n").expect("well formed");
    assert_eq!(check(&[file("web/src/wire.ts", 700)], &exceptions), Vec::<String>::new());
    assert_eq!(
        check(&[file("web/src/wire.ts", 500)], &exceptions),
        ["xtask/exceptions.txt: web/src/wire.ts needs no exception"]
    );
    assert!(Exceptions::read("web/src/wire.ts:").is_err());
}

#[test]
fn a_rust_file_says_what_it_is() {
    let silent = Source { path: "crates/a/src/b.rs".into(), text: "use std::io;\n".into() };
    assert_eq!(check(&[silent], &none()).len(), 1);
}

#[test]
fn files_between_wanted_and_limit_are_told_on_request() {
    let told = longer_than_wanted(&[file("crates/a/src/a.rs", 401), file("crates/a/src/b.rs", 400)]);
    assert_eq!(told, ["crates/a/src/a.rs: 401 lines, wanted at most 400"]);
}

//! Lines that must and must not be found.

use super::*;

fn told(path: &str, text: &str) -> Vec<String> {
    check(&[Source { path: path.into(), text: text.into() }])
}

#[test]
fn an_unfinished_merge_is_found() {
    let text = format!("a\n{} HEAD\nb\n=======\nc\n{} other\n", "<".repeat(7), ">".repeat(7));
    let expected = ["src/a.txt:2: a merge was not finished", "src/a.txt:6: a merge was not finished"];
    assert_eq!(told("src/a.txt", &text), expected);
}

#[test]
fn unfinished_code_is_found_in_code_only() {
    let line = concat!("    to", "do!()");
    assert_eq!(told("crates/a/src/a.rs", line).len(), 1);
    assert_eq!(told("docs/a.md", line).len(), 0);
}

#[test]
fn lock_files_name_no_host() {
    let resolved = "      \"resolved\": \"https://registry.example/a/-/a-1.0.0.tgz\",\n";
    assert_eq!(told("web/package-lock.json", resolved).len(), 1);
    assert_eq!(told("web/package-lock.json", "      \"integrity\": \"sha512-x\"\n").len(), 0);
    let usual = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    assert_eq!(told("Cargo.lock", usual).len(), 0);
    assert_eq!(told("Cargo.lock", "source = \"sparse+https://mirror.example/\"\n").len(), 1);
}

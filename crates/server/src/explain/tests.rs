use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

#[test]
fn every_code_stands_once_and_says_what_to_do() {
    let mut seen = BTreeSet::new();
    for entry in all() {
        assert!(seen.insert(entry.code), "{} stands twice", entry.code);
        for text in [entry.meaning, entry.cause, entry.fix] {
            assert!(!text.trim().is_empty(), "{} is not explained", entry.code);
        }
        assert!(
            entry.meaning.ends_with('.') && entry.cause.ends_with('.'),
            "{}: whole sentences",
            entry.code
        );
    }
}

#[test]
fn codes_are_found_however_they_are_written() {
    assert_eq!(find("[RUN-NOT-FOUND]").map(|entry| entry.code), Some("run_not_found"));
    assert_eq!(find("no such thing"), None);
}

/// The places where the workspace names a code: a literal that follows one of these.
const NAMED_BY: &[&str] = &[
    "Reason::new(",
    "Failure::new(",
    "Problem::new(",
    "Self::new(StatusCode::",
    "Self::new(unprocessable",
    "reason(",
    "stop(",
    "not_found(",
    "code: ",
];

#[test]
fn every_code_that_the_workspace_uses_is_explained() {
    let mut missing = BTreeSet::new();
    let mut used = BTreeSet::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).expect("a source file");
        for code in codes_in(&text) {
            if find(&code).is_none() {
                missing.insert(format!("{code}  ({})", file.display()));
            }
            used.insert(code);
        }
    }
    assert!(used.len() > 30, "the search for codes found only {used:?}");
    assert!(missing.is_empty(), "not explained:\n{}", missing.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Every source file of the workspace's crates but tests.
fn sources() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of crates").to_owned();
    let mut folders: Vec<PathBuf> =
        ["accounts", "agent", "api", "models", "orchestrator", "runs", "server", "store"]
            .iter()
            .map(|name| crates.join(name).join("src"))
            .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                files.push(path);
            }
        }
    }
    files
}

/// Codes are the literals of small letters and underscores right behind what names them.
fn codes_in(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut codes = Vec::new();
    for mark in NAMED_BY {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let end = rest.find([')', ';', '}']).unwrap_or(rest.len());
            let Some((_, literal)) = rest[..end].split_once('"') else { continue };
            let code = literal.split('"').next().unwrap_or_default();
            let is_code =
                code.len() > 3 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_code {
                codes.push(code.to_owned());
            }
        }
    }
    codes
}

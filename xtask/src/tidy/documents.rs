//! The documents that must exist, and the one that must be true: a capability that
//! `docs/CAPABILITIES.md` calls `works` names a test that exists.

use std::collections::BTreeSet;

use super::Source;

#[cfg(test)]
mod tests;

const REQUIRED: &[&str] =
    &["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", CAPABILITIES];
const CAPABILITIES: &str = "docs/CAPABILITIES.md";
/// Every capability that Journeyman is to have, one id on a line.
const IDS: &str = include_str!("../../capabilities.txt");

/// Documents that are missing, capabilities that are not listed, claims without a test.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let missing = REQUIRED
        .iter()
        .filter(|path| !sources.iter().any(|source| source.path == **path && !source.text.trim().is_empty()))
        .map(|path| format!("{path} is missing"));
    let claims = sources
        .iter()
        .find(|source| source.path == CAPABILITIES)
        .map(|source| check_capabilities(&source.text, IDS, sources))
        .unwrap_or_default();
    missing.chain(claims).collect()
}

fn check_capabilities(text: &str, ids: &str, sources: &[Source]) -> Vec<String> {
    let rows: Vec<Vec<&str>> = text.lines().filter_map(cells).collect();
    let row_of = |id: &str| rows.iter().find(|row| row.first() == Some(&id));
    let tests = names_of_tests(sources);
    let mut told = Vec::new();
    for id in ids.split_whitespace() {
        match row_of(id) {
            None => told.push(format!("{CAPABILITIES}: {id} has no row")),
            Some(row) if row.iter().any(|cell| cell.trim_matches('*') == "works") => {
                told.extend(check_claim(id, row, &tests, sources));
            }
            Some(_) => {}
        }
    }
    told
}

/// The last cell of a row that works holds tests in backticks: the name of a test, or the path of a
/// file that is one.
fn check_claim(id: &str, row: &[&str], tests: &BTreeSet<&str>, sources: &[Source]) -> Vec<String> {
    let proofs: Vec<&str> =
        row.last().map(|cell| cell.split('`').skip(1).step_by(2).collect()).unwrap_or_default();
    if proofs.is_empty() {
        return vec![format!("{CAPABILITIES}: {id} works, and names no test")];
    }
    let exists = |proof: &str| {
        let name = proof.rsplit("::").next().unwrap_or(proof);
        tests.contains(name) || sources.iter().any(|source| source.path == proof && super::is_test(proof))
    };
    let unknown = proofs.into_iter().filter(|proof| !exists(proof));
    unknown.map(|proof| format!("{CAPABILITIES}: {id} names `{proof}`, which is no test here")).collect()
}

/// The functions that stand below a `#[…test…]` attribute.
fn names_of_tests(sources: &[Source]) -> BTreeSet<&str> {
    let rust = sources.iter().filter(|source| source.path.ends_with(".rs"));
    rust.flat_map(|source| names_in(&source.text)).collect()
}

fn names_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.contains("::test]") || line.contains("::test(");
        } else if is_test && !line.starts_with("//") {
            let after = line.split_once("fn ").map(|(_, after)| after);
            names.extend(after.and_then(|after| after.split(['(', '<']).next()));
            is_test = false;
        }
    }
    names
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

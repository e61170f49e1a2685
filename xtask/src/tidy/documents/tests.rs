//! Claims held against made-up trees.

use super::*;

fn tree(table: &str) -> Vec<String> {
    let code = "#[tokio::test]\nasync fn a_run_resumes() {}\n\n#[test]\n#[ignore]\nfn a_run_stops() {}\n\nfn no_test() {}\n";
    let sources = [
        Source { path: "crates/a/tests/runs.rs".into(), text: code.into() },
        Source { path: "web/e2e/demo.ts".into(), text: String::new() },
    ];
    check_capabilities(table, "RUN-01 RUN-07", &sources)
}

#[test]
fn every_capability_has_a_row() {
    assert_eq!(tree("| RUN-01 | planned | |\n"), ["docs/CAPABILITIES.md: RUN-07 has no row"]);
}

#[test]
fn what_works_names_a_test_that_exists() {
    let good =
        "| RUN-01 | works | `a_run_stops`, `web/e2e/demo.ts` |\n| RUN-07 | works | `runs::a_run_resumes` |\n";
    assert_eq!(tree(good), Vec::<String>::new());
    let bad = "| RUN-01 | works | `no_test` |\n| RUN-07 | **works** | soon |\n";
    let expected = [
        "docs/CAPABILITIES.md: RUN-01 names `no_test`, which is no test here",
        "docs/CAPABILITIES.md: RUN-07 works, and names no test",
    ];
    assert_eq!(tree(bad), expected);
}

#[test]
fn a_missing_document_is_told() {
    let told = check(&[Source { path: "README.md".into(), text: "Journeyman".into() }]);
    assert!(told.contains(&"CHANGELOG.md is missing".to_owned()), "{told:?}");
    assert!(!told.contains(&"README.md is missing".to_owned()), "{told:?}");
}

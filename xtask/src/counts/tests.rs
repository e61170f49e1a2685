//! Closing lines as the programs write them.

use super::*;

fn counts(passed: u64, failed: u64) -> Option<Counts> {
    Some(Counts { passed, failed })
}

#[test]
fn nextest_counts_time_outs_and_broken_programs_as_failures() {
    let green = "     Summary [   0.010s] 12 tests run: 12 passed, 2 skipped\n";
    assert_eq!(of_nextest(green), counts(12, 0));
    let red = "────\n     Summary [   9.1s] 14 tests run: 10 passed (1 slow), 2 failed, 1 timed out, 1 exec failed, 0 skipped\nerror: test run failed\n";
    assert_eq!(of_nextest(red), counts(10, 4));
    let stopped = "     Summary [   1.5s] 3/12 tests run: 2 passed, 1 failed, 0 skipped\n";
    assert_eq!(of_nextest(stopped), counts(2, 1));
    assert_eq!(of_nextest("error: could not compile `store`\n"), None);
}

#[test]
fn nextest_is_read_through_colours() {
    let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped";
    assert_eq!(of_nextest(coloured), counts(1, 0));
}

#[test]
fn cargo_test_is_summed_over_its_programs() {
    let output = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n\ntest result: FAILED. 3 passed; 1 failed; 0 ignored\n";
    assert_eq!(of_cargo_test(output), counts(5, 1));
    assert_eq!(of_cargo_test("error: no such package"), None);
}

#[test]
fn vitest_counts_tests_and_not_files() {
    let output = "\n Test Files  1 failed | 3 passed (4)\n      Tests  2 failed | 11 passed | 1 skipped (14)\n   Start at  10:00:00\n";
    assert_eq!(of_vitest(output), counts(11, 2));
    assert_eq!(of_vitest("      Tests  7 passed (7)\n"), counts(7, 0));
    assert_eq!(of_vitest("No test files found"), None);
}

#[test]
fn a_closing_line_stands_alone() {
    assert_eq!(of_closing_line("opening the page\n9 passed, 1 failed\n"), counts(9, 1));
    assert_eq!(of_closing_line("we say: 9 passed, 1 failed today"), None);
}

#[test]
fn pytest_counts_errors_as_failures() {
    assert_eq!(of_pytest("......\n35 passed in 5.03s\n"), counts(35, 0));
    assert_eq!(of_pytest("== 2 failed, 33 passed, 1 error in 61.20s (0:01:01) ==\n"), counts(33, 3));
    assert_eq!(of_pytest("1 passed, 2 errors in 0.1s"), counts(1, 2));
    assert_eq!(of_pytest("no tests ran in 0.01s\n"), None);
}

#[test]
fn tap_counts_what_was_cut_off_as_failed() {
    assert_eq!(of_tap("ok 1 - x\n# tests 10\n# suites 1\n# pass 9\n# fail 0\n# cancelled 1\n"), counts(9, 1));
    assert_eq!(of_tap("Error: cannot find module"), None);
}

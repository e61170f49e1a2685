//! How many tests passed and failed, read from the closing lines of the programs that ran them.

use std::iter::Sum;

#[cfg(test)]
mod tests;

/// Passed and failed tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            passed: sum.passed + one.passed,
            failed: sum.failed + one.failed,
        })
    }
}

/// `Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
pub(crate) fn of_nextest(output: &str) -> Option<Counts> {
    let plain = without_colour(output);
    let line = plain.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let outcomes = line.split_once("run:")?.1;
    let count = |word: &str| number_before(outcomes, word).unwrap_or(0);
    Some(Counts {
        passed: count("passed"),
        failed: count("failed") + count("timed out") + count("exec failed"),
    })
}

/// `test result: ok. 5 passed; 0 failed; …`, one line for each test program.
pub(crate) fn of_cargo_test(output: &str) -> Option<Counts> {
    let plain = without_colour(output);
    let results: Vec<&str> = plain.lines().filter(|line| line.starts_with("test result:")).collect();
    let one = |line: &&str| Counts {
        passed: number_before(line, "passed").unwrap_or(0),
        failed: number_before(line, "failed").unwrap_or(0),
    };
    if results.is_empty() { None } else { Some(results.iter().map(one).sum()) }
}

/// `Tests  1 failed | 11 passed (12)`.
pub(crate) fn of_vitest(output: &str) -> Option<Counts> {
    let plain = without_colour(output);
    let line = plain.lines().rev().find(|line| {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        matches!(words[..], ["Tests", number] if number.parse::<u64>().is_ok())
    })?;
    Some(Counts {
        passed: number_before(line, "passed").unwrap_or(0),
        failed: number_before(line, "failed").unwrap_or(0),
    })
}

/// `2 failed, 33 passed, 1 error in 5.03s`, the last such line.
pub(crate) fn of_pytest(output: &str) -> Option<Counts> {
    let plain = without_colour(output);
    let line = plain.lines().rev().find_map(|line| {
        let outcomes = line.trim_matches(['=', ' ']).rsplit_once(" in ")?.0;
        let is_summary = ["passed", "failed", "error", "errors"].iter().any(|word| outcomes.ends_with(word));
        is_summary.then_some(outcomes)
    })?;
    let count = |word: &str| number_before(line, word).unwrap_or(0);
    Some(Counts { passed: count("passed"), failed: count("failed") + count("error") + count("errors") })
}

/// `# pass 10` and `# fail 0`.
pub(crate) fn of_tap(output: &str) -> Option<Counts> {
    let count = |name: &str| {
        let mut values = output.lines().rev().filter_map(|line| line.strip_prefix("# ")?.strip_prefix(name));
        values.find_map(|value| value.trim().parse::<u64>().ok())
    };
    Some(Counts { passed: count("pass ")?, failed: count("fail ")? + count("cancelled ").unwrap_or(0) })
}

/// `3 passed, 0 failed` alone on a line.
pub(crate) fn of_closing_line(output: &str) -> Option<Counts> {
    without_colour(output).lines().rev().find_map(|line| {
        let (passed, failed) = line.trim().split_once(", ")?;
        Some(Counts {
            passed: passed.strip_suffix(" passed")?.parse().ok()?,
            failed: failed.strip_suffix(" failed")?.parse().ok()?,
        })
    })
}

/// The number that stands right before `word`, which may be two words.
fn number_before(line: &str, word: &str) -> Option<u64> {
    let parts = line.split(['|', ',', ';']);
    parts.into_iter().find_map(|part| {
        let before = part.split('(').next()?.trim_end().strip_suffix(word)?;
        before.split_whitespace().last()?.parse().ok()
    })
}

fn without_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        if char == '\u{1b}' {
            rest.find(|char| char.is_ascii_alphabetic());
        } else {
            plain.push(char);
        }
    }
    plain
}

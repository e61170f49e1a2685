//! Size budgets and the first line of files. Functions are held by clippy (`clippy.toml`); who must
//! be larger stands in `xtask/exceptions.txt` with the reason.

use super::{Source, is_test};

#[cfg(test)]
mod tests;

/// Lines of a file that nobody should exceed.
const LIMIT: usize = 600;
/// Lines of a file that are wanted.
const WANTED: usize = 400;

/// The files that may be longer than the budget: `path: reason`, one on each line.
#[derive(Debug)]
pub(super) struct Exceptions(Vec<String>);

impl Exceptions {
    /// Reads the list; a line without a reason is an error.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let paths = lines.map(|line| match line.split_once(": ") {
            Some((path, reason)) if !reason.trim().is_empty() => Ok(path.trim().to_owned()),
            _ => Err(format!("xtask/exceptions.txt: `{line}` has no reason")),
        });
        paths.collect::<Result<_, _>>().map(Self)
    }
}

/// Files beyond the budget, files that do not say what they are, exceptions that nobody needs.
pub(super) fn check(sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    let excepted = |source: &Source| exceptions.0.contains(&source.path);
    let too_long = budgeted(sources)
        .filter(|source| source.text.lines().count() > LIMIT && !excepted(source))
        .map(|source| format!("{}: {} lines, at most {LIMIT}", source.path, source.text.lines().count()));
    let silent = sources
        .iter()
        .filter(|source| {
            source.path.ends_with(".rs") && !is_test(&source.path) && !source.text.starts_with("//!")
        })
        .map(|source| format!("{}: the first line must be `//!` and say what the file is", source.path));
    let needless = exceptions
        .0
        .iter()
        .filter(|path| {
            !sources.iter().any(|source| source.path == **path && source.text.lines().count() > LIMIT)
        })
        .map(|path| format!("xtask/exceptions.txt: {path} needs no exception"));
    too_long.chain(silent).chain(needless).collect()
}

/// Files that are allowed but longer than wanted.
pub(super) fn longer_than_wanted(sources: &[Source]) -> Vec<String> {
    budgeted(sources)
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > WANTED)
        .map(|(lines, path)| format!("{path}: {lines} lines, wanted at most {WANTED}"))
        .collect()
}

fn budgeted(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| {
        [".rs", ".ts", ".tsx"].iter().any(|ending| source.path.ends_with(ending)) && !is_test(&source.path)
    })
}

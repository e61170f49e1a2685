//! The registry of codes: what each error and reason means, why it comes up, what to do, and which exit code
//! a command ends with because of it. A test holds it against the sources of the whole workspace.

mod entries;

use crate::exit::Exit;

/// What is known of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The code.
    pub(crate) code: &'static str,
    /// What a command ends with.
    pub(crate) exit: Exit,
    /// What it means, one sentence.
    pub(crate) meaning: &'static str,
    /// Why it comes up.
    pub(crate) cause: &'static str,
    /// What to do.
    pub(crate) fix: &'static str,
}

/// Finds a code, however it is written: `Run-Not-Found` is `run_not_found`.
pub(crate) fn find(code: &str) -> Option<&'static Entry> {
    let wanted = code.trim_matches(['[', ']']).to_ascii_lowercase().replace('-', "_");
    all().find(|entry| entry.code == wanted)
}

/// Every code, by topic.
pub(crate) fn all() -> impl Iterator<Item = &'static Entry> {
    entries::TOPICS.iter().flat_map(|topic| topic.iter())
}

#[cfg(test)]
mod tests;

//! `edit_file`: replaces a piece that must be there exactly, and says what is wrong where it is not.

use std::collections::HashSet;

use serde::Deserialize;

use super::files::{WHOLE_MAX_BYTES, changed_lines};
use super::{Hands, Ran};
use crate::label::{change, count};

/// Lines of larger texts are not compared letter by letter.
const COMPARED_BYTES: usize = 512 << 10;

/// An edit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct EditFile {
    pub(crate) path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: Option<bool>,
}

impl EditFile {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let read = match hands.sandbox.read(&self.path, 0, WHOLE_MAX_BYTES).await {
            Ok(read) => read,
            Err(error) => return Ran::from_error(error),
        };
        if read.size_bytes > WHOLE_MAX_BYTES {
            return Ran::failed("the file is larger than 16 MiB; change it with bash", "too large");
        }
        let Ok(before) = String::from_utf8(read.bytes) else {
            return Ran::failed("the file is not UTF-8 text; change it with bash", "not text");
        };
        let (after, places) = match self.edited(&before) {
            Ok(edited) => edited,
            Err(text) => return Ran::failed(text, "no change"),
        };
        let (added, removed) = changed_lines(&before, &after);
        match hands.sandbox.write(&self.path, after.into_bytes()).await {
            Ok(_) => {
                let text = format!("edited {}: {} replaced", self.path, count(places, "place", "places"));
                Ran::done(text, change(added, removed))
            }
            Err(error) => Ran::from_error(error),
        }
    }

    /// The text after the edit and how many places changed.
    fn edited(&self, before: &str) -> Result<(String, usize), String> {
        if self.old_string.is_empty() {
            return Err("old_string is empty; to write a whole file use write_file".to_owned());
        }
        if self.old_string == self.new_string {
            return Err("old_string and new_string are the same; nothing was changed".to_owned());
        }
        let (mut old, mut new) = (self.old_string.clone(), self.new_string.clone());
        if !before.contains(&old) && before.contains("\r\n") && !old.contains('\r') {
            (old, new) = (old.replace('\n', "\r\n"), new.replace('\n', "\r\n"));
        }
        match before.matches(&old).count() {
            0 => Err(self.no_match(before)),
            1 => Ok((before.replacen(&old, &new, 1), 1)),
            places if self.replace_all.unwrap_or(false) => Ok((before.replace(&old, &new), places)),
            places => {
                let lines: Vec<String> = before
                    .match_indices(&old)
                    .take(10)
                    .map(|(at, _)| line_number(before, at).to_string())
                    .collect();
                Err(format!(
                    "old_string occurs {places} times (lines {}); add lines around it until it is unique, or set \
                     replace_all",
                    lines.join(", ")
                ))
            }
        }
    }

    fn no_match(&self, before: &str) -> String {
        let wanted = self.old_string.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let mut text = "old_string does not occur in the file".to_owned();
        match nearest(before, wanted) {
            Some((number, line)) if line == wanted => text.push_str(&format!(
                "; its first line stands in line {number}, but what follows differs: read the file again"
            )),
            Some((number, line)) if line.trim() == wanted.trim() => {
                text.push_str(&format!("; line {number} differs in blanks only: {line:?}"));
            }
            Some((number, line)) => text.push_str(&format!("; the nearest line is {number}: {line:?}")),
            None => {}
        }
        text
    }
}

fn line_number(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The line that is most like `wanted`, where one is like it at all.
fn nearest<'a>(text: &'a str, wanted: &str) -> Option<(usize, &'a str)> {
    let small = text.len() <= COMPARED_BYTES && wanted.len() <= COMPARED_BYTES;
    let wanted_pairs = if small { pairs(wanted.trim()) } else { HashSet::new() };
    let likeness = |line: &str| {
        if line == wanted {
            return 1_002;
        }
        let line = line.trim();
        if line == wanted.trim() {
            return 1_001;
        }
        if !small {
            return 0;
        }
        let line = pairs(line);
        let both = line.intersection(&wanted_pairs).count();
        2_000 * both / (line.len() + wanted_pairs.len()).max(1)
    };
    let mut best: Option<(usize, usize, &str)> = None;
    for (position, line) in text.lines().enumerate() {
        let score = likeness(line);
        if score >= 400 && best.is_none_or(|(most, ..)| score > most) {
            best = Some((score, position + 1, line));
        }
    }
    best.map(|(_, number, line)| (number, line))
}

fn pairs(line: &str) -> HashSet<(char, char)> {
    line.chars().zip(line.chars().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: &str, new: &str, all: bool) -> EditFile {
        EditFile {
            path: "f".to_owned(),
            old_string: old.to_owned(),
            new_string: new.to_owned(),
            replace_all: Some(all),
        }
    }

    #[test]
    fn one_exact_match_is_replaced_and_with_replace_all_every_one() {
        assert_eq!(edit("b", "x", false).edited("a\nb\n"), Ok(("a\nx\n".to_owned(), 1)));
        assert_eq!(edit("b", "x", true).edited("b b b"), Ok(("x x x".to_owned(), 3)));
        assert_eq!(edit("a\nb", "x\ny", false).edited("a\r\nb\r\n"), Ok(("x\r\ny\r\n".to_owned(), 1)));
    }

    #[test]
    fn what_does_not_match_once_is_explained() {
        let error = |old: &str, text: &str| edit(old, "new", false).edited(text).unwrap_err();
        assert!(error("b", "b\na\nb").contains("2 times (lines 1, 3)"));
        assert!(
            error("  total=1", "x\n\ttotal=1\n").contains(r#"line 2 differs in blanks only: "\ttotal=1""#)
        );
        assert!(error("discount=12", "x=1\ndiscount=10\n").contains(r#"nearest line is 2: "discount=10""#));
        assert!(error("a\nz", "a\nb").contains("first line stands in line 1"));
        assert!(error("qqqq", "a\nb").ends_with("does not occur in the file"));
        assert!(error("", "a").contains("use write_file"));
        assert!(edit("a", "a", false).edited("a").is_err());
    }
}

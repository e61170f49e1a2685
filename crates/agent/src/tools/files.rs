//! `read_file` and `write_file`.

use std::fmt::Write as _;

use sandbox::SandboxError;
use serde::Deserialize;

use super::{Hands, Ran};
use crate::label::{change, count};
use crate::output::clean;

/// Lines of one page.
const PAGE_LINES: u64 = 2_000;
/// Bytes of one page.
const PAGE_BYTES: usize = 100_000;
/// Letters of one line.
const LINE_LETTERS: usize = 2_000;
/// Bytes that are read at once.
const CHUNK_BYTES: u64 = 4 << 20;
/// No line is held longer while its end is looked for.
const LINE_BYTES: usize = 64 << 10;
/// So far a file is looked through for the lines of a page.
const SCAN_BYTES: u64 = 256 << 20;
/// No larger file is read whole for editing.
pub(super) const WHOLE_MAX_BYTES: u64 = 16 << 20;

/// A page of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ReadFile {
    pub(crate) path: String,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    limit: Option<u64>,
}

impl ReadFile {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let first_line = self.offset.unwrap_or(1).max(1);
        let mut page = Page::new(first_line, self.limit.unwrap_or(PAGE_LINES).clamp(1, PAGE_LINES));
        let (mut offset, mut rest) = (0, Vec::new());
        loop {
            let read = match hands.sandbox.read(&self.path, offset, CHUNK_BYTES).await {
                Ok(read) => read,
                Err(error) => return Ran::from_error(error),
            };
            let size = read.size_bytes;
            if offset == 0
                && let Some(ran) = not_text(&self.path, &read.bytes, size)
            {
                return ran;
            }
            let end = read.bytes.is_empty() || offset + read.bytes.len() as u64 >= size;
            offset += read.bytes.len() as u64;
            rest.extend_from_slice(&read.bytes);
            page.take(&mut rest, end);
            if end || (page.full && size > CHUNK_BYTES) {
                return page.finish(end, size);
            }
            if offset >= SCAN_BYTES {
                page.take(&mut rest, true);
                return page.given_up(size);
            }
        }
    }
}

/// Lines as they are counted and, where they belong to the page, shown.
struct Page {
    first: u64,
    limit: u64,
    line: u64,
    shown: u64,
    full: bool,
    text: String,
    /// Bytes of the line under way that were not held.
    unheld: usize,
}

impl Page {
    const fn new(first: u64, limit: u64) -> Self {
        Self { first, limit, line: 0, shown: 0, full: false, text: String::new(), unheld: 0 }
    }

    /// Takes all whole lines out of `bytes`; at the file's `end` the last one too.
    fn take(&mut self, bytes: &mut Vec<u8>, end: bool) {
        let mut from = 0;
        while let Some(length) = bytes[from..].iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[from..from + length]);
            from += length + 1;
        }
        bytes.drain(..from);
        if end && !bytes.is_empty() {
            self.add(bytes);
            bytes.clear();
        }
        self.unheld += bytes.len().saturating_sub(LINE_BYTES);
        bytes.truncate(LINE_BYTES);
    }

    fn add(&mut self, line: &[u8]) {
        self.line += 1;
        let unheld = std::mem::take(&mut self.unheld);
        if self.line < self.first || self.full {
            return;
        }
        if self.shown >= self.limit || self.text.len() >= PAGE_BYTES {
            self.full = true;
            return;
        }
        self.shown += 1;
        let line = clean(line);
        let _ = write!(self.text, "{:>6}\t", self.line);
        match line.char_indices().nth(LINE_LETTERS) {
            Some((end, _)) => {
                let more = line.len() - end + unheld;
                let _ = writeln!(self.text, "{} [{more} more bytes in this line]", &line[..end]);
            }
            None => {
                self.text.push_str(&line);
                self.text.push('\n');
            }
        }
    }

    /// The file is too long to be looked through any further.
    fn given_up(self, size: u64) -> Ran {
        let mut ran = self.finish(false, size);
        ran.whole.text.push_str("[looked through the first 256 MiB; use bash for what comes later]");
        ran
    }

    fn finish(mut self, counted: bool, size: u64) -> Ran {
        if self.line == 0 {
            return Ran::done("(the file is empty)".to_owned(), "empty".to_owned());
        }
        if self.shown == 0 {
            let text = format!("the file has {} only", lines(self.line));
            return Ran::failed(text, lines(self.line));
        }
        let last = self.first + self.shown - 1;
        if self.full {
            let of =
                if counted { format!(" of {}", self.line) } else { format!("; the file has {size} bytes") };
            let _ = write!(self.text, "[lines {} to {last}{of}; go on with offset {}]", self.first, last + 1);
        }
        Ran::done(self.text, lines(self.shown))
    }
}

fn lines(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "line", "lines")
}

fn not_text(path: &str, start: &[u8], size: u64) -> Option<Ran> {
    let start = &start[..start.len().min(8_000)];
    if let Some(kind) = picture(start) {
        let text = format!("{path} is a {kind} picture of {size} bytes; pictures cannot be shown here.");
        return Some(Ran::done(text, format!("{kind} picture")));
    }
    start.contains(&0).then(|| {
        let text = format!(
            "{path} is a binary file of {size} bytes, so it is not shown. With bash, `file`, `strings` or `xxd` tell more."
        );
        Ran::done(text, "binary file".to_owned())
    })
}

fn picture(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x89, b'P', b'N', b'G', ..] => Some("PNG"),
        [0xff, 0xd8, 0xff, ..] => Some("JPEG"),
        [b'G', b'I', b'F', b'8', ..] => Some("GIF"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("WebP"),
        _ => None,
    }
}

/// A file's new content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct WriteFile {
    pub(crate) path: String,
    content: String,
}

impl WriteFile {
    pub(crate) async fn run(&self, hands: &Hands<'_>) -> Ran {
        let before = match hands.sandbox.read(&self.path, 0, WHOLE_MAX_BYTES).await {
            Ok(read) => String::from_utf8_lossy(&read.bytes).into_owned(),
            Err(SandboxError::File { .. }) => String::new(),
            Err(error) => return Ran::from_error(error),
        };
        match hands.sandbox.write(&self.path, self.content.clone().into_bytes()).await {
            Ok(written) => {
                let (added, removed) = changed_lines(&before, &self.content);
                let what = if written.created { "wrote the new file" } else { "replaced" };
                let text = format!("{what} {}: {}", self.path, lines(self.content.lines().count() as u64));
                Ran::done(text, change(added, removed))
            }
            Err(error) => Ran::from_error(error),
        }
    }
}

/// Lines added and removed between two texts that are alike at their start and end.
pub(super) fn changed_lines(before: &str, after: &str) -> (usize, usize) {
    let before: Vec<&str> = before.lines().collect();
    let after: Vec<&str> = after.lines().collect();
    let start = before.iter().zip(&after).take_while(|(old, new)| old == new).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(old, new)| old == new).count();
    (after.len() - end, before.len() - end)
}

/// A path as rules and labels show it: from the repository's root, without `.` and `..`.
pub(super) fn plain_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let absolute = if path.starts_with('/') { path.to_owned() } else { format!("/workspace/{path}") };
    for part in absolute.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    match parts.split_first() {
        Some((&"workspace", inside)) if !inside.is_empty() => inside.join("/"),
        _ => format!("/{}", parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form_however_it_is_written() {
        for path in ["lib/cart.sh", "./lib/cart.sh", "/workspace/lib/cart.sh", "lib/../lib//cart.sh"] {
            assert_eq!(plain_path(path), "lib/cart.sh");
        }
        assert_eq!(plain_path("../etc/passwd"), "/etc/passwd");
    }

    #[test]
    fn changed_lines_leave_out_what_is_alike_at_both_ends() {
        assert_eq!(changed_lines("a\nb\nc\n", "a\nx\ny\nc\n"), (2, 1));
        assert_eq!(changed_lines("", "a\nb\n"), (2, 0));
        assert_eq!(changed_lines("same\n", "same\n"), (0, 0));
    }
}

//! Reads git's own diff text into files and hunks.

use crate::view::{DiffLine, FileDiff, FileStatus, Hunk};

/// A file with more changed and context lines than this is shown without its hunks.
const FILE_LINES_MAX: usize = 5_000;
/// A line is shown up to this many characters.
const LINE_CHARS_MAX: usize = 2_000;

/// Reads the output of `git diff --no-color --no-ext-diff` with `core.quotePath=false`.
#[must_use]
pub(crate) fn parse(patch: &str) -> Vec<FileDiff> {
    let mut files: Vec<FileDiff> = Vec::new();
    let mut reader = Reader::default();
    for line in patch.split('\n') {
        if reader.left == (0, 0)
            && let Some(names) = line.strip_prefix("diff --git ")
        {
            files.push(empty(names));
            continue;
        }
        if let Some(file) = files.last_mut() {
            reader.take(file, line);
        }
    }
    files
}

/// How many old and new lines the hunk under way still has.
#[derive(Default)]
struct Reader {
    left: (u32, u32),
    shown: usize,
}

impl Reader {
    fn take(&mut self, file: &mut FileDiff, line: &str) {
        if self.left != (0, 0) {
            return self.take_content(file, line);
        }
        if let Some(rest) = line.strip_prefix("@@ -") {
            self.begin_hunk(file, rest);
        } else if let Some(path) = line.strip_prefix("rename from ") {
            file.old_path = Some(unquote(path));
            file.status = FileStatus::Renamed;
        } else if let Some(path) = line.strip_prefix("rename to ") {
            file.path = unquote(path);
        } else if line.starts_with("new file mode") {
            file.status = FileStatus::Added;
        } else if line.starts_with("deleted file mode") {
            file.status = FileStatus::Deleted;
        } else if line.starts_with("Binary files ") || line == "GIT binary patch" {
            (file.binary, file.added, file.removed) = (true, None, None);
        } else if let Some(path) = line.strip_prefix("+++ ").and_then(|path| side(path, "b/")) {
            file.path = path;
        } else if let Some(path) = line.strip_prefix("--- ").and_then(|path| side(path, "a/")) {
            if file.status == FileStatus::Deleted {
                file.path = path;
            }
            self.shown = 0;
        }
    }

    fn begin_hunk(&mut self, file: &mut FileDiff, rest: &str) {
        let Some((ranges, header)) = rest.split_once(" @@") else { return };
        let Some((old, new)) = ranges.split_once(" +") else { return };
        let range = |text: &str| {
            let (start, count) = text.split_once(',').unwrap_or((text, "1"));
            (start.parse().unwrap_or(0), count.parse().unwrap_or(0))
        };
        let ((old_start, old_count), (new_start, new_count)) = (range(old), range(new));
        self.left = (old_count, new_count);
        if !file.too_large {
            file.hunks.push(Hunk {
                header: header.trim().to_owned(),
                old_start,
                new_start,
                lines: Vec::new(),
            });
        }
    }

    fn take_content(&mut self, file: &mut FileDiff, line: &str) {
        let (kind, text) = match line.as_bytes().first() {
            Some(b'+') => ('+', &line[1..]),
            Some(b'-') => ('-', &line[1..]),
            Some(b'\\') => return,
            Some(b' ') => (' ', &line[1..]),
            _ => (' ', line),
        };
        if kind != '+' {
            self.left.0 = self.left.0.saturating_sub(1);
        }
        if kind != '-' {
            self.left.1 = self.left.1.saturating_sub(1);
        }
        let counted = match kind {
            '+' => &mut file.added,
            '-' => &mut file.removed,
            _ => &mut None,
        };
        if let Some(count) = counted {
            *count += 1;
        }
        self.shown += 1;
        if self.shown > FILE_LINES_MAX {
            file.too_large = true;
            file.hunks.clear();
        } else if let Some(hunk) = file.hunks.last_mut() {
            hunk.lines.push(DiffLine { kind, text: text.chars().take(LINE_CHARS_MAX).collect() });
        }
    }
}

fn empty(names: &str) -> FileDiff {
    FileDiff {
        path: name_twice(names),
        old_path: None,
        status: FileStatus::Modified,
        added: Some(0),
        removed: Some(0),
        binary: false,
        too_large: false,
        hunks: Vec::new(),
    }
}

/// `a/x b/x` names one path twice; only changes of mode and empty files have no other line with it.
fn name_twice(names: &str) -> String {
    if let Some(quoted) = names.strip_prefix('"') {
        let end = quoted.find("\" ").map_or(names.len(), |end| end + 2);
        return unquote(&names[..end]).trim_start_matches("a/").to_owned();
    }
    let half = names.len() / 2;
    names.get(..half).unwrap_or(names).trim_start_matches("a/").to_owned()
}

fn side(path: &str, prefix: &str) -> Option<String> {
    unquote(path.trim_end_matches('\t')).strip_prefix(prefix).map(str::to_owned)
}

/// Undoes git's quoting of paths with control characters, quotes or backslashes.
fn unquote(path: &str) -> String {
    let Some(inner) = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')) else {
        return path.to_owned();
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(digit @ b'0'..=b'3') => {
                let more: u32 = rest.by_ref().take(2).fold(u32::from(digit - b'0'), |sum, next| {
                    sum * 8 + u32::from(next.wrapping_sub(b'0') & 7)
                });
                bytes.push(u8::try_from(more & 0xff).unwrap_or(b'?'));
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;

//! Searches contents and lists files. Links are never followed, and a search ends when its time is up.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};
use regex::bytes::{Regex, RegexBuilder};

use super::files::failure;
use super::{Agent, now};
use crate::protocol::{Failure, Glob, GlobFound, Grep, GrepFound, GrepMatch};

/// How long a search may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Where a line is cut, in characters.
const LINE_CHARACTERS: usize = 500;

/// The longest line that is looked at; longer ones are data, not text.
const LINE_BYTES: u64 = 1 << 20;

/// How much of a file is looked at to tell whether it is binary.
const BINARY_PROBE_BYTES: usize = 8 << 10;

/// The most files that a listing holds before it picks the newest.
const LISTED_FILES: usize = 200_000;

/// Finds lines.
pub(super) fn grep(agent: &Agent, query: &Grep) -> Result<GrepFound, Failure> {
    let regex = RegexBuilder::new(&query.pattern)
        .case_insensitive(query.ignore_case)
        .size_limit(16 << 20)
        .build()
        .map_err(|error| Failure::Pattern { message: error.to_string() })?;
    let glob = query.glob.as_deref().map(matcher).transpose()?;
    let base = existing(agent, &query.path)?;
    let workspace = Path::new(&agent.setup.workspace);
    let mut search = LineSearch {
        regex,
        found: GrepFound { matches: Vec::new(), more: false },
        most: query.max_matches as usize,
        deadline: now() + TIME_LIMIT,
    };
    for entry in walk(&base) {
        if search.is_over() {
            break;
        }
        let shown = shown(entry.path(), workspace);
        if glob.as_ref().is_none_or(|glob| matches(glob, entry.path(), &base)) {
            // A file that cannot be read is left out, as `grep -s` does.
            let _ = search.file(entry.path(), &shown);
        }
    }
    Ok(search.found)
}

/// Lists files, newest first.
pub(super) fn glob(agent: &Agent, query: &Glob) -> Result<GlobFound, Failure> {
    let glob = matcher(&query.pattern)?;
    let base = existing(agent, &query.path)?;
    let deadline = now() + TIME_LIMIT;
    let (mut files, mut more): (Vec<(SystemTime, PathBuf)>, bool) = (Vec::new(), false);
    for entry in walk(&base) {
        if now() > deadline || files.len() >= LISTED_FILES {
            more = true;
            break;
        }
        if matches(&glob, entry.path(), &base) {
            let changed = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
            files.push((changed.unwrap_or(SystemTime::UNIX_EPOCH), entry.into_path()));
        }
    }
    files.sort_by(|(changed_a, path_a), (changed_b, path_b)| {
        changed_b.cmp(changed_a).then(path_a.cmp(path_b))
    });
    let most = query.max_paths as usize;
    more |= files.len() > most;
    let workspace = Path::new(&agent.setup.workspace);
    let paths = files.iter().take(most).map(|(_, path)| shown(path, workspace)).collect();
    Ok(GlobFound { paths, more })
}

struct LineSearch {
    regex: Regex,
    found: GrepFound,
    most: usize,
    deadline: Instant,
}

impl LineSearch {
    fn is_over(&mut self) -> bool {
        self.found.more |= now() > self.deadline;
        self.found.more
    }

    fn file(&mut self, path: &Path, shown: &str) -> io::Result<()> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut reader =
            BufReader::with_capacity(64 << 10, File::options().read(true).custom_flags(flags).open(path)?);
        let start = reader.fill_buf()?;
        if start.iter().take(BINARY_PROBE_BYTES).any(|byte| *byte == 0) {
            return Ok(());
        }
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            if reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            number += 1;
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if self.regex.is_match(text) && !self.add(shown, number, text) {
                return Ok(());
            }
            if number % 4096 == 0 && self.is_over() {
                return Ok(());
            }
        }
    }

    /// Adds a match; `false` where there is no more room.
    fn add(&mut self, path: &str, line: u64, text: &[u8]) -> bool {
        if self.found.matches.len() >= self.most {
            self.found.more = true;
            return false;
        }
        let text = String::from_utf8_lossy(text).chars().take(LINE_CHARACTERS).collect();
        self.found.matches.push(GrepMatch { path: path.to_owned(), line, text });
        true
    }
}

/// The regular files below `base`, by name, without what .gitignore names, and without .git.
fn walk(base: &Path) -> impl Iterator<Item = DirEntry> {
    WalkBuilder::new(base)
        .follow_links(false)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .build()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
}

fn matcher(pattern: &str) -> Result<GlobMatcher, Failure> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Failure::Pattern { message: error.to_string() })
}

/// Whether `path` matches, as seen from `base`; a pattern without a slash speaks of the file's name alone.
fn matches(glob: &GlobMatcher, path: &Path, base: &Path) -> bool {
    let pattern = glob.glob().glob();
    if pattern.starts_with('/') {
        return glob.is_match(path);
    }
    if !pattern.contains('/') {
        return path.file_name().is_some_and(|name| glob.is_match(name));
    }
    glob.is_match(path.strip_prefix(base).unwrap_or(path))
}

fn existing(agent: &Agent, path: &str) -> Result<PathBuf, Failure> {
    let base = agent.resolve(path);
    // A final slash or dot would show in every path that is found.
    let base: PathBuf = base.components().collect();
    base.symlink_metadata().map_err(|error| failure(path, &error))?;
    Ok(base)
}

fn shown(path: &Path, workspace: &Path) -> String {
    crate::names::to_text(path.strip_prefix(workspace).unwrap_or(path).as_os_str())
}

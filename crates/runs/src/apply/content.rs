//! Git's own view of a file's content against that of the working tree: line ends (`text`, `eol`,
//! `core.autocrlf`, `core.eol`) and `$Id$`. Filters that are programs are never run here.

use std::collections::HashMap;

use super::change::Blob;
use crate::error::Result;
use crate::host_git;
use crate::repository::Source;

/// How the content of one path differs between git and the working tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form {
    lines: Lines,
    ident: bool,
    /// A conversion that is not done here: a filter program, another encoding.
    pub(super) foreign: Option<String>,
    /// Whether what is written has to be converted so, too.
    pub(super) encoded: bool,
}

/// What happens to line ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Lines {
    #[default]
    Kept,
    /// Text: LF in git; in the working tree as `crlf` says.
    Text { crlf: bool },
    /// As text where it looks like text and git's own copy has no CRLF.
    Guessed { crlf: bool },
}

/// The forms of paths, by git's attributes.
pub(super) struct Forms {
    by_path: HashMap<String, Form>,
}

const NAMES: [&str; 6] = ["text", "eol", "crlf", "ident", "filter", "working-tree-encoding"];

impl Forms {
    /// Reads the attributes of `paths`: those of the working tree, or of `commit`.
    pub(super) fn read(source: &Source, commit: Option<&str>, paths: &[&str]) -> Result<Self> {
        let tree = format!("--work-tree={}", source.path.display());
        let from = commit.map(|commit| format!("--source={commit}"));
        let mut arguments = vec![tree.as_str(), "check-attr", "-z", "--stdin"];
        arguments.extend(from.as_deref());
        arguments.extend(NAMES);
        let input: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let said = host_git::run(&source.git_dir, &arguments, std::process::Stdio::null(), input.as_bytes())?;
        let settings = Settings::read(source);
        let (text, mut values) = (String::from_utf8_lossy(&said), HashMap::<String, Values>::new());
        let mut fields = text.split('\0');
        while let (Some(path), Some(name), Some(value)) = (fields.next(), fields.next(), fields.next()) {
            values.entry(path.to_owned()).or_default().0.insert(name.to_owned(), value.to_owned());
        }
        let by_path = values.into_iter().map(|(path, values)| (path, values.form(settings))).collect();
        Ok(Self { by_path })
    }

    pub(super) fn of(&self, path: &str) -> Form {
        self.by_path.get(path).cloned().unwrap_or_default()
    }
}

/// The repository's own settings on line ends.
#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    /// `core.autocrlf`: whether text is guessed, and whether it gets CRLF then.
    auto: Option<bool>,
    /// `core.eol`
    crlf: bool,
}

impl Settings {
    fn read(source: &Source) -> Self {
        // Fails where neither is set.
        let said = host_git::ask(&source.git_dir, &["config", "--get-regexp", r"^core\.(autocrlf|eol)$"])
            .unwrap_or_default();
        let mut settings = Self::default();
        for line in String::from_utf8_lossy(&said).lines() {
            match line.to_lowercase().split_once(' ') {
                Some(("core.autocrlf", "input")) => settings.auto = Some(false),
                Some(("core.autocrlf", "true" | "yes" | "on" | "1")) => settings.auto = Some(true),
                Some(("core.autocrlf", _)) => settings.auto = None,
                Some(("core.eol", value)) => settings.crlf = value == "crlf",
                _ => {}
            }
        }
        settings
    }

    /// What ends lines of text for which nothing is said.
    fn usual(self) -> bool {
        self.auto.unwrap_or(self.crlf)
    }
}

/// What the attributes of one path say.
#[derive(Default)]
struct Values(HashMap<String, String>);

impl Values {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| *value != "unspecified")
    }

    fn form(&self, settings: Settings) -> Form {
        let named = |name| self.get(name).filter(|value| !matches!(*value, "unset" | "set"));
        let encoding = named("working-tree-encoding")
            .filter(|name| !matches!(name.to_uppercase().as_str(), "UTF-8" | "UTF8"));
        let foreign = encoding
            .map(|name| format!("its encoding {name} is not converted here"))
            .or_else(|| named("filter").map(|name| format!("its filter `{name}` is not run here")));
        let ident = self.get("ident") == Some("set");
        Form { lines: self.lines(settings), ident, foreign, encoded: encoding.is_some() }
    }

    fn lines(&self, settings: Settings) -> Lines {
        // `crlf` is what `text` and `eol` were called once.
        let (text, eol) = match (self.get("text"), self.get("crlf")) {
            (None, Some("input")) => (Some("set"), Some("lf")),
            (text, crlf) => (text.or(crlf), self.get("eol")),
        };
        let eol = match eol {
            Some("crlf") => Some(true),
            Some("lf") => Some(false),
            _ => None,
        };
        match (text, eol, settings.auto) {
            (Some("unset"), ..) => Lines::Kept,
            (Some("auto"), eol, _) => Lines::Guessed { crlf: eol.unwrap_or_else(|| settings.usual()) },
            (Some("set"), eol, _) => Lines::Text { crlf: eol.unwrap_or_else(|| settings.usual()) },
            (_, Some(crlf), _) => Lines::Text { crlf },
            (_, None, Some(crlf)) => Lines::Guessed { crlf },
            (_, None, None) => Lines::Kept,
        }
    }
}

impl Form {
    /// Whether `bytes` in the working tree are what git keeps as `blob`.
    pub(super) fn is_same(&self, bytes: &[u8], blob: &Blob) -> bool {
        if bytes == blob.bytes {
            return true;
        }
        let (mut ours, mut theirs) = (bytes.to_vec(), blob.bytes.clone());
        if self.converts(&blob.bytes) && (self.is_sure() || looks_like_text(bytes)) {
            (ours, theirs) = (with_lf(&ours), with_lf(&theirs));
        }
        if self.ident {
            (ours, theirs) = (map_ident(&ours, "$Id$"), map_ident(&theirs, "$Id$"));
        }
        ours == theirs
    }

    /// What the working tree gets for `blob`.
    pub(super) fn written(&self, blob: &Blob) -> Vec<u8> {
        let mut bytes = blob.bytes.clone();
        if self.ident {
            bytes = map_ident(&bytes, &format!("$Id: {} $", blob.id));
        }
        let crlf = matches!(self.lines, Lines::Text { crlf: true } | Lines::Guessed { crlf: true });
        if crlf && self.converts(&blob.bytes) { with_crlf(&bytes) } else { bytes }
    }

    /// Whether line ends are converted where git keeps `bytes`.
    fn converts(&self, bytes: &[u8]) -> bool {
        match self.lines {
            Lines::Kept => false,
            Lines::Text { .. } => true,
            Lines::Guessed { .. } => looks_like_text(bytes) && !bytes.contains(&b'\r'),
        }
    }

    fn is_sure(&self) -> bool {
        matches!(self.lines, Lines::Text { .. })
    }
}

/// As git guesses it: no NUL, no CR that stands alone, and at most one unprintable character in 128.
fn looks_like_text(bytes: &[u8]) -> bool {
    let lone_cr =
        bytes.iter().enumerate().any(|(at, byte)| *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    // A DOS end-of-file mark counts for nothing.
    let bytes = bytes.strip_suffix(b"\x1a").unwrap_or(bytes);
    let is_odd = |byte: &&u8| {
        matches!(**byte, 0x7f | 0..0x20) && !matches!(**byte, 0x08 | b'\t' | b'\n' | 0x0c | b'\r' | 0x1b)
    };
    let odd = bytes.iter().filter(is_odd).count();
    let fine = bytes.len() - odd;
    !lone_cr && !bytes.contains(&0) && fine >> 7 >= odd
}

fn with_lf(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            lines.push(*byte);
        }
    }
    lines
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' && (at == 0 || bytes.get(at - 1) != Some(&b'\r')) {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}

/// Puts `new` in the place of each `$Id$` and `$Id: … $` of one line.
fn map_ident(bytes: &[u8], new: &str) -> Vec<u8> {
    let (mut mapped, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(at) = rest.windows(3).position(|window| window == b"$Id") {
        let (before, found) = rest.split_at(at);
        mapped.extend_from_slice(before);
        let length = match found.get(3) {
            Some(b'$') => Some(4),
            Some(b':') => found[4..]
                .iter()
                .position(|byte| matches!(byte, b'$' | b'\n'))
                .filter(|end| found[4 + end] == b'$')
                .map(|end| end + 5),
            _ => None,
        };
        match length {
            Some(_) => mapped.extend_from_slice(new.as_bytes()),
            None => mapped.extend_from_slice(&found[..3]),
        }
        rest = &found[length.unwrap_or(3)..];
    }
    mapped.extend_from_slice(rest);
    mapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::change::FileMode;

    fn blob(text: &str) -> Blob {
        Blob { mode: FileMode::Plain, id: "1234".to_owned(), bytes: text.as_bytes().to_vec() }
    }

    fn form(pairs: &[(&str, &str)]) -> Form {
        let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Values(values.collect()).form(Settings::default())
    }

    #[test]
    fn line_ends_differ_only_where_git_says_so() {
        let crlf = form(&[("text", "set"), ("eol", "crlf")]);
        assert!(crlf.is_same(b"a\r\nb\r\n", &blob("a\nb\n")));
        assert_eq!(crlf.written(&blob("a\nb\r\n")), b"a\r\nb\r\n");
        assert!(!crlf.is_same(b"a\r\nc\r\n", &blob("a\nb\n")));
        let kept = form(&[("text", "unset"), ("eol", "crlf")]);
        assert!(!kept.is_same(b"a\r\n", &blob("a\n")));
        assert_eq!(kept.written(&blob("a\n")), b"a\n");
        assert!(!form(&[]).is_same(b"a\r\n", &blob("a\n")));
    }

    #[test]
    fn guessed_text_leaves_binary_files_and_their_carriage_returns_alone() {
        let auto = form(&[("text", "auto"), ("eol", "crlf")]);
        assert_eq!(auto.written(&blob("a\n")), b"a\r\n");
        assert_eq!(auto.written(&blob("a\0\n")), b"a\0\n");
        assert!(!auto.is_same(b"a\0\r\n", &blob("a\0\n")));
        assert!(auto.is_same(b"a\r\n", &blob("a\n")));
    }

    #[test]
    fn an_id_is_its_blob_in_the_working_tree_and_empty_in_git() {
        let ident = form(&[("ident", "set")]);
        assert_eq!(
            ident.written(&blob("x $Id$ y $Id: old $\n$Id: no\n$Identity$")),
            b"x $Id: 1234 $ y $Id: 1234 $\n$Id: no\n$Identity$"
        );
        assert!(ident.is_same(b"x $Id: 99 $", &blob("x $Id$")));
        assert!(!form(&[]).is_same(b"x $Id: 99 $", &blob("x $Id$")));
    }

    #[test]
    fn what_is_not_converted_here_is_named() {
        assert_eq!(form(&[("filter", "lfs")]).foreign.as_deref(), Some("its filter `lfs` is not run here"));
        assert!(form(&[("working-tree-encoding", "UTF-16")]).encoded);
        assert_eq!(form(&[("working-tree-encoding", "utf-8")]).foreign, None);
    }
}

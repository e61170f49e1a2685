//! What a command says when it cannot do what was asked: a stable code, one sentence, why, and what to do.

use serde_json::{Value, json};

use crate::exit::Exit;

/// The result of a command's steps.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// A command that did not work, as people and programs are told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    /// Stable; `journeyman explain` knows it.
    pub(crate) code: String,
    /// What happened, one sentence in lower case.
    pub(crate) text: String,
    /// Why that is so, where it helps.
    pub(crate) why: Option<String>,
    /// What to do.
    pub(crate) fix: Option<String>,
    /// The exit code.
    pub(crate) exit: Exit,
}

impl Failure {
    /// A failure whose exit code and fix come from the registry of codes.
    pub(crate) fn new(code: &str, text: impl Into<String>) -> Self {
        let entry = crate::explain::find(code);
        Self {
            code: code.to_owned(),
            text: text.into(),
            why: None,
            fix: entry.map(|entry| entry.fix.to_owned()),
            exit: entry.map_or(Exit::Internal, |entry| entry.exit),
        }
    }

    /// Something that should not happen.
    pub(crate) fn internal(doing: &str, source: &dyn std::error::Error) -> Self {
        Self::new("internal", format!("could not {doing}: {}", chain(source)))
    }

    /// The same with a cause.
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The same with something better to do than the registry knows.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// For `--json`.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "v": 1, "error": {
            "code": self.code, "text": self.text, "why": self.why, "fix": self.fix, "exit": self.exit.number(),
        }})
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

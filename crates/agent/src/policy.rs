//! What tools may do: allowed, asked first, or denied, by tool and by what the call is aimed at.
//!
//! A guard rail for well-meaning agents, not a wall: a shell command can be written in many ways. The wall
//! is the sandbox.

use std::fmt::Write as _;

use domain::question::{AllowScope, Answer, Question};
use domain::transcript::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What may happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It runs.
    Allow,
    /// A person is asked first.
    Ask,
    /// It does not run.
    Deny,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The tool's name; `*` and `?` stand for any letters and for one.
    pub tool: String,
    /// What the call is aimed at: the path from the repository's root, the command line, the pattern;
    /// `*` and `?` as above, `*` over `/` and line ends too.
    pub target: String,
    /// What happens.
    pub decision: Decision,
}

/// The hash of a call that a person allowed again.
pub type Grant = String;

/// All rules of a run. The strictest rule that fits counts (deny, then ask, then allow); where none fits,
/// the call is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Calls that need no asking in this project, by their hash ([`call_hash`]).
    #[serde(default)]
    pub grants: Vec<Grant>,
}

impl Policy {
    /// What the rules say of a call.
    #[must_use]
    pub fn decide(&self, tool: &str, target: &str) -> Decision {
        let fitting = |decision| {
            self.rules
                .iter()
                .any(|rule| rule.decision == decision && fits(&rule.tool, tool) && fits(&rule.target, target))
        };
        if fitting(Decision::Deny) {
            Decision::Deny
        } else if fitting(Decision::Ask) {
            Decision::Ask
        } else {
            Decision::Allow
        }
    }
}

/// What an answer allows beyond the one call that it was given for.
pub(crate) fn grant(question: &Question, answer: &Answer) -> Option<Grant> {
    match answer {
        Answer::Allow { scope: AllowScope::Run | AllowScope::Project } => question.arguments_hash.clone(),
        Answer::Allow { scope: AllowScope::Once } | Answer::Refuse { .. } | Answer::Text { .. } => None,
    }
}

/// The grant that an answer gives to the whole project; to be put into [`Policy::grants`] of later runs.
#[must_use]
pub fn project_grant(question: &Question, answer: &Answer) -> Option<Grant> {
    match answer {
        Answer::Allow { scope: AllowScope::Project } => question.arguments_hash.clone(),
        Answer::Allow { scope: AllowScope::Once | AllowScope::Run }
        | Answer::Refuse { .. }
        | Answer::Text { .. } => None,
    }
}

/// SHA-256 (hex) of the tool's name and the arguments in canonical form (keys sorted, no blanks).
#[must_use]
pub fn call_hash(call: &ToolCall) -> String {
    let mut text = format!("{}\n", call.tool);
    write_canonical(&call.arguments, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            text.push('{');
            for (position, key) in keys.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                let _ = write!(text, "{}:", Value::String(key.clone()));
                write_canonical(&fields[key], text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

/// Whether `pattern` (`*` any letters, `?` one) describes all of `text`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests;

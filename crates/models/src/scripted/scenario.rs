//! The scenario file: what a script says, turn by turn. `docs/SCENARIOS.md` documents it for people.

use std::collections::BTreeMap;

use domain::transcript::{StopReason, Usage};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::error::ModelError;

/// A parsed scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What people call the story: `shop`.
    pub title: String,
    /// The goal that starts it.
    #[serde(default)]
    pub goal: String,
    /// Words per second; everything at once where 0.
    #[serde(default)]
    pub pace: f64,
    /// Seeds the jitter of the pace.
    #[serde(default)]
    pub seed: u64,
    /// The context window that the script claims to have.
    #[serde(default = "default_context_tokens")]
    pub context_tokens: u64,
    /// What a person's words in mid-story do.
    #[serde(default)]
    pub steer: Steer,
    /// The turns, in order.
    #[serde(rename = "turn", default)]
    pub turns: Vec<Turn>,
}

/// What a person's words in mid-story do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    /// The story goes on.
    #[default]
    Ignore,
    /// The script says that it cannot.
    Refuse,
}

/// One answer of the script, or several alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Must be found in what came since the script's last answer.
    #[serde(default)]
    pub expect: Option<Pattern>,
    /// Takes text out of what came: `{{name}}` in this turn and later ones.
    #[serde(default)]
    pub capture: BTreeMap<String, Pattern>,
    /// The turn is left out unless each named capture matches its pattern.
    #[serde(default)]
    pub only_if: BTreeMap<String, Pattern>,
    /// Thinking that is shown.
    #[serde(default)]
    pub think: Option<String>,
    /// Words.
    #[serde(default)]
    pub say: Option<String>,
    /// Tool calls.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// How often the turn is played; `{{n}}` counts from 1.
    #[serde(default = "one")]
    pub repeat: u32,
    /// A pause before the answer begins.
    #[serde(default)]
    pub delay_ms: u64,
    /// What it is said to have used; estimated where absent.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Why it stopped, where not as usual.
    #[serde(default)]
    pub stop: Option<StopReason>,
    /// What goes wrong.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// How many tries fail before the answer comes. For ever where absent.
    #[serde(default)]
    pub fault_times: Option<u32>,
}

/// A tool call in a scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Value,
}

/// What can be made to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The provider is overloaded.
    Overloaded,
    /// Too many requests.
    RateLimited,
    /// The stream is cut after half of the words.
    CutStream,
    /// No connection.
    Unreachable,
    /// The arguments of the calls are not JSON.
    MalformedArguments,
    /// The conversation is too long, until it has been compacted.
    ContextOverflow,
    /// Half of the words, then nothing until the caller gives up.
    Hang,
    /// The key is refused.
    Auth,
    /// No such model.
    NoSuchModel,
    /// The model cannot call tools.
    NoTools,
    /// The request is refused.
    Refused,
    /// The answer is nonsense.
    BadAnswer,
}

/// A regular expression in a scenario; plain words are one too.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Pattern {
    /// What the pattern takes out of `text`: its first group, or all that it matches.
    #[must_use]
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.0.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|part| part.as_str())
    }
}

impl Scenario {
    /// Parses the text of a scenario file; `origin` names it in errors.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotConfigured`] with the place and the reason.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ModelError> {
        let scenario: Self = toml::from_str(text).map_err(|error| refused(origin, &error.to_string()))?;
        if scenario.turns.is_empty() {
            return Err(refused(origin, "it has no [[turn]]"));
        }
        Ok(scenario)
    }

    /// How many steps there are: turns, with each repetition counted.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.turns.iter().map(|turn| turn.repeat).sum()
    }

    /// How many steps before `step` find the conversation too long.
    #[must_use]
    pub fn overflows_before(&self, step: u32) -> u32 {
        let overflows =
            |step: &u32| self.step(*step).is_some_and(|(turn, _)| turn.fault == Some(Fault::ContextOverflow));
        u32::try_from((0..step).filter(overflows).count()).unwrap_or(u32::MAX)
    }

    /// The turn that step `step` (from 0) plays, and which repetition (from 1) it is.
    #[must_use]
    pub fn step(&self, step: u32) -> Option<(&Turn, u32)> {
        let mut before = 0;
        for turn in &self.turns {
            if step < before + turn.repeat {
                return Some((turn, step - before + 1));
            }
            before += turn.repeat;
        }
        None
    }
}

fn refused(origin: &str, why: &str) -> ModelError {
    ModelError::NotConfigured {
        message: format!("the scenario {origin} does not read: {why}"),
        fix: "see docs/SCENARIOS.md for the format".into(),
    }
}

const fn default_context_tokens() -> u64 {
    200_000
}

const fn one() -> u32 {
    1
}

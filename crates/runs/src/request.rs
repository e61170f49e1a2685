//! What can be asked of runs.

use domain::RunId;
use domain::event::Attended;
use domain::limits::{GuardProfile, RunLimits};
use serde::{Deserialize, Serialize};

/// A wish for a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// What is to be done, in plain words; at most 100,000 characters.
    pub goal: String,
    /// The repository's folder on this machine, absolute, or its URL (`https://…`); or `project`.
    #[serde(default)]
    pub repository: Option<String>,
    /// A project's id or slug; its repository is worked on.
    #[serde(default)]
    pub project: Option<String>,
    /// The model; the org's default where `None`.
    #[serde(default)]
    pub model: Option<String>,
    /// The command that proves success; found in the repository where `None`.
    #[serde(default)]
    pub check: Option<String>,
    /// Take uncommitted changes along.
    #[serde(default)]
    pub dirty: bool,
    /// Write the result to the working tree after success.
    #[serde(default)]
    pub apply: bool,
    /// Host paths that the sandbox may read besides its template.
    #[serde(default)]
    pub include: Vec<String>,
    /// Whether somebody can be asked.
    #[serde(default)]
    pub attended: Attended,
    /// Ceilings.
    #[serde(default)]
    pub limits: RunLimits,
    /// How strictly the loop is guarded.
    #[serde(default)]
    pub guards: GuardProfile,
}

/// How a caller names a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRef {
    /// By its id.
    Id(RunId),
    /// By its number; must be the only one of its org with that number, or the caller names the project.
    Number(i64),
}

impl std::str::FromStr for RunRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        text.parse().map(Self::Id).map_err(|_| {
            format!("\"{text}\" is neither a run's number nor its id (run followed by 32 hex digits)")
        })
    }
}

/// Which runs to list; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RunFilter {
    /// Only those of this project (id or slug).
    #[serde(default)]
    pub project: Option<String>,
    /// Only those in this state (machine name).
    #[serde(default)]
    pub state: Option<String>,
    /// The `next` of the page before.
    #[serde(default)]
    pub before: Option<String>,
    /// How many, 1 to 200; 50 where `None`.
    #[serde(default)]
    pub limit: Option<u32>,
}

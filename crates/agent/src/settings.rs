//! What a loop is made of.

use std::sync::Arc;

use domain::event::Attended;
use domain::limits::{GuardProfile, RunLimits};
use models::Model;
use runtime::Ambient;
use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::port::{Journal, Place, Workspace};

/// Everything outside of the loop that it works with.
pub struct Parts {
    /// Who thinks.
    pub model: Arc<dyn Model>,
    /// Where it acts.
    pub place: Arc<dyn Place>,
    /// What differs from the base.
    pub workspace: Arc<dyn Workspace>,
    /// What keeps its steps.
    pub journal: Arc<dyn Journal>,
    /// Time and chance.
    pub ambient: Ambient,
    /// What it may do.
    pub settings: Settings,
}

/// What one run may do and how it is guarded.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Ceilings.
    pub limits: RunLimits,
    /// How strictly repetition and output are guarded.
    pub guards: GuardProfile,
    /// Whether somebody can be asked.
    pub attended: Attended,
    /// The command that proves success, run by us after the last change.
    pub check: Option<String>,
    /// Whether we found it, and nobody gave it: where it cannot be run here, that does not fail the work.
    pub check_is_found: bool,
    /// The model's window in tokens, where the model's own word shall not count.
    pub context_window: Option<u64>,
    /// What tools may do without asking.
    pub policy: Policy,
    /// What the repository tells agents, for the prompt of a run that begins.
    pub instructions: Option<Instructions>,
}

/// A repository's instructions for agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// The file that they are from: one of [`INSTRUCTION_FILES`].
    pub file: String,
    /// The file's beginning, at most [`INSTRUCTIONS_MAX_BYTES`].
    pub text: String,
    /// The whole file's size.
    pub size_bytes: u64,
}

/// Where a repository keeps its instructions for agents; the first that exists counts.
pub const INSTRUCTION_FILES: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];

/// The most of a repository's instructions that the prompt takes, in bytes.
pub const INSTRUCTIONS_MAX_BYTES: u64 = 32 * 1024;

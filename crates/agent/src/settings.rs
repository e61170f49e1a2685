//! What a loop is made of.

use std::sync::Arc;

use domain::event::Attended;
use domain::limits::{GuardProfile, RunLimits};
use models::Model;
use runtime::Ambient;
use sandbox::Sandbox;

use crate::policy::Policy;
use crate::port::{Journal, Workspace};

/// Everything outside of the loop that it works with.
pub struct Parts {
    /// Who thinks.
    pub model: Arc<dyn Model>,
    /// Where it acts.
    pub sandbox: Arc<dyn Sandbox>,
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
    /// The model's window in tokens, where the model's own word shall not count.
    pub context_window: Option<u64>,
    /// What tools may do without asking.
    pub policy: Policy,
}

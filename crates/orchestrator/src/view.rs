//! Sandboxes as callers see them.

use std::collections::BTreeMap;

use domain::{RunId, SandboxId};
use serde::{Deserialize, Serialize};

use crate::state::SandboxState;
use crate::wish::{EgressPolicy, OnTimeout};

/// A sandbox as callers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SandboxView {
    /// Its id.
    pub id: SandboxId,
    /// The run that it serves, where it serves one.
    pub run: Option<RunId>,
    /// For people.
    pub name: String,
    /// The state's machine name; [`SandboxState::NAMES`] has them all.
    pub state: String,
    /// Why it stands there, where there is a reason.
    pub reason: Option<String>,
    /// What it was made from.
    pub template: String,
    /// Which version of that.
    pub template_version: u32,
    /// `native`, `fake` …
    pub provider: String,
    /// The caller's own names and values.
    pub metadata: BTreeMap<String, String>,
    /// When it was asked for, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When its processes were last started.
    pub started_at_ms: Option<i64>,
    /// When its state last changed.
    pub changed_at_ms: i64,
    /// When its time is up; `None` while it rests or where it has no end.
    pub ends_at_ms: Option<i64>,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Whether use wakes it when it rests.
    pub auto_resume: bool,
    /// CPU time per second of wall time, in thousandths of a core.
    pub cpu_millis: u32,
    /// Memory of all processes together.
    pub memory_bytes: u64,
    /// Disk for what it writes; `None` where nothing limits it.
    pub disk_bytes: Option<u64>,
    /// What it may reach.
    pub egress: EgressPolicy,
}

/// Which sandboxes are wanted.
#[derive(Debug, Clone, Default)]
pub struct SandboxFilter {
    /// States by machine name; all but deleted ones, and of runs only living ones, where empty.
    pub states: Vec<String>,
    /// Only those whose metadata has all of these.
    pub metadata: BTreeMap<String, String>,
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Whether only those that serve no run are wanted.
    pub without_runs: bool,
    /// Goes on behind this page; from an earlier page's `next`.
    pub cursor: Option<String>,
    /// At most so many, up to 200; 50 where 0.
    pub limit: u32,
}

impl SandboxFilter {
    pub(crate) fn fits(&self, view: &SandboxView, state: &SandboxState) -> bool {
        let by_state = if self.states.is_empty() {
            !state.is_gone() && (view.run.is_none() || state.is_alive())
        } else {
            self.states.iter().any(|name| name == state.name())
        };
        by_state
            && (!self.without_runs || view.run.is_none())
            && self.run.is_none_or(|run| view.run == Some(run))
            && self.metadata.iter().all(|(name, value)| view.metadata.get(name) == Some(value))
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The newest first.
    pub items: Vec<T>,
    /// Where the next page begins, where there is one.
    pub next: Option<String>,
}

//! What the E2B API is made of.

use std::sync::Arc;
use std::time::Duration;

use accounts::Accounts;
use gateway::Previews;
use orchestrator::Orchestrator;
use runtime::{Ambient, Supervisor};
use secrets::SubKey;

use crate::filesystem::watchers::Watchers;

/// What the E2B API is made of.
pub struct Parts {
    /// Who shows which API key.
    pub accounts: Accounts,
    /// The sandboxes.
    pub orchestrator: Orchestrator,
    /// Opens the sandboxes' ports.
    pub previews: Previews,
    /// Time and chance.
    pub ambient: Ambient,
    /// Owns the tasks that follow processes and watch folders.
    pub supervisor: Supervisor,
    /// Makes the access tokens of sandboxes; the same for the whole life of a data folder.
    pub key: SubKey,
    /// The rest.
    pub settings: Settings,
}

/// Settings of the E2B API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The domain that clients are told: a sandbox's ports are at `<port>-<sandbox>.<domain>`. None is told
    /// where it is `None`.
    pub domain: Option<String>,
    /// What `base`, the template that clients ask for by themselves, stands for.
    pub base_template: String,
    /// How long a sandbox lives where its client does not say.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { domain: None, base_template: "host".to_owned(), timeout: Duration::from_secs(300) }
    }
}

/// The parts, as handlers hold them.
#[derive(Clone)]
pub(crate) struct E2b(Arc<Inner>);

pub(crate) struct Inner {
    parts: Parts,
    pub(crate) watchers: Watchers,
}

impl E2b {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, watchers: Watchers::default() }))
    }

    pub(crate) fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }
}

impl std::ops::Deref for E2b {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

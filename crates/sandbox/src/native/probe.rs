//! What this host has of what isolation needs, for `journeyman doctor`.

use super::NativeConfig;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What was looked at, in a few words.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do where it is not.
    pub fix: Option<String>,
}

/// Looks at everything.
#[must_use]
pub fn probe(_config: &NativeConfig) -> Vec<Probe> {
    Vec::new()
}

//! Where things lie: inside every sandbox, and in its state folder on the host.

use std::path::{Path, PathBuf};

/// The work, inside.
pub const WORKSPACE: &str = "/workspace";
/// The home of the user who works inside; E2B clients count on this place and name.
pub const HOME: &str = "/home/user";
/// The guest's own state, inside.
pub(crate) const GUEST: &str = "/run/journeyman";

/// /workspace where there is no base, in the state folder.
pub(crate) const WORKSPACE_STATE: &str = "workspace";
/// The home, in the state folder.
pub(crate) const HOME_STATE: &str = "home";
/// The guest's state, in the state folder.
pub(crate) const GUEST_STATE: &str = "guest";

/// A place inside that persists, and its two forms in the state folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Inside.
    pub(crate) inside: &'static str,
    /// The folder itself, where nothing lies below it.
    pub(crate) plain: &'static str,
    /// What is written over something else (`upper`) and the kernel's scratch (`work`).
    pub(crate) layered: &'static str,
}

/// What every sandbox keeps.
pub(crate) const PLACES: [Place; 3] = [
    Place { inside: WORKSPACE, plain: WORKSPACE_STATE, layered: "overlay" },
    Place { inside: HOME, plain: HOME_STATE, layered: "home-overlay" },
    Place { inside: GUEST, plain: GUEST_STATE, layered: "guest-overlay" },
];

/// What a sandbox whose root may be written keeps besides; always over something.
pub(crate) const ROOT_PLACE: Place = Place { inside: "/", plain: "root", layered: "root-overlay" };

/// The folder on the host that is /workspace of a sandbox without a base. It may become another sandbox's
/// `workspace_base` once this one has stopped.
#[must_use]
pub fn workspace_folder(state_dir: &Path) -> PathBuf {
    state_dir.join(WORKSPACE_STATE)
}

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
/// What is written over the base of /workspace (`upper`) and the kernel's scratch (`work`), in the state folder.
pub(crate) const OVERLAY_STATE: &str = "overlay";
/// The home, in the state folder.
pub(crate) const HOME_STATE: &str = "home";
/// The guest's state, in the state folder.
pub(crate) const GUEST_STATE: &str = "guest";

/// The folder on the host that is /workspace of a sandbox without a base. It may become another sandbox's
/// `workspace_base` once this one has stopped.
#[must_use]
pub fn workspace_folder(state_dir: &Path) -> PathBuf {
    state_dir.join(WORKSPACE_STATE)
}

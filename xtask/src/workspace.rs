//! Where things are in this repository.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// What we download and do not commit.
pub(crate) fn cache() -> PathBuf {
    root().join(".cache")
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The web's package; `None` while there is none.
pub(crate) fn web() -> Option<PathBuf> {
    let folder = root().join("web");
    folder.join("package.json").is_file().then_some(folder)
}

/// Reads a text file of the repository; the error names the file.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

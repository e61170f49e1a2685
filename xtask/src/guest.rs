//! Builds the static program that runs inside every sandbox. `sandbox` embeds it, so every command
//! that compiles the workspace builds it first; when nothing changed, that costs a moment only.

use std::path::PathBuf;

use crate::{run, workspace};

const NAME: &str = "journeyman-guest";

/// Static, and at a fixed address: relocated tables would be 270 KiB of memory that each sandbox has for itself.
const FLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// Builds the guest and returns its path, which is the same for every profile and target folder.
pub(crate) fn build() -> Result<PathBuf, String> {
    let root = workspace::root();
    let manifest = workspace::read(&root.join("Cargo.toml"))?;
    let profile = if manifest.contains("[profile.guest]") { "guest" } else { "release" };
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target = root.join("target/guest");
    let mut cargo = run::cargo(&["build", "--quiet", "--package", "guest", "--bin", NAME]);
    cargo.args(["--profile", profile, "--target", &triple]).arg("--target-dir").arg(&target);
    cargo.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    run::check(&mut cargo)?;

    let built = target.join(&triple).join(profile).join(NAME);
    let stable = target.join(&triple).join("release").join(NAME);
    if built != stable {
        copy_when_different(&built, &stable)?;
    }
    Ok(stable)
}

/// Leaves an equal file alone: its time of change would make cargo compile `sandbox` again.
fn copy_when_different(from: &PathBuf, to: &PathBuf) -> Result<(), String> {
    let wrong =
        |error: std::io::Error| format!("cannot copy {} to {}: {error}", from.display(), to.display());
    let new = std::fs::read(from).map_err(wrong)?;
    if std::fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::copy(from, to).map_err(wrong)?;
    Ok(())
}

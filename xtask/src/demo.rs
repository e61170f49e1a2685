//! `cargo xtask demo`: from a fresh checkout to the demo, with every step shown.

use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;

use crate::{guest, machine, npm, run, workspace};

/// Sets up, builds, and becomes the demo; the flags are the demo's own.
pub(crate) fn run(flags: &[String]) -> Result<(), String> {
    step("setup", machine::for_demo)?;
    let program = product()?;
    let mut demo = run::command(&program);
    demo.arg("demo").args(flags).stdin(Stdio::inherit());
    Err(replace_with(&mut demo))
}

/// Builds the release program with the web inside, and returns its path.
pub(crate) fn product() -> Result<std::path::PathBuf, String> {
    if let Some(web) = workspace::web() {
        step("web", || if is_built(&web) { Ok(()) } else { run::check(&mut npm::web_script("build")) })?;
    }
    step("guest", || guest::build().map(|_| ()))?;
    step("journeyman", || run::check(run::cargo(&["build", "--release"]).args(WITH_WEB)))?;
    Ok(workspace::target().join("release/journeyman"))
}

/// Chooses the program with the web inside; without, `cargo test` would need Node.
pub(crate) const WITH_WEB: [&str; 4] = ["--package", "server", "--features", "embed-web"];

/// Whether the built web is younger than all that it is made of. Building it anew would compile the program
/// anew that embeds it.
fn is_built(web: &Path) -> bool {
    let Some(built) = modified(&web.join("dist/index.html")) else { return false };
    let mut waiting = vec![web.to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { return false };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default();
            if ["dist", "node_modules", "e2e", "openapi"].iter().any(|other| name == *other) {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if modified(&path).is_none_or(|changed| changed > built) {
                return false;
            }
        }
    }
    true
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn step(name: &str, action: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    run::step(name, action).map(|_| ()).map_err(|_| String::new())
}

/// Signals and the exit code are the program's from here on; returns only when it cannot start.
pub(crate) fn replace_with(command: &mut std::process::Command) -> String {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    format!("cannot start {}: {error}", command.get_program().to_string_lossy())
}

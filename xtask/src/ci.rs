//! `cargo xtask ci`: proves that HEAD, and nothing that only lies in this checkout, passes `.ci/run`.

use crate::{run, workspace};

/// Clones HEAD beside the system's temporary files and runs `.ci/run` there. With `--cold` it also
/// builds everything anew and downloads the npm packages again.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let cold = match arguments {
        [] => false,
        [flag] if flag == "--cold" => true,
        _ => return Err("`ci` takes only --cold".into()),
    };
    // Always the same place, so that a warm run finds what the last one compiled.
    let folder = std::env::temp_dir().join("journeyman-ci");
    let _ = std::fs::remove_dir_all(&folder);
    let mut clone = run::command("git");
    clone.args(["clone", "--quiet", "--no-hardlinks"]).arg(workspace::root()).arg(&folder);
    run::check(&mut clone)?;
    let mut ci = run::command(folder.join(".ci/run"));
    ci.current_dir(&folder).env("CI", "true");
    if cold {
        ci.env_remove("CARGO_TARGET_DIR");
    } else {
        ci.env("CARGO_TARGET_DIR", workspace::target().join("ci"));
    }
    let outcome = run::step("ci", || run::check(&mut ci)).map(|_| ()).map_err(|(error, _)| error);
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

//! Packages from the npm registry: the web's, and the emulators that tests talk to. Both come from a
//! committed lock file, by `npm ci`, and are left alone while that file is unchanged.

use std::path::{Path, PathBuf};

use crate::{machine, run, workspace};

/// The web's packages; nothing while there is no web.
pub(crate) fn install_web() -> Result<(), String> {
    match workspace::web() {
        Some(folder) => install(&folder, &["ci"]),
        None => Ok(()),
    }
}

/// The emulators of outside services, into `.cache/npm`.
pub(crate) fn install_emulators() -> Result<(), String> {
    let (source, folder) = (workspace::root().join("xtask/npm"), emulators());
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(source.join(name), folder.join(name))
            .map_err(|error| format!("cannot copy xtask/npm/{name}: {error}"))?;
    }
    install(&folder, &["ci", "--ignore-scripts"])
}

/// Where the emulators are; their programs are in `node_modules/.bin`.
pub(crate) fn emulators() -> PathBuf {
    workspace::cache().join("npm")
}

/// Playwright's own Chromium, for systems that have no package of it.
pub(crate) fn install_chromium() -> Result<(), String> {
    install_web()?;
    let Some(web) = workspace::web() else { return Ok(()) };
    run::with_retries("downloading Chromium", || {
        let mut command = run::command("npx");
        command.current_dir(&web).env("PLAYWRIGHT_BROWSERS_PATH", browsers());
        run::check(command.args(["playwright-core", "install", "--with-deps", "chromium"]))
    })
}

/// The Chromium that [`install_chromium`] left.
pub(crate) fn chromium_of_playwright() -> Option<PathBuf> {
    let entries = std::fs::read_dir(browsers()).ok()?;
    let programs = entries.flatten().flat_map(|entry| {
        ["chrome-linux/chrome", "chrome-linux64/chrome"].map(|program| entry.path().join(program))
    });
    programs.into_iter().find(|program| program.is_file())
}

/// The scripts of the web's `package.json`.
pub(crate) fn web_scripts() -> Result<Vec<String>, String> {
    let Some(web) = workspace::web() else { return Ok(Vec::new()) };
    let text = workspace::read(&web.join("package.json"))?;
    let document: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("web/package.json: {error}"))?;
    let scripts = document["scripts"].as_object();
    Ok(scripts.map(|scripts| scripts.keys().cloned().collect()).unwrap_or_default())
}

/// `npm run <script>` in the web's folder, with the way to Chromium.
pub(crate) fn web_script(script: &str) -> std::process::Command {
    let mut command = run::command("npm");
    command.current_dir(workspace::root().join("web")).args(["run", "--silent", script]);
    if let Some(chromium) = machine::chromium() {
        command.env("CHROMIUM_BIN", chromium);
    }
    command
}

/// The packages that a folder's own lock file names, without their scripts.
pub(crate) fn install_in(folder: &Path) -> Result<(), String> {
    install(folder, &["ci", "--ignore-scripts"])
}

fn browsers() -> PathBuf {
    workspace::cache().join("browsers")
}

fn install(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let lock = workspace::read(&folder.join("package-lock.json"))?;
    let mark = folder.join("node_modules/.installed-from");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("installing npm packages in {}", folder.display());
    run::with_retries("npm ci", || {
        let told = match run::capture(npm(folder).args(arguments)) {
            Ok(_) => return Ok(()),
            Err(told) => told,
        };
        // npm wants the optional packages of every platform in the lock file, even those that a registry
        // does not have. What this platform needs is in it, so a plain install gives the same packages.
        if told.contains("EUSAGE") {
            run::check(npm(folder).args(["install", "--no-save"]))
        } else {
            Err(told)
        }
    })?;
    if folder.join("node_modules").is_dir() {
        std::fs::write(&mark, lock).map_err(|error| format!("cannot write {}: {error}", mark.display()))?;
    }
    Ok(())
}

fn npm(folder: &Path) -> std::process::Command {
    let mut npm = run::command("npm");
    npm.current_dir(folder).args(["--no-audit", "--no-fund", "--loglevel=error"]);
    npm
}

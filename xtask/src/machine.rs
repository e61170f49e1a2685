//! What this machine must have. Only what is missing is installed, by apt, as root or by sudo.

use std::path::PathBuf;

use crate::{npm, run, sdks};

struct Need {
    /// What a person would call it.
    what: &'static str,
    /// The apt packages, the first that apt knows is taken.
    packages: &'static [&'static str],
    present: fn() -> bool,
}

const GIT: Need = Need { what: "git", packages: &["git"], present: || run::find(&["git"]).is_some() };
const BASH: Need = Need { what: "bash", packages: &["bash"], present: || run::find(&["bash"]).is_some() };
const COMPILER: Need =
    Need { what: "a C compiler", packages: &["build-essential"], present: || run::find(&["cc"]).is_some() };
const POSTGRES: Need =
    Need { what: "Postgres", packages: &["postgresql"], present: || postgres_folder().is_some() };
const REDIS: Need = Need {
    what: "Redis",
    packages: &["redis-server", "valkey-server"],
    present: || run::find(&["redis-server", "valkey-server"]).is_some(),
};
const CHROMIUM: Need =
    Need { what: "Chromium", packages: &["chromium", "chromium-browser"], present: || chromium().is_some() };
const PYTHON: Need =
    Need { what: "Python with venv", packages: &["python3-venv"], present: sdks::has_python };
const FONTS: Need = Need {
    what: "fonts",
    packages: &["fonts-dejavu-core"],
    present: || ["/usr/share/fonts", "/usr/local/share/fonts"].iter().any(|folder| has_fonts(folder)),
};

/// Everything that `cargo xtask test` uses.
pub(crate) fn for_tests() -> Result<(), String> {
    node()?;
    packages(&[GIT, BASH, COMPILER, POSTGRES, REDIS, CHROMIUM, FONTS, PYTHON])?;
    crates()?;
    npm::install_web()?;
    npm::install_emulators()?;
    sdks::install()
}

/// What the demo uses: git and a C compiler, and Node to build the web.
pub(crate) fn for_demo() -> Result<(), String> {
    packages(&[GIT, BASH, COMPILER])?;
    if crate::workspace::web().is_some() {
        node()?;
    }
    crates()?;
    npm::install_web()
}

fn crates() -> Result<(), String> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let fetch = ["fetch", "--locked", "--quiet", "--target", &host];
    run::with_retries("cargo fetch", || run::check(&mut run::cargo(&fetch)))
}

/// The folder that holds `initdb` and `postgres`.
pub(crate) fn postgres_folder() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let in_path = run::find(&["initdb"]).and_then(|file| file.parent().map(PathBuf::from));
    let complete = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    versions.into_iter().rev().chain(in_path).find(complete)
}

/// A Chromium that can be driven.
pub(crate) fn chromium() -> Option<PathBuf> {
    std::env::var_os("CHROMIUM_BIN")
        .map(PathBuf::from)
        .filter(|file| file.is_file())
        .or_else(|| run::find(&["chromium", "google-chrome", "google-chrome-stable"]))
        .or_else(npm::chromium_of_playwright)
}

fn node() -> Result<(), String> {
    let fix = "install Node 20 or newer (https://nodejs.org/en/download), then run this again";
    let version = run::capture(run::command("node").arg("--version"))
        .map_err(|_| format!("there is no Node on this machine; {fix}"))?;
    let major: u32 =
        version.trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    if major < 20 {
        return Err(format!("Node {} is too old; {fix}", version.trim()));
    }
    Ok(())
}

fn packages(needs: &[Need]) -> Result<(), String> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.what).collect::<Vec<_>>().join(", ");
    println!("installing {names}");
    apt(&["update"]).map_err(|error| format!("{error}\n{}", by_hand(&missing)))?;
    let chosen: Vec<&str> = missing.iter().filter_map(|need| known_package(need)).collect();
    if !chosen.is_empty() {
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(&chosen);
        apt(&arguments).map_err(|error| format!("{error}\n{}", by_hand(&missing)))?;
    }
    if missing.iter().any(|need| need.what == CHROMIUM.what) && chromium().is_none() {
        npm::install_chromium()?;
    }
    match missing.iter().find(|need| !(need.present)()) {
        Some(need) => Err(format!("{} is still missing; {}", need.what, by_hand(&[need]))),
        None => Ok(()),
    }
}

fn by_hand(missing: &[&Need]) -> String {
    let names: Vec<&str> = missing.iter().filter_map(|need| need.packages.first().copied()).collect();
    format!("install it by hand and run this again: apt-get install {}", names.join(" "))
}

/// Ubuntu's `chromium-browser` only points to a snap, which cannot run in a container.
fn known_package(need: &Need) -> Option<&'static str> {
    need.packages.iter().copied().find(|name| {
        let policy = run::capture(run::command("apt-cache").args(["policy", name])).unwrap_or_default();
        let candidate =
            policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: ")).unwrap_or("(none)");
        candidate != "(none)" && !candidate.contains("snap")
    })
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    if run::find(&["apt-get"]).is_none() {
        return Err("this machine has no apt-get; only Debian and Ubuntu are set up by themselves".into());
    }
    let sudo = if run::is_root() {
        None
    } else {
        Some(run::find(&["sudo"]).ok_or("we are not root and there is no sudo")?)
    };
    run::with_retries(&format!("apt-get {}", arguments[0]), || {
        let mut apt = match &sudo {
            Some(sudo) => {
                let mut command = run::command(sudo);
                command.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
                command.stdin(std::process::Stdio::inherit());
                command
            }
            None => run::command("apt-get"),
        };
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
        run::check(&mut apt)
    })
}

fn has_fonts(folder: &str) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

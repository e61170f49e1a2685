//! The one exception to "git runs only inside the sandbox": plumbing commands on the user's own
//! repository, with hooks, system and user configuration off and an empty environment, to take a pack in
//! and to set one reference.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::capture::last_lines;
use crate::error::{Error, Result, WhileDoing};
use crate::repository::source::clean_git_environment;

/// The most memory that a git process may use while it unpacks what a sandbox sent, in KiB: a small pack can
/// hold a huge object.
const UNPACK_MEMORY_KIB: u64 = 2 << 20;

/// Runs `git` with `arguments` on the repository whose git folder is `git_dir`, gives it `input` and
/// returns what it prints.
///
/// Blocks; call it where that is allowed.
#[expect(
    clippy::disallowed_methods,
    reason = "the documented exception: plumbing on the user's own repository"
)]
pub(crate) fn run(git_dir: &Path, arguments: &[&str], input: Stdio, write: &[u8]) -> Result<Vec<u8>> {
    let doing = "run git on the repository";
    let limited = format!("ulimit -v {UNPACK_MEMORY_KIB} && exec git \"$@\"");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &limited, "git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        // A large pack of the user's is mapped in pieces that fit the limit.
        .args(["-c", "core.packedGitWindowSize=32m", "-c", "core.packedGitLimit=512m"])
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GIT_DIR", git_dir)
        .envs(clean_git_environment())
        .stdin(if write.is_empty() { input } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .while_doing(doing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(write).while_doing(doing)?;
    }
    let output = child.wait_with_output().while_doing(doing)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = last_lines(&String::from_utf8_lossy(&output.stderr));
    let command = arguments.first().copied().unwrap_or("git");
    let said = if said.is_empty() { output.status.to_string() } else { said };
    Err(Error::Delivery { message: format!("git {command}: {said}") })
}

/// As [`run`], with nothing to read.
pub(crate) fn ask(git_dir: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    run(git_dir, arguments, Stdio::null(), &[])
}

/// Makes a repository of a folder that we wrote ourselves, with everything in one commit.
pub(crate) fn make_repository(folder: &Path, message: &str) -> Result<()> {
    let git_dir = folder.join(".git");
    ask(&git_dir, &["init", "--quiet", "--template=", "--initial-branch=main"])?;
    let tree = format!("--work-tree={}", folder.display());
    ask(&git_dir, &[&tree, "add", "--all"])?;
    let author = ["-c", "user.name=Journeyman", "-c", "user.email=journeyman@localhost"];
    ask(&git_dir, &[&author[..], &[&tree, "commit", "--quiet", "--message", message]].concat())?;
    Ok(())
}

/// The user's own name and mail address, from their own configuration; `None` where they have none.
#[expect(clippy::disallowed_methods, reason = "reads the user's own configuration, of no repository")]
pub(crate) fn identity(home: &Path) -> Option<(String, String)> {
    let value = |key: &str| {
        let output = Command::new("git")
            .args(["config", "--global", "--get", key])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home)
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    Some((value("user.name")?, value("user.email")?))
}

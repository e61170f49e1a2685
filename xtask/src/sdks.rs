//! E2B's own SDKs, pinned, and our suites that run them against the built program.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::{npm, run, servers, workspace};

/// A server with an API key for the SDKs; ended when it is dropped.
pub(crate) struct Sandboxes {
    server: servers::Server,
    key: String,
}

/// Both SDKs, each from its own registry.
pub(crate) fn install() -> Result<(), String> {
    npm::install_in(&suites().join("js"))?;
    let (wanted, folder) = (suites().join("python/requirements.txt"), virtual_environment());
    let (text, mark) = (workspace::read(&wanted)?, folder.join(".installed-from"));
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == text) {
        return Ok(());
    }
    println!("installing E2B's SDK for Python");
    run::capture(run::command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run::with_retries("pip install", || {
        let mut pip = run::command(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&wanted);
        run::check(&mut pip)
    })?;
    std::fs::write(&mark, text).map_err(|error| format!("cannot write {}: {error}", mark.display()))
}

/// `cargo xtask sdks`: both suites alone, against the program as it is now.
pub(crate) fn run() -> Result<(), String> {
    install()?;
    crate::guest::build()?;
    run::check(&mut run::cargo(&["build", "--quiet"]))?;
    let server = Sandboxes::start()?;
    let (python, javascript) = (run::check(&mut server.python()), run::check(&mut server.javascript()));
    python.and(javascript)
}

/// Whether Python can make what the suite is installed into.
pub(crate) fn has_python() -> bool {
    run::capture(run::command("python3").args(["-c", "import ensurepip, venv"])).is_ok()
}

impl Sandboxes {
    /// Starts the program that `cargo build` left, with a data folder of its own.
    pub(crate) fn start() -> Result<Self, String> {
        let program = workspace::target().join("debug/journeyman");
        let (folder, port) = (servers::own_folder("e2b")?, servers::free_port()?);
        let data = folder.join("data");
        let mut up = run::command(&program);
        up.arg("up").args(["--listen", &format!("127.0.0.1:{port}")]).arg("--data").arg(&data);
        let url = format!("http://127.0.0.1:{port}");
        let is_ready = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let server = servers::start(up, folder, url, is_ready)?;
        let mut create = run::command(&program);
        create.args(["token", "create", "--kind", "e2b", "--json", "--data"]).arg(&data);
        let made: serde_json::Value = serde_json::from_str(&run::capture(&mut create)?)
            .map_err(|error| format!("the token is told in no JSON: {error}"))?;
        let key = made["token"].as_str().ok_or("the answer has no token")?.to_owned();
        Ok(Self { server, key })
    }

    /// The suite for Python's SDK.
    pub(crate) fn python(&self) -> Command {
        let mut python = run::command(virtual_environment().join("bin/python"));
        python
            .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
            .env("PYTHONDONTWRITEBYTECODE", "1");
        python.current_dir(suites().join("python"));
        self.reach(python)
    }

    /// The suite for JavaScript's SDK.
    pub(crate) fn javascript(&self) -> Command {
        let mut node = run::command("node");
        node.args(["--test", "--test-reporter=tap"]).current_dir(suites().join("js"));
        self.reach(node)
    }

    fn reach(&self, mut command: Command) -> Command {
        command.env("E2B_API_KEY", &self.key).env("E2B_API_URL", &self.server.url);
        command.env("E2B_SANDBOX_URL", &self.server.url).env_remove("E2B_DOMAIN").env_remove("E2B_DEBUG");
        command
    }
}

fn suites() -> PathBuf {
    workspace::root().join("crates/e2b/sdk-tests")
}

fn virtual_environment() -> PathBuf {
    workspace::cache().join("e2b-python")
}

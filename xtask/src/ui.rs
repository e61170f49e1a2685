//! `cargo xtask ui`: the server with the demo's model, and the web with live reload in front of it.

use std::process::Stdio;

use crate::{guest, machine, run, workspace};

/// Runs both until one ends or a person stops them.
pub(crate) fn run(flags: &[String]) -> Result<(), String> {
    machine::for_demo()?;
    let web = workspace::web().ok_or("there is no web/package.json yet")?;
    guest::build()?;
    run::check(&mut run::cargo(&["build", "--quiet", "--package", "server"]))?;
    let program = workspace::target().join("debug/journeyman");
    // `web/vite.config.ts` looks for the server there.
    let mut server = run::command(program)
        .args(["demo", "--listen", "127.0.0.1:4000"])
        .args(flags)
        .spawn()
        .map_err(|error| format!("cannot start the server: {error}"))?;
    let mut dev = run::command("npm");
    dev.current_dir(web).args(["run", "dev"]).stdin(Stdio::inherit());
    let outcome = run::check(&mut dev);
    let _ = run::command("kill").args(["-INT", &server.id().to_string()]).status();
    let _ = server.wait();
    outcome
}

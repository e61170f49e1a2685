//! `cargo xtask bench`: builds the release program and measures it with `bench/`.

use crate::{demo, machine, run, workspace};

/// The flags are those of `bench`.
pub(crate) fn run(flags: &[String]) -> Result<(), String> {
    machine::for_demo()?;
    let program = demo::product()?;
    run::check(&mut run::cargo(&["build", "--release", "--quiet", "--package", "bench"]))?;
    let mut bench = run::command(workspace::target().join("release/bench"));
    bench.args(flags).env("JOURNEYMAN_BIN", program);
    Err(demo::replace_with(&mut bench))
}

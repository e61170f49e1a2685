//! Runs one command line in a new native sandbox, to see for oneself what it can see and do.
//!
//! `cargo run -p sandbox --example run -- 'ls -la /; id' [folder to show …]`

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use domain::SandboxId;
use sandbox::{
    LauncherProgram, NativeConfig, NativeProvider, Output, SandboxLimits, SandboxProvider as _, SandboxSpec,
    ShellCommand,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the runtime makes threads.
    sandbox::launcher::main_if_launcher();
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().ok_or("which command?")?;
    let include = arguments.map(PathBuf::from).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::process::exit(runtime.block_on(run(command, include))?)
}

async fn run(command: String, include: Vec<PathBuf>) -> Result<i32, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let provider = NativeProvider::start(NativeConfig {
        launcher: LauncherProgram::ThisProgram,
        runtime_dir: folder.path().join("run"),
        home: home(),
        parked: NativeConfig::PARKED,
    })?;
    let sandbox = provider
        .create(SandboxSpec {
            include,
            limits: SandboxLimits { memory_bytes: 1 << 30, cpu_millis: 1_000, ..SandboxLimits::default() },
            ..SandboxSpec::new(
                SandboxId::from_uuid(uuid::Uuid::from_u128(std::process::id().into())),
                folder.path().join("state"),
            )
        })
        .await?;
    let command = ShellCommand { command, timeout: Duration::from_secs(600) };
    let end = sandbox.shell(command, &copy).await?;
    sandbox.stop().await?;
    Ok(end.exit_code)
}

fn copy(piece: Output<'_>) {
    // A reader that has gone does not matter to the command.
    let _ = match piece {
        Output::Stdout(bytes) => std::io::stdout().write_all(bytes),
        Output::Stderr(bytes) => std::io::stderr().write_all(bytes),
    };
}

#[expect(clippy::disallowed_methods, reason = "an example reads its own environment")]
fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

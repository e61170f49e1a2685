//! Measures what a sandbox costs: from the order to the first output, and one `echo` in a living shell.
//!
//! `cargo run --release -p sandbox --example latency -- [rounds]`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use domain::SandboxId;
use sandbox::{
    Exec, LauncherProgram, NativeConfig, NativeProvider, Output, SandboxProvider as _, SandboxSpec,
    ShellCommand,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the runtime makes threads.
    sandbox::launcher::main_if_launcher();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(50);
    let folder = tempfile::tempdir()?;
    let config = NativeConfig {
        launcher: LauncherProgram::ThisProgram,
        runtime_dir: folder.path().join("run"),
        home: home(),
        parked: NativeConfig::PARKED,
    };
    let began = now();
    let provider = NativeProvider::start(config)?;
    report("start the provider", vec![began.elapsed()]);
    report(&provider.isolation(), Vec::new());
    let (mut create, mut first, mut stop) = (Vec::new(), Vec::new(), Vec::new());
    let (mut shell_start, mut echo, mut exec, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let began = now();
        let id = SandboxId::from_uuid(uuid::Uuid::from_u128(round));
        let spec = SandboxSpec::new(id, folder.path().join(format!("state-{round}")));
        let sandbox = provider.create(spec).await?;
        create.push(began.elapsed());
        let hello = Exec { argv: vec!["/bin/echo".to_owned(), "hello".to_owned()], ..Exec::default() };
        sandbox.exec(hello, &|_: Output<'_>| {}).await?;
        first.push(began.elapsed());
        for turn in 0..20 {
            let began = now();
            let command = ShellCommand { command: "echo hello".to_owned(), timeout: Duration::from_secs(10) };
            sandbox.shell(command, &|_| {}).await?;
            if turn == 0 {
                shell_start.push(began.elapsed())
            } else {
                echo.push(began.elapsed())
            }
            let began = now();
            let program = Exec { argv: vec!["/bin/true".to_owned()], ..Exec::default() };
            sandbox.exec(program, &|_| {}).await?;
            exec.push(began.elapsed());
            let began = now();
            sandbox.read("/etc/passwd", 0, 1 << 16).await?;
            read.push(began.elapsed());
        }
        let began = now();
        sandbox.stop().await?;
        stop.push(began.elapsed());
        // Long enough for the kernel to go idle, as between two runs of a person.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    report("create", create);
    report("create until the first output", first);
    report("first command of the shell", shell_start);
    report("echo in the living shell", echo);
    report("exec /bin/true", exec);
    report("read a small file", read);
    report("stop", stop);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads its own environment")]
fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs the clock itself")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "its result is what it prints")]
fn report(what: &str, mut times: Vec<Duration>) {
    if times.is_empty() {
        println!("{what}");
        return;
    }
    times.sort();
    let at = |part: usize| {
        times
            .get((times.len() * part / 100).min(times.len() - 1))
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{what:<32} least {:7.3}   p50 {:7.3}   p95 {:7.3} ms   n {}",
        at(0),
        at(50),
        at(95),
        times.len()
    );
}

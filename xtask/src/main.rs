//! The repository's own commands: `cargo xtask <command>`. Everything that a person or the CI
//! needs in order to build, test and try Journeyman goes through here; nothing is set up by hand.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build tool starts programs, reads the environment, takes the time and talks to the terminal"
)]

mod bench;
mod ci;
mod counts;
mod demo;
mod guest;
mod machine;
mod npm;
mod run;
mod sdks;
mod servers;
mod suite;
mod tidy;
mod ui;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  demo [flags]   set up, build, and run the demo with the scripted model (--once: play it and exit)
  test           set up everything and run every check and test
  check          formatting and lints only
  tidy           check, and the rules of the repository: crate edges, size budgets, documents
  bench [flags]  measure the release binary (--write: into docs/BENCHMARKS.md; --only NAME; --list)
  ui             build, serve the API with the demo's model, and serve the web with live reload
  ci [--cold]    run .ci/run in a fresh clone of HEAD
  sdks           build, and run E2B's SDKs against the program
  guest          build the static program that runs inside every sandbox
  setup          install what test needs, and nothing else
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "demo" => demo::run(rest),
        "test" => suite::run(rest),
        "check" => tidy::check(),
        "tidy" => tidy::run(rest),
        "bench" => bench::run(rest),
        "ui" => ui::run(rest),
        "ci" => ci::run(rest),
        "sdks" => sdks::run(),
        "guest" => guest::build().map(|path| println!("{}", path.display())),
        "setup" => machine::for_tests(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command `{other}`\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            if !message.is_empty() {
                eprintln!("error: {message}");
            }
            ExitCode::FAILURE
        }
    }
}

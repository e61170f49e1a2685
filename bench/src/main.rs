//! Measures the real release program against a model of our own that answers without thinking, and
//! beside it a bare loop that does the same work with no durability and no isolation: the limit.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark starts programs, reads the environment, takes the time and prints what it found"
)]

mod bare;
mod figures;
mod folder;
mod gateway;
mod http;
mod machine;
mod measure;
mod model;
mod product;
mod report;
mod wire;

use std::process::ExitCode;

const HELP: &str = "\
bench [--only NAME[,NAME]] [--runs N] [--write] [--list]
bench model --rounds N [--port N]    serve the model alone, until stopped
bench bare PORT PROMPT               the bare loop alone
bench gateway                        the preview gateway beside nginx (needs nginx, wrk, curl)

JOURNEYMAN_BIN names the program to measure (target/release/journeyman when unset).
";

fn main() -> ExitCode {
    // The sandboxes that are measured are made by this program, started again.
    sandbox::launcher::main_if_launcher();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["bare", port, prompt] => bare::run(port, prompt),
        ["model", ref flags @ ..] => serve(flags),
        ["gateway"] => gateway::run(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ref flags => measure::Plan::parse(flags).and_then(|plan| measure::run(&plan)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &[&str]) -> Result<(), String> {
    let number = |name: &str| {
        let at = flags.iter().position(|flag| *flag == name)?;
        flags.get(at + 1)?.parse::<u32>().ok()
    };
    let rounds = number("--rounds").ok_or("--rounds N is needed")?;
    let port = u16::try_from(number("--port").unwrap_or(0)).map_err(|_| "--port is too large")?;
    let model = model::Model::start(model::Play { port, ..model::Play::rounds(rounds) })?;
    println!("{}", model.port());
    loop {
        std::thread::park();
    }
}

//! The `journeyman` program: one executable that is command and server.

mod candidates;
mod cli;
mod client;
mod commands;
mod compose;
mod config;
mod error;
mod exit;
mod explain;
mod folder;
mod follow;
mod output;
mod owner;
mod render;
mod session;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use runtime::Env;

use crate::cli::{Cli, Command, Global};
use crate::exit::Exit;

/// Threads that run tasks: the work is waiting, not computing.
const WORKER_THREADS: usize = 2;

/// What is still open at the end is not waited for longer.
const LAST_TASKS_LIMIT: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    // A sandbox's launcher is this program again; it must become that before any thread starts.
    sandbox::launcher::main_if_launcher();

    // A shell asks what may come next; it is answered here and nothing else is done.
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();

    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let env = Env::of_process();
    start_log(&cli, &env);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = error::Failure::internal("start the program's threads", &error);
            output::Output::of(&cli.global, &env).fail(&failure);
            return failure.exit.into();
        }
    };
    let exit = runtime.block_on(commands::execute(cli, env));
    runtime.shutdown_timeout(LAST_TASKS_LIMIT);
    exit.into()
}

/// Help and version are answers; anything else on the command line that does not fit is a misuse.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let sentence = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let global = Global { json: true, ..Global::default() };
        output::Output::of(&global, &Env::default()).fail(&error::Failure::new("usage", sentence));
    } else {
        // That nobody reads it is no further misuse.
        let _unread = error.print();
    }
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

fn start_log(cli: &Cli, env: &Env) {
    use runtime::telemetry::{LogFormat, start};

    // What a run has to say stands in its log; the program's own log is for those who look after a server.
    let usual = if matches!(cli.command, Some(Command::Up(_))) { "warn" } else { "error" };
    let filter = cli.global.log.as_deref().or(env.get("JOURNEYMAN_LOG")).unwrap_or(usual);
    let json = env.get("JOURNEYMAN_LOG_FORMAT") == Some("json");
    start(filter, if json { LogFormat::Json } else { LogFormat::Text });
}

//! What the commands do. Each is a client of the API; the rules lie behind it.

mod boxes;
mod health;
mod models;
mod reference;
mod result;
mod rules;
mod runs;
mod sandbox;
mod setup;
mod start;
mod steer;
mod up;

use runtime::Env;

use crate::cli::{Cli, Command};
use crate::compose::Role;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Context, Session};

/// Does what the command line says, and tells what went wrong.
pub(crate) async fn execute(cli: Cli, env: Env) -> Exit {
    let output = Output::of(&cli.global, &env);
    let done = match reference::without_owner(&cli, &output) {
        Some(done) => done,
        None => match Context::new(&cli.global, env) {
            Ok(context) => dispatch(&context, cli.command).await,
            Err(failure) => Err(failure),
        },
    };
    done.unwrap_or_else(|failure| {
        output.fail(&failure);
        failure.exit
    })
}

async fn dispatch(context: &Context, command: Option<Command>) -> Result<Exit> {
    match command {
        None => Box::pin(context.with(&[Role::Api], async |session| health::welcome(session).await)).await,
        Some(Command::Up(args)) => Box::pin(up::up(context, args)).await,
        Some(Command::Demo(args)) => Box::pin(start::demo(context, args)).await,
        Some(Command::Do(args)) => Box::pin(start::work(context, args)).await,
        Some(Command::Watch(args)) => Box::pin(runs::watch(context, args)).await,
        Some(Command::Run(command)) => Box::pin(runs::run(context, command)).await,
        Some(Command::Steer(args)) => Box::pin(steer::steer(context, args)).await,
        Some(Command::Answer(args)) => Box::pin(steer::answer(context, args)).await,
        Some(Command::Approve(args)) => Box::pin(steer::approve(context, args)).await,
        Some(Command::Refuse(args)) => Box::pin(steer::refuse(context, args)).await,
        Some(Command::Pause(args)) => Box::pin(steer::pause(context, args)).await,
        Some(Command::Resume(args)) => Box::pin(steer::resume(context, args)).await,
        Some(Command::Stop(args)) => Box::pin(steer::stop(context, args)).await,
        Some(Command::Continue(args)) => Box::pin(steer::continue_run(context, args)).await,
        Some(Command::Diff(args)) => Box::pin(result::diff(context, args)).await,
        Some(Command::Apply(args)) => Box::pin(result::apply(context, args)).await,
        Some(Command::Artifact(command)) => Box::pin(result::artifact(context, command)).await,
        Some(Command::Box(command)) => Box::pin(sandbox::sandbox(context, command)).await,
        Some(Command::Token(command)) => Box::pin(setup::token(context, command)).await,
        Some(Command::Project(command)) => Box::pin(setup::project(context, command)).await,
        Some(Command::Rule(command)) => Box::pin(rules::rule(context, command)).await,
        Some(Command::Connect(args)) => Box::pin(models::connect(context, args)).await,
        Some(Command::Model(command)) => Box::pin(models::model(context, command)).await,
        Some(Command::Doctor) => {
            Box::pin(context.with(&[Role::Api], async |session| health::doctor(session).await)).await
        }
        Some(Command::Status) => {
            Box::pin(context.with(&[Role::Api], async |session| health::status(session).await)).await
        }
        Some(Command::Api(args)) => Box::pin(reference::api(context, args)).await,
        // Answered before, without an owner.
        Some(Command::Completion(_) | Command::Explain(_) | Command::Help(_)) => Ok(Exit::Ok),
    }
}

impl Context {
    /// Does something with a connection to the owner, or as the owner with `roles`, and lets go of it.
    async fn with(
        &self,
        roles: &[Role],
        work: impl AsyncFnOnce(&mut Session) -> Result<Exit>,
    ) -> Result<Exit> {
        let mut session = self.session(roles).await?;
        let done = work(&mut session).await;
        session.close().await;
        done
    }
}

//! What can be told without a data folder (help, codes, completion), and the bare call of the API.

use clap::CommandFactory;
use hyper::Method;
use serde_json::{Value, json};

use super::up::read_stdin;
use crate::cli::setup::{ApiArgs, CompletionArgs, ExplainArgs};
use crate::cli::{Cli, Command, HelpArgs};
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::{Exit, TABLE};
use crate::explain::{self, Entry};
use crate::output::Output;
use crate::session::Context;

/// Answers what needs no owner; `None` for all else.
pub(super) fn without_owner(cli: &Cli, output: &Output) -> Option<Result<Exit>> {
    match &cli.command {
        Some(Command::Help(args)) => Some(help(args, output)),
        Some(Command::Explain(args)) => Some(explain(args, output)),
        Some(Command::Completion(args)) => Some(completion(args, output)),
        _ => None,
    }
}

/// The script asks this program what may come next, so it knows runs and projects too, and never grows old.
fn completion(args: &CompletionArgs, output: &Output) -> Result<Exit> {
    let shells = clap_complete::env::Shells::builtins();
    let name = args.shell.to_string();
    let mut script = Vec::new();
    let written = shells.completer(&name).map(|completer| {
        completer.write_registration("COMPLETE", "journeyman", "journeyman", "journeyman", &mut script)
    });
    match written {
        Some(Ok(())) => {
            output.bytes(&script);
            Ok(Exit::Ok)
        }
        Some(Err(error)) => Err(Failure::internal("write the completion script", &error)),
        None => Err(Failure::new("bad_input", format!("there is no completion for {name}"))),
    }
}

fn help(args: &HelpArgs, output: &Output) -> Result<Exit> {
    if args.topic.first().is_some_and(|topic| topic == "exit-codes") {
        let items: Vec<Value> = TABLE
            .iter()
            .map(|(exit, meaning)| json!({ "exit": exit.number(), "meaning": meaning }))
            .collect();
        let lines = TABLE.iter().map(|(exit, meaning)| format!("{:>3}  {meaning}", exit.number()));
        output.either(&json!({ "items": items }), || lines.collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Ok);
    }
    let mut command = Cli::command();
    command.build();
    let mut wanted = &mut command;
    for topic in &args.topic {
        wanted = wanted.find_subcommand_mut(topic).ok_or_else(|| {
            Failure::new("bad_input", format!("there is no command {topic}"))
                .fix("journeyman --help lists them")
        })?;
    }
    output.bytes(wanted.render_long_help().to_string().as_bytes());
    Ok(Exit::Ok)
}

fn explain(args: &ExplainArgs, output: &Output) -> Result<Exit> {
    let Some(code) = &args.code else {
        let items: Vec<Value> = explain::all().map(as_json).collect();
        let lines = explain::all().map(|entry| format!("{:<26} {}", entry.code, entry.meaning));
        output.either(&json!({ "items": items }), || lines.collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Ok);
    };
    let entry = explain::find(code)
        .ok_or_else(|| Failure::new("unknown_code", format!("there is no code {code}")))?;
    output.either(&as_json(entry), || {
        let exit = match entry.exit {
            Exit::Ok => "no exit code of its own: the run goes on".to_owned(),
            exit => format!("exit code {}", exit.number()),
        };
        format!("{}  {}\n  why:  {}\n  fix:  {}\n  {exit}", entry.code, entry.meaning, entry.cause, entry.fix)
    });
    Ok(Exit::Ok)
}

fn as_json(entry: &Entry) -> Value {
    json!({
        "code": entry.code, "exit": entry.exit.number(), "meaning": entry.meaning, "cause": entry.cause,
        "fix": entry.fix,
    })
}

/// `journeyman api`
pub(super) async fn api(context: &Context, args: ApiArgs) -> Result<Exit> {
    let method = Method::from_bytes(args.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| Failure::new("bad_input", format!("{} is not a method", args.method)))?;
    if !args.path.starts_with('/') {
        return Err(Failure::new("bad_path", format!("{} is not a path of the API", args.path)));
    }
    let text = match args.body.as_deref() {
        Some("-") => Some(read_stdin()?),
        other => other.map(str::to_owned),
    };
    let body = text.map(|text| serde_json::from_str::<Value>(&text));
    let body = body
        .transpose()
        .map_err(|error| Failure::new("bad_input", format!("the body is not JSON: {error}")))?;
    context
        .with(&[Role::Api], async |session| {
            let answer = session.client.call(method, &args.path, body.as_ref()).await?;
            session.output().bytes(&answer.body);
            if answer.media_type.contains("json") {
                session.output().bytes(b"\n");
            }
            Ok(Exit::Ok)
        })
        .await
}

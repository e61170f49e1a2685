//! What a run produced: its difference, its files, written where the person wants them.

use ::runs::view::{Applied, Diff, FileDiff, FileStatus};
use hyper::Method;
use serde_json::{Value, json};

use super::runs::path;
use crate::cli::run::{ArtifactCommand, ArtifactGetArgs, DiffArgs, RunArg};
use crate::client::encode;
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::render::text::{clean, columns, count};
use crate::session::{Context, Session};

/// `journeyman diff`
pub(super) async fn diff(context: &Context, args: DiffArgs) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let address = format!("{}/diff", path(session, &args.run).await?);
            let output = session.output();
            if output.json || args.stat {
                let value: Value = session.client.get(&address).await?;
                output.json(&value);
                if !output.json {
                    output.data(&stat(&read(value)?.files));
                }
            } else {
                let answer =
                    session.client.call(Method::GET, &format!("{address}?format=patch"), None).await?;
                let text = String::from_utf8_lossy(&answer.body);
                output.bytes(if output.color_out { coloured(&text) } else { text.into_owned() }.as_bytes());
            }
            output.next(&format!("journeyman apply {}", args.run));
            Ok(Exit::Ok)
        })
        .await
}

fn read(value: Value) -> Result<Diff> {
    serde_json::from_value(value).map_err(|error| Failure::internal("read the difference", &error))
}

fn stat(files: &[FileDiff]) -> String {
    let number = |sign: &str, lines: Option<u32>| {
        lines.map_or_else(|| "binary".to_owned(), |lines| format!("{sign}{lines}"))
    };
    let rows: Vec<Vec<String>> = files
        .iter()
        .map(|file| {
            vec![
                status_word(file.status).to_owned(),
                clean(&file.path),
                number("+", file.added),
                number("−", file.removed),
            ]
        })
        .collect();
    let total = count(files.len() as u64, "file");
    if rows.is_empty() { "nothing changed".to_owned() } else { format!("{}\n{total}", columns(&rows)) }
}

const fn status_word(status: FileStatus) -> &'static str {
    match status {
        FileStatus::Added => "added",
        FileStatus::Modified => "modified",
        FileStatus::Deleted => "deleted",
        FileStatus::Renamed => "renamed",
    }
}

/// A patch with colours, and nothing in it that plays with the terminal.
fn coloured(patch: &str) -> String {
    let line = |line: &str| {
        let colour = match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") || line.starts_with("diff ") => "\x1b[1m",
            Some(b'+') => "\x1b[32m",
            Some(b'-') => "\x1b[31m",
            Some(b'@') => "\x1b[36m",
            _ => "",
        };
        format!("{colour}{}\x1b[0m\n", clean(line))
    };
    patch.lines().map(line).collect()
}

/// `journeyman apply`
pub(super) async fn apply(context: &Context, args: RunArg) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let value: Value = session
                .client
                .post(&format!("{}/apply", path(session, &args.run).await?), &json!({}))
                .await?;
            session.output().json(&value);
            if !session.output().json {
                let applied: Applied = serde_json::from_value(value)
                    .map_err(|error| Failure::internal("read what was applied", &error))?;
                for file in &applied.applied {
                    session.output().data(&format!("{:<9} {}", status_word(file.status), clean(&file.path)));
                }
                session.output().say(&format!(
                    "{} written to the working tree",
                    count(applied.applied.len() as u64, "file")
                ));
                session.output().next("git diff");
            }
            Ok(Exit::Ok)
        })
        .await
}

/// `journeyman artifact`
pub(super) async fn artifact(context: &Context, command: ArtifactCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| match command {
            ArtifactCommand::List(args) => list(session, &args).await,
            ArtifactCommand::Get(args) => get(session, &args).await,
        })
        .await
}

async fn list(session: &Session, args: &RunArg) -> Result<Exit> {
    let value: Value = session.client.get(&format!("{}/artifacts", path(session, &args.run).await?)).await?;
    let text = |item: &Value, name: &str| match &item[name] {
        Value::String(text) => clean(text),
        other => other.to_string(),
    };
    session.output().either(&value, || {
        let items = value["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let row = |item: &Value| ["id", "sort", "size_bytes", "name"].map(|name| text(item, name)).to_vec();
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        if rows.is_empty() { "nothing was kept".to_owned() } else { columns(&rows) }
    });
    Ok(Exit::Ok)
}

async fn get(session: &Session, args: &ArtifactGetArgs) -> Result<Exit> {
    let address = format!("/v1/artifacts/{}", encode(&args.artifact));
    let answer = session.client.call(Method::GET, &address, None).await?;
    match args.output.as_deref().filter(|path| path.as_os_str() != "-") {
        None => session.output().bytes(&answer.body),
        Some(path) => {
            std::fs::write(path, &answer.body)
                .map_err(|error| Failure::new("bad_input", format!("{}: {error}", path.display())))?;
            let done = json!({ "artifact": args.artifact, "path": path, "size_bytes": answer.body.len() });
            session.output().either(&done, || format!("{} bytes in {}", answer.body.len(), path.display()));
        }
    }
    Ok(Exit::Ok)
}

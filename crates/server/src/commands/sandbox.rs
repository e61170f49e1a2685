//! `journeyman box`: sandboxes of their own.

mod copy;
mod exec;
mod shell;

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use crate::cli::sandbox::{BoxCommand, CreateArgs, ListArgs, LogsArgs};
use crate::client::encode;
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::render::text::{clean, columns};
use crate::session::{Context, Session};

/// `journeyman box`
pub(super) async fn sandbox(context: &Context, command: BoxCommand) -> Result<Exit> {
    let command = match command {
        BoxCommand::Edge(command) => return super::boxes::boxes(context, command).await,
        command => command,
    };
    context
        .with(&[Role::Api], async |session| {
            if needs_server(&command) && session.in_process() {
                return Err(Failure::new("server_needed", "no server is running, and a sandbox needs one"));
            }
            match command {
                BoxCommand::Create(args) => create(session, args).await,
                BoxCommand::List(args) => list(session, &args).await,
                BoxCommand::Show(args) => show(session, &args.sandbox).await,
                BoxCommand::Exec(args) => Box::pin(exec::exec(session, args)).await,
                BoxCommand::Shell(args) => Box::pin(shell::shell(session, args)).await,
                BoxCommand::Cp(args) => Box::pin(copy::copy(session, &args)).await,
                BoxCommand::Logs(args) => logs(session, &args).await,
                BoxCommand::Pause(args) => act(session, &args.sandbox, "pause", &json!({})).await,
                BoxCommand::Resume(args) => {
                    act(session, &args.sandbox, "resume", &json!({ "timeout_seconds": args.timeout })).await
                }
                BoxCommand::Stop(args) => act(session, &args.sandbox, "stop", &json!({})).await,
                BoxCommand::Archive(args) => act(session, &args.sandbox, "archive", &json!({})).await,
                BoxCommand::Restore(args) => act(session, &args.sandbox, "restore", &json!({})).await,
                BoxCommand::Snapshot(args) => {
                    let path = format!("{}/snapshots", path(&args.sandbox));
                    let made: Value = session.client.post(&path, &json!({ "name": args.name })).await?;
                    told(session, &made, &made["id"]);
                    session.output().next(&format!("journeyman box create --template {}", word(&made, "id")));
                    Ok(Exit::Ok)
                }
                BoxCommand::Snapshots(args) => snapshots(session, args.sandbox.as_deref()).await,
                BoxCommand::Fork(args) => fork(session, &args.sandbox, args.count).await,
                BoxCommand::Rm(args) => remove(session, &args.ids).await,
                // Done above.
                BoxCommand::Edge(_) => Ok(Exit::Ok),
            }
        })
        .await
}

/// Whether it makes or uses processes, which end with the process that holds them.
const fn needs_server(command: &BoxCommand) -> bool {
    match command {
        BoxCommand::List(_)
        | BoxCommand::Show(_)
        | BoxCommand::Logs(_)
        | BoxCommand::Snapshots(_)
        | BoxCommand::Rm(_)
        | BoxCommand::Archive(_)
        | BoxCommand::Restore(_)
        | BoxCommand::Edge(_) => false,
        BoxCommand::Create(_)
        | BoxCommand::Exec(_)
        | BoxCommand::Shell(_)
        | BoxCommand::Cp(_)
        | BoxCommand::Pause(_)
        | BoxCommand::Resume(_)
        | BoxCommand::Stop(_)
        | BoxCommand::Snapshot(_)
        | BoxCommand::Fork(_) => true,
    }
}

/// The API's path of a sandbox.
fn path(sandbox: &str) -> String {
    format!("/v1/sandboxes/{}", encode(sandbox))
}

async fn create(session: &Session, args: CreateArgs) -> Result<Exit> {
    let pairs = |pairs: Vec<(String, String)>| pairs.into_iter().collect::<BTreeMap<_, _>>();
    let mut body = json!({
        "template": args.template, "name": args.name, "metadata": pairs(args.metadata), "env": pairs(args.env),
        "on_timeout": args.on_timeout.name(), "auto_resume": args.auto_resume,
        "resources": {
            "memory_bytes": args.memory_mib.map(|mib| mib.saturating_mul(1 << 20)),
            "cpu_millis": args.cpu_millis,
        },
    });
    if let Some(seconds) = args.timeout {
        body["timeout_seconds"] = seconds.into();
    }
    let key = args.key.unwrap_or_else(|| session.client.new_key());
    let made: Value = session.client.post_once("/v1/sandboxes", &body, &key).await?;
    told(session, &made, &made["id"]);
    session.output().next(&format!("journeyman box shell {}", word(&made, "id")));
    Ok(Exit::Ok)
}

async fn list(session: &Session, args: &ListArgs) -> Result<Exit> {
    let mut query = format!("/v1/sandboxes?limit={}", args.limit);
    if let Some(states) = &args.state {
        query.push_str(&format!("&state={}", encode(states)));
    }
    let pairs: Vec<String> = args.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !pairs.is_empty() {
        query.push_str(&format!("&metadata={}", encode(&pairs.join("&"))));
    }
    let page: Value = session.client.get(&query).await?;
    session.output().either(&page, || {
        let row =
            |item: &Value| ["id", "state", "template", "name"].map(|name| clean(&word(item, name))).to_vec();
        let rows: Vec<_> = items(&page).iter().map(row).collect();
        if rows.is_empty() { "no sandboxes".to_owned() } else { columns(&rows) }
    });
    Ok(Exit::Ok)
}

async fn show(session: &Session, sandbox: &str) -> Result<Exit> {
    let view: Value = session.client.get(&path(sandbox)).await?;
    session.output().either(&view, || {
        let fields = view.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let rows = fields.map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            vec![name.clone(), clean(&text)]
        });
        columns(&rows.collect::<Vec<_>>())
    });
    Ok(Exit::Ok)
}

async fn act(session: &Session, sandbox: &str, verb: &str, body: &Value) -> Result<Exit> {
    let view: Value = session.client.post(&format!("{}/{verb}", path(sandbox)), body).await?;
    told(session, &view, &view["state"]);
    Ok(Exit::Ok)
}

async fn fork(session: &Session, sandbox: &str, count: u32) -> Result<Exit> {
    let page: Value =
        session.client.post(&format!("{}/fork", path(sandbox)), &json!({ "count": count })).await?;
    session
        .output()
        .either(&page, || items(&page).iter().map(|item| word(item, "id")).collect::<Vec<_>>().join("\n"));
    Ok(Exit::Ok)
}

async fn snapshots(session: &Session, sandbox: Option<&str>) -> Result<Exit> {
    let query = sandbox.map(|sandbox| format!("?sandbox={}", encode(sandbox))).unwrap_or_default();
    let page: Value = session.client.get(&format!("/v1/snapshots{query}")).await?;
    session.output().either(&page, || {
        let row =
            |item: &Value| ["id", "kind", "sandbox", "name"].map(|name| clean(&word(item, name))).to_vec();
        let rows: Vec<_> = items(&page).iter().map(row).collect();
        if rows.is_empty() { "no snapshots".to_owned() } else { columns(&rows) }
    });
    Ok(Exit::Ok)
}

async fn logs(session: &Session, args: &LogsArgs) -> Result<Exit> {
    let address = format!("{}/events?after={}", path(&args.sandbox), args.after);
    let page: Value = session.client.get(&address).await?;
    for event in items(&page) {
        session.output().json(event);
        let (seq, kind) = (&event["seq"], word(event, "kind"));
        session.output().data(&clean(&format!("{seq:>4}  {kind:<18} {}", event["data"])));
    }
    Ok(Exit::Ok)
}

async fn remove(session: &Session, ids: &[String]) -> Result<Exit> {
    for id in ids {
        let place = if id.starts_with("snp") { format!("/v1/snapshots/{}", encode(id)) } else { path(id) };
        session.client.call(Method::DELETE, &place, None).await?;
        session.output().either(&json!({ "deleted": id }), || format!("{id} is deleted"));
    }
    Ok(Exit::Ok)
}

/// The whole thing for programs, one word of it for people.
fn told(session: &Session, value: &Value, short: &Value) {
    session.output().either(value, || clean(short.as_str().unwrap_or_default()));
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

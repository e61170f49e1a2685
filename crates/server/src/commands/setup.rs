//! Tokens and projects.

use hyper::Method;
use serde_json::{Value, json};

use super::start::absolute;
use crate::cli::setup::{ProjectCommand, TokenCommand, TokenKindArg};
use crate::client::encode;
use crate::compose::Role;
use crate::error::Result;
use crate::exit::Exit;
use crate::render::text::{clean, columns};
use crate::session::{Context, Session};

/// `journeyman token`
pub(super) async fn token(context: &Context, command: TokenCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let output = session.output();
            match command {
                TokenCommand::Create(args) => {
                    let kind = args.kind.name();
                    let mut body = json!({ "name": args.name.as_deref().unwrap_or(kind), "kind": kind });
                    if !args.scope.is_empty() {
                        body["scopes"] = args.scope.into();
                    }
                    if let Some(days) = args.expires_in_days {
                        body["expires_in_days"] = days.into();
                    }
                    let made: Value = session.client.post("/v1/tokens", &body).await?;
                    output.either(&made, || word(&made, "token"));
                    output.say("keep it; it is not shown again");
                    output.next(match args.kind {
                        TokenKindArg::Token => "curl -H \"Authorization: Bearer $TOKEN\" …/v1/me",
                        TokenKindArg::E2b => {
                            "export E2B_API_KEY=… E2B_API_URL=http://127.0.0.1:4000 E2B_SANDBOX_URL=http://127.0.0.1:4000"
                        }
                    });
                }
                TokenCommand::List => {
                    show(session, "/v1/tokens", &["id", "name", "scopes"], "no tokens").await?
                }
                TokenCommand::Revoke(args) => {
                    let address = format!("/v1/tokens/{}", encode(&args.token));
                    session.client.call(Method::DELETE, &address, None).await?;
                    output.either(&json!({ "revoked": args.token }), || format!("{} is revoked", args.token));
                }
            }
            Ok(Exit::Ok)
        })
        .await
}

/// `journeyman project`
pub(super) async fn project(context: &Context, command: ProjectCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            match command {
                ProjectCommand::List => {
                    show(session, "/v1/projects", &["slug", "name", "path"], "no projects").await?
                }
                ProjectCommand::Add(args) => {
                    let mut body = json!({ "path": absolute(&args.path)? });
                    if let Some(name) = args.name {
                        body["name"] = name.into();
                    }
                    let made: Value = session.client.post("/v1/projects", &body).await?;
                    session
                        .output()
                        .either(&made, || format!("{}  {}", word(&made, "slug"), word(&made, "path")));
                    session.output().next(&format!("journeyman do \"…\" --repo {}", word(&made, "path")));
                }
            }
            Ok(Exit::Ok)
        })
        .await
}

/// A list as columns.
pub(super) async fn show(session: &Session, address: &str, names: &[&str], none: &str) -> Result<()> {
    let list: Value = session.client.get(address).await?;
    session.output().either(&list, || {
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows: Vec<Vec<String>> =
            items.iter().map(|item| names.iter().map(|name| word(item, name)).collect()).collect();
        if rows.is_empty() { none.to_owned() } else { columns(&rows) }
    });
    Ok(())
}

/// A field as text.
pub(super) fn word(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::String(text) => clean(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

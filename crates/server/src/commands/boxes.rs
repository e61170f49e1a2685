//! `box`: what comes into a sandbox and what goes out of it.

use hyper::Method;
use serde_json::{Value, json};

use crate::cli::boxes::{BoxCommand, EgressArgs, PreviewArgs};
use crate::client::encode;
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::session::{Context, Session};

/// `journeyman box`
pub(super) async fn boxes(context: &Context, command: BoxCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            match command {
                BoxCommand::Preview(args) => preview(session, args).await?,
                BoxCommand::Egress(args) => egress(session, args).await?,
            }
            Ok(Exit::Ok)
        })
        .await
}

async fn preview(session: &Session, args: PreviewArgs) -> Result<()> {
    let output = session.output();
    let address = format!("/v1/sandboxes/{}/previews", encode(&args.sandbox));
    if let Some(preview) = args.revoke {
        session.client.call(Method::DELETE, &format!("{address}/{}", encode(&preview)), None).await?;
        output.either(&json!({ "revoked": preview }), || format!("{preview} is revoked"));
        return Ok(());
    }
    let Some(port) = args.port else {
        return super::setup::show(session, &address, &["id", "port", "access"], "no previews").await;
    };
    let body = json!({
        "port": port, "expires_in_seconds": args.expires, "access": if args.public { "public" } else { "link" },
    });
    let made: Value = session.client.post(&address, &body).await?;
    output.either(&made, || made["url"].as_str().unwrap_or_default().to_owned());
    if !args.public {
        output.say("whoever has this link may look; it is not shown again");
    }
    Ok(())
}

async fn egress(session: &Session, args: EgressArgs) -> Result<()> {
    let address = format!("/v1/sandboxes/{}", encode(&args.sandbox));
    let sandbox: Value = session.client.get(&address).await?;
    let mut policy = sandbox["egress"].clone();
    let is_change = args.none || args.public || !args.allow.is_empty() || !args.deny.is_empty();
    if is_change {
        for rule in args.allow.iter().chain(&args.deny) {
            let read: std::result::Result<::egress::Rule, String> = rule.parse();
            read.map_err(|why| Failure::new("bad_input", why))?;
        }
        if args.none {
            policy = json!({ "access": "none" });
        } else {
            add(&mut policy, "allow", args.allow);
            add(&mut policy, "deny", args.deny);
            if args.public {
                policy["access"] = "public".into();
            } else if policy["access"] == "none" {
                policy["access"] = "listed".into();
            }
        }
        let changed = session.client.call(Method::PUT, &format!("{address}/egress"), Some(&policy)).await?;
        let changed: Value = serde_json::from_slice(&changed.body).unwrap_or_default();
        policy = changed["egress"].clone();
    }
    session.output().either(&policy, || in_words(&policy));
    Ok(())
}

fn add(policy: &mut Value, list: &str, rules: Vec<String>) {
    let mut all: Vec<Value> = policy[list].as_array().cloned().unwrap_or_default();
    for rule in rules {
        if !all.contains(&Value::from(rule.clone())) {
            all.push(rule.into());
        }
    }
    policy[list] = all.into();
}

fn in_words(policy: &Value) -> String {
    let list = |name: &str| {
        let rules = policy[name].as_array().into_iter().flatten();
        rules.filter_map(Value::as_str).map(|rule| format!("\n  {rule}")).collect::<String>()
    };
    let mut said = match policy["access"].as_str() {
        Some("public") => "It may reach every public host.".to_owned(),
        Some("listed") => format!("It may reach:{}", list("allow")),
        _ => "It may reach nothing.".to_owned(),
    };
    if !list("deny").is_empty() {
        said.push_str(&format!("\nBut not:{}", list("deny")));
    }
    said
}

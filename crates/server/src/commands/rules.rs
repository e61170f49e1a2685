//! `rule`: what tools may do in a project's runs.

use hyper::Method;
use serde_json::{Value, json};

use super::setup::{show, word};
use crate::cli::setup::RuleCommand;
use crate::client::encode;
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::session::{Context, Session};

/// `journeyman rule`
pub(super) async fn rule(context: &Context, command: RuleCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let output = session.output();
            match command {
                RuleCommand::List(of) => {
                    let address = address(session, of.project.as_deref()).await?;
                    let columns = ["id", "effect", "tool", "target", "by"];
                    show(session, &address, &columns, "no rules: every call runs").await?;
                }
                RuleCommand::Add(args) => {
                    let address = address(session, args.of.project.as_deref()).await?;
                    let (effect, tool, target) = (args.effect.name(), &args.tool, &args.target);
                    let body = json!({ "effect": effect, "tool": tool, "target": target });
                    let made: Value = session.client.post(&address, &body).await?;
                    output.either(&made, || {
                        format!(
                            "{}  {effect} {} {}",
                            word(&made, "id"),
                            word(&made, "tool"),
                            word(&made, "target")
                        )
                    });
                    output.say("runs that begin or are taken up from now on keep to it");
                }
                RuleCommand::Remove(args) => {
                    let address = address(session, args.of.project.as_deref()).await?;
                    let path = format!("{address}/{}", encode(&args.rule));
                    session.client.call(Method::DELETE, &path, None).await?;
                    output.either(&json!({ "removed": args.rule }), || format!("{} is removed", args.rule));
                }
            }
            Ok(Exit::Ok)
        })
        .await
}

/// Where the rules of a project are: the one that is named, or the one whose repository we stand in.
async fn address(session: &Session, project: Option<&str>) -> Result<String> {
    let of = |project: &str| format!("/v1/projects/{}/rules", encode(project));
    if let Some(project) = project {
        return Ok(of(project));
    }
    let projects: Value = session.client.get("/v1/projects").await?;
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok()).unwrap_or_default();
    let projects = projects["items"].as_array().cloned().unwrap_or_default();
    let near =
        projects.iter().filter(|project| project["path"].as_str().is_some_and(|path| here.starts_with(path)));
    let nearest = near.max_by_key(|project| project["path"].as_str().map_or(0, str::len));
    nearest.and_then(|project| project["id"].as_str()).map(of).ok_or_else(|| {
        Failure::new("project_not_found", "you stand in no project's repository")
            .fix("name it with --project (journeyman project list), or add it: journeyman project add")
    })
}

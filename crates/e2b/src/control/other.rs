//! Templates as far as clients look at them, and what E2B has and we have not.

use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::view::{AGENT_VERSION, BASE};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};
use crate::time::rfc3339;

/// A template that can be named.
pub(super) struct Known {
    name: String,
    version: u32,
    created_at_ms: i64,
}

/// Those of the org.
async fn known(app: &E2b, _proof: &accounts::Allowed<ReadSandboxes>) -> Result<Vec<Known>> {
    Ok(vec![Known { name: app.settings.base_template.clone(), version: 1, created_at_ms: 0 }])
}

/// `GET /templates`
pub(super) async fn templates(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
) -> Result<Json<Vec<Value>>> {
    let known = known(&app, &proof).await?;
    Ok(Json(known.iter().map(|template| shown(&app, template)).collect()))
}

/// `GET /templates/{template}`
pub(super) async fn template(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let found = find(&app, &proof, &name).await?;
    let mut body = shown(&app, &found);
    body["builds"] = json!([]);
    Ok(Json(body))
}

/// `GET /templates/aliases/{alias}`
pub(super) async fn alias(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let found = find(&app, &proof, &name).await?;
    Ok(Json(json!({ "templateID": found.name, "public": false })))
}

/// The template of that name.
pub(super) async fn find(app: &E2b, proof: &accounts::Allowed<ReadSandboxes>, name: &str) -> Result<Known> {
    let wanted = if name == BASE { app.settings.base_template.as_str() } else { name };
    let known = known(app, proof).await?;
    let found = known.into_iter().find(|template| template.name == wanted);
    found.ok_or_else(|| Problem::not_found(format!("template '{name}' not found")))
}

fn shown(app: &E2b, template: &Known) -> Value {
    let names =
        if template.name == app.settings.base_template { vec![BASE] } else { vec![template.name.as_str()] };
    let made_at = rfc3339(template.created_at_ms);
    json!({
        "templateID": template.name,
        "buildID": format!("{}@{}", template.name, template.version),
        "buildStatus": "ready",
        "buildCount": template.version,
        "aliases": names,
        "names": names,
        "public": false,
        "cpuCount": 0,
        "memoryMB": 0,
        "diskSizeMB": 0,
        "createdAt": made_at,
        "updatedAt": made_at,
        "createdBy": null,
        "lastSpawnedAt": null,
        "spawnCount": 0,
        "envdVersion": AGENT_VERSION,
    })
}

/// `GET /teams`: the organisation of the key.
pub(super) async fn teams(May(proof): May<ReadSandboxes>) -> Json<Value> {
    let org = proof.org().to_string();
    Json(json!([{ "teamID": org, "name": org, "apiKey": "", "isDefault": true }]))
}

/// What has to do with building templates.
pub(super) async fn no_builds(_proof: May<WriteSandboxes>) -> Problem {
    Problem::unsupported("builds of templates over this API")
}

/// What has to do with tags.
pub(super) async fn no_tags(_proof: May<WriteSandboxes>) -> Problem {
    Problem::unsupported("tags of templates")
}

/// What has to do with volumes.
pub(super) async fn no_volumes(_proof: May<WriteSandboxes>) -> Problem {
    Problem::unsupported("volumes")
}

/// What has to do with secrets.
pub(super) async fn no_secrets(_proof: May<WriteSandboxes>) -> Problem {
    Problem::unsupported("secrets over this API")
}

/// What has to do with logs.
pub(super) async fn logs(_proof: May<ReadSandboxes>) -> Problem {
    Problem::unsupported("logs of sandboxes over this API")
}

//! Snapshots of a sandbox's files, and forks. No memory is kept: what runs starts anew.

use std::time::Duration;

use accounts::Allowed;
use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use domain::{SandboxId, SnapshotId};
use orchestrator::{Error, ForkSandbox, SnapshotView};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, Id, Pairs};
use super::life::present;
use super::view::{handle, is_running};
use super::{other, ports};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};

/// On one page where the client does not say, and at most.
const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WantedForks {
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    timeout: Option<u64>,
}

/// `POST /sandboxes/{sandbox}/snapshots`
pub(super) async fn create(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Id(id): Id,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Value>)> {
    present(&app, &look, id).await?;
    let made = app.orchestrator.snapshot(&proof, id, wanted.name.unwrap_or_default()).await?;
    Ok((StatusCode::CREATED, Json(shown(&made))))
}

/// `POST /sandboxes/{sandbox}/fork`
pub(super) async fn fork(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Id(id): Id,
    Body(wanted): Body<WantedForks>,
) -> Result<(StatusCode, Json<Vec<Value>>)> {
    if !is_running(&present(&app, &look, id).await?) {
        return Err(Problem::new(StatusCode::CONFLICT, format!("sandbox {id} does not run")));
    }
    let timeout = wanted.timeout.map_or(app.settings.timeout, Duration::from_secs);
    let forks = ForkSandbox { count: wanted.count.unwrap_or(1), timeout: Some(timeout), on_timeout: None };
    let made = app.orchestrator.fork(&proof, id, forks).await?;
    let mut results = Vec::with_capacity(made.len());
    for view in &made {
        ports::open(&app, &proof, view.id).await?;
        results.push(json!({ "sandbox": handle(&app, view) }));
    }
    Ok((StatusCode::CREATED, Json(results)))
}

/// `GET /snapshots`
pub(super) async fn list(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    pairs: Pairs,
) -> Result<(HeaderMap, Json<Vec<Value>>)> {
    let of: Option<SandboxId> = match pairs.get("sandboxID") {
        Some(text) => Some(text.parse().map_err(|_| Problem::bad(format!("{text:?} is no sandbox")))?),
        None => None,
    };
    let limit = pairs.number("limit")?.unwrap_or(PAGE).clamp(1, PAGE);
    let behind = pairs.get("nextToken");
    let all = app.orchestrator.snapshots(&proof, of).await?.items;
    // The newest first, so that what comes behind has a smaller id.
    let mut rest = all
        .iter()
        .filter(|snapshot| behind.is_none_or(|token| snapshot.id.to_string().as_str() < token))
        .filter(|snapshot| pairs.get("name").is_none_or(|name| is_called(snapshot, name)));
    let page: Vec<&SnapshotView> = rest.by_ref().take(limit).collect();
    let mut headers = HeaderMap::new();
    if rest.next().is_some()
        && let Some(last) = page.last()
        && let Ok(token) = HeaderValue::from_str(&last.id.to_string())
    {
        headers.insert("x-next-token", token);
    }
    Ok((headers, Json(page.into_iter().map(shown).collect())))
}

/// `DELETE /templates/{template}`: of a snapshot. Templates are removed by other means.
pub(super) async fn remove(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let Some(id) = find(&app, &look, &name).await? else {
        other::find(&app, &look, &name).await?;
        return Err(Problem::unsupported("removal of templates over this API"));
    };
    match app.orchestrator.delete_snapshot(&proof, id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(Error::SnapshotNotFound(_)) => Err(Problem::not_found(format!("snapshot '{name}' not found"))),
        Err(error) => Err(error.into()),
    }
}

/// The snapshot that a client names by id or by name, the newest of that name; `None` where it is neither.
pub(super) async fn find(
    app: &E2b,
    proof: &Allowed<ReadSandboxes>,
    name: &str,
) -> Result<Option<SnapshotId>> {
    if let Ok(id) = without_tag(name).parse() {
        return Ok(Some(id));
    }
    let all = app.orchestrator.snapshots(proof, None).await?;
    Ok(all.items.iter().find(|snapshot| is_called(snapshot, name)).map(|snapshot| snapshot.id))
}

fn is_called(snapshot: &SnapshotView, name: &str) -> bool {
    let name = without_tag(name);
    snapshot.id.to_string() == name || (!snapshot.name.is_empty() && without_tag(&snapshot.name) == name)
}

/// We know one version of each snapshot, whatever its tag.
fn without_tag(name: &str) -> &str {
    name.split(':').next().unwrap_or_default()
}

fn shown(snapshot: &SnapshotView) -> Value {
    let names: Vec<&str> = Some(snapshot.name.as_str()).filter(|name| !name.is_empty()).into_iter().collect();
    json!({ "snapshotID": snapshot.id.to_string(), "names": names })
}

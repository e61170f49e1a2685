//! `/v1/snapshots`, and what keeps and multiplies a sandbox's files.

use std::time::Duration;

use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::SnapshotId;
use orchestrator::ForkSandbox;
use serde::Deserialize;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{MaybeBody, Path, Query};
use crate::problem::{Problem, Result};
use crate::routes::sandboxes::sandbox_id;
use crate::schema::sandboxes as shape;

/// Which snapshots are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    sandbox: Option<String>,
}

/// Keeps a sandbox's files as they are now. Nothing is copied; the processes of one that runs start anew.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/snapshots", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = Option<shape::NewSnapshot>, responses((status = 201, body = shape::Snapshot)))]
pub(crate) async fn snapshot_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    MaybeBody(wanted): MaybeBody<shape::NewSnapshot>,
) -> Result<(StatusCode, Json<shape::Snapshot>)> {
    let name = wanted.unwrap_or_default().name;
    let made = app.orchestrator.snapshot(&allowed, sandbox_id(&sandbox)?, name).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Makes sandboxes that go on from a sandbox's files as they are now. Nothing is copied; the processes of all of
/// them start anew.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/fork", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = Option<shape::NewForks>, responses((status = 201, body = shape::SandboxPage)))]
pub(crate) async fn fork_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    MaybeBody(wanted): MaybeBody<shape::NewForks>,
) -> Result<(StatusCode, Json<shape::SandboxPage>)> {
    let wanted = wanted.unwrap_or_default();
    let wanted = ForkSandbox {
        count: wanted.count.unwrap_or(1),
        timeout: wanted.timeout_seconds.map(Duration::from_secs),
        on_timeout: None,
    };
    let forks = app.orchestrator.fork(&allowed, sandbox_id(&sandbox)?, wanted).await?;
    let page = shape::SandboxPage { items: forks.into_iter().map(Into::into).collect(), next: None };
    Ok((StatusCode::CREATED, Json(page)))
}

/// Puts a sandbox's files into the blobs, checksummed, and frees the machine's disk. Its processes end.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/archive", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn archive_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<Json<shape::Sandbox>> {
    Ok(Json(app.orchestrator.archive(&allowed, sandbox_id(&sandbox)?).await?.into()))
}

/// Brings an archived sandbox's files back to the machine's disk, where it rests until it is resumed.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/restore", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn restore_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<Json<shape::Sandbox>> {
    Ok(Json(app.orchestrator.restore(&allowed, sandbox_id(&sandbox)?).await?.into()))
}

/// Snapshots, the newest first.
#[utoipa::path(get, path = "/v1/snapshots", tag = "sandboxes",
    params(("sandbox" = Option<String>, Query, description = "Only those of this sandbox.")),
    responses((status = 200, body = shape::SnapshotPage)))]
pub(crate) async fn list_snapshots(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<shape::SnapshotPage>> {
    let of = wanted.sandbox.as_deref().map(sandbox_id).transpose()?;
    let page = app.orchestrator.snapshots(&allowed, of).await?;
    Ok(Json(shape::SnapshotPage { items: page.items.into_iter().map(Into::into).collect(), next: page.next }))
}

/// Removes a snapshot. Sandboxes that were made from it keep what they need.
#[utoipa::path(delete, path = "/v1/snapshots/{snapshot}", tag = "sandboxes",
    params(("snapshot" = String, Path, description = "The snapshot's id.")),
    responses((status = 204, description = "It is removed.")))]
pub(crate) async fn delete_snapshot(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(snapshot): Path<String>,
) -> Result<StatusCode> {
    let id: SnapshotId = snapshot.parse().map_err(|_| {
        let detail = format!("there is no snapshot {snapshot}");
        Problem::new(StatusCode::NOT_FOUND, "snapshot_not_found", detail)
    })?;
    app.orchestrator.delete_snapshot(&allowed, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

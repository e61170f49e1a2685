//! `/v1/sandboxes`: making, finding, resting and deleting. Looking never wakes one.

use std::time::Duration;

use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::SandboxId;
use orchestrator::SandboxFilter;
use serde::Deserialize;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, MaybeBody, Path, Query};
use crate::idempotency::key_of;
use crate::problem::{Problem, Result};
use crate::schema::sandboxes as shape;

/// Which sandboxes are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    state: String,
    metadata: String,
    run: Option<String>,
    own: bool,
    cursor: Option<String>,
    limit: u32,
}

/// The id in a path. What is no id names no sandbox.
pub(crate) fn sandbox_id(text: &str) -> Result<SandboxId> {
    text.parse().map_err(|_| {
        let detail = format!("there is no sandbox {text}");
        Problem::new(StatusCode::NOT_FOUND, "sandbox_not_found", detail).with_fix("journeyman box list")
    })
}

/// Makes a sandbox and answers when it runs.
///
/// With an `Idempotency-Key`, asking again gives the same sandbox, also at the same time and as long as it lives.
#[utoipa::path(post, path = "/v1/sandboxes", tag = "sandboxes",
    params(("idempotency-key" = Option<String>, Header, description = "One sandbox for each key.")),
    request_body = shape::NewSandbox, responses((status = 201, body = shape::Sandbox)))]
pub(crate) async fn create_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    headers: HeaderMap,
    Body(wanted): Body<shape::NewSandbox>,
) -> Result<(StatusCode, Json<shape::Sandbox>)> {
    let key = key_of(&headers)?.map(str::to_owned);
    let made = app.orchestrator.create(&allowed, wanted.with_key(key)).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Sandboxes, the newest first; those of runs while they live.
#[utoipa::path(get, path = "/v1/sandboxes", tag = "sandboxes",
    params(
        ("state" = Option<String>, Query, description = "States by name, separated by commas."),
        ("metadata" = Option<String>, Query,
            description = "Only those with these metadata: `team=blue&stage=test`, percent-encoded."),
        ("run" = Option<String>, Query, description = "Only those of this run."),
        ("own" = Option<bool>, Query, description = "Only those that serve no run."),
        ("cursor" = Option<String>, Query, description = "From an earlier page's `next`."),
        ("limit" = Option<u32>, Query, description = "At most so many: 50 by default, 200 at most.")),
    responses((status = 200, body = shape::SandboxPage)))]
pub(crate) async fn list_sandboxes(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<shape::SandboxPage>> {
    let states = wanted.state.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let pairs = wanted.metadata.split('&').filter(|pair| !pair.is_empty());
    let metadata =
        pairs.map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    let metadata = metadata.collect::<Option<_>>();
    let run = wanted.run.map(|run| run.parse()).transpose();
    let filter = SandboxFilter {
        states,
        metadata: metadata.ok_or_else(|| Problem::invalid("metadata is given as name=value&name=value"))?,
        run: run.map_err(|_| Problem::invalid("run is a run's id"))?,
        without_runs: wanted.own,
        cursor: wanted.cursor,
        limit: wanted.limit,
    };
    let page = app.orchestrator.list(&allowed, filter).await?;
    Ok(Json(shape::SandboxPage { items: page.items.into_iter().map(Into::into).collect(), next: page.next }))
}

/// One sandbox.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn show_sandbox(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<Json<shape::Sandbox>> {
    Ok(Json(app.orchestrator.get(&allowed, sandbox_id(&sandbox)?).await?.into()))
}

/// Deletes a sandbox with its files; its snapshots stay. It is gone at once, and cleared away in the background.
#[utoipa::path(delete, path = "/v1/sandboxes/{sandbox}", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn delete_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<StatusCode> {
    app.orchestrator.delete(&allowed, sandbox_id(&sandbox)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a sandbox. `paused` keeps its processes and their memory; `hibernated` has ended them and keeps the files.
/// A long pause becomes a hibernation.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/pause", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn pause_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<Json<shape::Sandbox>> {
    Ok(Json(app.orchestrator.pause(&allowed, sandbox_id(&sandbox)?).await?.into()))
}

/// Lets a sandbox go on from whatever rest, or keeps one that runs alive: its time-out only becomes longer.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/resume", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = Option<shape::MaybeTimeout>, responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn resume_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    MaybeBody(wanted): MaybeBody<shape::MaybeTimeout>,
) -> Result<Json<shape::Sandbox>> {
    let timeout = wanted.and_then(|wanted| wanted.timeout_seconds).map(Duration::from_secs);
    Ok(Json(app.orchestrator.resume(&allowed, sandbox_id(&sandbox)?, timeout).await?.into()))
}

/// Ends a sandbox's processes and keeps its files; only a resume starts it again.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/stop", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn stop_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<Json<shape::Sandbox>> {
    Ok(Json(app.orchestrator.stop(&allowed, sandbox_id(&sandbox)?).await?.into()))
}

/// Sets how long a running sandbox lives from now: shorter or longer.
#[utoipa::path(put, path = "/v1/sandboxes/{sandbox}/timeout", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = shape::Timeout, responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn set_sandbox_timeout(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Body(wanted): Body<shape::Timeout>,
) -> Result<Json<shape::Sandbox>> {
    let timeout = Duration::from_secs(wanted.timeout_seconds);
    Ok(Json(app.orchestrator.set_timeout(&allowed, sandbox_id(&sandbox)?, timeout).await?.into()))
}

/// Keeps a running sandbox alive for at least so long; never shortens its life.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/keep-alive", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = shape::Timeout, responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn keep_sandbox_alive(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Body(wanted): Body<shape::Timeout>,
) -> Result<Json<shape::Sandbox>> {
    let timeout = Duration::from_secs(wanted.timeout_seconds);
    Ok(Json(app.orchestrator.extend(&allowed, sandbox_id(&sandbox)?, timeout).await?.into()))
}

/// Changes what a sandbox may reach; at once where it runs.
#[utoipa::path(put, path = "/v1/sandboxes/{sandbox}/egress", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = shape::Egress, responses((status = 200, body = shape::Sandbox)))]
pub(crate) async fn set_sandbox_egress(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Body(wanted): Body<shape::Egress>,
) -> Result<Json<shape::Sandbox>> {
    Ok(Json(app.orchestrator.set_egress(&allowed, sandbox_id(&sandbox)?, wanted.into()).await?.into()))
}

/// Which figures are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Between {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
}

/// What a sandbox used.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}/metrics", tag = "sandboxes",
    params(
        ("sandbox" = String, Path, description = "The sandbox's id."),
        ("from_ms" = Option<i64>, Query, description = "From this moment, in milliseconds since the Unix epoch."),
        ("to_ms" = Option<i64>, Query, description = "Up to this moment.")),
    responses((status = 200, body = shape::FiguresPage)))]
pub(crate) async fn sandbox_metrics(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Path(sandbox): Path<String>,
    Query(between): Query<Between>,
) -> Result<Json<shape::FiguresPage>> {
    let between = between.from_ms.unwrap_or(i64::MIN)..=between.to_ms.unwrap_or(i64::MAX);
    let samples = app.orchestrator.metrics(&allowed, sandbox_id(&sandbox)?, between).await?;
    Ok(Json(shape::FiguresPage { items: samples.into_iter().map(Into::into).collect() }))
}

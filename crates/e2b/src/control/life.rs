//! One sandbox: look, connect, pause, keep alive, kill.

use std::time::Duration;

use accounts::Allowed;
use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::SandboxId;
use orchestrator::SandboxView;
use serde::Deserialize;
use serde_json::Value;

use super::body::{Body, Id};
use super::view::{self, is_running};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};

#[derive(Debug, Deserialize)]
pub(super) struct WantedTimeout {
    timeout: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Connect {
    #[serde(default)]
    timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pause {
    /// Whether its processes keep their memory.
    #[serde(default)]
    memory: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refresh {
    #[serde(default)]
    duration: Option<u64>,
}

/// `GET /sandboxes/{sandbox}`
pub(super) async fn info(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    Id(id): Id,
) -> Result<Json<Value>> {
    let view = present(&app, &proof, id).await?;
    Ok(Json(view::detail(&app, &view)))
}

/// `DELETE /sandboxes/{sandbox}`
pub(super) async fn kill(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Id(id): Id,
) -> Result<StatusCode> {
    present(&app, &look, id).await?;
    app.orchestrator.delete(&proof, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sandboxes/{sandbox}/connect`, in both generations: 200 where it ran, 201 where it was resumed. The
/// time-out of one that runs becomes longer, never shorter.
pub(super) async fn connect(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Id(id): Id,
    Body(wanted): Body<Connect>,
) -> Result<(StatusCode, Json<Value>)> {
    let before = present(&app, &look, id).await?;
    let timeout = wanted.timeout.map_or(app.settings.timeout, Duration::from_secs);
    let view = app.orchestrator.resume(&proof, id, Some(timeout)).await?;
    let status = if is_running(&before) { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(view::handle(&app, &view))))
}

/// `POST /sandboxes/{sandbox}/resume`: as connecting, but one that runs is a conflict.
pub(super) async fn resume(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Id(id): Id,
    Body(wanted): Body<Connect>,
) -> Result<(StatusCode, Json<Value>)> {
    let before = present(&app, &look, id).await?;
    if is_running(&before) {
        return Err(Problem::new(StatusCode::CONFLICT, format!("sandbox {id} is already running")));
    }
    let timeout = wanted.timeout.map_or(app.settings.timeout, Duration::from_secs);
    let view = app.orchestrator.resume(&proof, id, Some(timeout)).await?;
    Ok((StatusCode::CREATED, Json(view::handle(&app, &view))))
}

/// `POST /sandboxes/{sandbox}/pause`. Without memory, the processes end and the files stay.
pub(super) async fn pause(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    Id(id): Id,
    Body(wanted): Body<Pause>,
) -> Result<StatusCode> {
    if !is_running(&present(&app, &look, id).await?) {
        return Err(Problem::new(StatusCode::CONFLICT, format!("sandbox {id} is already paused")));
    }
    match wanted.memory {
        Some(false) => app.orchestrator.stop(&proof, id).await?,
        Some(true) | None => app.orchestrator.pause(&proof, id).await?,
    };
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sandboxes/{sandbox}/timeout`
pub(super) async fn set_timeout(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    Id(id): Id,
    Body(wanted): Body<WantedTimeout>,
) -> Result<StatusCode> {
    // Nought is "now" to E2B's clients and "never" to the orchestrator.
    let timeout = Duration::from_secs(wanted.timeout).max(Duration::from_millis(1));
    app.orchestrator.set_timeout(&proof, id, timeout).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sandboxes/{sandbox}/refreshes`
pub(super) async fn refresh(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    Id(id): Id,
    Body(wanted): Body<Refresh>,
) -> Result<StatusCode> {
    let timeout = wanted.duration.map_or(app.settings.timeout, Duration::from_secs);
    app.orchestrator.extend(&proof, id, timeout).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sandbox of E2B's clients: those of runs are none.
pub(super) async fn present(app: &E2b, proof: &Allowed<ReadSandboxes>, id: SandboxId) -> Result<SandboxView> {
    let view = app.orchestrator.get(proof, id).await?;
    if view.run.is_some() { Err(orchestrator::Error::NotFound(id).into()) } else { Ok(view) }
}

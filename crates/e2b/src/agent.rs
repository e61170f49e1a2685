//! What else E2B's agent answers at a sandbox: whether it lives, its environment, its figures.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::E2b;
use crate::problem::{Problem, Result};
use crate::{fleet, target};

/// `GET /health`: of a sandbox where one is named, else of this API. Looking never wakes.
pub(crate) async fn health(State(app): State<E2b>, request: Request) -> Response {
    match target::named(request.headers(), request.uri()) {
        Ok(None) => "Health check successful".into_response(),
        Ok(Some(id)) if fleet::is_running(&app, id).await => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(id)) => Problem::no_sandbox(id.to_string()).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<E2b>, request: Request) -> Result<Json<Value>> {
    let id = target::by_token(&app, request.headers(), request.uri())?;
    let sandbox = target::awake(&app, id).await?;
    let now = sandbox.metrics().await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({
        "ts": now.at_ms / 1_000,
        "cpu_count": now.cpu_count,
        "cpu_used_pct": now.cpu_used_percent,
        "mem_total": now.memory_total_bytes,
        "mem_used": now.memory_used_bytes,
        "mem_cache": now.memory_cache_bytes,
        "mem_total_mib": now.memory_total_bytes >> 20,
        "mem_used_mib": now.memory_used_bytes >> 20,
        "disk_used": now.disk_used_bytes,
        "disk_total": now.disk_total_bytes,
    })))
}

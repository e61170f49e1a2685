//! `/v1/runs`, `/v1/runs/{run}`

use accounts::access::{ReadRuns, WriteRuns};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use runs::request::{NewRun, RunFilter, RunRef};
use runs::view::{Page, RunView};

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path, Query};
use crate::idempotency::key_of;
use crate::problem::{Problem, Result};
use crate::schema::runs as shape;

/// Reads how a caller names a run.
pub(crate) fn run_ref(text: &str) -> Result<RunRef> {
    text.parse().map_err(|detail: String| {
        Problem::new(StatusCode::NOT_FOUND, "run_not_found", detail).with_fix("journeyman run list")
    })
}

/// Asks for a run. The same idempotency key with the same wish gives the same run.
#[utoipa::path(post, path = "/v1/runs", tag = "runs", request_body = shape::NewRun,
    responses((status = 201, body = shape::RunView)))]
pub(crate) async fn create_run(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    headers: HeaderMap,
    Body(wish): Body<NewRun>,
) -> Result<(StatusCode, Json<RunView>)> {
    let run = app.runs.create(&allowed, wish, key_of(&headers)?).await?;
    Ok((StatusCode::CREATED, Json(run)))
}

/// The runs, the newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "runs",
    params(
        ("project" = Option<String>, Query, description = "Only those of this project (id or slug)."),
        ("state" = Option<shape::RunStateName>, Query, description = "Only those in this state."),
        ("before" = Option<String>, Query, description = "The `next` of the page before."),
        ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 by default.")),
    responses((status = 200, body = shape::RunPage)))]
pub(crate) async fn list_runs(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Query(filter): Query<RunFilter>,
) -> Result<Json<Page<RunView>>> {
    Ok(Json(app.runs.list(&allowed, filter).await?))
}

/// One run.
#[utoipa::path(get, path = "/v1/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::RunView)))]
pub(crate) async fn show_run(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Path(run): Path<String>,
) -> Result<Json<RunView>> {
    Ok(Json(app.runs.find(&allowed, run_ref(&run)?).await?))
}

/// Removes a run that has ended, its log and its files. Its branch stays.
#[utoipa::path(delete, path = "/v1/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 204, description = "It is removed.")))]
pub(crate) async fn delete_run(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    Path(run): Path<String>,
) -> Result<StatusCode> {
    app.runs.delete(&allowed, run_ref(&run)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

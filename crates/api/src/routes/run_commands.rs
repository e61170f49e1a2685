//! `/v1/runs/{run}/messages`, `pause`, `resume`, `stop`, `continue`

use accounts::Allowed;
use accounts::access::{ReadRuns, WriteRuns};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use runs::request::RunRef;
use runs::view::RunView;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, MaybeBody, Path};
use crate::problem::Result;
use crate::routes::runs::run_ref;
use crate::schema::runs as shape;

/// Words for the agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// The words.
    text: String,
}

/// Why a run is stopped.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Why {
    /// For the log.
    reason: Option<String>,
}

/// What is wanted besides.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowUp {
    /// In plain words.
    goal: String,
}

/// Says something to the agent; it reads it before its next model call.
#[utoipa::path(post, path = "/v1/runs/{run}/messages", tag = "runs", request_body = NewMessage,
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 202, description = "The agent will read it.")))]
pub(crate) async fn say(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    Path(run): Path<String>,
    Body(message): Body<NewMessage>,
) -> Result<StatusCode> {
    app.runs.say(&allowed, run_ref(&run)?, &message.text).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops a run for now, within a second; what is under way is interrupted.
#[utoipa::path(post, path = "/v1/runs/{run}/pause", tag = "runs",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::RunView)))]
pub(crate) async fn pause(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    May(reading): May<ReadRuns>,
    Path(run): Path<String>,
) -> Result<Json<RunView>> {
    let run = run_ref(&run)?;
    app.runs.pause(&allowed, run).await?;
    shown(&app, &reading, run).await
}

/// Lets a paused or sleeping run go on.
#[utoipa::path(post, path = "/v1/runs/{run}/resume", tag = "runs",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::RunView)))]
pub(crate) async fn resume(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    May(reading): May<ReadRuns>,
    Path(run): Path<String>,
) -> Result<Json<RunView>> {
    let run = run_ref(&run)?;
    app.runs.resume(&allowed, run).await?;
    shown(&app, &reading, run).await
}

/// Ends a run for good.
#[utoipa::path(post, path = "/v1/runs/{run}/stop", tag = "runs", request_body = Option<Why>,
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::RunView)))]
pub(crate) async fn stop(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    May(reading): May<ReadRuns>,
    Path(run): Path<String>,
    MaybeBody(why): MaybeBody<Why>,
) -> Result<Json<RunView>> {
    let run = run_ref(&run)?;
    let reason = why.and_then(|why| why.reason).filter(|reason| !reason.trim().is_empty());
    app.runs.stop(&allowed, run, reason).await?;
    shown(&app, &reading, run).await
}

/// Asks a finished run for more, on the same branch and with its context.
#[utoipa::path(post, path = "/v1/runs/{run}/continue", tag = "runs", request_body = FollowUp,
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::RunView)))]
pub(crate) async fn continue_run(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    May(reading): May<ReadRuns>,
    Path(run): Path<String>,
    Body(more): Body<FollowUp>,
) -> Result<Json<RunView>> {
    let run = run_ref(&run)?;
    app.runs.continue_with(&allowed, run, &more.goal).await?;
    shown(&app, &reading, run).await
}

async fn shown(app: &App, reading: &Allowed<ReadRuns>, run: RunRef) -> Result<Json<RunView>> {
    Ok(Json(app.runs.find(reading, run).await?))
}

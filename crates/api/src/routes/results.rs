//! `/v1/runs/{run}/diff`, `/v1/runs/{run}/apply`

use accounts::access::{ReadRuns, WriteRuns};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use runs::view::Applied;
use serde::Deserialize;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Path, Query};
use crate::problem::Result;
use crate::routes::runs::run_ref;
use crate::schema::results as shape;

/// How a difference is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Show {
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Patch,
}

/// What a run has changed: so far while it works, else what it has delivered.
#[utoipa::path(get, path = "/v1/runs/{run}/diff", tag = "runs",
    params(
        ("run" = String, Path, description = "The run's id or number."),
        ("format" = Option<String>, Query, description = "`patch` for a text that `git apply` takes.")),
    responses(
        (status = 200, content((shape::Diff = "application/json"), (String = "text/x-diff")))))]
pub(crate) async fn show_diff(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Path(run): Path<String>,
    Query(show): Query<Show>,
) -> Result<Response> {
    let run = run_ref(&run)?;
    match show.format {
        Format::Json => Ok(Json(app.runs.diff(&allowed, run).await?).into_response()),
        Format::Patch => {
            let patch = app.runs.patch(&allowed, run).await?;
            Ok(([(header::CONTENT_TYPE, "text/x-diff; charset=utf-8")], patch).into_response())
        }
    }
}

/// Writes a delivered result to the working tree. Applying twice is applying once.
///
/// 409 `would_overwrite` names the files with uncommitted work that it would have overwritten.
#[utoipa::path(post, path = "/v1/runs/{run}/apply", tag = "runs",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::Applied)))]
pub(crate) async fn apply_result(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
    Path(run): Path<String>,
) -> Result<Json<Applied>> {
    Ok(Json(app.runs.apply(&allowed, run_ref(&run)?).await?))
}

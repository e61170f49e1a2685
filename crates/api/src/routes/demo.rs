//! `/v1/demo`

use accounts::access::WriteRuns;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::event::Attended;
use runs::view::RunView;

use crate::app::App;
use crate::credentials::May;
use crate::problem::Result;
use crate::schema::runs as shape;

/// Makes a fresh sample project and starts the demo's story on it. No model is asked.
#[utoipa::path(post, path = "/v1/demo", tag = "runs", responses((status = 201, body = shape::RunView)))]
pub(crate) async fn start_demo(
    State(app): State<App>,
    May(allowed): May<WriteRuns>,
) -> Result<(StatusCode, Json<RunView>)> {
    let run = app.runs.demo(&allowed, Attended::Yes).await?;
    Ok((StatusCode::CREATED, Json(run)))
}

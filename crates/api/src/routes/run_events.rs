//! `/v1/runs/{run}/events`

use accounts::access::ReadRuns;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::Range;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Path, Query};
use crate::feed::envelope;
use crate::problem::{Problem, Result};
use crate::routes::runs::run_ref;
use crate::schema::events as shape;

/// The most events of one answer.
const LIMIT_MAX: u32 = 1_000;
/// How many where the caller does not say.
const LIMIT_USUAL: u32 = 500;

/// Which part is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    after: Option<i64>,
    before: Option<i64>,
    limit: Option<u32>,
}

/// A part of a run's log: after a position, or the last before one.
#[utoipa::path(get, path = "/v1/runs/{run}/events", tag = "runs",
    params(
        ("run" = String, Path, description = "The run's id or number."),
        ("after" = Option<i64>, Query, description = "Events after this position; 0 by default."),
        ("before" = Option<i64>, Query, description = "The last events before this position, instead."),
        ("limit" = Option<u32>, Query, description = "How many, 1 to 1,000; 500 by default.")),
    responses((status = 200, body = shape::EventPage)))]
pub(crate) async fn read_events(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Path(run): Path<String>,
    Query(part): Query<Part>,
) -> Result<Response> {
    let limit = part.limit.unwrap_or(LIMIT_USUAL).clamp(1, LIMIT_MAX);
    let range = match (part.after, part.before) {
        (Some(_), Some(_)) => return Err(Problem::invalid("give after or before, not both")),
        (None, Some(seq)) => Range::Before { seq, limit },
        (after, None) => Range::After { seq: after.unwrap_or(0), limit },
    };
    let run = app.runs.resolve(allowed.org(), run_ref(&run)?).await?;
    let (events, head) = app.runs.events(&allowed, runs::request::RunRef::Id(run), range).await?;
    let stream = run.stream();
    // Bodies are JSON already and are not read again.
    let envelopes: std::result::Result<Vec<String>, _> =
        events.iter().map(|event| envelope(&stream, event)).collect();
    let items = envelopes.map_err(|error| Problem::internal(&error))?.join(",");
    let body = format!("{{\"items\":[{items}],\"head\":{head}}}");
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

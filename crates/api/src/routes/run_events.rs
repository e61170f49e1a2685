//! `/v1/runs/{run}/events`

use accounts::access::ReadRuns;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::{Range, RawEvent};

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
    let range = part.range()?;
    let run = app.runs.resolve(allowed.org(), run_ref(&run)?).await?;
    let (events, head) = app.runs.events(&allowed, runs::request::RunRef::Id(run), range).await?;
    page(&run.stream(), &events, head)
}

impl Part {
    /// What is to be read.
    pub(crate) fn range(&self) -> Result<Range> {
        let limit = self.limit.unwrap_or(LIMIT_USUAL).clamp(1, LIMIT_MAX);
        match (self.after, self.before) {
            (Some(_), Some(_)) => Err(Problem::invalid("give after or before, not both")),
            (None, Some(seq)) => Ok(Range::Before { seq, limit }),
            (after, None) => Ok(Range::After { seq: after.unwrap_or(0), limit }),
        }
    }
}

/// A part of a log. Bodies are JSON already and are not read again.
pub(crate) fn page(stream: &str, events: &[RawEvent], head: i64) -> Result<Response> {
    let envelopes: std::result::Result<Vec<String>, _> =
        events.iter().map(|event| envelope(stream, event)).collect();
    let items = envelopes.map_err(|error| Problem::internal(&error))?.join(",");
    let body = format!("{{\"items\":[{items}],\"head\":{head}}}");
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

//! `GET /v1/sandboxes/{sandbox}/events`: what happened to a sandbox. `/v1/events?stream=sandbox/<id>` follows it.

use accounts::access::ReadSandboxes;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Path, Query};
use crate::problem::Result;
use crate::routes::run_events::{Part, page};
use crate::routes::sandboxes::sandbox_id;
use crate::schema::events as shape;

/// A part of a sandbox's log: after a position, or the last before one.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}/events", tag = "sandboxes",
    params(
        ("sandbox" = String, Path, description = "The sandbox's id."),
        ("after" = Option<i64>, Query, description = "Events after this position; 0 by default."),
        ("before" = Option<i64>, Query, description = "The last events before this position, instead."),
        ("limit" = Option<u32>, Query, description = "How many, 1 to 1,000; 500 by default.")),
    responses((status = 200, body = shape::EventPage)))]
pub(crate) async fn read_sandbox_events(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Path(sandbox): Path<String>,
    Query(part): Query<Part>,
) -> Result<Response> {
    let stream = app.orchestrator.get(&allowed, sandbox_id(&sandbox)?).await?.id.stream();
    let events = app.store.raw_events(allowed.org(), &stream, part.range()?).await?;
    let head = app.store.head(allowed.org(), &stream).await?;
    page(&stream, &events, head)
}

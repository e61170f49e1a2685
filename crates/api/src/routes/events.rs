//! `/v1/events`: a stream as server-sent events.
//!
//! A task of its own pumps the stream into a channel of a few frames. A client that stops reading fills
//! the channel and its connection's buffers, holds nobody else, and is cut off after a while.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::app::App;
use crate::credentials::{Authenticated, Shown};
use crate::extract::Query;
use crate::feed::{Told, envelope};
use crate::problem::{Problem, Result};
use crate::routes::stream::{Followed, HEARTBEAT, ORG, SLOW_LIMIT, epoch_changed, follow};

/// How many frames wait for a client.
const FRAMES: usize = 16;

/// Which stream is wanted, and from where.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    stream: String,
    #[serde(default)]
    after: i64,
}

/// Follows a stream: what was written after a position, then what comes.
///
/// Each event has the id `<epoch>-<seq>`, its kind as name and its envelope as data; live pieces have
/// names that begin with `live.` and no id. A `Last-Event-ID` goes before `after`. An id from before a
/// restored backup gets 410 `epoch_changed`. A comment comes every 15 s.
#[utoipa::path(get, path = "/v1/events", tag = "streams",
    params(
        ("stream" = String, Query, description = "`run/<id>`, `sandbox/<id>`, or `org` for changed runs."),
        ("after" = Option<i64>, Query, description = "The last position that the client has; 0 by default."),
        ("last-event-id" = Option<String>, Header, description = "The last id that the client has.")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(crate) async fn follow_events(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    shown: Shown,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    let epoch = app.store.epoch();
    let after = last_event_id(&headers, &epoch)?.unwrap_or(wanted.after);
    let room = app.room_for_stream()?;
    let followed = follow(&app, &caller, &wanted.stream, after).await?;
    let (frames, body) = mpsc::channel(FRAMES);
    let supervisor = app.supervisor.clone();
    supervisor.spawn("sse", pump(app, Pump { followed, epoch, shown, frames, _room: room }));
    let body = Body::from_stream(ReceiverStream::new(body).map(Ok::<_, Infallible>));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that buffer would hold events back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}

/// The position in a `Last-Event-ID`; `None` where there is none.
fn last_event_id(headers: &HeaderMap, epoch: &str) -> Result<Option<i64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.rsplit_once('-').and_then(|(of_id, seq)| Some((of_id, seq.parse().ok()?)));
    let (of_id, seq) = parts.ok_or_else(|| Problem::invalid("Last-Event-ID is not one of ours"))?;
    if of_id == epoch { Ok(Some(seq)) } else { Err(epoch_changed()) }
}

struct Pump {
    followed: Followed,
    epoch: String,
    shown: Shown,
    frames: mpsc::Sender<Bytes>,
    _room: OwnedSemaphorePermit,
}

async fn pump(app: App, mut pump: Pump) {
    let stopping = app.supervisor.stopping();
    // Headers go out with the first bytes; a client shall know at once that it is connected.
    let mut frame = Some(": connected\n\n".to_owned());
    loop {
        if let Some(frame) = frame.take() {
            let sent = app.ambient.within(SLOW_LIMIT, pump.frames.send(frame.into())).await;
            if !matches!(sent, Some(Ok(()))) {
                return;
            }
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = pump.frames.closed() => return,
            told = pump.followed.telling.next() => match told {
                Some(Told::Failed | Told::Gone) | None => return,
                Some(told) => frame = write(&told, &pump),
            },
            () = app.ambient.sleep(HEARTBEAT) => {
                if !pump.shown.still_counts(&app).await {
                    return;
                }
                frame = Some(": still here\n\n".to_owned());
            }
        }
    }
}

fn write(told: &Told, pump: &Pump) -> Option<String> {
    let stream = &pump.followed.name;
    match told {
        Told::Event(event) => {
            let data = envelope(stream, event).ok()?;
            Some(format!("id: {}-{}\nevent: {}\ndata: {data}\n\n", pump.epoch, event.seq, event.kind))
        }
        Told::Live(piece) if stream == ORG => {
            Some(format!("event: {}\ndata: {}\n\n", piece.kind, one_line(&piece.json)))
        }
        Told::Live(piece) => Some(format!("event: {}\ndata: {}\n\n", piece.kind, one_line(&piece.json))),
        Told::CaughtUp { .. } | Told::Gone | Told::Failed => None,
    }
}

/// JSON may stand on several lines, data of an event may not.
fn one_line(json: &str) -> String {
    json.replace(['\r', '\n'], " ")
}

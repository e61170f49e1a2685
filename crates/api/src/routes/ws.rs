//! `/v1/ws`: any number of streams over one WebSocket, for a browser's tab.
//!
//! One task owns the socket. It takes the next thing from its streams only when the one before has left,
//! so that a client which stops reading costs what the streams hold (a page each) and is cut off.

use accounts::access::ReadRuns;
use accounts::{Caller, Via};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use serde_json::value::RawValue;
use tokio_stream::{StreamExt, StreamMap};

use crate::app::App;
use crate::credentials::{Authenticated, Shown};
use crate::feed::{Told, envelope};
use crate::problem::{Problem, Result};
use crate::routes::stream::{HEARTBEAT, ORG, SLOW_LIMIT, Telling, epoch_changed, follow};
use crate::schema::events::{ClientMessage, Subscribe};

/// The most streams of one socket.
const STREAMS_MAX: usize = 64;
/// The largest message that a client sends.
const MESSAGE_MAX_BYTES: usize = 64 << 10;

/// Opens a WebSocket. A browser shows its cookie and comes from our own origin; programs send a token.
///
/// The client sends `{"subscribe":{"stream":"run/…","after":0}}`, `{"unsubscribe":{"stream":"run/…"}}`,
/// `{"ping":1}`. The server sends `{"event":Envelope}`, `{"live":{"stream","kind","data"}}`,
/// `{"caught_up":{"stream","head","epoch"}}`, `{"error":{"stream","code","detail"}}`, `{"pong":1}`.
#[utoipa::path(get, path = "/v1/ws", tag = "streams",
    responses((status = 101, description = "The socket is open.")))]
pub(crate) async fn open_socket(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    shown: Shown,
    headers: HeaderMap,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    caller.allow::<ReadRuns>()?;
    if caller.via() == Via::Cookie && !headers.contains_key(header::ORIGIN) {
        let detail = "a browser's socket must say which page opens it";
        return Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail));
    }
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", rejection.body_text())
    })?;
    let room = app.room_for_stream()?;
    let upgrade = upgrade.max_message_size(MESSAGE_MAX_BYTES).max_frame_size(MESSAGE_MAX_BYTES);
    Ok(upgrade.on_upgrade(move |wire| async move {
        let (streams, _room) = (StreamMap::new(), room);
        Box::pin(Connection { app, caller, shown, wire, streams }.run()).await;
    }))
}

struct Connection {
    app: App,
    caller: Caller,
    shown: Shown,
    wire: WebSocket,
    streams: StreamMap<String, Telling>,
}

/// The connection is over.
struct Over;

impl Connection {
    async fn run(mut self) {
        let stopping = self.app.supervisor.stopping();
        let mut heartbeat = self.app.ambient.clock.sleep(HEARTBEAT);
        loop {
            let turn = tokio::select! {
                () = stopping.cancelled() => return,
                message = self.wire.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) | None => return,
                },
                Some((stream, told)) = self.streams.next(), if !self.streams.is_empty() => {
                    self.tell(&stream, told).await
                }
                () = &mut heartbeat => {
                    heartbeat = self.app.ambient.clock.sleep(HEARTBEAT);
                    self.beat().await
                }
            };
            if turn.is_err() {
                return;
            }
        }
    }

    async fn hear(&mut self, message: Message) -> std::result::Result<(), Over> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(Over),
            // The library answers pings.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => return self.refuse(None, &Problem::invalid("messages are text")).await,
        };
        let message: ClientMessage = match serde_json::from_str(&text) {
            Ok(message) => message,
            Err(error) => return self.refuse(None, &Problem::invalid(error.to_string())).await,
        };
        if let Some(number) = message.ping {
            self.send(json!({ "pong": number }).to_string()).await?;
        }
        if let Some(unsubscribe) = message.unsubscribe {
            self.streams.remove(&unsubscribe.stream);
        }
        match message.subscribe {
            Some(wanted) => self.subscribe(wanted).await,
            None => Ok(()),
        }
    }

    async fn subscribe(&mut self, wanted: Subscribe) -> std::result::Result<(), Over> {
        let epoch = self.app.store.epoch();
        let followed = if wanted.epoch.is_some_and(|of_client| of_client != epoch) {
            Err(epoch_changed())
        } else if self.streams.len() >= STREAMS_MAX {
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "64 streams are the most"))
        } else {
            follow(&self.app, &self.caller, &wanted.stream, wanted.after).await
        };
        match followed {
            // Under the client's own name for it, which may be a number.
            Ok(followed) => {
                self.streams.insert(wanted.stream, followed.telling);
                Ok(())
            }
            Err(problem) => self.refuse(Some(&wanted.stream), &problem).await,
        }
    }

    async fn tell(&mut self, stream: &str, told: Told) -> std::result::Result<(), Over> {
        let text = match told {
            Told::Event(event) => match envelope(stream, &event) {
                Ok(envelope) => format!("{{\"event\":{envelope}}}"),
                Err(_) => return Ok(()),
            },
            Told::CaughtUp { head } => {
                json!({ "caught_up": { "stream": stream, "head": head, "epoch": self.app.store.epoch() } })
                    .to_string()
            }
            Told::Live(piece) => {
                let Ok(data) = serde_json::from_str::<&RawValue>(&piece.json) else { return Ok(()) };
                match live(stream, &piece.kind, data, self.app.ambient.now_ms()) {
                    Ok(text) => text,
                    Err(_) => return Ok(()),
                }
            }
            Told::Gone => {
                let problem = Problem::new(StatusCode::NOT_FOUND, "stream_gone", "the run was removed");
                return self.refuse(Some(stream), &problem).await;
            }
            // The client comes again and goes on where it was.
            Told::Failed => return Err(Over),
        };
        self.send(text).await
    }

    async fn refuse(&mut self, stream: Option<&str>, problem: &Problem) -> std::result::Result<(), Over> {
        let error = json!({ "stream": stream, "code": problem.code, "detail": problem.detail });
        self.send(json!({ "error": error }).to_string()).await
    }

    async fn beat(&mut self) -> std::result::Result<(), Over> {
        if !self.shown.still_counts(&self.app).await {
            return Err(Over);
        }
        self.send_message(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn send(&mut self, text: String) -> std::result::Result<(), Over> {
        self.send_message(Message::Text(text.into())).await
    }

    async fn send_message(&mut self, message: Message) -> std::result::Result<(), Over> {
        match self.app.ambient.within(SLOW_LIMIT, self.wire.send(message)).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Over),
        }
    }
}

/// A changed run is told as an event, everything else as what it is.
fn live(stream: &str, kind: &str, data: &RawValue, now_ms: i64) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Live<'a> {
        Live { stream: &'a str, kind: &'a str, data: &'a RawValue },
        Event { stream: &'a str, seq: i64, at_ms: i64, kind: &'a str, data: &'a RawValue },
    }
    let told = if stream == ORG {
        Live::Event { stream, seq: 0, at_ms: now_ms, kind, data }
    } else {
        Live::Live { stream, kind, data }
    };
    serde_json::to_string(&told)
}

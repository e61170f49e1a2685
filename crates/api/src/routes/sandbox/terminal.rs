//! `GET /v1/sandboxes/{sandbox}/terminal`: a terminal in a sandbox, over a WebSocket.

use std::sync::Arc;

use accounts::Via;
use accounts::access::WriteSandboxes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use domain::SandboxId;
use futures_util::StreamExt as _;
use orchestrator::{Orchestrator, Wake};
use sandbox::{ProcessEvent, ProcessRef, PtySize, Sandbox, SandboxError, StartProcess};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::credentials::{Authenticated, Shown};
use crate::extract::{Path, Query};
use crate::problem::{Problem, Result};
use crate::routes::sandboxes::sandbox_id;
use crate::routes::stream::{HEARTBEAT, SLOW_LIMIT};

/// The largest message that a client sends.
const MESSAGE_MAX_BYTES: usize = 1 << 20;
/// SIGHUP: what a terminal sends when its user hangs up.
const HANG_UP: i32 = 1;

/// How the terminal shall be.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    columns: u16,
    rows: u16,
    command: Option<String>,
    term: String,
    user: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { columns: 80, rows: 24, command: None, term: "xterm-256color".to_owned(), user: None }
    }
}

/// What a client says besides what is typed.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Resize { columns: u16, rows: u16 },
}

/// Opens a terminal: a login shell, or `command`. Binary messages are what is typed and what is shown; the client
/// sends `{"resize":{"columns","rows"}}` as text, the server `{"end":{"exit_code"}}` or `{"error":{"code","detail"}}`
/// as its last message. Who goes away hangs up. A sandbox that rests is woken where it was made so.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}/terminal", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id."),
        ("columns" = Option<u16>, Query, description = "80 by default."),
        ("rows" = Option<u16>, Query, description = "24 by default."),
        ("command" = Option<String>, Query, description = "A command line instead of a shell."),
        ("term" = Option<String>, Query, description = "The terminal's kind; xterm-256color by default."),
        ("user" = Option<String>, Query, description = "`user` (the default) or `root`.")),
    responses((status = 101, description = "The terminal is open.")))]
#[expect(clippy::too_many_arguments, reason = "the parts of a request that a socket is opened by")]
pub(crate) async fn open_sandbox_terminal(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    shown: Shown,
    headers: HeaderMap,
    Path(sandbox): Path<String>,
    Query(wanted): Query<Wanted>,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let allowed = caller.allow::<WriteSandboxes>()?;
    if caller.via() == Via::Cookie && !headers.contains_key(header::ORIGIN) {
        let detail = "a browser's socket must say which page opens it";
        return Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail));
    }
    let id = sandbox_id(&sandbox)?;
    let sandbox = app.orchestrator.live(allowed.org(), id, Wake::IfAsked).await?;
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", rejection.body_text())
    })?;
    let room = app.room_for_stream()?;
    let process = start(&sandbox, &wanted).await?;
    let upgrade = upgrade.max_message_size(MESSAGE_MAX_BYTES).max_frame_size(MESSAGE_MAX_BYTES);
    Ok(upgrade.on_upgrade(move |wire| async move {
        let _room = room;
        let orchestrator = app.orchestrator.clone();
        let terminal = Terminal { app, orchestrator, id, shown, wire, sandbox, process };
        Box::pin(terminal.run()).await;
    }))
}

async fn start(sandbox: &Arc<dyn Sandbox>, wanted: &Wanted) -> Result<ProcessRef> {
    let shell = ["/bin/bash", "-l"].map(str::to_owned).to_vec();
    let command = |line: &String| vec!["/bin/bash".to_owned(), "-lc".to_owned(), line.clone()];
    let process = StartProcess {
        argv: wanted.command.as_ref().map_or(shell, command),
        env: vec![("TERM".to_owned(), wanted.term.clone())],
        user: wanted.user.clone(),
        pty: Some(PtySize { columns: wanted.columns, rows: wanted.rows }),
        stdin: true,
        ..StartProcess::default()
    };
    Ok(ProcessRef::Pid(sandbox.start(process).await?.pid))
}

struct Terminal {
    app: App,
    orchestrator: Orchestrator,
    id: SandboxId,
    shown: Shown,
    wire: WebSocket,
    sandbox: Arc<dyn Sandbox>,
    process: ProcessRef,
}

impl Terminal {
    async fn run(mut self) {
        if !self.relay().await {
            // Whoever typed has gone; the shell is told as by a real terminal.
            if let Err(error) = self.sandbox.signal(self.process.clone(), HANG_UP).await {
                tracing::debug!(%error, "a terminal's shell had gone already");
            }
        }
    }

    /// Carries both ways. Returns whether the process has ended.
    async fn relay(&mut self) -> bool {
        let mut output = match self.sandbox.follow(self.process.clone(), true).await {
            Ok(output) => output,
            Err(error) => return self.end_with(error).await,
        };
        let stopping = self.app.supervisor.stopping();
        let mut heartbeat = self.app.ambient.clock.sleep(HEARTBEAT);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return false,
                message = self.wire.recv() => match message {
                    Some(Ok(message)) => match self.hear(message).await {
                        Ok(true) => {}
                        Ok(false) => return false,
                        Err(error) => return self.end_with(error).await,
                    },
                    Some(Err(_)) | None => return false,
                },
                event = output.next() => {
                    let message = match event {
                        Some(Ok(ProcessEvent::Ended { exit_code, .. })) => {
                            self.send(Message::text(json!({ "end": { "exit_code": exit_code } }).to_string())).await;
                            return true;
                        }
                        Some(Ok(ProcessEvent::Missed { .. })) => continue,
                        Some(Ok(
                            ProcessEvent::Pty(bytes) | ProcessEvent::Stdout(bytes) | ProcessEvent::Stderr(bytes),
                        )) => Message::Binary(bytes),
                        Some(Err(error)) => return self.end_with(error).await,
                        None => return true,
                    };
                    self.orchestrator.touch(self.id);
                    if !self.send(message).await {
                        return false;
                    }
                }
                () = &mut heartbeat => {
                    heartbeat = self.app.ambient.clock.sleep(HEARTBEAT);
                    let ping = Message::Ping(Vec::new().into());
                    if !self.shown.still_counts(&self.app).await || !self.send(ping).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Returns whether the client stays.
    async fn hear(&mut self, message: Message) -> std::result::Result<bool, SandboxError> {
        match self.take(message).await {
            // It has just ended, and its end is about to be told.
            Err(SandboxError::NoProcess { .. }) => Ok(true),
            taken => taken,
        }
    }

    async fn take(&mut self, message: Message) -> std::result::Result<bool, SandboxError> {
        match message {
            Message::Binary(bytes) => {
                self.orchestrator.touch(self.id);
                self.sandbox.send_input(self.process.clone(), bytes.to_vec()).await?;
            }
            Message::Text(text) => {
                if let Ok(Said::Resize { columns, rows }) = serde_json::from_str(&text) {
                    self.sandbox.resize(self.process.clone(), PtySize { columns, rows }).await?;
                }
            }
            Message::Close(_) => return Ok(false),
            Message::Ping(_) | Message::Pong(_) => {}
        }
        Ok(true)
    }

    async fn end_with(&mut self, error: SandboxError) -> bool {
        let problem = Problem::from(error);
        let fault = json!({ "error": { "code": problem.code, "detail": problem.detail } });
        self.send(Message::text(fault.to_string())).await;
        true
    }

    /// A client that takes nothing for long is cut off.
    async fn send(&mut self, message: Message) -> bool {
        let sent = self.app.ambient.within(SLOW_LIMIT, self.wire.send(message)).await;
        matches!(sent, Some(Ok(())))
    }
}

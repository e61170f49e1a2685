//! `POST /v1/sandboxes/{sandbox}/exec`: a command in a sandbox, its output as it comes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use accounts::access::WriteSandboxes;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use orchestrator::Wake;
use sandbox::{Exec, ExecEnd, Output, Sandbox, SandboxError};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::{Problem, Result};
use crate::routes::sandboxes::sandbox_id;

/// Output that waits for a reader; what comes beyond it is counted and dropped.
const WAITING_MAX_BYTES: u64 = 16 << 20;

/// A command that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedExec {
    /// A command line for `/bin/sh`.
    #[schema(example = "make test")]
    command: Option<String>,
    /// A program and its arguments, instead.
    argv: Option<Vec<String>>,
    /// The directory; /workspace where absent.
    #[serde(default)]
    directory: String,
    /// Added to the environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Given on standard input, which is then closed.
    #[serde(default)]
    stdin: String,
    /// The same in base64, instead.
    #[serde(default)]
    stdin_base64: String,
    /// Killed after so long; never where absent.
    timeout_seconds: Option<u64>,
}

/// One line of the answer. Output that is no UTF-8 comes in base64.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExecLine {
    /// From standard output.
    Stdout(String),
    /// From standard output, in base64.
    StdoutBase64(String),
    /// From standard error.
    Stderr(String),
    /// From standard error, in base64.
    StderrBase64(String),
    /// So much output was not taken in time and is lost.
    MissedBytes(u64),
    /// The command has ended; the last line.
    End(ExecEnded),
    /// It could not be run to its end; the last line.
    Error(ExecFault),
}

/// How a command ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecEnded {
    /// Its exit code; 128 + n after signal n.
    exit_code: i32,
    /// Whether its time was up.
    timed_out: bool,
}

/// Why a command was not run to its end.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecFault {
    /// Stable.
    code: String,
    /// One sentence.
    detail: String,
}

/// Runs a command to its end and tells its output as it comes, one JSON object a line; the last is `end` or
/// `error`. Whoever goes away ends the command. A sandbox that rests is woken where it was made so.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/exec", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = WantedExec,
    responses((status = 200, content_type = "application/x-ndjson", body = ExecLine)))]
pub(crate) async fn exec_in_sandbox(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Body(wanted): Body<WantedExec>,
) -> Result<Response> {
    let id = sandbox_id(&sandbox)?;
    let exec = as_exec(wanted)?;
    let sandbox = app.orchestrator.live(allowed.org(), id, Wake::IfAsked).await?;
    app.orchestrator.touch(id);
    let room = app.room_for_stream()?;
    let (lines, body) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicU64::new(0));
    let pump = Pump { lines, waiting: waiting.clone(), missed: AtomicU64::new(0) };
    let orchestrator = app.orchestrator.clone();
    app.supervisor.spawn("exec", async move {
        let _room = room;
        pump.run(&sandbox, exec).await;
        orchestrator.touch(id);
    });
    let body = UnboundedReceiverStream::new(body).map(move |line: Bytes| {
        waiting.fetch_sub(line.len() as u64, Ordering::Relaxed);
        Ok::<_, Infallible>(line)
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
        // What packs answers together would hold lines back.
        (header::CONTENT_ENCODING, "identity"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, HttpBody::from_stream(body)).into_response())
}

fn as_exec(wanted: WantedExec) -> Result<Exec> {
    let argv = match (wanted.command, wanted.argv) {
        (Some(command), None) => vec!["/bin/sh".to_owned(), "-c".to_owned(), command],
        (None, Some(argv)) if !argv.is_empty() => argv,
        _ => return Err(Problem::invalid("give either command or argv")),
    };
    let stdin = if wanted.stdin_base64.is_empty() {
        wanted.stdin.into_bytes()
    } else {
        let bytes = base64::engine::general_purpose::STANDARD.decode(wanted.stdin_base64);
        bytes.map_err(|_| Problem::invalid("stdin_base64 is no base64"))?
    };
    Ok(Exec {
        argv,
        directory: wanted.directory,
        env: wanted.env.into_iter().collect(),
        stdin,
        timeout: wanted.timeout_seconds.map(Duration::from_secs),
    })
}

/// Takes a command's output and hands it on, line by line.
struct Pump {
    lines: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicU64>,
    missed: AtomicU64,
}

impl Pump {
    async fn run(&self, sandbox: &Arc<dyn Sandbox>, exec: Exec) {
        let sink = |piece: Output<'_>| self.take(piece);
        let ended = tokio::select! {
            ended = sandbox.exec(exec, &sink) => ended,
            // The caller has gone, and so goes the command.
            () = self.lines.closed() => return,
        };
        self.tell_missed();
        self.tell(&last_line(ended));
    }

    fn take(&self, piece: Output<'_>) {
        let (bytes, line) = match piece {
            Output::Stdout(bytes) => (bytes, text_or(bytes, ExecLine::Stdout, ExecLine::StdoutBase64)),
            Output::Stderr(bytes) => (bytes, text_or(bytes, ExecLine::Stderr, ExecLine::StderrBase64)),
        };
        if self.waiting.load(Ordering::Relaxed) > WAITING_MAX_BYTES {
            self.missed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            return;
        }
        self.tell_missed();
        self.tell(&line);
    }

    fn tell_missed(&self) {
        match self.missed.swap(0, Ordering::Relaxed) {
            0 => {}
            missed => self.tell(&ExecLine::MissedBytes(missed)),
        }
    }

    fn tell(&self, line: &ExecLine) {
        let mut line = serde_json::to_vec(line).unwrap_or_default();
        line.push(b'\n');
        self.waiting.fetch_add(line.len() as u64, Ordering::Relaxed);
        let _caller_has_gone = self.lines.send(line.into());
    }
}

fn text_or(bytes: &[u8], text: fn(String) -> ExecLine, base64: fn(String) -> ExecLine) -> ExecLine {
    match std::str::from_utf8(bytes) {
        Ok(whole) => text(whole.to_owned()),
        Err(_) => base64(base64::engine::general_purpose::STANDARD.encode(bytes)),
    }
}

fn last_line(ended: std::result::Result<ExecEnd, SandboxError>) -> ExecLine {
    match ended {
        Ok(ExecEnd { exit_code, timed_out }) => ExecLine::End(ExecEnded { exit_code, timed_out }),
        Err(error) => {
            let problem = Problem::from(error);
            ExecLine::Error(ExecFault { code: problem.code.into_owned(), detail: problem.detail })
        }
    }
}

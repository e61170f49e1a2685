//! `process.Process`: start, list and find processes, give them input, signal them.

mod follow;
mod input;
mod messages;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use sandbox::{ProcessRef, PtySize};

use crate::app::E2b;
use crate::call::Call;
use crate::connect::code::Result;
use crate::connect::unary::answer;
use crate::connect::{Code, ConnectError};
pub(crate) use messages::Empty;
use messages::{
    ListResponse, ProcessConfig, ProcessInfo, Selector, SendInputRequest, SendSignalRequest, UpdateRequest,
};

/// A call of the service.
pub(crate) async fn serve(State(app): State<E2b>, Path(method): Path<String>, request: Request) -> Response {
    match method.as_str() {
        "List" => answer(&app, request, list).await,
        "Start" => follow::start(&app, request).await,
        "Connect" => follow::connect(&app, request).await,
        "Update" => answer(&app, request, update).await,
        "StreamInput" => input::stream(&app, request).await,
        "SendInput" => answer(&app, request, send_input).await,
        "SendSignal" => answer(&app, request, send_signal).await,
        "CloseStdin" => answer(&app, request, close_stdin).await,
        other => no_such_method(other).into_response(),
    }
}

/// What a method that the service has not gets.
pub(crate) fn no_such_method(name: &str) -> ConnectError {
    ConnectError::new(Code::Unimplemented, format!("there is no method {name}"))
}

async fn list(call: Call, _input: Empty) -> Result<ListResponse> {
    let running = call.sandbox.processes().await?;
    let processes = running.into_iter().map(|process| {
        let mut argv = process.argv.into_iter();
        let config = ProcessConfig {
            cmd: argv.next().unwrap_or_default(),
            args: argv.collect(),
            envs: process.env.into_iter().collect(),
            cwd: Some(process.directory),
        };
        ProcessInfo { config, pid: process.pid, tag: process.tag }
    });
    Ok(ListResponse { processes: processes.collect() })
}

async fn update(call: Call, input: UpdateRequest) -> Result<Empty> {
    let process = input.process.chosen()?;
    if let Some(pty) = input.pty {
        call.sandbox.resize(process, size(pty.size)?).await?;
    }
    Ok(Empty {})
}

async fn send_input(call: Call, input: SendInputRequest) -> Result<Empty> {
    let bytes = input.input.bytes()?;
    call.sandbox.send_input(input.process.chosen()?, bytes).await?;
    Ok(Empty {})
}

async fn send_signal(call: Call, input: SendSignalRequest) -> Result<Empty> {
    let process = input.process.chosen()?;
    let signal = input.signal.number()?;
    let reached = call.sandbox.signal(process.clone(), signal).await?;
    if reached {
        Ok(Empty {})
    } else {
        Err(ConnectError::new(Code::NotFound, format!("{process} has ended")))
    }
}

async fn close_stdin(call: Call, input: messages::CloseStdinRequest) -> Result<Empty> {
    call.sandbox.close_input(input.process.chosen()?).await?;
    Ok(Empty {})
}

/// The id of a process that runs.
async fn running(call: &Call, wanted: &ProcessRef) -> Result<u32> {
    let running = call.sandbox.processes().await?;
    let found = running.iter().rev().find(|process| match wanted {
        ProcessRef::Pid(pid) => process.pid == *pid,
        ProcessRef::Tag(tag) => process.tag.as_ref() == Some(tag),
    });
    found
        .map(|process| process.pid)
        .ok_or_else(|| ConnectError::new(Code::NotFound, format!("{wanted} not found")))
}

/// A terminal's size; 80 by 24 where it is not given.
fn size(size: messages::Size) -> Result<PtySize> {
    let side = |letters: u32, otherwise: u16| match u16::try_from(letters) {
        Ok(0) => Ok(otherwise),
        Ok(letters) => Ok(letters),
        Err(_) => Err(ConnectError::invalid(format!("no terminal is {letters} letters wide"))),
    };
    Ok(PtySize { columns: side(size.cols, 80)?, rows: side(size.rows, 24)? })
}

impl Selector {
    /// The process that is meant.
    fn chosen(self) -> Result<ProcessRef> {
        match (self.pid, self.tag) {
            (Some(pid), None) => Ok(ProcessRef::Pid(pid)),
            (None, Some(tag)) => Ok(ProcessRef::Tag(tag)),
            _ => Err(ConnectError::invalid("name a process by its pid or by its tag")),
        }
    }
}

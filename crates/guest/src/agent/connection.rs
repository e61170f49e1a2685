//! One connection, one request.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::exec::Exec;
use super::{Agent, exec, files, search};
use crate::protocol::{Failure, Reply, Request, kind, push_json, read_frame};

/// Reads the request, does it and answers. An error here means that nobody is left to be told.
pub(super) fn answer(agent: &Agent, connection: &UnixStream) {
    let Ok(request) = read_request(connection) else { return };
    // The connection is closed by dropping it; the owner sees that as the end.
    let _ = dispatch(agent, connection, request);
}

fn read_request(connection: &UnixStream) -> io::Result<Request> {
    let (kind, payload) = read_frame(connection)?;
    if kind != kind::REQUEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    match serde_json::from_slice(&payload) {
        Ok(request) => Ok(request),
        Err(error) => {
            let message = format!("the guest does not understand the request: {error}");
            send(connection, &Reply::Failed(Failure::Internal { message }))?;
            Err(error.into())
        }
    }
}

fn dispatch(agent: &Agent, connection: &UnixStream, request: Request) -> io::Result<()> {
    match request {
        Request::Hello => send(connection, &Reply::Ready),
        Request::Exec { argv, directory, env, timeout_ms } => {
            let timeout = timeout_ms.map(Duration::from_millis);
            exec::run(agent, connection, &Exec { argv, directory, env, timeout })
        }
        Request::Shell { command, timeout_ms } => {
            agent.shell.run(agent, connection, &command, Duration::from_millis(timeout_ms))
        }
        Request::Background { command } => send_result(connection, agent.backgrounds.start(agent, &command)),
        Request::BackgroundList => {
            send(connection, &Reply::Backgrounds { list: agent.backgrounds.running() })
        }
        Request::BackgroundLost => send(connection, &Reply::Backgrounds { list: agent.backgrounds.lost() }),
        Request::Read { path, offset, max_bytes } => send_result(
            connection,
            files::read(agent, connection, &path, offset..offset.saturating_add(max_bytes)),
        ),
        Request::Write { path } => send_result(connection, files::write(agent, connection, &path)),
        Request::Grep(query) => send_result(connection, search::grep(agent, &query).map(Reply::Grep)),
        Request::Glob(query) => send_result(connection, search::glob(agent, &query).map(Reply::Glob)),
    }
}

fn send_result(connection: &UnixStream, result: Result<Reply, Failure>) -> io::Result<()> {
    send(connection, &result.unwrap_or_else(Reply::Failed))
}

fn send(mut connection: &UnixStream, reply: &Reply) -> io::Result<()> {
    use std::io::Write as _;
    let mut frame = Vec::new();
    push_json(&mut frame, kind::REPLY, reply)?;
    connection.write_all(&frame)
}

//! Does what a request asks, and answers.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::connection::Connection;
use super::exec::Exec;
use super::{Agent, exec, files, machine, ports, search, transfer, tree, watch};
use crate::protocol::{Failure, Reply, Request};

/// How long a request may take to come that is refused anyway.
const REFUSAL_LIMIT: Duration = Duration::from_secs(1);

/// Answers the requests of one connection, one after the other.
///
/// An error within means that nobody is left to be told; the connection is closed by dropping it, and the owner
/// sees that as the end.
pub(super) fn serve(agent: &Agent, stream: UnixStream) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.next_request() {
        if agent.is_stopped() || answer(agent, &mut connection, request).is_err() {
            return;
        }
    }
}

/// Answers one request where no thread can be had: the sandbox is at its limit of processes.
pub(super) fn refuse(stream: UnixStream) {
    let _ = stream.set_read_timeout(Some(REFUSAL_LIMIT));
    let mut connection = Connection::new(stream);
    if let Ok(Some(_)) = connection.next_request() {
        let message = "the sandbox is at its limit of processes".to_owned();
        let _ = connection.reply(&Reply::Failed(Failure::Busy { message }));
    }
}

fn answer(agent: &Agent, connection: &mut Connection, request: Request) -> io::Result<()> {
    match request {
        Request::Exec { argv, directory, env, timeout_ms } => {
            let timeout = timeout_ms.map(Duration::from_millis);
            exec::run(agent, connection, &Exec { argv, directory, env, timeout })
        }
        Request::Shell { command, timeout_ms } => {
            agent.shell.run(agent, connection, &command, Duration::from_millis(timeout_ms))
        }
        Request::Follow { process, replay } => match agent.started.find(&process) {
            Ok(entry) => entry.follow(connection, replay),
            Err(failure) => connection.reply(&Reply::Failed(failure)),
        },
        Request::Watch { path, recursive } => watch::watch(agent, connection, &path, recursive),
        Request::WatchPorts => ports::watch(connection),
        Request::Connect { port } => send_socket(connection, ports::connect(port)),
        Request::Listen { port } => send_socket(connection, ports::listen(port)),
        request => {
            let reply = reply_to(agent, connection, request).unwrap_or_else(Reply::Failed);
            connection.reply(&reply)
        }
    }
}

/// The reply to a request that is answered at once.
fn reply_to(agent: &Agent, connection: &mut Connection, request: Request) -> Result<Reply, Failure> {
    match request {
        Request::Background { command } => agent.backgrounds.start(agent, &command),
        Request::BackgroundList => Ok(Reply::Backgrounds { list: agent.backgrounds.running() }),
        Request::BackgroundLost => Ok(Reply::Backgrounds { list: agent.backgrounds.lost() }),
        Request::Read { path, offset, max_bytes } => {
            files::read(agent, connection, &path, offset..offset.saturating_add(max_bytes))
        }
        Request::Write { path } => files::write(agent, connection, &path),
        Request::Grep(query) => search::grep(agent, &query).map(Reply::Grep),
        Request::Glob(query) => search::glob(agent, &query).map(Reply::Glob),
        Request::Start(process) => agent.started.start(agent, process).map(Reply::Process),
        Request::Processes => Ok(Reply::Processes { list: agent.started.running() }),
        Request::SendInput { process } => {
            agent.started.find(&process)?.send_input(connection).map(|()| Reply::Done)
        }
        Request::CloseInput { process } => agent.started.find(&process)?.close_input().map(|()| Reply::Done),
        Request::Signal { process, signal } => {
            let reached = agent.started.find(&process)?.signal(signal)?;
            Ok(Reply::Signalled { reached })
        }
        Request::Resize { process, size } => agent.started.find(&process)?.resize(size).map(|()| Reply::Done),
        Request::Stat { path } => tree::stat(agent, &path).map(Reply::File),
        Request::List { path, depth } => tree::list(agent, &path, depth).map(|list| Reply::Files { list }),
        Request::MakeDir { path } => tree::make_dir(agent, &path).map(|new| Reply::Made { new }),
        Request::Rename { from, to } => tree::rename(agent, &from, &to).map(Reply::File),
        Request::Remove { path } => tree::remove(agent, &path).map(|()| Reply::Done),
        Request::Download { path, offset, max_bytes } => {
            transfer::download(agent, connection, &path, offset..offset.saturating_add(max_bytes))
        }
        Request::Upload { path, options } => {
            transfer::upload(agent, connection, &path, &options).map(Reply::File)
        }
        Request::Ports => ports::listening().map(|list| Reply::Ports { list }),
        Request::Metrics => machine::metrics(agent).map(Reply::Metrics),
        // What streams is answered by itself.
        Request::Hello
        | Request::Exec { .. }
        | Request::Shell { .. }
        | Request::Follow { .. }
        | Request::Watch { .. }
        | Request::WatchPorts
        | Request::Connect { .. }
        | Request::Listen { .. } => Ok(Reply::Ready),
    }
}

fn send_socket(connection: &mut Connection, socket: Result<std::os::fd::OwnedFd, Failure>) -> io::Result<()> {
    match socket {
        Ok(socket) => connection.reply_with(&Reply::Socket, socket),
        Err(failure) => connection.reply(&Reply::Failed(failure)),
    }
}

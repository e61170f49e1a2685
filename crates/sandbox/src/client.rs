//! Speaks with the guest of one sandbox over its unix socket.

mod channel;
mod streams;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use guest::protocol::{CHUNK_BYTES, Failure, Reply, Request, kind, push_frame, push_json};

use crate::error::{SandboxError, WhileDoing as _};
use crate::provider::{
    Background, Exec, ExecEnd, FileInfo, FileRead, FileWritten, Glob, GlobFound, Grep, GrepFound, Metrics,
    Output, PortListener, PortStream, Process, ProcessRef, PtySize, ShellCommand, ShellEnd, StartProcess,
};
use channel::{Channels, Incoming};

type Result<T> = std::result::Result<T, SandboxError>;

/// What takes output.
pub(crate) type OutputSink<'a> = &'a (dyn Fn(Output<'_>) + Send + Sync);

/// The way to one guest.
#[derive(Debug)]
pub(crate) struct Client {
    channels: Arc<Channels>,
}

impl Client {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { channels: Channels::new(socket) }
    }

    pub(crate) async fn hello(&self) -> Result<()> {
        match self.ask(&Request::Hello).await? {
            Reply::Ready => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn exec(&self, command: Exec, output: OutputSink<'_>) -> Result<ExecEnd> {
        let timeout_ms = command.timeout.map(milliseconds);
        let Exec { argv, directory, env, stdin, .. } = command;
        let request = Request::Exec { argv, directory, env, timeout_ms };
        match self.converse(&request, Some(&stdin), &mut |piece| deliver(output, piece)).await? {
            Reply::Ended { exit_code, timed_out } => Ok(ExecEnd { exit_code, timed_out }),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn shell(&self, command: ShellCommand, output: OutputSink<'_>) -> Result<ShellEnd> {
        let request = Request::Shell { command: command.command, timeout_ms: milliseconds(command.timeout) };
        match self.converse(&request, None, &mut |piece| deliver(output, piece)).await? {
            Reply::ShellEnded { exit_code, timed_out, restarted, directory } => {
                Ok(ShellEnd { exit_code, timed_out, restarted, directory })
            }
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn background(&self, command: String) -> Result<Background> {
        match self.ask(&Request::Background { command }).await? {
            Reply::Started(background) => Ok(background),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn background_list(&self) -> Result<Vec<Background>> {
        self.backgrounds(&Request::BackgroundList).await
    }

    pub(crate) async fn background_lost(&self) -> Result<Vec<Background>> {
        self.backgrounds(&Request::BackgroundLost).await
    }

    async fn backgrounds(&self, request: &Request) -> Result<Vec<Background>> {
        match self.ask(request).await? {
            Reply::Backgrounds { list } => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn read(&self, path: &str, offset: u64, max_bytes: u64) -> Result<FileRead> {
        let request = Request::Read { path: path.to_owned(), offset, max_bytes };
        let mut bytes = Vec::new();
        let reply = self
            .converse(&request, None, &mut |piece| {
                // The guest belongs to the sandbox: it does not decide how much memory we spend.
                let room = usize::try_from(max_bytes).unwrap_or(usize::MAX).saturating_sub(bytes.len());
                bytes.extend_from_slice(piece.payload.get(..room).unwrap_or(piece.payload));
            })
            .await?;
        match reply {
            Reply::Read { size_bytes } => Ok(FileRead { bytes, size_bytes }),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn write(&self, path: &str, bytes: &[u8]) -> Result<FileWritten> {
        let request = Request::Write { path: path.to_owned() };
        match self.converse(&request, Some(bytes), &mut |_| {}).await? {
            Reply::Written { created } => Ok(FileWritten { created }),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn grep(&self, query: Grep) -> Result<GrepFound> {
        match self.ask(&Request::Grep(query)).await? {
            Reply::Grep(found) => Ok(found),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn glob(&self, query: Glob) -> Result<GlobFound> {
        match self.ask(&Request::Glob(query)).await? {
            Reply::Glob(found) => Ok(found),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn start(&self, process: StartProcess) -> Result<Process> {
        match self.ask(&Request::Start(process)).await? {
            Reply::Process(process) => Ok(process),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn processes(&self) -> Result<Vec<Process>> {
        match self.ask(&Request::Processes).await? {
            Reply::Processes { list } => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn send_input(&self, process: ProcessRef, bytes: &[u8]) -> Result<()> {
        let request = Request::SendInput { process };
        done(&self.converse(&request, Some(bytes), &mut |_| {}).await?)
    }

    pub(crate) async fn close_input(&self, process: ProcessRef) -> Result<()> {
        done(&self.ask(&Request::CloseInput { process }).await?)
    }

    pub(crate) async fn signal(&self, process: ProcessRef, signal: i32) -> Result<bool> {
        match self.ask(&Request::Signal { process, signal }).await? {
            Reply::Signalled { reached } => Ok(reached),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn resize(&self, process: ProcessRef, size: PtySize) -> Result<()> {
        done(&self.ask(&Request::Resize { process, size }).await?)
    }

    pub(crate) async fn stat(&self, path: &str) -> Result<FileInfo> {
        self.file(&Request::Stat { path: path.to_owned() }).await
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<FileInfo> {
        self.file(&Request::Rename { from: from.to_owned(), to: to.to_owned() }).await
    }

    async fn file(&self, request: &Request) -> Result<FileInfo> {
        match self.ask(request).await? {
            Reply::File(info) => Ok(info),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn list(&self, path: &str, depth: u32) -> Result<Vec<FileInfo>> {
        match self.ask(&Request::List { path: path.to_owned(), depth }).await? {
            Reply::Files { list } => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn make_dir(&self, path: &str) -> Result<bool> {
        match self.ask(&Request::MakeDir { path: path.to_owned() }).await? {
            Reply::Made { new } => Ok(new),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn remove(&self, path: &str) -> Result<()> {
        done(&self.ask(&Request::Remove { path: path.to_owned() }).await?)
    }

    pub(crate) async fn connect(&self, port: u16) -> Result<PortStream> {
        let socket = self.socket(&Request::Connect { port }).await?;
        PortStream::of_socket(socket).while_doing("take a connection from the guest")
    }

    pub(crate) async fn listen(&self, port: u16) -> Result<PortListener> {
        let socket = self.socket(&Request::Listen { port }).await?;
        PortListener::of_socket(socket).while_doing("take a listening socket from the guest")
    }

    async fn socket(&self, request: &Request) -> Result<OwnedFd> {
        let mut channel = self.channels.take().await.map_err(gone)?;
        let mut head = Vec::new();
        push_json(&mut head, kind::REQUEST, request).while_doing("encode a request")?;
        channel.send(&head).await.map_err(gone)?;
        let answer = channel.reply_and_descriptor().await.map_err(gone)?;
        self.channels.keep(channel);
        match answer {
            (Reply::Socket, Some(socket)) => Ok(socket),
            (Reply::Failed(failure), _) => Err(failure.into()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn ports(&self) -> Result<Vec<u16>> {
        match self.ask(&Request::Ports).await? {
            Reply::Ports { list } => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        match self.ask(&Request::Metrics).await? {
            Reply::Metrics(metrics) => Ok(metrics),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Reply> {
        self.converse(request, None, &mut |_| {}).await
    }

    /// Sends the request and its input, hands every piece to `piece`, and gives the reply. Dropping it closes the
    /// connection, which ends what was asked for.
    async fn converse(
        &self,
        request: &Request,
        input: Option<&[u8]>,
        piece: &mut (dyn FnMut(Piece<'_>) + Send),
    ) -> Result<Reply> {
        let mut channel = self.channels.take().await.map_err(gone)?;
        let mut head = Vec::new();
        push_json(&mut head, kind::REQUEST, request).while_doing("encode a request")?;
        // What is small goes along at once.
        let later = input.filter(|bytes| bytes.len() > CHUNK_BYTES);
        if let Some(bytes) = input.filter(|bytes| bytes.len() <= CHUNK_BYTES) {
            if !bytes.is_empty() {
                push_frame(&mut head, kind::INPUT, bytes);
            }
            push_frame(&mut head, kind::INPUT_END, &[]);
        }
        channel.send(&head).await.map_err(gone)?;
        let mut sent = later.is_none();
        let reply = {
            let (incoming, mut outgoing) = channel.split();
            // The guest may answer before it has taken all input, and may take input only as we read output.
            let sending = async {
                if let Some(bytes) = later {
                    outgoing.input(bytes).await?;
                    outgoing.end_of_input().await?;
                    sent = true;
                }
                std::future::pending::<io::Result<()>>().await
            };
            let receiving = receive(incoming, piece);
            tokio::pin!(sending, receiving);
            tokio::select! {
                biased;
                reply = &mut receiving => reply,
                // What cannot be sent any more may still have been answered.
                _ = &mut sending => receiving.await,
            }
        };
        let reply = reply.map_err(gone)?;
        if sent {
            self.channels.keep(channel);
        }
        match reply {
            Reply::Failed(failure) => Err(SandboxError::from(failure)),
            reply => Ok(reply),
        }
    }
}

/// A frame with raw bytes.
struct Piece<'a> {
    kind: u8,
    payload: &'a [u8],
}

fn deliver(output: OutputSink<'_>, piece: Piece<'_>) {
    match piece.kind {
        kind::STDOUT => output(Output::Stdout(piece.payload)),
        kind::STDERR => output(Output::Stderr(piece.payload)),
        _ => {}
    }
}

/// Reads frames up to the reply.
async fn receive(mut incoming: Incoming<'_>, piece: &mut (dyn FnMut(Piece<'_>) + Send)) -> io::Result<Reply> {
    loop {
        let (kind, payload) = incoming.next().await?;
        if kind == kind::REPLY {
            return Ok(serde_json::from_slice(payload)?);
        }
        piece(Piece { kind, payload });
    }
}

/// The reply in a frame; a failure is the error.
fn reply_of(kind: u8, payload: &[u8]) -> Result<Reply> {
    let unknown = || SandboxError::Internal {
        doing: "understand the guest's reply",
        source: format!("a frame of kind {kind}").into(),
    };
    if kind != kind::REPLY {
        return Err(unknown());
    }
    match serde_json::from_slice(payload).while_doing("understand the guest's reply")? {
        Reply::Failed(failure) => Err(failure.into()),
        reply => Ok(reply),
    }
}

fn done(reply: &Reply) -> Result<()> {
    match reply {
        Reply::Done => Ok(()),
        other => Err(unexpected(other)),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A broken connection: the caller who knows why the sandbox ended puts the cause in.
fn gone(error: io::Error) -> SandboxError {
    SandboxError::Gone { cause: format!("the guest does not answer ({error})") }
}

fn unexpected(reply: &Reply) -> SandboxError {
    SandboxError::Internal { doing: "understand the guest's reply", source: format!("{reply:?}").into() }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::File { path, message, fault } => Self::File { path, message, fault },
            Failure::Pattern { message } => Self::Pattern { message },
            Failure::Start { program, message } => Self::Start { program, message },
            Failure::DiskFull { path } => Self::DiskFull { path },
            Failure::Busy { message } => Self::Busy { message },
            Failure::NoProcess { what } => Self::NoProcess { what },
            Failure::NoPort { port } => Self::NoPort { port },
            Failure::PortTaken { port } => Self::PortTaken { port },
            Failure::Internal { message } => {
                Self::Internal { doing: "do it inside the sandbox", source: message.into() }
            }
        }
    }
}

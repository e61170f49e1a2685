//! Speaks with the guest of one sandbox: a connection per request over its unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use guest::protocol::{
    CHUNK_BYTES, Failure, HEADER_BYTES, Reply, Request, kind, parse_header, push_frame, push_json,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::error::{SandboxError, WhileDoing as _};
use crate::provider::{
    Background, Exec, ExecEnd, FileRead, FileWritten, Glob, GlobFound, Grep, GrepFound, Output, ShellCommand,
    ShellEnd,
};

type Result<T> = std::result::Result<T, SandboxError>;

/// How much of a connection is read at once.
const READ_BYTES: usize = 128 << 10;

/// What takes output.
pub(crate) type OutputSink<'a> = &'a (dyn Fn(Output<'_>) + Send + Sync);

/// The way to one guest.
#[derive(Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
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

    async fn ask(&self, request: &Request) -> Result<Reply> {
        self.converse(request, None, &mut |_| {}).await
    }

    /// Sends the request and its input, hands every piece to `piece`, and gives the reply.
    async fn converse(
        &self,
        request: &Request,
        input: Option<&[u8]>,
        piece: &mut (dyn FnMut(Piece<'_>) + Send),
    ) -> Result<Reply> {
        let mut stream = UnixStream::connect(&self.socket).await.map_err(gone)?;
        let mut head = Vec::new();
        push_json(&mut head, kind::REQUEST, request).while_doing("encode a request")?;
        if input.is_some_and(<[u8]>::is_empty) {
            push_frame(&mut head, kind::INPUT_END, &[]);
        }
        stream.write_all(&head).await.map_err(gone)?;
        let input = input.filter(|bytes| !bytes.is_empty());
        let (mut reader, mut writer) = stream.split();
        // The guest may answer before it has taken all input, and may take input only as we read output.
        let sending = async {
            if let Some(bytes) = input {
                send_input(&mut writer, bytes).await?;
            }
            std::future::pending::<io::Result<()>>().await
        };
        let receiving = receive(&mut reader, piece);
        tokio::pin!(sending, receiving);
        let reply = tokio::select! {
            biased;
            reply = &mut receiving => reply,
            // What cannot be sent any more may still have been answered.
            _ = &mut sending => receiving.await,
        };
        match reply.map_err(gone)? {
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

async fn send_input(writer: &mut tokio::net::unix::WriteHalf<'_>, bytes: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + CHUNK_BYTES);
    for chunk in bytes.chunks(CHUNK_BYTES) {
        frame.clear();
        push_frame(&mut frame, kind::INPUT, chunk);
        writer.write_all(&frame).await?;
    }
    frame.clear();
    push_frame(&mut frame, kind::INPUT_END, &[]);
    writer.write_all(&frame).await
}

/// Reads frames up to the reply.
async fn receive(
    reader: &mut tokio::net::unix::ReadHalf<'_>,
    piece: &mut (dyn FnMut(Piece<'_>) + Send),
) -> io::Result<Reply> {
    let mut buffer = Vec::new();
    // Most answers are small: the large buffer comes with the second read.
    let mut wanted = 4 << 10;
    loop {
        let mut used = 0;
        while let Some(header) = buffer[used..].first_chunk::<HEADER_BYTES>() {
            let (length, kind) = parse_header(*header)?;
            let start = used + HEADER_BYTES;
            let Some(payload) = buffer.get(start..start + length) else { break };
            if kind == kind::REPLY {
                return Ok(serde_json::from_slice(payload)?);
            }
            piece(Piece { kind, payload });
            used = start + length;
        }
        buffer.drain(..used);
        buffer.reserve(wanted);
        wanted = READ_BYTES;
        if reader.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
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
            Failure::NoProcess { what } => Self::NoProcess { what },
            Failure::NoPort { port } => Self::NoPort { port },
            Failure::PortTaken { port } => Self::PortTaken { port },
            Failure::Internal { message } => {
                Self::Internal { doing: "do it inside the sandbox", source: message.into() }
            }
        }
    }
}

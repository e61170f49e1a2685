//! Connections to a guest: kept open, and used again for one request after the other.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guest::protocol::{CHUNK_BYTES, HEADER_BYTES, Reply, kind, parse_header, push_frame};
use nix::sys::socket::{self, ControlMessageOwned, MsgFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

/// The most connections that wait for work; each costs the guest a thread.
const IDLE: usize = 4;

/// How much of a connection is read at once, when much comes.
const READ_BYTES: usize = 128 << 10;

/// The connections to one guest.
#[derive(Debug)]
pub(super) struct Channels {
    socket: PathBuf,
    idle: Mutex<Vec<Channel>>,
}

impl Channels {
    pub(super) fn new(socket: &Path) -> Arc<Self> {
        Arc::new(Self { socket: socket.to_owned(), idle: Mutex::default() })
    }

    /// A connection that waits for a request.
    pub(super) async fn take(&self) -> io::Result<Channel> {
        loop {
            let idle = self.lock().pop();
            match idle {
                Some(channel) if channel.is_open() => return Ok(channel),
                Some(_) => {}
                None => break,
            }
        }
        let stream = UnixStream::connect(&self.socket).await?;
        Ok(Channel { stream, buffer: Vec::new(), used: 0 })
    }

    /// Keeps a connection whose last answer has come whole and whose input has been sent whole.
    pub(super) fn keep(&self, mut channel: Channel) {
        if channel.used != channel.buffer.len() {
            // More than an answer came: this guest does not keep to the protocol.
            return;
        }
        channel.buffer = Vec::new();
        channel.used = 0;
        let mut idle = self.lock();
        if idle.len() < IDLE {
            idle.push(channel);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    used: usize,
}

impl Channel {
    /// Whether the guest has not closed it while it waited.
    fn is_open(&self) -> bool {
        let answer = self.stream.try_read(&mut [0]);
        matches!(answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Both directions at once.
    pub(super) fn split(&mut self) -> (Incoming<'_>, Outgoing<'_>) {
        let (reader, writer) = self.stream.split();
        (Incoming { reader, buffer: &mut self.buffer, used: &mut self.used }, Outgoing(writer))
    }

    /// Sends frames that are already made.
    pub(super) async fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames).await
    }

    /// The next frame.
    pub(super) async fn next(&mut self) -> io::Result<(u8, &[u8])> {
        let (reader, _) = self.stream.split();
        Incoming { reader, buffer: &mut self.buffer, used: &mut self.used }.into_next().await
    }

    /// The reply, with the descriptor that came with it.
    pub(super) async fn reply_and_descriptor(&mut self) -> io::Result<(Reply, Option<OwnedFd>)> {
        let mut descriptor = None;
        loop {
            if let Some((kind, range)) = first_frame(&self.buffer, self.used)? {
                self.used = range.end;
                if kind != kind::REPLY {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                return Ok((serde_json::from_slice(&self.buffer[range])?, descriptor));
            }
            self.stream.readable().await?;
            let fd = self.stream.as_raw_fd();
            match self.stream.try_io(Interest::READABLE, || receive_descriptor(fd)) {
                Ok((bytes, _)) if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((bytes, came)) => {
                    self.buffer.extend_from_slice(&bytes);
                    descriptor = descriptor.or(came);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What comes over a connection.
pub(super) struct Incoming<'a> {
    reader: tokio::net::unix::ReadHalf<'a>,
    buffer: &'a mut Vec<u8>,
    used: &'a mut usize,
}

impl<'a> Incoming<'a> {
    /// The next frame.
    pub(super) async fn next(&mut self) -> io::Result<(u8, &[u8])> {
        let (kind, range) = self.find().await?;
        Ok((kind, &self.buffer[range]))
    }

    async fn into_next(mut self) -> io::Result<(u8, &'a [u8])> {
        let (kind, range) = self.find().await?;
        Ok((kind, &self.buffer[range]))
    }

    async fn find(&mut self) -> io::Result<(u8, std::ops::Range<usize>)> {
        loop {
            if let Some((kind, range)) = first_frame(self.buffer, *self.used)? {
                *self.used = range.end;
                return Ok((kind, range));
            }
            self.buffer.drain(..*self.used);
            *self.used = 0;
            // Most answers are small: the large buffer comes when more of a frame is to come.
            let wanted =
                if self.buffer.is_empty() && self.buffer.capacity() == 0 { 4 << 10 } else { READ_BYTES };
            self.buffer.reserve(wanted);
            if self.reader.read_buf(self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The kind and the payload's place of the frame at `start`, where it has come whole.
fn first_frame(buffer: &[u8], start: usize) -> io::Result<Option<(u8, std::ops::Range<usize>)>> {
    let rest = buffer.get(start..).unwrap_or_default();
    let Some(header) = rest.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let (length, kind) = parse_header(*header)?;
    let payload = start + HEADER_BYTES..start + HEADER_BYTES + length;
    Ok((buffer.len() >= payload.end).then_some((kind, payload)))
}

/// What goes over a connection.
pub(super) struct Outgoing<'a>(tokio::net::unix::WriteHalf<'a>);

impl Outgoing<'_> {
    /// Sends a piece of input, in frames of bounded size.
    pub(super) async fn input(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(HEADER_BYTES + bytes.len().min(CHUNK_BYTES));
        for chunk in bytes.chunks(CHUNK_BYTES) {
            frame.clear();
            push_frame(&mut frame, kind::INPUT, chunk);
            self.0.write_all(&frame).await?;
        }
        Ok(())
    }

    /// Says that there is no more input.
    pub(super) async fn end_of_input(&mut self) -> io::Result<()> {
        let mut frame = Vec::with_capacity(HEADER_BYTES);
        push_frame(&mut frame, kind::INPUT_END, &[]);
        self.0.write_all(&frame).await
    }
}

/// Reads a little and the descriptor that comes with it. What else a guest hands over is closed at once.
fn receive_descriptor(fd: std::os::fd::RawFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; 4 << 10];
    let mut rights = nix::cmsg_space!([std::os::fd::RawFd; 1]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut pieces = [io::IoSliceMut::new(&mut bytes)];
    let message = socket::recvmsg::<()>(fd, &mut pieces, Some(&mut rights), flags)?;
    let mut came = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = part {
            came.extend(descriptors.into_iter().map(own));
        }
    }
    let count = message.bytes;
    bytes.truncate(count);
    Ok((bytes, came.into_iter().next()))
}

#[expect(unsafe_code, reason = "descriptors arrive as bare numbers")]
fn own(fd: std::os::fd::RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

//! One connection: frames in and out, request after request.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{self, ControlMessage, MsgFlags};
use serde::Serialize;

use crate::protocol::{Failure, HEADER_BYTES, Reply, Request, kind, parse_header, push_frame, push_json};

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// The most that may wait unread while nothing is expected.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// The way to and from one owner.
pub(super) struct Connection {
    stream: UnixStream,
    /// What has come and is not yet looked at.
    incoming: Vec<u8>,
    /// Whether the request has input of which more will come.
    input_open: bool,
}

impl Connection {
    /// Takes a stream over.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: Vec::new(), input_open: false }
    }

    /// The next request; `None` where the owner has no more. Input that the request before did not take is skipped.
    pub(super) fn next_request(&mut self) -> io::Result<Option<Request>> {
        let payload = loop {
            match self.next_frame() {
                Ok((kind::REQUEST, payload)) if !self.input_open => break payload,
                Ok((kind::INPUT, _)) if self.input_open => {}
                Ok((kind::INPUT_END, _)) if self.input_open => self.input_open = false,
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let request = match serde_json::from_slice(&payload) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the guest does not understand the request: {error}");
                self.reply(&Reply::Failed(Failure::Internal { message }))?;
                return Err(error.into());
            }
        };
        self.input_open = matches!(
            request,
            Request::Exec { .. } | Request::Write { .. } | Request::Upload { .. } | Request::SendInput { .. }
        );
        Ok(Some(request))
    }

    /// The next piece of input; `None` after the last.
    pub(super) fn next_input(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.input_open {
            return Ok(None);
        }
        match self.next_frame()? {
            (kind::INPUT, bytes) => Ok(Some(bytes)),
            (kind::INPUT_END, _) => {
                self.input_open = false;
                Ok(None)
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Whether more input will come.
    pub(super) fn expects_input(&self) -> bool {
        self.input_open
    }

    /// Hands over the pieces of input that have come, without waiting for more.
    pub(super) fn take_input(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while self.input_open {
            let Some((length, kind)) = self.whole_frame()? else { return Ok(()) };
            match kind {
                kind::INPUT => take(&self.incoming[HEADER_BYTES..HEADER_BYTES + length]),
                kind::INPUT_END => self.input_open = false,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
            self.incoming.drain(..HEADER_BYTES + length);
        }
        Ok(())
    }

    /// Reads what has come; `false` where nothing has.
    ///
    /// # Errors
    ///
    /// Where the owner is gone.
    pub(super) fn receive_now(&mut self) -> io::Result<bool> {
        if !self.input_open && self.incoming.len() > MAX_WAITING_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match self.receive(MsgFlags::MSG_DONTWAIT) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a reply.
    pub(super) fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        self.json(kind::REPLY, reply)
    }

    /// Sends a frame of JSON.
    pub(super) fn json<T: Serialize>(&mut self, kind: u8, value: &T) -> io::Result<()> {
        let mut frame = Vec::new();
        push_json(&mut frame, kind, value)?;
        self.write_all(&frame)
    }

    /// Sends a frame of bytes.
    pub(super) fn frame(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(HEADER_BYTES + bytes.len());
        push_frame(&mut frame, kind, bytes);
        self.write_all(&frame)
    }

    /// Sends frames that are already made.
    pub(super) fn write_all(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// Sends a reply and a descriptor with it.
    pub(super) fn reply_with(&mut self, reply: &Reply, descriptor: OwnedFd) -> io::Result<()> {
        let mut frame = Vec::new();
        push_json(&mut frame, kind::REPLY, reply)?;
        let descriptors = [descriptor.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let sent = socket::sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[io::IoSlice::new(&frame)],
            &rights,
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        self.write_all(frame.get(sent..).unwrap_or_default())
    }

    fn next_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            if let Some((length, kind)) = self.whole_frame()? {
                let payload = self.incoming[HEADER_BYTES..HEADER_BYTES + length].to_vec();
                self.incoming.drain(..HEADER_BYTES + length);
                if self.incoming.is_empty() && self.incoming.capacity() > READ_BYTES {
                    // A long command line or a large write is rare, and a connection may wait for long.
                    self.incoming = Vec::new();
                }
                return Ok((kind, payload));
            }
            match self.receive(MsgFlags::empty()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The length and the kind of the first frame, where it has come whole.
    fn whole_frame(&self) -> io::Result<Option<(usize, u8)>> {
        let Some(header) = self.incoming.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let (length, kind) = parse_header(*header)?;
        Ok((self.incoming.len() >= HEADER_BYTES + length).then_some((length, kind)))
    }

    fn receive(&mut self, flags: MsgFlags) -> Result<usize, Errno> {
        // Most requests are small; the large piece comes where much is under way.
        let room = if self.incoming.is_empty() { 4 << 10 } else { READ_BYTES };
        let start = self.incoming.len();
        self.incoming.resize(start + room, 0);
        let answer = socket::recv(self.stream.as_raw_fd(), &mut self.incoming[start..], flags);
        self.incoming.truncate(start + *answer.as_ref().unwrap_or(&0));
        answer
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

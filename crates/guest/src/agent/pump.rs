//! Moves output from pipes to a connection with a bounded buffer, and input the other way.
//!
//! While the buffer is full, no pipe is read: the command waits for its slow reader.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, MsgFlags};

use super::connection::Connection;
use super::{now, sys};
use crate::protocol::{CHUNK_BYTES, HEADER_BYTES, Reply, kind, push_frame, push_json};

/// The most output that waits for a slow reader.
const BUFFER_BYTES: usize = 256 << 10;

/// Why [`Pump::run`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// One of the watched descriptors is readable: its place in [`Streams::watched`].
    Watched(usize),
    /// Time is up.
    Deadline,
    /// The owner has closed the connection.
    Disconnected,
}

/// What a command reads and writes.
pub(super) struct Streams<'a> {
    /// Standard output and error; `None` once closed.
    pub(super) outputs: [Option<BorrowedFd<'a>>; 2],
    /// Descriptors whose readability ends [`Pump::run`].
    pub(super) watched: Vec<BorrowedFd<'a>>,
    /// Standard input, fed from the connection.
    pub(super) input: Option<Input>,
}

/// Standard input on its way to a process.
pub(super) struct Input {
    pipe: Option<OwnedFd>,
    bytes: VecDeque<u8>,
}

impl Input {
    /// Feeds `pipe`, with `early` first.
    pub(super) fn new(pipe: OwnedFd, early: Vec<u8>) -> io::Result<Self> {
        set_nonblocking(pipe.as_fd())?;
        Ok(Self { pipe: Some(pipe), bytes: early.into() })
    }

    /// The pipe, where there is something to write into it.
    fn waiting_pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.bytes.is_empty()).map(AsFd::as_fd)
    }

    /// Writes what the process takes; `ended` where no more will come.
    fn write(&mut self, ended: bool) {
        while let Some(pipe) = &self.pipe {
            if self.bytes.is_empty() {
                if ended {
                    self.pipe = None;
                }
                return;
            }
            match nix::unistd::write(pipe, self.bytes.as_slices().0) {
                Ok(count) => drop(self.bytes.drain(..count)),
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => {}
                // The process reads no more: what is left has no reader.
                Err(_) => self.pipe = None,
            }
        }
        self.bytes.clear();
    }
}

/// One connection's way out.
pub(super) struct Pump<'a> {
    connection: &'a mut Connection,
    outgoing: Vec<u8>,
    sent: usize,
    state: Peer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    There,
    Gone,
    /// Gone, and known to be: output is thrown away.
    Ignored,
}

impl<'a> Pump<'a> {
    /// Takes the connection over until the reply.
    pub(super) fn new(connection: &'a mut Connection) -> Self {
        Self { connection, outgoing: Vec::new(), sent: 0, state: Peer::There }
    }

    /// Goes on without the owner: output is thrown away from here on.
    pub(super) fn ignore_peer(&mut self) {
        self.state = Peer::Ignored;
        self.outgoing = Vec::new();
        self.sent = 0;
    }

    /// Whether the owner is still there, as far as can be told without waiting.
    pub(super) fn has_peer(&mut self) -> bool {
        let nothing = Streams { outputs: [None; 2], watched: Vec::new(), input: None };
        if let Ok(ready) = self.wait(&nothing, PollTimeout::ZERO) {
            self.receive(None, &ready);
        }
        self.state == Peer::There
    }

    /// Moves bytes until something else is to be done.
    pub(super) fn run(&mut self, streams: &mut Streams<'_>, deadline: Option<Instant>) -> io::Result<Wake> {
        // What came together with the request.
        self.feed(streams.input.as_mut());
        loop {
            self.send();
            if self.state == Peer::Gone {
                return Ok(Wake::Disconnected);
            }
            let Some(timeout) = time_left(deadline) else { return Ok(Wake::Deadline) };
            let ready = self.wait(streams, timeout)?;
            self.receive(streams.input.as_mut(), &ready);
            if let Some(input) = streams.input.as_mut().filter(|_| ready.input) {
                input.write(!self.connection.expects_input());
            }
            for (place, kind) in [(0, kind::STDOUT), (1, kind::STDERR)] {
                let Some(fd) = streams.outputs[place].filter(|_| ready.outputs[place]) else { continue };
                if self.take(fd, kind, CHUNK_BYTES).is_none() {
                    streams.outputs[place] = None;
                }
            }
            if let Some(place) = ready.watched {
                self.send();
                return Ok(Wake::Watched(place));
            }
        }
    }

    /// Takes what lies in the pipes at this moment, and no more: a background process may write for ever.
    /// At most two pipes full, so it may go beyond the buffer's bound by that.
    pub(super) fn drain(&mut self, streams: &Streams<'_>) {
        for (output, kind) in streams.outputs.iter().zip([kind::STDOUT, kind::STDERR]) {
            let Some(fd) = output else { continue };
            let mut left = sys::bytes_waiting(*fd);
            while left > 0 {
                match self.take(*fd, kind, left.min(CHUNK_BYTES)) {
                    Some(count) if count > 0 => left -= count.min(left),
                    _ => break,
                }
            }
        }
    }

    /// Puts a frame behind what is already on its way.
    pub(super) fn push(&mut self, kind: u8, payload: &[u8]) {
        if self.state == Peer::There {
            push_frame(&mut self.outgoing, kind, payload);
        }
    }

    /// Sends the reply behind all output and waits until the owner has it, or is gone.
    pub(super) fn finish(mut self, reply: &Reply) -> io::Result<()> {
        if self.state != Peer::There {
            return Ok(());
        }
        push_json(&mut self.outgoing, kind::REPLY, reply)?;
        self.connection.write_all(self.outgoing.get(self.sent..).unwrap_or_default())
    }

    /// Whether there is room for output.
    fn has_room(&self) -> bool {
        self.outgoing.len() - self.sent < BUFFER_BYTES
    }

    fn send(&mut self) {
        while self.state == Peer::There && self.sent < self.outgoing.len() {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match socket::send(self.connection.as_fd().as_raw_fd(), &self.outgoing[self.sent..], flags) {
                Ok(count) => self.sent += count,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => self.state = Peer::Gone,
            }
        }
        if self.sent == self.outgoing.len() {
            self.outgoing.clear();
            self.sent = 0;
        } else if self.sent >= BUFFER_BYTES {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Reads one piece from `fd` into the buffer: its length, 0 where there is none now, `None` at the end.
    fn take(&mut self, fd: BorrowedFd<'_>, kind: u8, most: usize) -> Option<usize> {
        let start = self.outgoing.len();
        self.outgoing.resize(start + HEADER_BYTES + most, 0);
        let answer = nix::unistd::read(fd, &mut self.outgoing[start + HEADER_BYTES..]);
        let count = *answer.as_ref().unwrap_or(&0);
        if count > 0 && self.state == Peer::There {
            let length = u32::try_from(count).unwrap_or(0).to_le_bytes();
            self.outgoing[start..start + length.len()].copy_from_slice(&length);
            self.outgoing[start + length.len()] = kind;
            self.outgoing.truncate(start + HEADER_BYTES + count);
        } else {
            self.outgoing.truncate(start);
        }
        match answer {
            Ok(0) => None,
            Ok(count) => Some(count),
            Err(Errno::EAGAIN | Errno::EINTR) => Some(0),
            Err(_) => None,
        }
    }

    /// Sleeps until something can be done.
    fn wait(&self, streams: &Streams<'_>, timeout: PollTimeout) -> io::Result<Ready> {
        let mut polled = Vec::with_capacity(8);
        let mut places = Vec::with_capacity(8);
        if self.state == Peer::There {
            let mut flags = PollFlags::empty();
            let full = streams.input.as_ref().is_some_and(|input| input.bytes.len() >= BUFFER_BYTES);
            flags.set(PollFlags::POLLIN, !full);
            flags.set(PollFlags::POLLOUT, self.sent < self.outgoing.len());
            polled.push(PollFd::new(self.connection.as_fd(), flags));
            places.push(Place::Connection);
        }
        for (index, output) in streams.outputs.iter().enumerate() {
            if let Some(fd) = output.filter(|_| self.has_room()) {
                polled.push(PollFd::new(fd, PollFlags::POLLIN));
                places.push(Place::Output(index));
            }
        }
        for (index, fd) in streams.watched.iter().enumerate() {
            polled.push(PollFd::new(*fd, PollFlags::POLLIN));
            places.push(Place::Watched(index));
        }
        if let Some(pipe) = streams.input.as_ref().and_then(Input::waiting_pipe) {
            polled.push(PollFd::new(pipe, PollFlags::POLLOUT));
            places.push(Place::Input);
        }
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = Ready::default();
        for (fd, place) in polled.iter().zip(places) {
            if fd.any().unwrap_or(true) {
                match place {
                    Place::Connection => ready.connection = fd.revents().unwrap_or(PollFlags::POLLHUP),
                    Place::Output(index) => ready.outputs[index] = true,
                    Place::Watched(index) => ready.watched = ready.watched.or(Some(index)),
                    Place::Input => ready.input = true,
                }
            }
        }
        Ok(ready)
    }

    /// Reads what the owner sent: input for the process, or the end of the connection.
    fn receive(&mut self, input: Option<&mut Input>, ready: &Ready) {
        if !ready.connection.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            return;
        }
        match self.connection.receive_now() {
            Ok(true) => self.feed(input),
            Ok(false) => {}
            Err(_) => self.state = Peer::Gone,
        }
    }

    /// Hands input that has come to the process.
    fn feed(&mut self, input: Option<&mut Input>) {
        // Without an input nothing is expected, and what comes waits for the next request.
        let Some(input) = input else { return };
        if self.connection.take_input(&mut |bytes| input.bytes.extend(bytes)).is_err() {
            self.state = Peer::Gone;
        }
        input.write(!self.connection.expects_input());
    }
}

#[derive(Clone, Copy)]
enum Place {
    Connection,
    Output(usize),
    Watched(usize),
    Input,
}

struct Ready {
    connection: PollFlags,
    outputs: [bool; 2],
    watched: Option<usize>,
    input: bool,
}

impl Default for Ready {
    fn default() -> Self {
        Self { connection: PollFlags::empty(), outputs: [false; 2], watched: None, input: false }
    }
}

/// The time until `deadline`; `None` where it has passed.
fn time_left(deadline: Option<Instant>) -> Option<PollTimeout> {
    let Some(deadline) = deadline else { return Some(PollTimeout::NONE) };
    let left = deadline.checked_duration_since(now())?;
    // One millisecond more, so that a wake-up is never too early and never spins.
    Some(PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX))
}

/// Makes reads or writes return at once.
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

//! Connections into a sandbox, whatever carries them.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{self, MsgFlags, Shutdown, SockType, sockopt};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection to a port of a sandbox.
pub struct PortStream(Carrier);

/// A port of a sandbox on which the server listens.
#[derive(Debug)]
pub struct PortListener {
    socket: AsyncFd<OwnedFd>,
    port: u16,
}

enum Carrier {
    /// A socket of the sandbox's own network: the kernel carries the bytes.
    Socket(AsyncFd<OwnedFd>),
    /// A way that another provider made.
    Other(Box<dyn Duplex>),
}

/// Both directions of a connection.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl PortStream {
    /// A connection that some other means carries.
    #[must_use]
    pub fn new(carrier: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self(Carrier::Other(Box::new(carrier)))
    }

    /// Takes a socket that a sandbox handed over; refuses what is not a connected TCP socket.
    ///
    /// # Errors
    ///
    /// `InvalidData` for anything else.
    pub fn of_socket(socket: OwnedFd) -> io::Result<Self> {
        let (socket, _) = check_tcp(socket, false)?;
        Ok(Self(Carrier::Socket(register(socket)?)))
    }
}

impl PortListener {
    /// Takes a socket that a sandbox handed over; refuses what is not a listening TCP socket.
    ///
    /// # Errors
    ///
    /// `InvalidData` for anything else.
    pub fn of_socket(socket: OwnedFd) -> io::Result<Self> {
        let (socket, address) = check_tcp(socket, true)?;
        Ok(Self { socket: register(socket)?, port: address.port() })
    }

    /// The port, also where a free one was asked for.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next connection that a process of the sandbox makes.
    ///
    /// # Errors
    ///
    /// Where the socket is broken; one connection that breaks off is passed over.
    pub async fn accept(&self) -> io::Result<PortStream> {
        loop {
            let mut guard = self.socket.readable().await?;
            // Whoever shares the socket may have undone it, and accepting has no flag for "do not wait".
            set_nonblocking(self.socket.get_ref())?;
            let flags = socket::SockFlag::SOCK_CLOEXEC | socket::SockFlag::SOCK_NONBLOCK;
            match socket::accept4(self.socket.get_ref().as_raw_fd(), flags) {
                Ok(fd) => {
                    let socket = own(fd);
                    return Ok(PortStream(Carrier::Socket(register(socket)?)));
                }
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR | Errno::ECONNABORTED | Errno::EPROTO) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[expect(unsafe_code, reason = "the system call gives a bare number")]
fn own(fd: std::os::fd::RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd as _;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[expect(unsafe_code, reason = "tokio leaves it to the caller that the number stays the same socket")]
fn register(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    set_nonblocking(&socket)?;
    // SAFETY: an `OwnedFd` has the same descriptor, open, for as long as it lives, which is as long as the answer.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

fn set_nonblocking(socket: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    if !flags.contains(OFlag::O_NONBLOCK) {
        fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    Ok(())
}

/// A sandbox may hand over anything: a file, a terminal, a socket of another kind.
fn check_tcp(socket: OwnedFd, listening: bool) -> io::Result<(OwnedFd, SocketAddr)> {
    let refuse = |_| io::Error::new(io::ErrorKind::InvalidData, "the sandbox handed over no TCP socket");
    let kind =
        socket::getsockopt(&socket.as_fd(), sockopt::SockType).map_err(|error| refuse(error.into()))?;
    let listens =
        socket::getsockopt(&socket.as_fd(), sockopt::AcceptConn).map_err(|error| refuse(error.into()))?;
    // Gives an address of the internet families alone.
    let socket = TcpStream::from(socket);
    let address = socket.local_addr().map_err(refuse)?;
    if kind != SockType::Stream || listens != listening || !address.ip().is_loopback() {
        return Err(refuse(io::ErrorKind::InvalidData.into()));
    }
    Ok((socket.into(), address))
}

impl AsyncRead for PortStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = match &mut self.0 {
            Carrier::Other(other) => return Pin::new(other).poll_read(context, buffer),
            Carrier::Socket(socket) => socket,
        };
        loop {
            let mut guard = ready!(socket.poll_read_ready(context))?;
            // With the flag in each call: the sandbox shares the socket and could make it wait.
            let unfilled = buffer.initialize_unfilled();
            match socket::recv(guard.get_inner().as_raw_fd(), unfilled, MsgFlags::MSG_DONTWAIT) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl AsyncWrite for PortStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = match &mut self.0 {
            Carrier::Other(other) => return Pin::new(other).poll_write(context, bytes),
            Carrier::Socket(socket) => socket,
        };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            let mut guard = ready!(socket.poll_write_ready(context))?;
            match socket::send(guard.get_inner().as_raw_fd(), bytes, flags) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Carrier::Other(other) => Pin::new(other).poll_flush(context),
            Carrier::Socket(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Carrier::Other(other) => Pin::new(other).poll_shutdown(context),
            Carrier::Socket(socket) => {
                match socket::shutdown(socket.get_ref().as_raw_fd(), Shutdown::Write) {
                    Ok(()) | Err(Errno::ENOTCONN) => Poll::Ready(Ok(())),
                    Err(error) => Poll::Ready(Err(error.into())),
                }
            }
        }
    }
}

impl std::fmt::Debug for PortStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PortStream")
    }
}

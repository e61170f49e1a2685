//! TCP ports of the sandbox: which are open, and sockets of its network for the owner, who is outside of it.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::connection::Connection;
use crate::protocol::{Failure, PortEvent, kind};

/// How often it is looked whether a port has opened or closed, while somebody wants to know.
const LOOK_EVERY_MS: u16 = 200;

/// How long a connection inside the sandbox may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A socket that listens, in /proc/net/tcp.
const LISTENS: &str = "0A";

/// Connects to a port; programs listen on the loopback address of either family.
pub(super) fn connect(port: u16) -> Result<OwnedFd, Failure> {
    let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()];
    if port == 0 {
        return Err(Failure::NoPort { port });
    }
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                // Small answers must not wait for more.
                let _ = stream.set_nodelay(true);
                return Ok(stream.into());
            }
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ECONNREFUSED | libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::ENETUNREACH)
                ) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(internal("connect to a port", &error)),
        }
    }
    Err(Failure::NoPort { port })
}

/// Listens on a port of the loopback address.
pub(super) fn listen(port: u16) -> Result<OwnedFd, Failure> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => Ok(listener.into()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Failure::PortTaken { port }),
        Err(error) => Err(internal("listen on a port", &error)),
    }
}

/// The ports that something listens on.
pub(super) fn listening() -> Result<Vec<u16>, Failure> {
    read().map(|ports| ports.into_iter().collect()).map_err(|error| internal("look at the ports", &error))
}

/// Tells of open ports and of changes until the owner leaves.
pub(super) fn watch(connection: &mut Connection) -> io::Result<()> {
    connection.frame(kind::BEGUN, b"{}")?;
    let mut known = BTreeSet::new();
    loop {
        // For want of descriptors or memory it may not be told now; the next look tells.
        let open = read().unwrap_or_else(|_| known.clone());
        for (port, is_open) in open
            .difference(&known)
            .map(|port| (*port, true))
            .chain(known.difference(&open).map(|port| (*port, false)))
        {
            connection.json(kind::EVENT, &PortEvent { port, open: is_open })?;
        }
        known = open;
        let mut polled = [PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::from(LOOK_EVERY_MS)) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => drop(connection.receive_now()?),
            Err(error) => return Err(error.into()),
        }
    }
}

fn read() -> io::Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for (place, file) in ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().enumerate() {
        match std::fs::read_to_string(file) {
            Ok(text) => ports.extend(text.lines().skip(1).filter_map(port_of)),
            // A kernel may have no second family.
            Err(_) if place == 1 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ports)
}

/// The port of a line, where its socket listens: `sl local_address rem_address st …`, an address being `IP:PORT`.
fn port_of(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, state) = (fields.next()?, fields.nth(1)?);
    let (_, port) = local.rsplit_once(':')?;
    if state != LISTENS {
        return None;
    }
    u16::from_str_radix(port, 16).ok()
}

fn internal(doing: &str, error: &io::Error) -> Failure {
    Failure::Internal { message: format!("could not {doing}: {error}") }
}

#[cfg(test)]
mod tests;

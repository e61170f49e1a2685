//! From a host and a port to a connection. The address that was checked is the one that is connected to: a
//! name that changes its mind between the two gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use runtime::Ambient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::address::{Kind, kind};
use crate::credential::Scheme;
use crate::host::Host;
use crate::outside::{Outside, Upstream};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::resolve::Resolve;
use crate::target::Target;

/// One address is not waited for longer while there are others.
const ADDRESS_LIMIT: Duration = Duration::from_secs(5);
/// The longest head of an answer to our own CONNECT.
const ANSWER_MAX_BYTES: usize = 16 << 10;

/// What it takes to get out.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) policy: watch::Receiver<Arc<Policy>>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) outside: Arc<Outside>,
    pub(crate) ambient: Ambient,
    pub(crate) connect_limit: Duration,
}

/// A connection, and the address that it goes to; `None` where a proxy of the network resolves.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) address: Option<IpAddr>,
}

impl Way {
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.borrow().clone()
    }

    /// A connection to the target, through the network's own proxy where there is one.
    pub(crate) async fn tunnel(&self, target: &Target) -> Result<Connection, Refusal> {
        let upstream = self.outside.upstream(Scheme::Https, &target.host);
        self.limited(target, self.open(target, upstream, true)).await
    }

    /// As [`Way::tunnel`], but where there is a proxy of the network a connection to it, for a request without TLS.
    pub(crate) async fn plain(&self, target: &Target) -> Result<Connection, Refusal> {
        let upstream = self.outside.upstream(Scheme::Http, &target.host);
        self.limited(target, self.open(target, upstream, false)).await
    }

    async fn limited<T>(
        &self,
        target: &Target,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let timed_out = || Refusal::TimedOut { host: target.host.clone(), port: target.port };
        self.ambient.within(self.connect_limit, work).await.unwrap_or_else(|| Err(timed_out()))
    }

    async fn open(
        &self,
        target: &Target,
        upstream: Option<&Upstream>,
        is_tunnel: bool,
    ) -> Result<Connection, Refusal> {
        let policy = self.policy();
        policy.check(&target.host, target.port)?;
        let addresses = self.addresses(&policy, target).await;
        match upstream {
            None => self.direct(&policy, target, addresses?).await,
            // What this machine cannot resolve, the network's proxy may; it is the administrator's own.
            Some(upstream) => match addresses {
                Ok(_) | Err(Refusal::Unresolved { .. }) => through(upstream, target, is_tunnel).await,
                Err(refusal) => Err(refusal),
            },
        }
    }

    /// The addresses of the target that may be connected to, at least one.
    async fn addresses(&self, policy: &Policy, target: &Target) -> Result<Vec<IpAddr>, Refusal> {
        let host = &target.host;
        let all = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self
                .resolver
                .resolve(name)
                .await
                .map_err(|error| Refusal::Unresolved { host: host.clone(), why: error.to_string() })?,
        };
        let mut refused = None;
        let mut open = Vec::with_capacity(all.len());
        for address in all {
            match policy.check_address(host, target.port, address) {
                Ok(()) => open.push(address),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        if !open.is_empty() {
            return Ok(open);
        }
        Err(refused.unwrap_or_else(|| Refusal::Unresolved {
            host: host.clone(),
            why: "it has no address".to_owned(),
        }))
    }

    async fn direct(
        &self,
        policy: &Policy,
        target: &Target,
        addresses: Vec<IpAddr>,
    ) -> Result<Connection, Refusal> {
        let mut why = String::new();
        for address in addresses {
            let connecting = TcpStream::connect(SocketAddr::new(address, target.port));
            match self.ambient.within(ADDRESS_LIMIT, connecting).await {
                Some(Ok(stream)) => {
                    refuse_own_address(policy, target, address, &stream)?;
                    // Without it small writes wait for each other; where it cannot be set, they do.
                    let _slower = stream.set_nodelay(true);
                    return Ok(Connection { stream, address: Some(address) });
                }
                Some(Err(error)) => why = error.to_string(),
                None => "it did not answer".clone_into(&mut why),
            }
        }
        Err(Refusal::Unreachable { host: target.host.clone(), port: target.port, why })
    }
}

/// A public address of this machine leads to what listens here, which is no more public than loopback is.
fn refuse_own_address(
    policy: &Policy,
    target: &Target,
    address: IpAddr,
    stream: &TcpStream,
) -> Result<(), Refusal> {
    let is_own = kind(address) == Kind::Public && stream.local_addr().is_ok_and(|own| own.ip() == address);
    if is_own && !policy.is_listed(&target.host, address) {
        return Err(Refusal::OwnAddress { host: target.host.clone(), address });
    }
    Ok(())
}

async fn through(upstream: &Upstream, target: &Target, is_tunnel: bool) -> Result<Connection, Refusal> {
    let wrong = |why: String| Refusal::Unreachable { host: target.host.clone(), port: target.port, why };
    let failed = |error: io::Error| wrong(format!("the network's proxy: {error}"));
    let mut stream = TcpStream::connect((upstream.host.as_str(), upstream.port)).await.map_err(failed)?;
    let _slower = stream.set_nodelay(true);
    if is_tunnel {
        let status = ask_for_tunnel(&mut stream, upstream, target).await.map_err(failed)?;
        if !status.starts_with('2') {
            return Err(wrong(format!("the network's proxy said {status}")));
        }
    }
    Ok(Connection { stream, address: None })
}

/// Sends CONNECT and returns the status of the answer, in words.
async fn ask_for_tunnel(stream: &mut TcpStream, upstream: &Upstream, target: &Target) -> io::Result<String> {
    let mut request =
        format!("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n", target.host, target.port).into_bytes();
    if let Some(authorization) = &upstream.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    // Byte by byte: what follows the head belongs to the tunnel.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= ANSWER_MAX_BYTES {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    Ok(line.split_once(' ').map_or_else(String::new, |(_, status)| status.chars().take(80).collect()))
}

//! The listener, and one task for each connection to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use runtime::{Ambient, Supervisor};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::backends::Backends;
use crate::name::{Form, LOCALHOST, Names, PreviewName};
use crate::outbound::Pool;
use crate::previews::Previews;
use crate::request::answer;

/// How the gateway is reached.
#[derive(Debug, Clone, Default)]
pub struct GatewayConfig {
    /// Names besides `localhost`.
    pub names: Names,
    /// Whether clients come over TLS, to us or to a terminator before us.
    pub is_https: bool,
    /// The port that clients see; the listener's where `None`.
    pub public_port: Option<u16>,
    /// Limits.
    pub limits: Limits,
}

/// Limits of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// The longest head of a request, in bytes.
    pub header_bytes: usize,
    /// How long the head of a request, or the TLS handshake, may take.
    pub header_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4_096, header_bytes: 64 << 10, header_time: Duration::from_secs(30) }
    }
}

/// What the gateway is made of.
pub struct Parts {
    /// Who may look.
    pub previews: Previews,
    /// Connections into sandboxes.
    pub backends: Arc<dyn Backends>,
    /// Time.
    pub ambient: Ambient,
    /// Owns the connections' tasks.
    pub supervisor: Supervisor,
    /// How it is reached.
    pub config: GatewayConfig,
    /// TLS, where clients speak it to us.
    pub tls: Option<TlsAcceptor>,
}

/// What requests share.
pub(crate) struct Shared {
    pub(crate) names: Names,
    pub(crate) is_https: bool,
    pub(crate) previews: Previews,
    pub(crate) backends: Arc<dyn Backends>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) ambient: Ambient,
    pub(crate) supervisor: Supervisor,
    limits: Limits,
    tls: Option<TlsAcceptor>,
}

/// The gateway, serving. Clones are the same one.
#[derive(Clone)]
pub struct Gateway {
    address: SocketAddr,
    config: Arc<GatewayConfig>,
}

impl Gateway {
    /// Serves on `listener` until the supervisor stops.
    ///
    /// # Errors
    ///
    /// Where the listener has no address.
    pub fn serve(listener: TcpListener, parts: Parts) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let Parts { previews, backends, ambient, supervisor, config, tls } = parts;
        let shared = Arc::new(Shared {
            names: config.names.clone(),
            is_https: config.is_https || tls.is_some(),
            pool: Arc::new(Pool::new(backends.clone(), ambient.clone())),
            previews,
            backends,
            ambient,
            supervisor: supervisor.clone(),
            limits: config.limits,
            tls,
        });
        let config = GatewayConfig { is_https: shared.is_https, ..config };
        let (previews, stop) = (shared.previews.clone(), supervisor.stopping());
        supervisor.spawn("gateway revocations", async move { previews.follow(stop).await });
        let (pool, stop) = (shared.pool.clone(), supervisor.stopping());
        supervisor.spawn("gateway connections", async move { pool.sweep(stop).await });
        supervisor.spawn("gateway", accept(listener, shared));
        Ok(Self { address, config: Arc::new(config) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands behind `<port>-<sandbox>.` in the names of previews, with the port where that is not the usual.
    #[must_use]
    pub fn domain(&self) -> String {
        let port = self.config.public_port.unwrap_or_else(|| self.address.port());
        let is_usual = port == if self.config.is_https { 443 } else { 80 };
        let port = if is_usual { String::new() } else { format!(":{port}") };
        format!("{}{port}", self.config.names.domains.first().map_or(LOCALHOST, String::as_str))
    }

    /// The address of a preview, with the token where there is one.
    #[must_use]
    pub fn url(&self, name: PreviewName, form: Form, token: Option<&str>) -> String {
        let scheme = if self.config.is_https { "https" } else { "http" };
        let domain = self.domain();
        let place = match form {
            Form::Host => format!("{}.{domain}/", name.label()),
            Form::Path => format!("{domain}{}/", name.path()),
        };
        let query = token.map_or_else(String::new, |token| format!("?{}={token}", crate::headers::TOKEN));
        format!("{scheme}://{place}{query}")
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.supervisor.stopping();
    let room = Arc::new(Semaphore::new(shared.limits.connections));
    loop {
        // Without room the next one waits in the kernel's queue.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (stream, peer) = match stop.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                tracing::warn!(%error, "no connection was accepted");
                shared.ambient.sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let served = shared.clone();
        shared.supervisor.spawn("gateway connection", async move {
            connection(served, stream, peer).await;
            drop(permit);
        });
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    // Without it small writes wait for each other; where it cannot be set, they do.
    let _slower = stream.set_nodelay(true);
    match &shared.tls {
        None => serve(shared, stream, peer).await,
        Some(tls) => {
            let handshake = shared.ambient.within(shared.limits.header_time, tls.accept(stream)).await;
            if let Some(Ok(stream)) = handshake {
                serve(shared, stream, peer).await;
            }
        }
    }
}

async fn serve<S>(shared: Arc<Shared>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let served = shared.clone();
    let service = service_fn(move |request| answer(served.clone(), Some(peer), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.header_time)
        .max_buf_size(shared.limits.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(u32::try_from(shared.limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30));
    let stop = shared.supervisor.stopping();
    let mut connection =
        std::pin::pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    tokio::select! {
        // A client that goes away is no error of ours.
        _ended = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

//! Connections for forwarded requests: kept open between requests of one sandbox, never shared by two.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection as ClientConnection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::connect::Way;
use crate::credential::Scheme;
use crate::host::Host;
use crate::refusal::Refusal;
use crate::target::{Target, target};

/// A connection that waits for its next request is closed after this long.
const IDLE: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) type Requests = Client<Connector, Incoming>;

/// A client over the way out.
pub(crate) fn requests(way: Way) -> Requests {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(8)
        .http1_max_headers(200)
        .build(Connector(way))
}

/// The address that a response came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CameFrom(pub(crate) Option<IpAddr>);

#[derive(Clone)]
pub(crate) struct Connector(Way);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Outbound>;
    type Error = Refusal;
    type Future = BoxFuture<'static, Result<Self::Response, Refusal>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let way = self.0.clone();
        Box::pin(async move { open(&way, &uri).await.map(TokioIo::new) })
    }
}

async fn open(way: &Way, uri: &Uri) -> Result<Outbound, Refusal> {
    let scheme = if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let target = target(authority, Some(scheme.port()))?;
    match scheme {
        Scheme::Http => {
            let is_proxied = way.outside.upstream(Scheme::Http, &target.host).is_some();
            let connection = way.plain(&target).await?;
            let stream = Stream::Plain(connection.stream);
            Ok(Outbound { stream, address: connection.address, is_proxied })
        }
        Scheme::Https => {
            let connection = way.tunnel(&target).await?;
            let stream = Stream::Tls(Box::new(secure(way, &target, connection.stream).await?));
            Ok(Outbound { stream, address: connection.address, is_proxied: false })
        }
    }
}

async fn secure(way: &Way, target: &Target, stream: TcpStream) -> Result<TlsStream<TcpStream>, Refusal> {
    let wrong = |why: String| Refusal::Unreachable { host: target.host.clone(), port: target.port, why };
    let name = match &target.host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| wrong(error.to_string()))?,
        Host::Address(address) => ServerName::IpAddress((*address).into()),
    };
    let tls = way.outside.tls().map_err(|error| wrong(error.to_string()))?;
    let handshake = TlsConnector::from(tls).connect(name, stream);
    match way.ambient.within(way.connect_limit, handshake).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => Err(wrong(format!("TLS: {error}"))),
        None => Err(Refusal::TimedOut { host: target.host.clone(), port: target.port }),
    }
}

/// A connection to the outside.
pub(crate) struct Outbound {
    stream: Stream,
    address: Option<IpAddr>,
    is_proxied: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl ClientConnection for Outbound {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxied).extra(CameFrom(self.address))
    }
}

impl AsyncRead for Outbound {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Outbound {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

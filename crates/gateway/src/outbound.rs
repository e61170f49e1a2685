//! Connections into sandboxes, kept open between requests to the same port of the same sandbox.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::backends::{BackendStream, Backends, NotThere, Place};

/// A connection that waits for its next request is closed after this long; servers commonly keep theirs for 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// The most connections that wait, for each port of a sandbox.
const IDLE_MOST: usize = 256;

pub(crate) type Requests = Client<Connector, Incoming>;

pub(crate) fn requests(backends: Arc<dyn Backends>) -> Requests {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_MOST)
        .set_host(false)
        .http1_max_headers(200)
        .build(Connector(backends))
}

/// The address by which connections are kept apart: each place has its own.
pub(crate) fn authority(place: Place) -> String {
    format!("{}.{}:{}", place.sandbox, place.org, place.port)
}

fn place(uri: &Uri) -> Option<Place> {
    let (sandbox, org) = uri.host()?.split_once('.')?;
    Some(Place { org: org.parse().ok()?, sandbox: sandbox.parse().ok()?, port: uri.port_u16()? })
}

#[derive(Clone)]
pub(crate) struct Connector(Arc<dyn Backends>);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Inside>;
    type Error = NotThere;
    type Future = BoxFuture<'static, Result<Self::Response, NotThere>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotThere>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let backends = self.0.clone();
        Box::pin(async move {
            let place = place(&uri).ok_or(NotThere::Gone)?;
            backends.connect(place).await.map(|stream| TokioIo::new(Inside(stream)))
        })
    }
}

/// A connection into a sandbox.
pub(crate) struct Inside(Box<dyn BackendStream>);

impl Connection for Inside {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Inside {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Inside {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

/// Why the client got no connection, where that was it.
pub(crate) fn not_there(error: &(dyn std::error::Error + 'static)) -> NotThere {
    let mut cause = Some(error);
    let mut last = error.to_string();
    while let Some(error) = cause {
        if let Some(reason) = error.downcast_ref::<NotThere>() {
            return reason.clone();
        }
        last = error.to_string();
        cause = error.source();
    }
    NotThere::Failed(last)
}

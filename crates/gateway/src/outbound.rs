//! Connections into sandboxes, kept open between requests to the same port of the same sandbox.
//!
//! A connection has no task of its own: whoever waits for its answer, or reads it, drives it. That spares two changes of
//! thread for each request.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use runtime::{Ambient, CancellationToken};

use crate::backends::{BackendStream, Backends, NotThere, Place};

/// A connection that waits for its next request is closed after this long; servers commonly keep theirs for 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// The most connections that wait, for each port of a sandbox.
const IDLE_MOST: usize = 256;

type Driving = http1::Connection<TokioIo<Box<dyn BackendStream>>, Incoming>;

/// Connections that wait for their next request.
pub(crate) struct Pool {
    backends: Arc<dyn Backends>,
    ambient: Ambient,
    idle: Mutex<HashMap<Place, Vec<(Duration, Line)>>>,
}

/// A connection into a sandbox.
pub(crate) struct Line {
    sender: SendRequest<Incoming>,
    driving: Driving,
    /// Nothing more comes: it was closed, or both sides speak something else.
    is_done: bool,
}

impl Line {
    /// Lets the connection do what it can. Whoever waits for something from it calls this first.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        self.is_done = self.is_done || self.driving.poll_without_shutdown(cx).is_ready();
    }

    /// Whether another request can be sent on it.
    fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.is_done && self.sender.is_ready()
    }

    /// What is left when both sides have agreed to speak something else: the stream, and what was read too far.
    pub(crate) fn into_stream(self) -> (Box<dyn BackendStream>, Bytes) {
        let parts = self.driving.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }
}

impl Pool {
    pub(crate) fn new(backends: Arc<dyn Backends>, ambient: Ambient) -> Self {
        Self { backends, ambient, idle: Mutex::default() }
    }

    /// Sends a request and waits for the head of its answer. What comes behind that, comes by driving the line.
    pub(crate) async fn request(
        &self,
        place: Place,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, Line), NotThere> {
        while let Some(line) = self.take(place) {
            match send(line, request).await {
                Ok(answer) => return Ok(answer),
                // The server closed it at the same moment, and has seen nothing of the request.
                Err((_, Some(unsent))) => request = *unsent,
                Err((error, None)) => return Err(failed(&error)),
            }
        }
        let stream = self.backends.connect(place).await?;
        let handshake = http1::Builder::new().max_headers(200).handshake(TokioIo::new(stream)).await;
        let (sender, driving) = handshake.map_err(|error| failed(&error))?;
        let sent = send(Line { sender, driving, is_done: false }, request).await;
        sent.map_err(|(error, _)| failed(&error))
    }

    fn take(&self, place: Place) -> Option<Line> {
        let now = self.ambient.clock.elapsed();
        loop {
            let (since, mut line) = self.lock().get_mut(&place)?.pop()?;
            if now.saturating_sub(since) < IDLE && line.is_idle() {
                return Some(line);
            }
        }
    }

    /// Keeps a line for the next request, where its answer has come to its end.
    pub(crate) fn put(&self, place: Place, mut line: Line) {
        if !line.is_idle() {
            return;
        }
        let now = self.ambient.clock.elapsed();
        let mut idle = self.lock();
        let waiting = idle.entry(place).or_default();
        if waiting.len() < IDLE_MOST {
            waiting.push((now, line));
        }
    }

    /// Closes what has waited for too long, until `stop`.
    pub(crate) async fn sweep(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.ambient.sleep(IDLE)).await.is_some() {
            let now = self.ambient.clock.elapsed();
            self.lock().retain(|_, waiting| {
                waiting.retain(|(since, _)| now.saturating_sub(*since) < IDLE);
                !waiting.is_empty()
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Vec<(Duration, Line)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Unsent = (hyper::Error, Option<Box<Request<Incoming>>>);

async fn send(mut line: Line, request: Request<Incoming>) -> Result<(Response<Incoming>, Line), Unsent> {
    let is_ready = poll_fn(|cx| {
        line.drive(cx);
        line.sender.poll_ready(cx)
    });
    if let Err(error) = is_ready.await {
        return Err((error, Some(Box::new(request))));
    }
    let mut sending = std::pin::pin!(line.sender.try_send_request(request));
    let sent = poll_fn(|cx| {
        line.drive(cx);
        sending.as_mut().poll(cx)
    });
    match sent.await {
        Ok(response) => Ok((response, line)),
        Err(mut error) => {
            let unsent = error.take_message().map(Box::new);
            Err((error.into_error(), unsent))
        }
    }
}

fn failed(error: &dyn std::error::Error) -> NotThere {
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    NotThere::Failed(last)
}

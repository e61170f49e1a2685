//! Calls whose answer is a stream: messages in envelopes, and an end that tells how it went. The status is
//! always 200.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::code::{ConnectError, Result};
use super::{envelope, unary};
use crate::call::Refused;

/// The type of both directions.
pub(crate) const TYPE: &str = "application/connect+json";

/// How many messages wait for a slow client before the sandbox is no longer read.
const MESSAGES_MAX: usize = 64;
/// How often a silent stream says that it lives, where the client does not choose.
const KEEP_ALIVE: Duration = Duration::from_secs(90);
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(1);

/// The writing end of a stream's body.
pub(crate) struct Out(mpsc::Sender<io::Result<Bytes>>);

/// The client is no longer there.
#[derive(Debug)]
pub(crate) struct Left;

impl Out {
    /// A body and its writing end.
    pub(crate) fn open() -> (Self, Response) {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        (Self(sender), respond(Body::from_stream(ReceiverStream::new(receiver))))
    }

    /// Sends a message; waits while the client is slow.
    pub(crate) async fn send(&self, message: &impl Serialize) -> std::result::Result<(), Left> {
        // Our own messages always encode.
        let json = serde_json::to_vec(message).unwrap_or_default();
        self.0.send(Ok(envelope::message(&json))).await.map_err(|_| Left)
    }

    /// Ends the stream.
    pub(crate) async fn end(self, outcome: Result<()>) {
        let _client_left = self.0.send(Ok(envelope::end(outcome.err().as_ref()))).await;
    }

    /// Returns when the client has left.
    pub(crate) async fn left(&self) {
        self.0.closed().await;
    }
}

/// A stream that ends at once, with an error.
pub(crate) fn failed(error: &ConnectError) -> Response {
    respond(Body::from(envelope::end(Some(error))))
}

/// The answer to a call that was refused.
pub(crate) fn refused(refused: Refused) -> Response {
    match refused {
        Refused::Problem(problem) => problem.into_response(),
        Refused::Connect(error) => failed(&error),
    }
}

/// A stream of one message: the answer to a stream of input.
pub(crate) fn single(message: &impl Serialize) -> Response {
    let json = serde_json::to_vec(message).unwrap_or_default();
    respond(Body::from([envelope::message(&json), envelope::end(None)].concat()))
}

fn respond(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TYPE));
    response
}

/// The one message of a call whose answer is a stream.
pub(crate) async fn read_one<I: serde::de::DeserializeOwned>(body: Body) -> Result<I> {
    let bytes = axum::body::to_bytes(body, 17 << 20).await;
    let bytes =
        bytes.map_err(|_| ConnectError::invalid("the message did not come whole, or is too large"))?;
    let mut decoder = envelope::Decoder::default();
    decoder.push(&bytes);
    let message = decoder.next()?.ok_or_else(|| ConnectError::invalid("the call has no message"))?;
    if !decoder.is_empty() {
        return Err(ConnectError::invalid("the call has more than one message"));
    }
    unary::read(&message)
}

/// Whether the body is a stream.
pub(crate) fn is_stream(head: &Head) -> bool {
    unary::is(&head.headers, TYPE)
}

/// How often the client wants to hear that a silent stream lives.
pub(crate) fn keep_alive(headers: &HeaderMap) -> Duration {
    let seconds = headers.get("keepalive-ping-interval").and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(KEEP_ALIVE, Duration::from_secs).clamp(KEEP_ALIVE_MIN, Duration::from_secs(3_600))
}

//! What does not fit into one answer: lines as they come, files, and a socket that stays open.

use std::path::Path;

use futures_util::TryStreamExt as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;

use super::{Answer, Client, problem};
use crate::error::{Failure, Result};

/// An open terminal.
pub(crate) type Wire = WebSocketStream<UnixStream>;

type Body = BoxBody<Bytes, std::io::Error>;

/// JSON objects, one a line, as they come.
pub(crate) struct Lines {
    client: Client,
    body: Incoming,
    read: Vec<u8>,
}

impl Lines {
    /// The next one; `None` at the end.
    ///
    /// # Errors
    ///
    /// Where the server goes away or says something else.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let bad = |error| Failure::new("bad_answer", format!("a line does not read: {error}"));
                return serde_json::from_slice(&line).map(Some).map_err(bad);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.read.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(self.client.unreachable(&error)),
                None => return Ok(None),
            }
        }
    }
}

impl Client {
    /// Asks for something that is told line by line.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub(crate) async fn lines(&self, path: &str, body: &Value) -> Result<Lines> {
        let bytes = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed();
        let request =
            Request::builder().method(Method::POST).header(header::CONTENT_TYPE, "application/json");
        let answer = self.transfer(request, path, bytes).await?;
        Ok(Lines { client: self.clone(), body: answer.into_body(), read: Vec::new() })
    }

    /// Sends a file, piece by piece.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub(crate) async fn put_file(&self, path: &str, file: tokio::fs::File, size_bytes: u64) -> Result<()> {
        let pieces = tokio_util::io::ReaderStream::with_capacity(file, 256 << 10).map_ok(Frame::data);
        let body = BoxBody::new(StreamBody::new(pieces));
        let request = Request::builder().method(Method::PUT).header(header::CONTENT_LENGTH, size_bytes);
        let answer = self.transfer(request, path, body).await?;
        answer.into_body().collect().await.map_err(|error| self.unreachable(&error)).map(drop)
    }

    /// Fetches a file, piece by piece; returns its size.
    ///
    /// # Errors
    ///
    /// Where it is refused, or cannot be written here.
    pub(crate) async fn get_file(&self, path: &str, to: &Path) -> Result<u64> {
        let request = Request::builder().method(Method::GET);
        let empty = Full::new(Bytes::new()).map_err(|never| match never {}).boxed();
        let mut body = self.transfer(request, path, empty).await?.into_body();
        let bad = |error: std::io::Error| Failure::new("bad_input", format!("{}: {error}", to.display()));
        let mut file = tokio::fs::File::create(to).await.map_err(bad)?;
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            let bytes = frame.map_err(|error| self.unreachable(&error))?.into_data().unwrap_or_default();
            size += bytes.len() as u64;
            file.write_all(&bytes).await.map_err(bad)?;
        }
        file.flush().await.map_err(bad)?;
        Ok(size)
    }

    /// Opens a WebSocket.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub(crate) async fn socket(&self, path: &str) -> Result<Wire> {
        use tokio_tungstenite::tungstenite::Error;

        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        match tokio_tungstenite::client_async(format!("ws://localhost{path}"), stream).await {
            Ok((wire, _)) => Ok(wire),
            Err(Error::Http(answer)) => {
                let status = answer.status();
                let body = Bytes::from(answer.into_body().unwrap_or_default());
                Err(problem(&Answer { status, media_type: String::new(), body }))
            }
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    async fn transfer(
        &self,
        request: hyper::http::request::Builder,
        path: &str,
        body: Body,
    ) -> Result<Response<Incoming>> {
        let bad = |error| Failure::new("bad_path", format!("{path} is not a path of the API: {error}"));
        let request = request.uri(path).header(header::HOST, "localhost").body(body).map_err(bad)?;
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.unreachable(&error))?;
        self.tasks.spawn("api transfer", async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the owner ended");
            }
        });
        let answer = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Err(problem(&Answer { status, media_type: String::new(), body }))
    }
}

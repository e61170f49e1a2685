//! The API as commands use it: HTTP over the owner's socket. One connection per request; requests on a local
//! socket are cheap, and none waits behind a stream.

pub(crate) mod stream;
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use runtime::{Ambient, Backoff, Supervisor};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
pub(crate) use transfer::Wire;

/// A client of one owner.
#[derive(Clone)]
pub(crate) struct Client {
    socket: PathBuf,
    tasks: Supervisor,
    pub(crate) ambient: Ambient,
    /// How long a broken stream is tried again before the owner counts as gone.
    pub(crate) patience: Backoff,
}

/// A server may be restarted under its clients.
const PATIENCE: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5), tries: 10 };

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The content type, empty where there is none.
    pub(crate) media_type: String,
    /// The body.
    pub(crate) body: Bytes,
}

/// What is asked.
struct Ask<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Value>,
    /// A header of its own.
    extra: Option<(&'static str, String)>,
}

fn idempotency(key: &str) -> (&'static str, String) {
    ("idempotency-key", key.to_owned())
}

impl Ask<'_> {
    fn request(self) -> Result<Request<Full<Bytes>>> {
        let Ask { method, path, body, extra } = self;
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let bad = |error| Failure::new("bad_path", format!("{path} is not a path of the API: {error}"));
        request.body(Full::new(bytes)).map_err(bad)
    }
}

impl Client {
    /// A client of the owner that listens at `socket`.
    pub(crate) fn new(socket: PathBuf, tasks: Supervisor, ambient: Ambient) -> Self {
        Self { socket, tasks, ambient, patience: PATIENCE }
    }

    /// Whether somebody listens.
    pub(crate) async fn answers(&self) -> bool {
        UnixStream::connect(&self.socket).await.is_ok()
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        parse(&self.call(Method::GET, path, None).await?)
    }

    /// Asks for something to be done.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        parse(&self.call(Method::POST, path, Some(body)).await?)
    }

    /// Makes a call; an answer that tells of a problem is a failure.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        // One key per command: a request is sent once, and the owner may still see it twice.
        let extra = (method == Method::POST).then(|| idempotency(&self.new_key()));
        self.exchange(Ask { method, path, body, extra }).await
    }

    /// Asks for something to be made: once, however often it is asked with this key.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Result<T> {
        let ask = Ask { method: Method::POST, path, body: Some(body), extra: Some(idempotency(key)) };
        parse(&self.exchange(ask).await?)
    }

    /// A key that no other request has.
    pub(crate) fn new_key(&self) -> String {
        self.ambient.uuid().simple().to_string()
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<Answer> {
        let (head, body) = self.send(ask).await?.into_parts();
        let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let body = body.collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
        let answer = Answer { status: head.status, media_type, body };
        if answer.status.is_success() { Ok(answer) } else { Err(problem(&answer)) }
    }

    async fn send(&self, ask: Ask<'_>) -> Result<Response<Incoming>> {
        let request = ask.request()?;
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.unreachable(&error))?;
        self.tasks.spawn("api connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the owner ended");
            }
        });
        sender.send_request(request).await.map_err(|error| self.unreachable(&error))
    }

    pub(crate) fn unreachable(&self, error: &dyn std::error::Error) -> Failure {
        Failure::new("server_unreachable", "the server cannot be reached").why(format!(
            "{}: {}",
            self.socket.display(),
            chain(error)
        ))
    }
}

fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T> {
    let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
    serde_json::from_slice(body).map_err(|error| {
        Failure::new("bad_answer", "the server's answer was not understood")
            .why(format!("{error}; is it of another version?"))
    })
}

/// What a problem document says, as a failure.
fn problem(answer: &Answer) -> Failure {
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    let status = answer.status;
    let code = text("code").unwrap_or_else(|| format!("http_{}", status.as_u16()));
    let what = text("detail").or_else(|| text("title")).unwrap_or_else(|| status.to_string());
    let mut failure = Failure::new(&code, what);
    if crate::explain::find(&code).is_none() {
        failure.exit = exit_of(status);
    }
    if let Some(fix) = text("fix") {
        failure.fix = Some(fix);
    }
    failure
}

fn exit_of(status: StatusCode) -> Exit {
    match status.as_u16() {
        401 | 403 => Exit::Denied,
        402 | 429 => Exit::Limit,
        404 | 410 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        502..=504 => Exit::Unreachable,
        400..=499 => Exit::Usage,
        _ => Exit::Internal,
    }
}

/// A text as a part of a path or query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_a_failure_with_the_right_exit_code() {
        let answer = |status: u16, body: &str| Answer {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            media_type: "application/problem+json".to_owned(),
            body: Bytes::from(body.to_owned()),
        };
        let gone = problem(&answer(
            404,
            r#"{"status":404,"code":"run_not_found","detail":"there is no run 999","fix":"journeyman run list"}"#,
        ));
        assert_eq!((gone.code.as_str(), gone.exit), ("run_not_found", Exit::NotFound));
        assert_eq!(
            (gone.text.as_str(), gone.fix.as_deref()),
            ("there is no run 999", Some("journeyman run list"))
        );

        let unknown = problem(&answer(409, r#"{"code":"from_a_later_version","detail":"no"}"#));
        assert_eq!((unknown.code.as_str(), unknown.exit), ("from_a_later_version", Exit::Conflict));
        assert_eq!(problem(&answer(502, "<html>")).code, "http_502");
    }

    #[test]
    fn names_with_odd_characters_stay_one_part_of_a_path() {
        assert_eq!(encode("a b/ü?"), "a%20b%2F%C3%BC%3F");
    }
}

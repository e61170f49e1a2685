//! A run's events as they come (server-sent events), taken up again where they broke off.

use std::time::Duration;

use domain::event::Envelope;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;

use super::{Answer, Ask, Client, problem};
use crate::error::{Failure, Result};

/// The server sends something at least every 15 s; silence for three times as long means that it hangs.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// What a stream brings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// An event of the log.
    Event(Envelope),
    /// Something that is under way and never stored: kind and data.
    Live(String, Value),
}

/// The events of one run.
pub(crate) struct Events {
    client: Client,
    stream: String,
    after: i64,
    last_id: Option<String>,
    body: Option<Incoming>,
    parser: Parser,
    failed: u32,
}

impl Client {
    /// The events of `stream` that come after position `after`, for as long as they come.
    pub(crate) fn events(&self, stream: String, after: i64) -> Events {
        Events {
            client: self.clone(),
            stream,
            after,
            last_id: None,
            body: None,
            parser: Parser::default(),
            failed: 0,
        }
    }
}

impl Events {
    /// The next item. May be dropped and called again without losing any.
    ///
    /// # Errors
    ///
    /// Where the server stays away or refuses.
    pub(crate) async fn next(&mut self) -> Result<Item> {
        loop {
            while let Some(message) = self.parser.next_message() {
                if let Some(item) = self.take(message)? {
                    return Ok(item);
                }
            }
            match self.read().await {
                Ok(bytes) => {
                    self.failed = 0;
                    self.parser.push(&bytes);
                }
                Err(Broken::ForGood(failure)) => return Err(failure),
                Err(Broken::ForNow(failure)) => self.wait_or(failure).await?,
            }
        }
    }

    async fn read(&mut self) -> Result<Bytes, Broken> {
        if self.body.is_none() {
            self.parser = Parser::default();
            self.body = Some(self.open().await?);
        }
        let Some(body) = &mut self.body else { return Ok(Bytes::new()) };
        let silent = || Failure::new("server_unreachable", "the server has fallen silent");
        match self.client.ambient.within(SILENCE_LIMIT, body.frame()).await {
            Some(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
            Some(Some(Err(error))) => Err(Broken::ForNow(self.client.unreachable(&error))),
            Some(None) => {
                Err(Broken::ForNow(Failure::new("server_unreachable", "the server ended the stream")))
            }
            None => Err(Broken::ForNow(silent())),
        }
    }

    async fn open(&self) -> Result<Incoming, Broken> {
        let path = format!("/v1/events?stream={}&after={}", self.stream, self.after);
        let extra = self.last_id.clone().map(|id| ("last-event-id", id));
        let response = self.client.send(Ask { method: Method::GET, path: &path, body: None, extra }).await;
        let response = response.map_err(Broken::ForNow)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let failure = problem(&Answer { status, media_type: String::new(), body });
        Err(if status.is_server_error() { Broken::ForNow(failure) } else { Broken::ForGood(failure) })
    }

    async fn wait_or(&mut self, failure: Failure) -> Result<()> {
        self.body = None;
        self.failed += 1;
        let Some(wait) = self.client.patience.wait_after(self.failed, &*self.client.ambient.random) else {
            return Err(failure);
        };
        self.client.ambient.sleep(wait).await;
        Ok(())
    }

    fn take(&mut self, message: SseMessage) -> Result<Option<Item>> {
        let bad =
            |error: serde_json::Error| Failure::new("bad_answer", format!("an event does not read: {error}"));
        if message.kind.starts_with("live.") {
            return Ok(Some(Item::Live(message.kind, serde_json::from_str(&message.data).map_err(bad)?)));
        }
        let Some(id) = message.id else { return Ok(None) };
        let envelope: Envelope = serde_json::from_str(&message.data).map_err(bad)?;
        self.last_id = Some(id);
        if envelope.seq <= self.after {
            return Ok(None);
        }
        self.after = envelope.seq;
        Ok(Some(Item::Event(envelope)))
    }
}

/// Why a stream broke off.
enum Broken {
    /// Trying again may help.
    ForNow(Failure),
    /// It will not.
    ForGood(Failure),
}

/// One message of a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct SseMessage {
    id: Option<String>,
    kind: String,
    data: String,
}

/// Takes bytes apart into messages.
#[derive(Debug, Default)]
struct Parser {
    bytes: Vec<u8>,
    /// Up to here `bytes` has been taken.
    taken: usize,
    message: SseMessage,
    has_data: bool,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn next_message(&mut self) -> Option<SseMessage> {
        while let Some(length) = self.bytes[self.taken..].iter().position(|byte| *byte == b'\n') {
            let line = self.bytes[self.taken..self.taken + length].to_vec();
            self.taken += length + 1;
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            if !line.is_empty() {
                self.field(&line);
            } else if std::mem::take(&mut self.has_data) {
                return Some(std::mem::take(&mut self.message));
            } else {
                self.message = SseMessage::default();
            }
        }
        None
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.message.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.message.kind),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let text = ": heartbeat\n\nid: e-7\r\nevent: narration\r\ndata: {\"a\":\ndata: 1}\r\n\r\nevent: live.text\ndata: {}\n\n";
        let expected = vec![
            SseMessage {
                id: Some("e-7".to_owned()),
                kind: "narration".to_owned(),
                data: "{\"a\":\n1}".to_owned(),
            },
            SseMessage { id: None, kind: "live.text".to_owned(), data: "{}".to_owned() },
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                parser.push(piece);
                found.extend(std::iter::from_fn(|| parser.next_message()));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }
}

//! What the four wires share: the trait that each fills in, and the call that asks, reads and tries again.

mod anthropic;
mod body;
mod gemini;
mod openai;
mod openai_chat;
mod parts;

use std::time::Duration;

use bytes::Bytes;
use domain::transcript::{AssistantPart, Message, StopReason, Usage};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use runtime::{Ambient, Backoff};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::anthropic::Anthropic;
use self::body::Bodies;
use self::gemini::Gemini;
use self::openai::OpenAi;
use self::openai_chat::OpenAiChat;
use crate::config::WireKind;
use crate::error::ModelError;
use crate::failure::{Again, Failure, Peer};
use crate::http::HttpClient;
use crate::model::{Answer, Delta, Model, ModelInfo, Request};
use crate::sse::{Decoder, Event, SseError};

/// One provider's format.
pub(crate) trait Wire: Send + Sync + 'static {
    /// The address to post to, from the provider's base address and the model.
    fn url(&self, base_url: &str, model: &str) -> String;

    /// The headers beside the content type: names and values.
    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)>;

    /// Everything before the first message, up to and with the bracket that opens the list of messages.
    fn head(&self, model: &str, request: &Request) -> String;

    /// Appends one message, as it is sent for ever after; nothing when it has nothing to send.
    fn write_message(&self, message: &Message, out: &mut String);

    /// What is put into the last messages for the cache: the text, and how far before a message's end.
    fn cache_marker(&self) -> Option<(&'static str, usize)> {
        None
    }

    /// A reader for one answer.
    fn reader(&self) -> Box<dyn Reader>;
}

/// The wire `kind`, set up for `model` at `base_url`.
pub(crate) fn wire_of(
    kind: WireKind,
    model: &str,
    base_url: &str,
    thinking_tokens: Option<u32>,
) -> Box<dyn Wire> {
    match kind {
        WireKind::Anthropic => Box::new(Anthropic { thinking_tokens }),
        WireKind::OpenAi => Box::new(OpenAi::new(model)),
        WireKind::OpenAiChat => Box::new(OpenAiChat::new(base_url)),
        WireKind::Gemini => Box::new(Gemini::new(model, thinking_tokens)),
    }
}

/// Reads one streamed answer.
pub(crate) trait Reader: Send {
    /// Takes one event; `Flow::Done` when the answer is whole.
    fn event(&mut self, event: &Value, name: &str, sink: &Sink<'_>) -> Result<Flow, Failure>;

    /// Whether the answer is whole where the stream ends without saying so.
    fn whole_at_end(&self) -> bool {
        false
    }

    /// What was read.
    fn finish(self: Box<Self>) -> Finished;
}

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Yes.
    More,
    /// No.
    Done,
}

/// A whole answer as read from a wire.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    pub(crate) parts: Vec<AssistantPart>,
    pub(crate) stop: Option<StopReason>,
    pub(crate) usage: Usage,
    /// Why an answer without parts has none, in the provider's words.
    pub(crate) remark: Option<String>,
}

/// Where a reader's pieces and complaints go.
pub(crate) struct Sink<'a> {
    pub(crate) deltas: &'a (dyn Fn(Delta) + Send + Sync),
    pub(crate) peer: &'a Peer,
}

/// How long and how often is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// For overload, rate limits and cut streams.
    pub backoff: Backoff,
    /// How many tries there are where nobody answers at the address.
    pub connect_tries: u32,
    /// A provider that asks for a longer wait is not waited for.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    /// Ten tries over about two minutes; five where nobody answers; five minutes at the provider's wish.
    fn default() -> Self {
        let backoff =
            Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30), tries: 10 };
        Self { backoff, connect_tries: 5, longest_wait: Duration::from_secs(300) }
    }
}

/// What calls of all models share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) http: HttpClient,
    pub(crate) ambient: Ambient,
    pub(crate) retry: RetryPolicy,
}

/// A model behind a wire.
pub(crate) struct WireModel {
    pub(crate) info: ModelInfo,
    peer: Peer,
    wire: Box<dyn Wire>,
    url: String,
    shared: Shared,
    bodies: Bodies,
}

impl WireModel {
    pub(crate) fn new(
        info: ModelInfo,
        peer: Peer,
        wire: Box<dyn Wire>,
        base_url: &str,
        shared: Shared,
    ) -> Self {
        let url = wire.url(base_url, &peer.model);
        Self { info, peer, wire, url, shared, bodies: Bodies::default() }
    }

    /// Tries until there is an answer or no further try.
    async fn call(
        &self,
        request: &Request,
        deltas: &(dyn Fn(Delta) + Send + Sync),
    ) -> Result<Answer, ModelError> {
        let body = self.bodies.body(&*self.wire, &self.peer.model, request);
        let sink = Sink { deltas, peer: &self.peer };
        let mut failed = 0;
        loop {
            let failure = match self.attempt(body.clone(), &sink).await {
                Ok(finished) => return Ok(self.answer(request, finished)),
                Err(failure) => failure,
            };
            failed += 1;
            let Some(wait) = self.wait_after(failed, &failure) else { return Err(failure.error) };
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let at_ms = self.shared.ambient.now_ms().saturating_add(wait_ms);
            tracing::info!(model.name = %self.info.name, error = %failure.error, wait_ms, failed, "model call tried again");
            deltas(Delta::Retry { at_ms, cause: failure.error.to_string() });
            self.shared.ambient.sleep(wait).await;
        }
    }

    fn wait_after(&self, failed: u32, failure: &Failure) -> Option<Duration> {
        let policy = &self.shared.retry;
        let step = policy.backoff.wait_after(failed, &*self.shared.ambient.random)?;
        match failure.again {
            Again::Never => None,
            Again::Once => (failed < 2).then_some(step),
            Again::Connect => (failed < policy.connect_tries).then_some(step),
            Again::Later(None) => Some(step),
            Again::Later(Some(asked_ms)) => {
                let asked = Duration::from_millis(asked_ms);
                // A little later than asked, so that many runs do not come back in one moment.
                let spread = step.mul_f64(self.shared.ambient.random.fraction() * 0.25);
                (asked <= policy.longest_wait).then(|| asked + spread)
            }
        }
    }

    /// One HTTP request and its streamed answer.
    async fn attempt(&self, body: Bytes, sink: &Sink<'_>) -> Result<Finished, Failure> {
        let response = self.send(body).await?;
        let status = response.status().as_u16();
        let is_page = response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("text/html")));
        if status != 200 || is_page {
            let headers = response.headers().clone();
            let body = read_some(response).await;
            return Err(self.peer.status(status, &headers, &body));
        }
        self.read(response, sink).await
    }

    async fn send(&self, body: Bytes) -> Result<reqwest::Response, Failure> {
        let client = self.shared.http.for_url(&self.url).map_err(Failure::never)?;
        let mut post = client.post(&self.url).header("content-type", "application/json").body(body);
        for (name, value) in self.wire.headers(self.peer.key.as_deref()) {
            post = post.header(name, value);
        }
        post.send().await.map_err(|error| {
            let connecting = error.is_connect();
            let setting = error.is_builder();
            let words = chain(&error.without_url());
            match (setting, connecting) {
                (true, _) => self.peer.bad_answer(&format!("the request cannot be made: {words}")),
                (_, true) => self.peer.unreachable(&format!("{words} ({})", self.origin())),
                (_, false) => self.peer.cut(&words),
            }
        })
    }

    async fn read(&self, response: reqwest::Response, sink: &Sink<'_>) -> Result<Finished, Failure> {
        let mut chunks = response.bytes_stream();
        let mut reading =
            Reading { decoder: Decoder::default(), reader: self.wire.reader(), flow: Flow::More };
        let mut beginning = Vec::new();
        let mut seen_event = false;
        while reading.flow == Flow::More {
            let Some(chunk) = chunks.next().await else { break };
            let chunk = chunk.map_err(|error| self.peer.cut(&chain(&error.without_url())))?;
            if !seen_event && beginning.len() < KEPT_BEGINNING {
                beginning.extend_from_slice(&chunk[..chunk.len().min(KEPT_BEGINNING)]);
            }
            seen_event |= reading.feed(&chunk, sink)?;
        }
        if reading.flow == Flow::More {
            seen_event |= reading.end(sink)?;
        } else {
            // Takes the end of the body along, so that the connection can be used again.
            let rest = async { while chunks.next().await.is_some_and(|chunk| chunk.is_ok()) {} };
            let _ = tokio::time::timeout(DRAIN_LIMIT, rest).await;
        }
        if !seen_event {
            return Err(self.no_event(&beginning));
        }
        if reading.flow == Flow::More && !reading.reader.whole_at_end() {
            return Err(self.peer.cut("the stream ended before the answer did"));
        }
        self.checked(reading.reader.finish())
    }

    /// A body of status 200 without one event: an error as JSON, or nothing that we know.
    fn no_event(&self, beginning: &[u8]) -> Failure {
        match serde_json::from_slice::<Value>(beginning) {
            Ok(json) if json.get("error").is_some() => self.peer.event(&json),
            _ if beginning.is_empty() => self.peer.stumble("an empty answer"),
            _ => self.peer.bad_answer(&format!("not a stream: {}", String::from_utf8_lossy(beginning))),
        }
    }

    fn checked(&self, finished: Finished) -> Result<Finished, Failure> {
        let empty = finished.parts.iter().all(|part| match part {
            AssistantPart::Text { text, .. } => text.is_empty(),
            AssistantPart::Thinking { .. } => true,
            AssistantPart::ToolCall(_) => false,
        });
        let stop = finished.stop.unwrap_or(StopReason::EndTurn);
        if empty && matches!(stop, StopReason::EndTurn | StopReason::ToolUse) {
            let remark = finished.remark.as_deref().unwrap_or("an empty answer");
            return Err(self.peer.stumble(remark));
        }
        Ok(finished)
    }

    fn answer(&self, request: &Request, finished: Finished) -> Answer {
        let Finished { mut parts, stop, usage, .. } = finished;
        parts::give_ids(request, &mut parts, &*self.shared.ambient.random);
        let called = parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(_)));
        let stop = match stop {
            Some(StopReason::EndTurn | StopReason::ToolUse) | None if called => StopReason::ToolUse,
            Some(StopReason::ToolUse) | None => StopReason::EndTurn,
            Some(other) => other,
        };
        Answer { parts, stop, usage, cost: self.info.price.map(|price| price.of(&usage)) }
    }

    /// The address without path and query.
    fn origin(&self) -> &str {
        let after_scheme = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[after_scheme..].find('/').map_or(self.url.len(), |at| after_scheme + at);
        &self.url[..end]
    }
}

/// How much of a body that is no stream is kept for the error.
const KEPT_BEGINNING: usize = 16_384;
/// Waiting for the end of a body whose answer is whole takes no longer.
const DRAIN_LIMIT: Duration = Duration::from_millis(20);

/// A stream being read.
struct Reading {
    decoder: Decoder,
    reader: Box<dyn Reader>,
    flow: Flow,
}

impl Reading {
    /// Takes a chunk; whether it held an event.
    fn feed(&mut self, chunk: &[u8], sink: &Sink<'_>) -> Result<bool, Failure> {
        let Self { decoder, reader, flow } = self;
        let mut seen = false;
        decoder
            .feed(chunk, |event| {
                seen = true;
                if *flow == Flow::More {
                    *flow = take(&mut **reader, event, sink).map_err(Stop::Failed)?;
                }
                Ok(())
            })
            .map_err(|stop: Stop| stop.into_failure(sink.peer))?;
        Ok(seen)
    }

    fn end(&mut self, sink: &Sink<'_>) -> Result<bool, Failure> {
        let last = self.decoder.finish().map_err(|error| sink.peer.bad_answer(&error.to_string()))?;
        let Some(event) = last else { return Ok(false) };
        // The last event of a cut stream may be half of one.
        if serde_json::from_str::<Value>(&event.data).is_ok() || event.data == END_MARK {
            self.flow = take(&mut *self.reader, &event, sink)?;
        }
        Ok(true)
    }
}

/// Why decoding stopped.
enum Stop {
    Failed(Failure),
    Sse(SseError),
}

impl From<SseError> for Stop {
    fn from(error: SseError) -> Self {
        Self::Sse(error)
    }
}

impl Stop {
    fn into_failure(self, peer: &Peer) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Sse(error) => peer.bad_answer(&error.to_string()),
        }
    }
}

/// What two of the wires end a stream with.
const END_MARK: &str = "[DONE]";

fn take(reader: &mut dyn Reader, event: &Event, sink: &Sink<'_>) -> Result<Flow, Failure> {
    if event.data == END_MARK {
        return Ok(Flow::Done);
    }
    if event.data.trim().is_empty() {
        return Ok(Flow::More);
    }
    let json = serde_json::from_str::<Value>(&event.data).map_err(|error| {
        sink.peer.bad_answer(&format!("an event that is not JSON ({error}): {}", event.data))
    })?;
    reader.event(&json, &event.name, sink)
}

impl Model for WireModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        deltas: &'a (dyn Fn(Delta) + Send + Sync),
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(ModelError::Cancelled),
                answer = self.call(request, deltas) => answer,
            }
        })
    }
}

/// The first part of an error's body.
async fn read_some(response: reqwest::Response) -> Vec<u8> {
    let mut chunks = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(Ok(chunk)) = chunks.next().await {
        body.extend_from_slice(&chunk);
        if body.len() > 256 * 1024 {
            break;
        }
    }
    body
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

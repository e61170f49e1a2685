//! The call: asks, reads, tries again.

use bytes::Bytes;
use domain::transcript::{AssistantPart, StopReason};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use runtime::{Ambient, CancellationToken};
use serde_json::Value;

use super::body::Bodies;
use super::leftovers::{Chunks, Leftovers};
use super::parts::give_ids;
use super::retry::RetryPolicy;
use super::stream::Reading;
use super::{Finished, Flow, Sink, Wire};
use crate::error::ModelError;
use crate::failure::{Failure, Peer};
use crate::http::HttpClient;
use crate::model::{Answer, Delta, Model, ModelInfo, Request};
use crate::price_table::Tariff;

/// How much of a body that is no stream is kept for the error.
const KEPT_BEGINNING: usize = 16_384;

/// What calls of all models share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) http: HttpClient,
    pub(crate) ambient: Ambient,
    pub(crate) retry: RetryPolicy,
}

/// How a model is asked.
pub(crate) struct Asking {
    pub(crate) wire: Box<dyn Wire>,
    pub(crate) tariff: Tariff,
    pub(crate) shared: Shared,
}

/// A model behind a wire.
pub(crate) struct WireModel {
    info: ModelInfo,
    peer: Peer,
    asking: Asking,
    url: String,
    bodies: Bodies,
    leftovers: Leftovers,
}

impl WireModel {
    pub(crate) fn new(info: ModelInfo, peer: Peer, asking: Asking, base_url: &str) -> Self {
        let url = asking.wire.url(base_url, &peer.model);
        Self { info, peer, asking, url, bodies: Bodies::default(), leftovers: Leftovers::default() }
    }

    /// Tries until there is an answer or no further try.
    async fn call(
        &self,
        request: &Request,
        deltas: &(dyn Fn(Delta) + Send + Sync),
    ) -> Result<Answer, ModelError> {
        let body = self.bodies.body(&*self.asking.wire, &self.peer.model, request);
        let sink = Sink { deltas, peer: &self.peer };
        self.leftovers.finish().await;
        let retry = &self.asking.shared.retry;
        let mut failed = 0;
        loop {
            let failure = match self.attempt(body.clone(), &sink).await {
                Ok(finished) => return Ok(self.answer(request, finished)),
                Err(failure) => failure,
            };
            failed += 1;
            let Some(wait) = retry.wait_after(failed, &failure, &*self.asking.shared.ambient.random) else {
                return Err(failure.error);
            };
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let at_ms = self.asking.shared.ambient.now_ms().saturating_add(wait_ms);
            tracing::info!(model.name = %self.info.name, error = %failure.error, wait_ms, failed, "model call tried again");
            deltas(Delta::Retry { at_ms, cause: failure.error.to_string() });
            self.asking.shared.ambient.sleep(wait).await;
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
        let client = self.asking.shared.http.for_url(&self.url).map_err(Failure::never)?;
        let mut post = client.post(&self.url).header("content-type", "application/json").body(body);
        for (name, value) in self.asking.wire.headers(self.peer.key.as_deref()) {
            post = post.header(name, value);
        }
        post.send().await.map_err(|error| self.not_sent(error))
    }

    fn not_sent(&self, error: reqwest::Error) -> Failure {
        let (is_setting, is_connecting) = (error.is_builder(), error.is_connect());
        let words = chain(&error.without_url());
        if is_setting {
            return self.peer.bad_answer(&format!("the request cannot be made: {words}"));
        }
        if is_connecting && words.contains("certificate") {
            let hint = "is there an authority of your own? SSL_CERT_FILE names its certificate";
            let failure = self.peer.unreachable(&format!("{words} ({}; {hint})", self.origin()));
            return Failure::never(failure.error);
        }
        if is_connecting {
            return self.peer.unreachable(&format!("{words} ({})", self.origin()));
        }
        self.peer.cut(&words)
    }

    async fn read(&self, response: reqwest::Response, sink: &Sink<'_>) -> Result<Finished, Failure> {
        let mut chunks: Chunks = response.bytes_stream().boxed();
        let mut reading = Reading::new(self.asking.wire.reader());
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
            self.leftovers.keep(chunks);
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
        give_ids(request, &mut parts, &*self.asking.shared.ambient.random);
        let called = parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(_)));
        let stop = match stop {
            Some(StopReason::EndTurn | StopReason::ToolUse) | None if called => StopReason::ToolUse,
            Some(StopReason::ToolUse) | None => StopReason::EndTurn,
            Some(other) => other,
        };
        Answer { parts, stop, usage, cost: self.asking.tariff.cost(&usage) }
    }

    /// The address without path and query.
    fn origin(&self) -> &str {
        let after_scheme = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[after_scheme..].find('/').map_or(self.url.len(), |at| after_scheme + at);
        &self.url[..end]
    }
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

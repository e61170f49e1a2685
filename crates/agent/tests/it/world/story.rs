//! A model with a story: its nth answer, whatever it is asked; it repeats calls that were interrupted.

use std::collections::VecDeque;
use std::sync::Mutex;

use domain::Micros;
use domain::transcript::{AssistantPart, Message, StopReason, ToolCall, Usage, UserPart};
use futures_util::future::BoxFuture;
use models::price::Price;
use models::{Answer, Delta, Model, ModelError, ModelInfo, Request};
use runtime::CancellationToken;
use serde_json::Value;

pub(crate) struct Story {
    pub(crate) info: ModelInfo,
    /// The next answer is found by how often the story answered, not by what the request shows.
    pub(crate) by_requests: bool,
    answers: Vec<Answer>,
    given: Mutex<usize>,
    /// Given before anything else, oldest first; `None` hangs until the call is cancelled.
    faults: Mutex<VecDeque<Option<ModelError>>>,
    requests: Mutex<Vec<Request>>,
    summary: Mutex<Result<String, ModelError>>,
}

/// An answer of words alone.
pub(crate) fn says(text: &str) -> Answer {
    answer(vec![AssistantPart::Text { text: text.to_owned(), replay: None }], StopReason::EndTurn)
}

/// An answer with one call.
pub(crate) fn call(id: &str, tool: &str, arguments: Value) -> Answer {
    calls(&[(id, tool, arguments)])
}

/// An answer with several calls.
pub(crate) fn calls(calls: &[(&str, &str, Value)]) -> Answer {
    let part = |(id, tool, arguments): &(&str, &str, Value)| {
        AssistantPart::ToolCall(ToolCall {
            id: (*id).to_owned(),
            tool: (*tool).to_owned(),
            arguments: arguments.clone(),
            replay: None,
        })
    };
    answer(calls.iter().map(part).collect(), StopReason::ToolUse)
}

fn answer(parts: Vec<AssistantPart>, stop: StopReason) -> Answer {
    let usage = Usage { input_tokens: 100, output_tokens: 10, ..Usage::default() };
    Answer { parts, stop, usage, cost: Some(Micros(1_000)) }
}

impl Story {
    pub(crate) fn new(answers: Vec<Answer>) -> Self {
        let price = Price { input: 1, output: 1, cache_read: 1, cache_write: 1 };
        Self {
            info: ModelInfo {
                name: "test/story".to_owned(),
                scripted: true,
                context_tokens: 100_000,
                price: Some(price),
            },
            by_requests: false,
            answers,
            given: Mutex::new(0),
            faults: Mutex::default(),
            requests: Mutex::default(),
            summary: Mutex::new(Ok("the summary".to_owned())),
        }
    }

    /// The next requests meet these.
    pub(crate) fn faults(&self, faults: Vec<Option<ModelError>>) {
        self.faults.lock().unwrap().extend(faults);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn summary_is(&self, summary: Result<String, ModelError>) {
        *self.summary.lock().unwrap() = summary;
    }

    fn next(&self, request: &Request) -> Result<Answer, ModelError> {
        if request.tools.is_empty() {
            return self.summary.lock().unwrap().clone().map(|text| says(&text));
        }
        let interrupted = |message: &Message| interrupted_calls(message).next().is_some();
        let asked_again = request.messages.iter().filter(|message| interrupted(message)).count();
        let said =
            request.messages.iter().filter(|m| matches!(m.as_ref(), Message::Assistant { .. })).count();
        if let Some(last) = request.messages.last().filter(|message| interrupted(message)) {
            return Ok(self.repeat(request, interrupted_calls(last).collect()));
        }
        let off = || ModelError::OffScript { message: "the story is over".to_owned() };
        let mut given = self.given.lock().unwrap();
        *given += 1;
        let position = if self.by_requests { *given - 1 } else { said - asked_again };
        self.answers.get(position).cloned().ok_or_else(off)
    }

    fn repeat(&self, request: &Request, ids: Vec<&str>) -> Answer {
        let mut parts = Vec::new();
        for message in &request.messages {
            let Message::Assistant { parts: said } = message.as_ref() else { continue };
            for part in said {
                if let AssistantPart::ToolCall(call) = part
                    && ids.contains(&call.id.as_str())
                {
                    let id = format!("{}-again", call.id);
                    parts.push(AssistantPart::ToolCall(ToolCall { id, ..call.clone() }));
                }
            }
        }
        answer(parts, StopReason::ToolUse)
    }
}

fn interrupted_calls(message: &Message) -> impl Iterator<Item = &str> {
    let parts: &[UserPart] = match message {
        Message::User { parts } => parts,
        Message::Assistant { .. } => &[],
    };
    parts.iter().filter_map(|part| match part {
        UserPart::ToolResult { call_id, output, .. } if output.starts_with("interrupted") => {
            Some(call_id.as_str())
        }
        UserPart::ToolResult { .. } | UserPart::Text { .. } | UserPart::Image { .. } => None,
    })
}

impl Model for Story {
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
            self.requests.lock().unwrap().push(request.clone());
            let fault = self.faults.lock().unwrap().pop_front();
            match fault {
                Some(Some(error)) => return Err(error),
                Some(None) => {
                    cancel.cancelled().await;
                    return Err(ModelError::Cancelled);
                }
                None => {}
            }
            let answer = self.next(request)?;
            for part in &answer.parts {
                if let AssistantPart::Text { text, .. } = part {
                    deltas(Delta::Text(text.clone()));
                }
            }
            Ok(answer)
        })
    }
}

//! The one call that every provider answers.

use std::sync::Arc;

use domain::transcript::{AssistantPart, Cost, Message, StopReason, Usage};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::error::ModelError;

/// A tool as it is offered to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// When to use it and what it gives.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// What a model is asked. The parts are ordered from the most to the least stable, so that every wire can
/// send a byte-stable prefix.
#[derive(Debug, Clone)]
pub struct Request {
    /// The system prompt; the same for the whole run.
    pub system: Arc<str>,
    /// The tools; the same for the whole run. Empty for summaries.
    pub tools: Arc<[ToolSpec]>,
    /// The conversation. A request's messages are a pure extension of the one before, but after compaction.
    pub messages: Vec<Arc<Message>>,
    /// The most tokens to answer with; the wire's default where `None`.
    pub max_output_tokens: Option<u32>,
    /// Stable per run: lets a provider route to its cache.
    pub cache_key: String,
}

/// A piece of an answer under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// More words.
    Text(String),
    /// More thinking.
    Thinking(String),
    /// The call failed before its answer began and is tried again at `at_ms` (Unix milliseconds); what was
    /// streamed of this answer before is void.
    Retry {
        /// When.
        at_ms: i64,
        /// Why, in the provider's words.
        cause: String,
    },
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the model said, in order.
    pub parts: Vec<AssistantPart>,
    /// Why it stopped.
    pub stop: StopReason,
    /// What it used, as the provider counts.
    pub usage: Usage,
    /// What that cost by our price table; `None` when the price is not known.
    pub cost: Cost,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The full name: `anthropic/claude-sonnet-4-5`.
    pub name: String,
    /// Whether it is a script and not a model. Every UI must say so.
    pub scripted: bool,
    /// The context window in tokens (a cautious default where unknown).
    pub context_tokens: u64,
    /// Prices in microdollars per million tokens, where known.
    pub price: Option<crate::price::Price>,
}

/// A model that can be asked.
pub trait Model: Send + Sync + 'static {
    /// What is known of it.
    fn info(&self) -> &ModelInfo;

    /// Asks, streams pieces to `deltas` (never blocking on it) and returns the whole answer.
    ///
    /// Retries of overload, rate limits and cut streams happen inside, with backoff, jitter and
    /// `Retry-After`; what comes out is final. Cancelling `cancel` ends the HTTP request at once.
    ///
    /// # Errors
    ///
    /// See [`ModelError`]; `ModelError::Cancelled` after a cancel.
    fn ask<'a>(
        &'a self,
        request: &'a Request,
        deltas: &'a (dyn Fn(Delta) + Send + Sync),
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>>;
}

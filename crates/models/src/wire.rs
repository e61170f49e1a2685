//! What the four wires share: the trait that each fills in.

mod anthropic;
mod body;
mod call;
mod gemini;
mod leftovers;
mod openai;
mod openai_chat;
mod parts;
mod retry;
mod stream;

use domain::transcript::{AssistantPart, Message, StopReason, Usage};
use serde_json::Value;

pub use self::retry::RetryPolicy;

pub(crate) use self::call::{Asking, Shared, WireModel};

use self::anthropic::Anthropic;
use self::gemini::Gemini;
use self::openai::OpenAi;
use self::openai_chat::OpenAiChat;
use crate::config::WireKind;
use crate::failure::{Failure, Peer};
use crate::model::{Delta, Request};

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
        WireKind::Anthropic => Box::new(Anthropic::new(model, thinking_tokens)),
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
